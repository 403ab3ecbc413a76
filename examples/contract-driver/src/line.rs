//! Lines of bounded length.

use std::io::{self, BufRead};

/// One line of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Its bytes, without the line break.
    Bytes(&'a [u8]),
    /// It was longer than allowed, and was skipped.
    TooLong,
}

/// Cuts an input into lines, of which it never holds more than it may.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    max_bytes: usize,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub fn new(input: R, max_bytes: usize) -> Self {
        Self { input, max_bytes, line: Vec::new() }
    }

    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// The next line; the last one need not end with a line break.
    pub fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let (mut too_long, mut any) = (false, false);
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let piece = &chunk[..end.unwrap_or(chunk.len())];
            too_long |= piece.len() > self.max_bytes - self.line.len();
            if too_long {
                self.line = Vec::new();
            } else {
                self.line.extend_from_slice(piece);
            }
            let used = piece.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        Ok(match (any, too_long) {
            (false, _) => None,
            (true, true) => Some(Line::TooLong),
            (true, false) => Some(Line::Bytes(&self.line)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8], buffer: usize) -> Vec<Option<Vec<u8>>> {
        let mut lines = Lines::new(io::BufReader::with_capacity(buffer, input), 5);
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(match line {
                Line::Bytes(bytes) => Some(bytes.to_vec()),
                Line::TooLong => None,
            });
        }
        all
    }

    #[test]
    fn lines_are_cut_and_bounded() {
        let text = |text: &str| Some(text.as_bytes().to_vec());
        let long = None;
        for (input, expected) in [
            ("", vec![]),
            ("\n", vec![text("")]),
            ("a", vec![text("a")]),
            ("a\n", vec![text("a")]),
            ("a\n\nb", vec![text("a"), text(""), text("b")]),
            ("12345\n", vec![text("12345")]),
            ("123456\nb\n", vec![long.clone(), text("b")]),
            ("123456789012345\n12345", vec![long.clone(), text("12345")]),
            ("b\n123456", vec![text("b"), long.clone()]),
            ("a\r\n", vec![text("a\r")]),
        ] {
            for buffer in [1, 2, 3, 5, 64] {
                assert_eq!(lines(input.as_bytes(), buffer), expected, "{input:?} in pieces of {buffer}");
            }
        }
    }
}
