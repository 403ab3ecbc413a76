//! Lower-casing without the heap, for texts of ordinary length.

/// A text in lower case, as `str::to_lowercase` makes it.
pub(crate) enum Lowered<'a> {
    /// The text had no upper-case letter.
    Same(&'a str),
    /// ASCII text in a buffer.
    Short([u8; Lowered::SHORT], usize),
    /// Anything else; on the heap.
    Long(String),
}

impl Lowered<'_> {
    const SHORT: usize = 128;

    #[inline]
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Same(text) => text,
            Self::Short(bytes, len) => std::str::from_utf8(&bytes[..*len]).unwrap_or_default(),
            Self::Long(text) => text,
        }
    }
}

/// Lower-cases `text`; allocates only for upper-case text that is long or not ASCII.
#[inline]
pub(crate) fn lower(text: &str) -> Lowered<'_> {
    if is_lower_ascii(text.as_bytes()) {
        Lowered::Same(text)
    } else if text.is_ascii() && text.len() <= Lowered::SHORT {
        let mut bytes = [0; Lowered::SHORT];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        bytes[..text.len()].make_ascii_lowercase();
        Lowered::Short(bytes, text.len())
    } else {
        Lowered::Long(text.to_lowercase())
    }
}

/// Returns whether there is neither an upper-case ASCII letter nor a byte above ASCII; eight bytes at a time.
#[inline]
pub(crate) fn is_lower_ascii(text: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Adding moves everything from `A` on, or from behind `Z` on, above 127.
    const FROM_A: u64 = 0x0101_0101_0101_0101 * (0x80 - b'A' as u64);
    const FROM_BEHIND_Z: u64 = 0x0101_0101_0101_0101 * (0x80 - b'Z' as u64 - 1);
    let plain = |word: u64| {
        let low = word & !HIGH;
        let upper = (low + FROM_A) & !(low + FROM_BEHIND_Z);
        (word | upper) & HIGH == 0
    };
    let (words, rest) = text.as_chunks::<8>();
    words.iter().all(|word| plain(u64::from_le_bytes(*word)))
        && rest.iter().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_apart_at_every_place() {
        for byte in 0..=127_u8 {
            for place in 0..19 {
                let mut text = [b'x'; 19];
                text[place] = byte;
                assert_eq!(is_lower_ascii(&text), !byte.is_ascii_uppercase(), "{byte} at {place}");
            }
        }
        assert!(!is_lower_ascii("xxxxxxxxé".as_bytes()) && !is_lower_ascii("éxxxxxxx".as_bytes()));
    }

    #[test]
    fn agrees_with_the_standard_library() {
        for text in ["", "abc", "ABC", "aBc1", "ÜNÏ", "ΟΔΥΣΣΕΥΣ", "İ", "ẞ", &"X".repeat(500), "user-1"] {
            assert_eq!(lower(text).as_str(), text.to_lowercase());
        }
    }
}
