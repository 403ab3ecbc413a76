//! Reads JSON text without copying strings that have no escapes.
//!
//! The reader accepts a subset of what `serde_json` accepts, and calls visitors with the same values. Whatever it
//! refuses is read a second time by `serde_json`, which either accepts it or says what is wrong and where. So the
//! reader's errors carry nothing, and its limits (nesting, unpaired surrogates) decide nothing but time.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;

/// Deepest nesting that is read; below the limit of `serde_json`.
const MAX_DEPTH: u8 = 100;
/// Deepest nesting that is skipped: a bit each.
const MAX_SKIPPED_DEPTH: u32 = 64;

/// The text is not JSON, of another type than the visitor wants, or beyond the subset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unread;

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not read")
    }
}

impl std::error::Error for Unread {}

/// A position in a JSON text.
pub(crate) struct Reader<'de> {
    pub(super) text: &'de str,
    pub(super) at: usize,
    depth: u8,
    /// No item of the innermost container was read.
    is_first: bool,
    /// The last string that had escapes.
    pub(super) unescaped: String,
    /// Values that are known to be sound, in their order; [`Reader::raw`] need not look into them.
    read_before: VecDeque<Range<usize>>,
}

impl<'de> Reader<'de> {
    pub(crate) fn new(text: &'de str) -> Self {
        Self { text, at: 0, depth: 0, is_first: false, unescaped: String::new(), read_before: VecDeque::new() }
    }

    /// Reads a text of which some values were read before.
    pub(crate) fn again(text: &'de str, read_before: Vec<Range<usize>>) -> Self {
        Self { read_before: read_before.into(), ..Self::new(text) }
    }

    /// The position in the text, behind white space.
    pub(crate) fn position(&mut self) -> usize {
        self.peek();
        self.at
    }

    /// Returns to a position, with the nesting there.
    pub(crate) fn return_to(&mut self, (position, depth): (usize, u8)) {
        (self.at, self.depth) = (position, depth);
    }

    /// The current position with its nesting, for [`Reader::return_to`].
    pub(crate) fn mark(&mut self) -> (usize, u8) {
        (self.position(), self.depth)
    }

    /// All text from the current position on; nothing can be read afterwards.
    pub(crate) fn take_rest(&mut self) -> &'de str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at = self.text.len();
        rest
    }

    /// Checks that only white space follows.
    pub(crate) fn end(&mut self) -> Result<(), Unread> {
        if self.peek().is_none() { Ok(()) } else { Err(Unread) }
    }

    /// The byte at the current position.
    #[inline]
    pub(super) fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips white space; returns the byte behind it.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other,
            }
        }
    }

    /// Skips white space and the byte `expected`.
    #[inline]
    pub(crate) fn expect(&mut self, expected: u8) -> Result<(), Unread> {
        if self.peek() == Some(expected) {
            self.at += 1;
            Ok(())
        } else {
            Err(Unread)
        }
    }

    /// Steps over a literal, whose first byte is the current one.
    #[inline]
    pub(super) fn literal(&mut self, literal: &str) -> Result<(), Unread> {
        if self.text.as_bytes()[self.at..].starts_with(literal.as_bytes()) {
            self.at += literal.len();
            Ok(())
        } else {
            Err(Unread)
        }
    }

    /// Steps into an array or object that begins with `open`.
    #[inline]
    pub(crate) fn open(&mut self, open: u8) -> Result<(), Unread> {
        self.expect(open)?;
        self.depth += 1;
        self.is_first = true;
        if self.depth > MAX_DEPTH { Err(Unread) } else { Ok(()) }
    }

    /// Moves to the next item of an array or object; returns false before `close`, which ends it.
    #[inline]
    pub(crate) fn next_item(&mut self, close: u8) -> Result<bool, Unread> {
        match self.peek().ok_or(Unread)? {
            byte if byte == close => Ok(false),
            _ if std::mem::take(&mut self.is_first) => Ok(true),
            b',' => {
                self.at += 1;
                self.is_first = false;
                Ok(true)
            }
            _ => Err(Unread),
        }
    }

    /// Steps out of an array or object that ends with `close`.
    #[inline]
    pub(crate) fn close(&mut self, close: u8) -> Result<(), Unread> {
        self.depth -= 1;
        self.is_first = false;
        self.expect(close)
    }

    /// The text between a position and the current one.
    #[inline]
    pub(super) fn since(&self, start: usize) -> Result<&'de str, Unread> {
        self.text.get(start..self.at).ok_or(Unread)
    }

    fn digits(&mut self) -> Result<(), Unread> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(Unread) }
    }

    /// Reads a number, whose first byte is the current one; returns its text, and whether it is an integer.
    #[inline]
    pub(super) fn number(&mut self) -> Result<(&'de str, bool), Unread> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        // No digit follows a leading zero.
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let whole = self.at;
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok((self.since(start)?, whole == self.at))
    }

    /// Steps over a value and returns its text.
    #[inline]
    pub(crate) fn raw(&mut self) -> Result<&'de str, Unread> {
        self.peek();
        let start = self.at;
        match self.read_before.front() {
            Some(range) if range.start == start => {
                self.at = range.end;
                self.read_before.pop_front();
            }
            _ => self.skip()?,
        }
        self.since(start)
    }

    /// Steps over a value.
    pub(crate) fn skip(&mut self) -> Result<(), Unread> {
        // The open containers, innermost in the lowest bit: 1 for an object.
        let (mut objects, mut depth) = (0_u64, 0);
        loop {
            let opened = match self.peek().ok_or(Unread)? {
                b'"' => {
                    self.skip_string()?;
                    false
                }
                open @ (b'{' | b'[') => {
                    self.at += 1;
                    depth += 1;
                    if depth > MAX_SKIPPED_DEPTH {
                        return Err(Unread);
                    }
                    objects = objects << 1 | u64::from(open == b'{');
                    true
                }
                b't' => self.literal("true").map(|()| false)?,
                b'f' => self.literal("false").map(|()| false)?,
                b'n' => self.literal("null").map(|()| false)?,
                _ => self.number().map(|_| false)?,
            };
            let mut opened = opened;
            // Ends containers as far as they end here, up to the next value.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let in_object = objects & 1 == 1;
                let close = if in_object { b'}' } else { b']' };
                let next = self.peek();
                if next == Some(close) {
                    self.at += 1;
                    depth -= 1;
                    objects >>= 1;
                    opened = false;
                    continue;
                }
                if !opened {
                    self.expect(b',')?;
                }
                if in_object {
                    if self.peek() != Some(b'"') {
                        return Err(Unread);
                    }
                    self.skip_string()?;
                    self.expect(b':')?;
                }
                break;
            }
        }
    }
}
