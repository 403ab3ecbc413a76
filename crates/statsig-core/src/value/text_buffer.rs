//! A text on the stack, for numbers that are compared as text.

use std::fmt;

/// Holds the decimal text of any `f64`, which never takes an exponent and at most 327 bytes.
pub(crate) struct TextBuffer {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

impl TextBuffer {
    const CAPACITY: usize = 344;

    pub(crate) const fn new() -> Self {
        Self { bytes: [0; Self::CAPACITY], len: 0 }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    /// The digits of an integer.
    #[allow(clippy::cast_possible_truncation)] // a digit fits a byte
    pub(crate) fn integer(&mut self, value: i64) -> &str {
        let mut at = Self::CAPACITY;
        let mut rest = value.unsigned_abs();
        loop {
            at -= 1;
            self.bytes[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            at -= 1;
            self.bytes[at] = b'-';
        }
        std::str::from_utf8(&self.bytes[at..]).unwrap_or_default()
    }

    /// The shortest digits that read back as `value`, without exponent or trailing `.0`.
    pub(crate) fn float(&mut self, value: f64) -> &str {
        self.len = 0;
        // Cannot fail: the longest text fits.
        let _ = fmt::write(self, format_args!("{value}"));
        self.as_str()
    }
}

impl fmt::Write for TextBuffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_without_exponent() {
        for (value, text) in [
            (1.0, "1"),
            (1.5, "1.5"),
            (1e21, "1000000000000000000000"),
            (1e-7, "0.0000001"),
            (-0.0, "-0"),
            (9_007_199_254_740_993_i64 as f64, "9007199254740992"),
        ] {
            assert_eq!(TextBuffer::new().float(value), text);
        }
        for extreme in [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, -5e-324] {
            assert_eq!(TextBuffer::new().float(extreme).parse::<f64>().unwrap(), extreme);
        }
        for value in [0, 7, -7, 1234567890, i64::MAX, i64::MIN] {
            assert_eq!(TextBuffer::new().integer(value), value.to_string());
        }
    }
}
