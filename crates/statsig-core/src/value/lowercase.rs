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
    if !text.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard_library() {
        for text in ["", "abc", "ABC", "aBc1", "ÜNÏ", "ΟΔΥΣΣΕΥΣ", "İ", "ẞ", &"X".repeat(500), "user-1"] {
            assert_eq!(lower(text).as_str(), text.to_lowercase());
        }
    }
}
