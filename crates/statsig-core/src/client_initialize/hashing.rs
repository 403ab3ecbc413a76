//! Names as clients see them (`docs/protocol/client-initialize.md#names`).

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::ruleset::{HashedText, Ruleset, Text};

/// How the names of gates, configs and layers are hidden from clients.
///
/// Reads from `none`, `djb2` and `sha256`, in lower case, upper case or capitalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// Names are as they are.
    None,
    /// A 32-bit number in decimal: short, quick, easily guessed. Clients written in JavaScript
    /// compute another number for names with characters outside the Basic Multilingual Plane, such
    /// as emoji, and do not find them.
    #[default]
    Djb2,
    /// The Base64 of a SHA-256.
    Sha256,
}

impl HashAlgorithm {
    /// The name that `hash_used` carries.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Djb2 => "djb2",
            Self::Sha256 => "sha256",
        }
    }

    /// Hashes one name.
    ///
    /// ```
    /// use statsig_core::HashAlgorithm;
    ///
    /// assert_eq!(&*HashAlgorithm::Djb2.hash("a_gate"), "2867927529");
    /// assert_eq!(&*HashAlgorithm::Sha256.hash(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    /// ```
    #[must_use]
    pub fn hash(self, name: &str) -> HashedName<'_> {
        match self {
            Self::None => HashedName(Repr::Plain(name)),
            Self::Djb2 => HashedName::decimal(djb2(name)),
            Self::Sha256 => HashedName::base64(&sha256(name)),
        }
    }
}

/// A text that names no [`HashAlgorithm`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no hash algorithm")]
pub struct UnknownHashAlgorithm(String);

impl FromStr for HashAlgorithm {
    type Err = UnknownHashAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownHashAlgorithm> {
        match name {
            "none" | "None" | "NONE" => Ok(Self::None),
            "djb2" | "Djb2" | "DJB2" => Ok(Self::Djb2),
            "sha256" | "Sha256" | "SHA256" => Ok(Self::Sha256),
            other => Err(UnknownHashAlgorithm(other.to_owned())),
        }
    }
}

/// The djb2 hash of a text, over its code points, starting from 0.
#[must_use]
pub fn djb2(text: &str) -> u32 {
    djb2_of([text])
}

/// The djb2 hash of several texts as if they were one.
pub(super) fn djb2_of<'t>(parts: impl IntoIterator<Item = &'t str>) -> u32 {
    let step = |hash: u32, code: u32| hash.wrapping_mul(31).wrapping_add(code);
    parts.into_iter().fold(0, |hash, part| {
        if part.is_ascii() {
            part.bytes().fold(hash, |hash, byte| step(hash, byte.into()))
        } else {
            part.chars().fold(hash, |hash, character| step(hash, character.into()))
        }
    })
}

fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// A name as a client sees it; text on the stack or borrowed, without allocation.
#[derive(Clone, Copy)]
pub struct HashedName<'n>(Repr<'n>);

#[derive(Clone, Copy)]
enum Repr<'n> {
    Plain(&'n str),
    /// ASCII; what is used of it ends the array.
    Hashed([u8; HashedName::LENGTH], u8),
}

impl HashedName<'_> {
    /// Length of the Base64 of 32 bytes, the longest hash.
    const LENGTH: usize = 44;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Plain(name) => name,
            Repr::Hashed(bytes, start) => {
                std::str::from_utf8(bytes.get(usize::from(*start)..).unwrap_or_default()).unwrap_or_default()
            }
        }
    }

    /// A number's digits.
    #[allow(clippy::cast_possible_truncation)] // a digit and a position below 44 fit a byte
    pub(super) fn decimal(mut number: u32) -> Self {
        let mut bytes = [0; Self::LENGTH];
        let mut at = Self::LENGTH;
        loop {
            at -= 1;
            bytes[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Self(Repr::Hashed(bytes, at as u8));
            }
        }
    }

    fn base64(digest: &[u8; 32]) -> Self {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = [b'='; Self::LENGTH];
        for (bytes, characters) in digest.chunks(3).zip(text.chunks_mut(4)) {
            let bits = (0..3).fold(0_usize, |bits, at| bits << 8 | usize::from(bytes.get(at).copied().unwrap_or(0)));
            for (at, character) in characters.iter_mut().enumerate().take(bytes.len() + 1) {
                *character = ALPHABET[bits >> (18 - 6 * at) & 63];
            }
        }
        Self(Repr::Hashed(text, 0))
    }
}

impl Deref for HashedName<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for HashedName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for HashedName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for HashedName<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for HashedName<'_> {}

impl Serialize for HashedName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

/// Hashes the names of one ruleset.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameHasher<'r> {
    pub(super) ruleset: &'r Ruleset,
    pub(super) algorithm: HashAlgorithm,
    /// Prepared text of the algorithm; its hashes need no escapes. `None` where names are not hashed.
    pub(super) prepared: Option<&'r HashedText>,
}

impl<'r> NameHasher<'r> {
    pub(super) fn hash(&self, name: Text) -> HashedName<'r> {
        let prepared = self.prepared.and_then(|prepared| prepared.name(name));
        if let Some(hash) = prepared.and_then(|json| json.strip_prefix('"')?.strip_suffix('"')) {
            return HashedName(Repr::Plain(hash));
        }
        self.algorithm.hash(self.ruleset.str(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, djb2, SHA-256.
    const KNOWN: &[(&str, &str, &str)] = &[
        ("", "0", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        ("a", "97", "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs="),
        ("a_gate", "2867927529", "5v6IDYah7WmooSLkL7W3ak4pzBq5KXvJdac3tRmLnzE="),
        ("button_color_v3", "2530993990", "NhM5amvcEgsmYNj8B+Z6sFhJW5zK8AHO+S50lDQAjXU="),
        ("test_public", "3968762550", "cPaGkTiRBuP1SfwoxRtTvhT6Vxpa4v/342Z1N0pXUlc="),
        ("ÄÖÜ", "195210", "Hsyq8MTGjAv+QjooUTDimvUvPpWEKFJg8pGMXTQ0iOQ="),
        // Over UTF-16 units, as JavaScript has it, djb2 would be 4107559538.
        ("gate:😀", "3042067217", "QBtkH1miXcvhoWB1uwMrqRGrAKqsYt0Pk75RBZ/hy7U="),
    ];

    #[test]
    fn names_hash_to_known_values() {
        for (name, djb2, sha256) in KNOWN {
            assert_eq!(HashAlgorithm::None.hash(name).as_str(), *name);
            assert_eq!(HashAlgorithm::Djb2.hash(name).as_str(), *djb2, "{name}");
            assert_eq!(HashAlgorithm::Sha256.hash(name).as_str(), *sha256, "{name}");
        }
        for (name, hash) in [
            ("layer_1", "4253012163"),
            ("gate_pub", "2726547849"),
            ("exp_layer", "4253218991"),
            ("client-a", "908407519"),
            ("gate_nested", "94054123"),
        ] {
            assert_eq!(HashAlgorithm::Djb2.hash(name).as_str(), hash, "{name}");
        }
    }

    #[test]
    fn parts_hash_like_the_whole() {
        assert_eq!(djb2_of(["2726547849", ":", "true", ":", "rPub"]), 3_666_106_347);
        assert_eq!(djb2_of(["gate_pub", ":", "true", ":", "rPub"]), 2_784_693_990);
        assert_eq!(djb2_of(["gä", "te😀"]), djb2("gäte😀"));
        assert_eq!(HashedName::decimal(u32::MAX).as_str(), "4294967295");
    }

    #[test]
    fn algorithms_by_name() {
        for (names, algorithm) in [
            (["none", "None", "NONE"], HashAlgorithm::None),
            (["djb2", "Djb2", "DJB2"], HashAlgorithm::Djb2),
            (["sha256", "Sha256", "SHA256"], HashAlgorithm::Sha256),
        ] {
            for name in names {
                assert_eq!(name.parse(), Ok(algorithm));
            }
        }
        for name in ["", "md5", "SHA-256", "dJB2"] {
            assert!(name.parse::<HashAlgorithm>().is_err(), "{name}");
        }
    }
}
