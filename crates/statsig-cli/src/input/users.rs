//! Users, one JSON object a line, in chunks for a pipeline.

use std::io::{BufRead, BufReader, Cursor, Read};

use anyhow::{Context, anyhow};
use serde::Deserialize;
use serde_json::{Map, Value};
use statsig::StatsigUser;

use super::json_error;
use crate::failure::Failure;

/// Longest line that is accepted, in bytes.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// Where a chunk ends at the latest, in bytes.
const CHUNK_BYTES: usize = 1 << 17;

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
    reader: BufReader<Box<dyn Read + Send>>,
    name: String,
    next_line: u64,
    lines_per_chunk: usize,
}

impl UserLines {
    /// Users from a file or pipe, which messages call `name`.
    pub(crate) fn new(reader: BufReader<Box<dyn Read + Send>>, name: String) -> Self {
        Self { reader, name, next_line: 1, lines_per_chunk: 512 }
    }

    /// Users from the command line.
    pub(crate) fn inline(users: &[String]) -> Self {
        // JSON has no line breaks inside strings, so that blanks are as good.
        let lines: Vec<String> = users.iter().map(|user| user.replace(['\n', '\r'], " ")).collect();
        Self::new(BufReader::new(Box::new(Cursor::new(lines.join("\n")))), "--user".to_owned())
    }

    /// Ends a chunk after this many lines.
    pub(crate) fn lines_per_chunk(mut self, lines: usize) -> Self {
        self.lines_per_chunk = lines.max(1);
        self
    }

    /// How messages call the source.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The next lines: as many as are there, so that a slow source is served as it comes.
    pub(crate) fn next_chunk(&mut self) -> Result<Option<Chunk>, Failure> {
        let mut chunk = Chunk { first_line: self.next_line, bytes: Vec::new() };
        for taken in 0..self.lines_per_chunk {
            if self.read_line(&mut chunk.bytes)? == 0 {
                return Ok((taken > 0).then_some(chunk));
            }
            self.next_line += 1;
            if chunk.bytes.len() >= CHUNK_BYTES || self.reader.buffer().is_empty() {
                break;
            }
        }
        Ok(Some(chunk))
    }

    /// Reads one line; 0 at the end.
    fn read_line(&mut self, bytes: &mut Vec<u8>) -> Result<usize, Failure> {
        let before = bytes.len();
        let read = (&mut self.reader)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', bytes)
            .with_context(|| format!("cannot read line {} of {}", self.next_line, self.name))
            .map_err(Failure::input)?;
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

/// A line that is no user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rejected {
    /// Where in the line, from 1, in bytes.
    pub(crate) column: usize,
    /// What is wrong; never shows a value, as it might be a private one.
    pub(crate) message: String,
}

/// Reads a user.
///
/// # Errors
/// What is wrong with the line, and where.
pub(crate) fn parse(line: &[u8]) -> Result<StatsigUser, Rejected> {
    serde_json::from_slice(line).map_err(|error| reject(line, &error))
}

/// The slow second look at a line that is no user.
fn reject(line: &[u8], error: &serde_json::Error) -> Rejected {
    let message = json_error::message(error);
    let message = match (error.is_data(), line.first()) {
        (false, Some(b'[')) => format!("{message}; expected is one JSON object a line, not an array"),
        (false, _) => message,
        (true, _) if message.starts_with("duplicate field") => message,
        (true, _) => match path_of_error(line).as_str() {
            "" | "." => "expected a JSON object, such as {\"userID\": \"u-1\"}".to_owned(),
            path => format!("`{path}`: expected an object"),
        },
    };
    Rejected { column: error.column(), message }
}

fn path_of_error(line: &[u8]) -> String {
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    let user = serde_path_to_error::deserialize::<_, StatsigUser>(&mut deserializer);
    user.map_or_else(|error| error.path().to_string(), |_| String::new())
}

/// What to call a user in a table: the user ID, else a custom ID.
pub(crate) fn label(user_id: Option<&str>, line: &[u8]) -> Option<String> {
    /// The custom IDs under all their names.
    #[derive(Deserialize)]
    struct CustomIds {
        #[serde(rename = "customIDs", alias = "customIds", alias = "custom_ids")]
        custom_ids: Option<Map<String, Value>>,
    }

    if let Some(user_id) = user_id.filter(|id| !id.is_empty()) {
        return Some(user_id.to_owned());
    }
    let ids: CustomIds = serde_json::from_slice(line).ok()?;
    let (_, id) = ids.custom_ids?.into_iter().next()?;
    Some(id.as_str().map_or_else(|| id.to_string(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, lines_per_chunk: usize) -> Vec<(u64, String)> {
        let reader = BufReader::new(Box::new(Cursor::new(text.to_owned())) as Box<dyn Read + Send>);
        let mut users = UserLines::new(reader, "test".to_owned()).lines_per_chunk(lines_per_chunk);
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
        let reader = BufReader::new(Box::new(std::io::repeat(b'x')) as Box<dyn Read + Send>);
        let error = UserLines::new(reader, "test".to_owned()).next_chunk().unwrap_err();
        assert!(error.to_string().starts_with("test:1: the line is longer than 16 MiB"), "{error}");
    }

    #[test]
    fn errors_say_where_but_never_show_values() {
        for (line, column, message) in [
            (r#"{"userID": "u" "email": 1}"#, 16, "expected `,` or `}`"),
            (r#"{"userID": "u", "userId": "v"}"#, 24, "duplicate field `userID`"),
            (r#"[{"userID": "u"},"#, 17, "EOF while parsing a value; expected is one JSON object a line, not an array"),
            (r#""u-1""#, 5, r#"expected a JSON object, such as {"userID": "u-1"}"#),
            (r#"{"custom": "secret"}"#, 19, "`custom`: expected an object"),
            (r#"{"privateAttributes": "secret"}"#, 30, "`privateAttributes`: expected an object"),
        ] {
            let rejected = parse(line.as_bytes()).unwrap_err();
            assert_eq!((rejected.column, rejected.message.as_str()), (column, message), "{line}");
        }
    }

    #[test]
    fn a_user_is_called_by_its_first_id() {
        for (user_id, line, expected) in [
            (Some("u-1"), "{}", Some("u-1")),
            (Some(""), r#"{"customIDs": {"deviceID": "d", "companyID": "c"}}"#, Some("d")),
            (None, r#"{"custom_ids": {"companyID": 42}}"#, Some("42")),
            (None, r#"{"email": "a@b.example"}"#, None),
        ] {
            assert_eq!(label(user_id, line.as_bytes()).as_deref(), expected, "{line}");
        }
    }
}
