//! Keys of JSON objects, read without allocation.

use std::fmt;

use serde_core::de::{Deserialize, Deserializer, Visitor};

/// Longest key that is compared with others; longer ones are none of those that matter.
const MAX_KEY_BYTES: usize = 40;

/// A key of at most [`MAX_KEY_BYTES`]; empty for a longer one.
pub(crate) struct Key {
    bytes: [u8; MAX_KEY_BYTES],
    len: usize,
}

impl Key {
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        pub(crate) struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_str<E>(self, text: &str) -> Result<Key, E> {
                let mut key = Key { bytes: [0; MAX_KEY_BYTES], len: 0 };
                if let Some(bytes) = key.bytes.get_mut(..text.len()) {
                    bytes.copy_from_slice(text.as_bytes());
                    key.len = text.len();
                }
                Ok(key)
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}
