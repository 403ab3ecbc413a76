//! Finds the end of an object or array by its brackets alone, sixty-four bytes at a time.

/// Bytes that are looked at together: a bit each.
const BLOCK: usize = 64;

/// Returns the position behind the container that begins at `start`.
///
/// Of sound JSON this is its end. Of damaged JSON it may be anything, so whoever uses it has to read the whole range.
pub(super) fn end_of_container(text: &[u8], start: usize) -> Option<usize> {
    let mut state = State::default();
    let (blocks, rest) = text.get(start..)?.as_chunks::<BLOCK>();
    let mut at = start;
    for block in blocks {
        if let Some(end) = state.advance(block) {
            return Some(at + end);
        }
        at += BLOCK;
    }
    let mut last = [b' '; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    state.advance(&last).map(|end| at + end)
}

/// What a block inherits from the blocks before it.
#[derive(Default)]
struct State {
    depth: u32,
    /// All ones within a string.
    in_string: u64,
    /// 1 behind a backslash that escapes the first byte.
    escaped: u64,
}

impl State {
    /// Returns the position behind the bracket that closes the container, if it is in this block.
    #[inline]
    fn advance(&mut self, block: &[u8; BLOCK]) -> Option<usize> {
        let masks = Masks::new(block);
        let mut escaped = std::mem::take(&mut self.escaped);
        let mut backslashes = masks.backslash & !escaped;
        while backslashes != 0 {
            let at = backslashes.trailing_zeros();
            // Neither this backslash nor what it escapes escapes anything else.
            backslashes &= !(0b11 << at);
            if at == 63 {
                self.escaped = 1;
            } else {
                escaped |= 1 << (at + 1);
            }
        }
        let inside = up_to_each(masks.quote & !escaped) ^ self.in_string;
        self.in_string = if inside >> 63 == 1 { u64::MAX } else { 0 };
        let (open, close) = (masks.open & !inside, masks.close & !inside);
        if close.count_ones() < self.depth {
            self.depth = self.depth + open.count_ones() - close.count_ones();
            return None;
        }
        let mut brackets = open | close;
        while brackets != 0 {
            let at = brackets.trailing_zeros();
            brackets &= brackets - 1;
            if open >> at & 1 == 1 {
                self.depth += 1;
            } else {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    return Some(at as usize + 1);
                }
            }
        }
        None
    }
}

/// Which bytes of a block are what.
struct Masks {
    quote: u64,
    backslash: u64,
    open: u64,
    close: u64,
}

impl Masks {
    #[inline]
    fn new(block: &[u8; BLOCK]) -> Self {
        let mut masks = Self { quote: 0, backslash: 0, open: 0, close: 0 };
        for (at, word) in block.as_chunks::<8>().0.iter().enumerate() {
            let word = u64::from_le_bytes(*word);
            // `[` and `{`, and `]` and `}`, differ in this bit.
            let folded = word | (ONES * 0x20);
            masks.quote |= equal_bytes(word, b'"') << (8 * at);
            masks.backslash |= equal_bytes(word, b'\\') << (8 * at);
            masks.open |= equal_bytes(folded, b'{') << (8 * at);
            masks.close |= equal_bytes(folded, b'}') << (8 * at);
        }
        masks
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// Returns which of eight bytes equal `byte`, in the lowest eight bits.
#[inline]
fn equal_bytes(word: u64, byte: u8) -> u64 {
    const LOW: u64 = ONES * 0x7F;
    let differs = word ^ (ONES * u64::from(byte));
    // The highest bit of each byte that is zero.
    let equal = !(((differs & LOW) + LOW) | differs) & !LOW;
    // The product moves the bit of each byte to its place in the highest byte.
    (equal >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Sets each bit that has an odd number of set bits at or below it.
#[inline]
fn up_to_each(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, byte by byte.
    fn by_bytes(text: &[u8], start: usize) -> Option<usize> {
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        for (at, byte) in text.iter().enumerate().skip(start) {
            match byte {
                _ if std::mem::take(&mut escaped) => {}
                b'\\' => escaped = true,
                b'"' => in_string = !in_string,
                _ if in_string => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    #[test]
    fn every_byte_is_told_from_every_other() {
        for byte in 0..=u8::MAX {
            for other in *b"\"\\{}" {
                let word = u64::from_le_bytes([byte, other, byte, byte, byte, byte, other, byte]);
                let expected = if byte == other { 0xFF } else { 0b0100_0010 };
                assert_eq!(equal_bytes(word, other), expected, "{byte} {other}");
            }
        }
    }

    #[test]
    fn ends_are_found_across_blocks() {
        for length in 0..300 {
            let text = format!("x{{\"k\":[\"{}\\\"}}]\\\\\",{{}}]}}, 1]", "\\\\".repeat(length));
            assert_eq!(end_of_container(text.as_bytes(), 1), Some(text.len() - 4), "{length}");
            assert_eq!(end_of_container(&text.as_bytes()[..text.len() - 5], 1), None, "{length}");
        }
        assert_eq!(end_of_container(b"", 0), None);
        assert_eq!(end_of_container(b"{}", 3), None);
    }

    proptest! {
        #[test]
        fn agrees_with_a_byte_by_byte_search(text in r#"[\[{]([{}\[\]]|["\\]|[a-z]){0,400}"#) {
            prop_assert_eq!(end_of_container(text.as_bytes(), 0), by_bytes(text.as_bytes(), 0));
        }
    }
}
