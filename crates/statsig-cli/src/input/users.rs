//! Users, one JSON object a line, in chunks for a pipeline.

use std::io::{BufRead, Read};

use anyhow::anyhow;

use super::Reader;
use super::likeness::Likeness;
use crate::failure::Failure;

/// Longest line that is accepted, in bytes.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// Where a chunk ends at the latest, in bytes.
const CHUNK_BYTES: usize = 1 << 17;

/// Bytes of the beginning that tell what a file is.
const HEAD_BYTES: usize = 1 << 16;

/// Lines that are handled together.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The number of the first line, from 1.
    first_line: u64,
    bytes: Vec<u8>,
}

impl Chunk {
    /// The lines that hold something, with their numbers.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let lines = self.bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
        (self.first_line..).zip(lines).filter(|(_, line)| !line.is_empty())
    }
}

/// Cuts a stream into chunks of lines.
pub(crate) struct UserLines {
    reader: Reader,
    name: String,
    /// The beginning, as far as it was there when it was opened.
    head: Vec<u8>,
    next_line: u64,
    lines_per_chunk: usize,
}

impl UserLines {
    /// Opens a file or pipe, which messages call `name`. Binary files and config specs are refused.
    pub(crate) fn new(mut reader: Reader, name: String) -> Result<Self, Failure> {
        let head = match reader.bytes.fill_buf() {
            Ok(head) => head[..head.len().min(HEAD_BYTES)].to_vec(),
            Err(error) => return Err(Failure::input(reader.describe(error, &name))),
        };
        if let Some(likeness) = Likeness::of_users(&head) {
            return Err(no_users(&name, likeness));
        }
        Ok(Self { reader, name, head, next_line: 1, lines_per_chunk: 512 })
    }

    /// Users from the command line.
    pub(crate) fn inline(users: &[String]) -> Result<Self, Failure> {
        // JSON has no line breaks inside strings, so that blanks are as good.
        let lines: Vec<String> = users.iter().map(|user| user.replace(['\n', '\r'], " ")).collect();
        Self::new(Reader::of_bytes(lines.join("\n").into_bytes()), "--user".to_owned())
    }

    /// Ends a chunk after this many lines.
    pub(crate) fn lines_per_chunk(mut self, lines: usize) -> Self {
        self.lines_per_chunk = lines.max(1);
        self
    }

    /// The name in messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The beginning of the file, by which its kind is recognised.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Returns the next lines: as many as are there, so that a slow source is served as it comes.
    pub(crate) fn next_chunk(&mut self) -> Result<Option<Chunk>, Failure> {
        let mut chunk = Chunk { first_line: self.next_line, bytes: Vec::new() };
        for taken in 0..self.lines_per_chunk {
            if self.read_line(&mut chunk.bytes)? == 0 {
                return Ok((taken > 0).then_some(chunk));
            }
            self.next_line += 1;
            if chunk.bytes.len() >= CHUNK_BYTES || self.reader.bytes.buffer().is_empty() {
                break;
            }
        }
        Ok(Some(chunk))
    }

    /// Reads one line; 0 at the end.
    fn read_line(&mut self, bytes: &mut Vec<u8>) -> Result<usize, Failure> {
        let before = bytes.len();
        let read = (&mut self.reader.bytes).take(MAX_LINE_BYTES).read_until(b'\n', bytes).map_err(|error| {
            let error = self.reader.describe(error, &self.name);
            Failure::input(error.context(format!("line {}", self.next_line)))
        })?;
        if read as u64 == MAX_LINE_BYTES && bytes.last() != Some(&b'\n') {
            let limit = MAX_LINE_BYTES >> 20;
            return Err(Failure::input(anyhow!(
                "{}:{}: the line is longer than {limit} MiB; expected is one user a line",
                self.name,
                self.next_line
            )));
        }
        if self.next_line == 1 && bytes[before..].starts_with(b"\xef\xbb\xbf") {
            bytes.drain(before..before + 3);
        }
        Ok(read)
    }
}

/// Refuses a file that holds no users, and says how to make some of it.
pub(crate) fn no_users(name: &str, likeness: Likeness) -> Failure {
    let failure = Failure::input(anyhow!("{name} {likeness}; expected is one JSON object a line"));
    let file = if name == "standard input" || name == "--user" { "FILE" } else { name };
    match likeness.conversion_to_users() {
        Some(conversion) => failure.with_hint(conversion.replace("FILE", file)),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, lines_per_chunk: usize) -> Vec<(u64, String)> {
        let reader = Reader::of_bytes(text.to_owned().into_bytes());
        let mut users = UserLines::new(reader, "test".to_owned()).unwrap().lines_per_chunk(lines_per_chunk);
        let mut found = Vec::new();
        while let Some(chunk) = users.next_chunk().unwrap() {
            found.extend(chunk.lines().map(|(number, line)| (number, String::from_utf8_lossy(line).into_owned())));
        }
        found
    }

    #[test]
    fn lines_keep_their_numbers() {
        let text = "\u{feff}{1}\r\n\n  \n{4}\n{5}";
        for lines_per_chunk in 1..7 {
            let expected = [(1, "{1}"), (4, "{4}"), (5, "{5}")].map(|(number, line)| (number, line.to_owned()));
            assert_eq!(lines(text, lines_per_chunk), expected, "{lines_per_chunk} lines a chunk");
        }
        assert!(lines("", 3).is_empty());
    }

    #[test]
    fn an_endless_line_is_refused() {
        let reader = super::super::inflate(Box::new(std::io::repeat(b'x'))).unwrap();
        let error = UserLines::new(reader, "test".to_owned()).unwrap().next_chunk().unwrap_err();
        assert!(error.to_string().starts_with("test:1: the line is longer than 16 MiB"), "{error}");
    }

    #[test]
    fn config_specs_are_no_users() {
        let specs = r#"{"has_updates": true, "feature_gates": {}}"#;
        let error = UserLines::inline(&[specs.to_owned()]).map(drop).unwrap_err();
        assert_eq!(error.to_string(), "--user looks like config specs; expected is one JSON object a line");
    }
}
