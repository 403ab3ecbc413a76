//! Strings of JSON text: found eight bytes at a time, and copied only if they have escapes.

use super::reader::{Reader, Unread};

/// A string of the text, or in the reader's buffer.
pub(super) enum Piece<'de, 'r> {
    Borrowed(&'de str),
    Unescaped(&'r str),
}

impl<'de> Reader<'de> {
    /// Moves to the next quote, backslash or control character, and returns it.
    #[inline]
    fn find_special(&mut self) -> Result<u8, Unread> {
        let bytes = self.text.as_bytes();
        while let Some(&word) = bytes.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let special = special_bytes(u64::from_le_bytes(word));
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return self.byte().ok_or(Unread);
            }
            self.at += 8;
        }
        while let Some(byte) = self.byte() {
            if byte == b'"' || byte == b'\\' || byte < 0x20 {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(Unread)
    }

    /// Reads a string, whose opening quote is the current byte.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Piece<'de, '_>, Unread> {
        self.at += 1;
        let start = self.at;
        match self.find_special()? {
            b'"' => {
                let piece = self.since(start)?;
                self.at += 1;
                Ok(Piece::Borrowed(piece))
            }
            b'\\' => self.unescape(start),
            _ => Err(Unread),
        }
    }

    /// Reads the rest of a string that has escapes.
    #[cold]
    fn unescape(&mut self, mut start: usize) -> Result<Piece<'de, '_>, Unread> {
        self.unescaped.clear();
        loop {
            let special = self.find_special()?;
            let piece = self.since(start)?;
            self.unescaped.push_str(piece);
            self.at += 1;
            match special {
                b'"' => return Ok(Piece::Unescaped(&self.unescaped)),
                b'\\' => {
                    let character = self.escape()?;
                    self.unescaped.push(character);
                }
                _ => return Err(Unread),
            }
            start = self.at;
        }
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Result<char, Unread> {
        let byte = self.byte().ok_or(Unread)?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.code_unit()?;
                if !(0xD800..0xDC00).contains(&unit) {
                    // A low surrogate alone is no character.
                    return char::from_u32(unit).ok_or(Unread);
                }
                self.literal("\\u")?;
                let low = self.code_unit()?.checked_sub(0xDC00).filter(|low| *low < 0x400).ok_or(Unread)?;
                return char::from_u32(0x1_0000 + ((unit - 0xD800) << 10) + low).ok_or(Unread);
            }
            _ => return Err(Unread),
        })
    }

    /// Reads four hexadecimal digits.
    fn code_unit(&mut self) -> Result<u32, Unread> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or(Unread)?;
        self.at += 4;
        digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?)).ok_or(Unread)
    }

    /// Steps over a string, whose opening quote is the current byte.
    #[inline]
    pub(super) fn skip_string(&mut self) -> Result<(), Unread> {
        self.at += 1;
        loop {
            let special = self.find_special()?;
            self.at += 1;
            match special {
                b'"' => return Ok(()),
                b'\\' => self.skip_escape()?,
                _ => return Err(Unread),
            }
        }
    }

    fn skip_escape(&mut self) -> Result<(), Unread> {
        let byte = self.byte().ok_or(Unread)?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => self.code_unit().map(drop),
            _ => Err(Unread),
        }
    }
}

/// Marks the first quote, backslash or control character of eight bytes with its highest bit; bytes behind it may be
/// marked wrongly.
#[inline]
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let is_zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = is_zero(word ^ (ONES * b'"' as u64));
    let backslash = is_zero(word ^ (ONES * b'\\' as u64));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & HIGH
}
