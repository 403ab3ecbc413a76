//! Salts joined in advance, with the part of their SHA-256 that does not depend on the user.
//!
//! A bucket is the hash of `salt.ruleSalt.unitID` (`docs/protocol/evaluation.md#hashing`). Salts are
//! usually two UUIDs, 74 bytes: the first 64-byte block of the hash is the same for every user, so
//! it is compressed at load time, and a check compresses one block instead of two.

use sha2::block_api::compress256;

use super::text::{Text, TextPool, TextPoolBuilder};

const BLOCK: usize = 64;
/// SHA-256's initial state.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The constant beginning of a hashed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HashPrefix {
    /// State after the whole blocks of the prefix.
    state: [u32; 8],
    /// Bytes of those blocks.
    compressed: u32,
    /// What is left: fewer than 64 bytes.
    tail: Text,
}

impl HashPrefix {
    /// Prepares `text`, which the unit ID will follow.
    pub(crate) fn new(text: &str, pool: &mut TextPoolBuilder) -> Self {
        let mut state = INITIAL;
        // The tail is kept as text, so it may not begin inside a character.
        let mut whole = text.len() - text.len() % BLOCK;
        while whole > 0 && !text.is_char_boundary(whole) {
            whole -= BLOCK;
        }
        for block in text.as_bytes()[..whole].as_chunks::<BLOCK>().0 {
            compress256(&mut state, std::slice::from_ref(block));
        }
        Self { state, compressed: super::position(whole), tail: pool.intern(&text[whole..]) }
    }

    /// The salt, for explanations; of one that fills whole blocks only what follows them, after `…`.
    pub(crate) fn salt(&self, pool: &TextPool) -> String {
        let tail = pool.get(self.tail);
        let salt = tail.strip_suffix('.').unwrap_or(tail);
        if self.compressed == 0 { salt.to_owned() } else { format!("…{salt}") }
    }

    /// First eight bytes, big-endian, of SHA-256 over the prefix followed by `unit`.
    #[inline]
    pub(crate) fn hash(&self, pool: &TextPool, unit: &str) -> u64 {
        let mut state = self.state;
        let (tail, unit) = (pool.bytes(self.tail), unit.as_bytes());
        let total = self.compressed as usize + tail.len() + unit.len();
        let mut block = [0; BLOCK];
        let used = if tail.len() + unit.len() < BLOCK {
            block[..tail.len()].copy_from_slice(tail);
            block[tail.len()..tail.len() + unit.len()].copy_from_slice(unit);
            tail.len() + unit.len()
        } else {
            absorb(&mut state, &mut block, tail, unit)
        };
        block[used] = 0x80;
        if used >= BLOCK - 8 {
            compress256(&mut state, std::slice::from_ref(&block));
            block = [0; BLOCK];
        }
        block[BLOCK - 8..].copy_from_slice(&(total as u64 * 8).to_be_bytes());
        compress256(&mut state, std::slice::from_ref(&block));
        u64::from(state[0]) << 32 | u64::from(state[1])
    }
}

/// Compresses the whole blocks of `tail` followed by `unit`; returns how much of `block` is used.
fn absorb(state: &mut [u32; 8], block: &mut [u8; BLOCK], tail: &[u8], unit: &[u8]) -> usize {
    let mut used = 0;
    for mut part in [tail, unit] {
        while !part.is_empty() {
            let take = part.len().min(BLOCK - used);
            block[used..used + take].copy_from_slice(&part[..take]);
            part = &part[take..];
            used += take;
            if used == BLOCK {
                compress256(state, std::slice::from_ref(block));
                used = 0;
            }
        }
    }
    block[used..].fill(0);
    used
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn reference(text: &str) -> u64 {
        Sha256::digest(text.as_bytes())[..8].iter().fold(0, |hash, &byte| hash << 8 | u64::from(byte))
    }

    #[test]
    fn agrees_with_a_plain_hash_at_every_length() {
        let salt: String = ('a'..='z').cycle().take(150).collect();
        let unit: String = ('0'..='9').cycle().take(200).collect();
        for prefix in 0..=150 {
            for length in [0, 1, 5, 45, 46, 54, 55, 56, 63, 64, 65, 119, 120, 200] {
                let mut pool = TextPoolBuilder::default();
                let prepared = HashPrefix::new(&salt[..prefix], &mut pool);
                let whole = format!("{}{}", &salt[..prefix], &unit[..length]);
                assert_eq!(prepared.hash(&pool.finish(), &unit[..length]), reference(&whole), "{prefix}+{length}");
            }
        }
    }

    #[test]
    fn a_character_across_a_block_border_is_kept_whole() {
        for shift in 60..=64 {
            let salt = format!("{}🎉é日本語.", "x".repeat(shift));
            let mut pool = TextPoolBuilder::default();
            let prepared = HashPrefix::new(&salt, &mut pool);
            assert_eq!(prepared.hash(&pool.finish(), "Zoë"), reference(&format!("{salt}Zoë")));
        }
    }
}
