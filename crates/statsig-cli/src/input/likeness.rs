//! Recognises files that are given in place of users or config specs.

use std::fmt;

use serde::de::IgnoredAny;

/// A kind of file, told by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// An archive or compressed file, by the name of its format.
    Packed(&'static str),
    /// A binary file of data, by the name of its format.
    Data(&'static str),
    /// UTF-16 or UTF-32, with or without a byte order mark.
    WideText(&'static str),
    /// Bytes that are no text.
    Binary,
    /// A page of a website.
    Html,
    /// A JSON array.
    JsonArray,
    /// A JSON object over several lines.
    PrettyJson,
    /// A document of config specs.
    Specs,
    /// A table, by its delimiter.
    Table(char),
    /// A list of bare IDs, one a line.
    PlainIds,
    /// Dictionaries as Python prints them.
    Python,
    /// Users, one a line.
    UserLines,
}

/// First bytes of binary formats.
const MAGIC: [(&[u8], Likeness); 13] = [
    (b"\x28\xb5\x2f\xfd", Likeness::Packed("zstd")),
    (b"\xfd7zXZ\0", Likeness::Packed("xz")),
    (b"BZh", Likeness::Packed("bzip2")),
    (b"\x04\x22\x4d\x18", Likeness::Packed("lz4")),
    (b"7z\xbc\xaf\x27\x1c", Likeness::Packed("7z")),
    (b"\x1f\x8b", Likeness::Packed("gzip")),
    (b"\x78\x9c", Likeness::Packed("zlib")),
    (b"PK\x03\x04", Likeness::Packed("zip")),
    (b"PAR1", Likeness::Data("Parquet")),
    (b"Obj\x01", Likeness::Data("Avro")),
    (b"ORC", Likeness::Data("ORC")),
    (b"SQLite format 3\0", Likeness::Data("SQLite")),
    (b"%PDF-", Likeness::Data("PDF")),
];

/// Top-level members of config specs.
const SPECS_MEMBERS: [&str; 5] =
    ["\"feature_gates\"", "\"dynamic_configs\"", "\"layer_configs\"", "\"condition_map\"", "\"has_updates\""];

impl Likeness {
    /// Recognises a file that is no UTF-8 text.
    pub(crate) fn of_binary(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"PK\x03\x04") && [&b"xl/"[..], b"[Content_Types]"].iter().any(|part| contains(head, part))
        {
            return Some(Self::Data("an Excel workbook"));
        }
        let starts = |magic: &[u8]| head.starts_with(magic);
        // `BZh` and `ORC` may begin a text.
        let is_meant = |magic: &[u8]| starts(magic) && (magic.len() > 3 || !is_text(head));
        if let Some((_, likeness)) = MAGIC.iter().find(|(magic, _)| is_meant(magic)) {
            return Some(*likeness);
        }
        if let Some(encoding) = wide_encoding(head) {
            return Some(Self::WideText(encoding));
        }
        is_binary(head).then_some(Self::Binary)
    }

    /// Recognises a file that holds no users; `None` for what may hold some.
    pub(crate) fn of_users(head: &[u8]) -> Option<Self> {
        if let Some(likeness) = Self::of_binary(head) {
            return Some(likeness);
        }
        let text = String::from_utf8_lossy(head);
        let text = text.trim_start_matches('\u{feff}').trim_start();
        if SPECS_MEMBERS.iter().filter(|member| text.contains(**member)).count() >= 2 && text.starts_with('{') {
            return Some(Self::Specs);
        }
        None
    }

    /// Recognises a file whose first line is no user.
    pub(crate) fn of_rejected_users(head: &[u8]) -> Option<Self> {
        if let Some(likeness) = Self::of_users(head) {
            return Some(likeness);
        }
        let text = String::from_utf8_lossy(head);
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let (first, second) = (lines.next()?, lines.next());
        if is_html(text) {
            return Some(Self::Html);
        }
        if first.starts_with('[') {
            return Some(Self::JsonArray);
        }
        if first.starts_with('{') {
            if first.starts_with("{'") || first.starts_with("{\"") && first.contains("': ") {
                return Some(Self::Python);
            }
            return is_pretty(text, first, second).then_some(Self::PrettyJson);
        }
        let delimiter = ['\t', ',', ';'].into_iter().find(|&delimiter| {
            let count = |line: &str| line.matches(delimiter).count();
            let first = count(first);
            first > 0 && second.is_none_or(|second| count(second) >= first && !second.starts_with('{'))
        });
        if let Some(delimiter) = delimiter {
            return Some(Self::Table(delimiter));
        }
        let is_id =
            |line: &str| line.len() <= 128 && !line.contains(|c: char| "{}[]:".contains(c) || c.is_whitespace());
        second.is_some_and(|second| is_id(first) && is_id(second)).then_some(Self::PlainIds)
    }

    /// Recognises a file that is given as config specs.
    pub(crate) fn of_specs(head: &[u8]) -> Option<Self> {
        if let Some(likeness) = Self::of_binary(head) {
            return Some(likeness);
        }
        let text = String::from_utf8_lossy(&head[..head.len().min(super::CAPACITY)]);
        let text = text.trim_start_matches('\u{feff}').trim_start();
        if is_html(text) {
            return Some(Self::Html);
        }
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let is_object = |line: &str| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line).is_ok();
        let several = lines.next().is_some_and(is_object) && lines.next().is_some_and(|line| line.starts_with('{'));
        several.then_some(Self::UserLines)
    }

    /// Advises how to make users of the file, which messages call `FILE`.
    pub(crate) fn conversion_to_users(self) -> Option<String> {
        Some(match self {
            Self::Packed("gzip") => "it was compressed twice: gunzip it once".to_owned(),
            Self::Packed(tool @ ("zstd" | "xz" | "bzip2" | "lz4")) => {
                format!("{tool} -dc FILE | statsig eval … --users -")
            }
            Self::Packed("zip") => "unzip -p FILE | statsig eval … --users -".to_owned(),
            Self::Packed(_) => "unpack it first; gzip is read as it is".to_owned(),
            Self::Data("Parquet") => {
                "convert it, for instance: duckdb -c \"COPY (FROM 'FILE') TO 'users.jsonl' (FORMAT json)\"".to_owned()
            }
            Self::Data(_) | Self::Binary => "export it as JSON, one object a line".to_owned(),
            Self::WideText(encoding) => format!("iconv -f {encoding} -t UTF-8 FILE | statsig eval … --users -"),
            Self::JsonArray => "jq -c '.[]' FILE | statsig eval … --users -".to_owned(),
            Self::PrettyJson => "jq -c . FILE | statsig eval … --users -".to_owned(),
            Self::Table(delimiter) => {
                let format = match delimiter {
                    '\t' => "--itsv",
                    ';' => "--icsv --ifs ';'",
                    _ => "--icsv",
                };
                format!("mlr {format} --ojsonl cat FILE | statsig eval … --users -  (with a column userID)")
            }
            Self::PlainIds => "jq -Rc '{userID: .}' FILE | statsig eval … --users -".to_owned(),
            Self::Python => "write each line with Python's json.dumps(user), not with print or str".to_owned(),
            Self::Specs => "give it with --specs; --users takes one user a line".to_owned(),
            Self::Html | Self::UserLines => return None,
        })
    }
}

impl fmt::Display for Likeness {
    /// Writes a predicate, for a sentence that begins with the name of the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packed(format) => write!(f, "is compressed with {format}"),
            Self::Data(format) if format.starts_with("an ") => write!(f, "is {format}"),
            Self::Data(format) => write!(f, "is a {format} file"),
            Self::WideText(encoding) => write!(f, "is {encoding} text, not UTF-8"),
            Self::Binary => f.write_str("is a binary file"),
            Self::Html => f.write_str("is an HTML page, perhaps of a login or an error"),
            Self::JsonArray => f.write_str("is a JSON array"),
            Self::PrettyJson => f.write_str("looks like JSON with each object over several lines"),
            Self::Specs => f.write_str("looks like config specs"),
            Self::Table('\t') => f.write_str("looks like TSV"),
            Self::Table(_) => f.write_str("looks like CSV"),
            Self::PlainIds => f.write_str("looks like a list of bare IDs"),
            Self::Python => f.write_str("looks like dictionaries as Python prints them, with single quotes"),
            Self::UserLines => f.write_str("holds several JSON objects, one a line, such as users or events"),
        }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Returns whether bytes are UTF-8 without NUL; the last character may be cut.
fn is_text(head: &[u8]) -> bool {
    let is_utf8 = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    is_utf8 && !head.contains(&0)
}

/// Returns whether bytes have more control characters than any text; text of another encoding has none.
fn is_binary(head: &[u8]) -> bool {
    let controls = head.iter().filter(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()).count();
    head.contains(&0) || controls * 20 > head.len()
}

fn wide_encoding(head: &[u8]) -> Option<&'static str> {
    let sample = &head[..head.len().min(64)];
    let zeros = |offset: usize, step: usize| {
        let mut bytes = sample.iter().skip(offset).step_by(step).peekable();
        bytes.peek().is_some() && bytes.all(|&byte| byte == 0)
    };
    match head {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        _ if head.len() >= 8 && zeros(1, 4) && zeros(2, 4) && zeros(3, 4) => Some("UTF-32LE"),
        _ if head.len() >= 4 && zeros(1, 2) && !zeros(0, 2) => Some("UTF-16LE"),
        _ if head.len() >= 4 && zeros(0, 2) && !zeros(1, 2) => Some("UTF-16BE"),
        _ => None,
    }
}

fn is_html(text: &str) -> bool {
    let start: String = text.chars().take(64).collect::<String>().to_ascii_lowercase();
    ["<!doctype html", "<html", "<head", "<?xml"].iter().any(|tag| start.starts_with(tag))
}

/// Returns whether the first JSON value goes on after the first line.
fn is_pretty(text: &str, first: &str, second: Option<&str>) -> bool {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => values.byte_offset() > first.len(),
        // The value does not end in what was read.
        Some(Err(error)) => error.is_eof() && second.is_some_and(|second| !second.starts_with('{')),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_files_are_recognised_where_users_are_expected() {
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        for (head, likeness) in [
            (b"userID,plan\nu-1,pro\n".to_vec(), Likeness::Table(',')),
            (b"\xef\xbb\xbf\"userID\",\"plan\"\r\n\"u-1\",\"pro\"\r\n".to_vec(), Likeness::Table(',')),
            (b"userID\tplan\nu-1\tpro".to_vec(), Likeness::Table('\t')),
            (b"userID;plan\nu-1;pro".to_vec(), Likeness::Table(';')),
            (b"u-1\nu-2\n".to_vec(), Likeness::PlainIds),
            (b"[{\"userID\":\"a\"},{\"userID\":\"b\"}]".to_vec(), Likeness::JsonArray),
            (b"\n[\n  {\"userID\":\"a\"}\n]".to_vec(), Likeness::JsonArray),
            (b"{\n  \"userID\": \"a\"\n}\n".to_vec(), Likeness::PrettyJson),
            (b"{ \"userID\": \"a\",\n  \"custom\": {\n".to_vec(), Likeness::PrettyJson),
            (b"{'userID': 'a', 'custom': None}".to_vec(), Likeness::Python),
            (b"{\"has_updates\": true,\n \"feature_gates\": {}}".to_vec(), Likeness::Specs),
            (b"<!DOCTYPE html>\n<html>".to_vec(), Likeness::Html),
            (b"PAR1\x15\x04\x15".to_vec(), Likeness::Data("Parquet")),
            (b"PK\x03\x04\x14\0\x06\0[Content_Types].xml".to_vec(), Likeness::Data("an Excel workbook")),
            (b"PK\x03\x04\x14\0\x06\0users.jsonl".to_vec(), Likeness::Packed("zip")),
            (b"\x28\xb5\x2f\xfd\x04\0".to_vec(), Likeness::Packed("zstd")),
            (utf16("\u{feff}{\"userID\": \"a\"}"), Likeness::WideText("UTF-16")),
            (utf16("{\"userID\": \"a\"}"), Likeness::WideText("UTF-16LE")),
            (b"\x80\x01\x82".to_vec(), Likeness::Binary),
        ] {
            let found = Likeness::of_rejected_users(&head);
            assert_eq!(found, Some(likeness), "{}", String::from_utf8_lossy(&head));
        }
    }

    #[test]
    fn users_with_an_error_are_users() {
        let latin = b"{\"userID\": \"M\xfcller\"}\n";
        assert_eq!(Likeness::of_rejected_users(latin), None);
        for head in [
            "{\"userID\": \"a\" \"email\": 1}\n{\"userID\": \"b\"}",
            "{\"userID\": \"a\"\n{\"userID\": \"b\"}",
            "{\"userID\": NaN}\n",
            "{\"custom\": 7}\n",
            "BZh is no user",
        ] {
            assert_eq!(Likeness::of_rejected_users(head.as_bytes()), None, "{head}");
        }
        let cut = "{\"userID\": \"ü\"}".as_bytes();
        assert_eq!(Likeness::of_users(&cut[..13]), None);
    }

    #[test]
    fn usual_files_are_recognised_where_specs_are_expected() {
        assert_eq!(Likeness::of_specs(b"{\"userID\": \"a\"}\n{\"userID\": \"b\"}\n"), Some(Likeness::UserLines));
        assert_eq!(Likeness::of_specs(b"{\"time\": 1}"), None);
        assert_eq!(Likeness::of_specs(b"<html>"), Some(Likeness::Html));
    }
}
