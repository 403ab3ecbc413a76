//! Versions, as version operators read them.

/// A component of a version; `None` where the text is no number.
pub(crate) type VersionPart = Option<i128>;

/// The numbers of a version: what stands before the first `-`, split at dots.
///
/// Components may have blanks around them and a sign. There is always at least one.
pub(crate) fn version_parts(text: &str) -> VersionParts<'_> {
    VersionParts { rest: Some(text) }
}

/// The components of a version, one by one.
pub(crate) struct VersionParts<'a> {
    rest: Option<&'a str>,
}

/// Up to here a component's digits fit a `u64` and are summed up while they are scanned.
const SHORT: usize = 18;

impl Iterator for VersionParts<'_> {
    type Item = VersionPart;

    #[inline]
    fn next(&mut self) -> Option<VersionPart> {
        let text = self.rest?;
        let (mut value, mut digits_only) = (0_u64, true);
        let mut end = text.len();
        self.rest = None;
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'0'..=b'9' => value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0')),
                b'.' => {
                    end = at;
                    self.rest = text.get(at + 1..);
                    break;
                }
                b'-' => {
                    end = at;
                    break;
                }
                _ => digits_only = false,
            }
        }
        if digits_only && (1..=SHORT).contains(&end) {
            return Some(Some(value.into()));
        }
        Some(text.get(..end).and_then(|part| part.trim().parse().ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components() {
        for (text, parts) in [
            ("1.2.3", vec![Some(1), Some(2), Some(3)]),
            ("2.10.0-rc1.5", vec![Some(2), Some(10), Some(0)]),
            (" 2 . +3 .x", vec![Some(2), Some(3), None]),
            ("", vec![None]),
            ("-1", vec![None]),
            ("1.", vec![Some(1), None]),
            ("1..2", vec![Some(1), None, Some(2)]),
            ("007", vec![Some(7)]),
            ("99999999999999999999", vec![Some(99_999_999_999_999_999_999)]),
            ("1e3", vec![None]),
        ] {
            assert_eq!(version_parts(text).collect::<Vec<_>>(), parts, "{text:?}");
        }
    }
}
