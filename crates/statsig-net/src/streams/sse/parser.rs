//! Incremental parser of server-sent events.
//!
//! Lines end with CR, LF or both; a byte order mark at the beginning is skipped. Any division of the input into chunks
//! gives the same items. At most the limit, and one chunk, is held in memory.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

/// Longest name or ID of an event in bytes; longer ones are cut.
const MAX_FIELD: usize = 256;

/// Item of a stream of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SseItem {
    /// An event, with the last ID that the stream named.
    Event { name: String, id: Option<String>, data: Bytes },
    /// A comment: a sign of life.
    Comment,
    /// Pause before the next connection, as the server wishes.
    Retry(Duration),
}

/// An event exceeds the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Parser of one stream.
#[derive(Debug)]
pub(super) struct SseParser {
    limit: usize,
    /// Input that is not parsed yet.
    input: BytesMut,
    /// Bytes of `input` that hold no end of a line.
    scanned: usize,
    /// Whether the last line ended with CR: a LF that follows belongs to it.
    skips_lf: bool,
    is_at_start: bool,
    name: String,
    id: Option<String>,
    data: Option<BytesMut>,
}

impl SseParser {
    /// Returns a parser of events whose data has at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            input: BytesMut::new(),
            scanned: 0,
            skips_lf: false,
            is_at_start: true,
            name: String::new(),
            id: None,
            data: None,
        }
    }

    /// Adds input.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.input.extend_from_slice(chunk);
    }

    /// Returns whether the input ended between two events.
    pub(super) fn is_between_events(&self) -> bool {
        self.data.is_none() && self.name.is_empty() && self.input.is_empty()
    }

    /// Returns the next item, if the input holds it whole.
    ///
    /// # Errors
    /// If an event is too large. The parser is not used any more.
    pub(super) fn next(&mut self) -> Result<Option<SseItem>, TooLarge> {
        while let Some(line) = self.line() {
            if line.is_empty() {
                if let Some(event) = self.dispatch() {
                    return Ok(Some(event));
                }
            } else if let Some(item) = self.field(line)? {
                return Ok(Some(item));
            }
        }
        // Room for the name of the field.
        if self.input.len() > self.limit.saturating_add(MAX_FIELD) { Err(TooLarge) } else { Ok(None) }
    }

    /// Takes the next line, without its end.
    fn line(&mut self) -> Option<BytesMut> {
        if self.skips_lf && !self.input.is_empty() {
            if self.input[0] == b'\n' {
                self.input.advance(1);
            }
            self.skips_lf = false;
        }
        let found = self.input[self.scanned..].iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let Some(end) = found.map(|at| self.scanned + at) else {
            self.scanned = self.input.len();
            return None;
        };
        self.scanned = 0;
        self.skips_lf = self.input[end] == b'\r';
        let mut line = self.input.split_to(end);
        self.input.advance(1);
        if std::mem::replace(&mut self.is_at_start, false) && line.starts_with(b"\xef\xbb\xbf") {
            line.advance(3);
        }
        Some(line)
    }

    fn field(&mut self, mut line: BytesMut) -> Result<Option<SseItem>, TooLarge> {
        if line.starts_with(b":") {
            return Ok(Some(SseItem::Comment));
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let name = line.split_to(colon.unwrap_or(line.len()));
        let mut value = line;
        for expected in [b':', b' '] {
            if value.first() == Some(&expected) {
                value.advance(1);
            }
        }
        match &*name {
            b"event" => self.name = text(&value),
            b"data" => {
                let held = self.data.as_ref().map_or(0, |data| data.len() + 1);
                if value.len() > self.limit.saturating_sub(held) {
                    return Err(TooLarge);
                }
                match &mut self.data {
                    // The line itself, without a copy.
                    None => self.data = Some(value),
                    Some(data) => {
                        data.extend_from_slice(b"\n");
                        data.extend_from_slice(&value);
                    }
                }
            }
            b"id" if !value.contains(&0) => self.id = Some(text(&value)).filter(|id| !id.is_empty()),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                return Ok(text(&value).parse().ok().map(|ms| SseItem::Retry(Duration::from_millis(ms))));
            }
            _ => {}
        }
        Ok(None)
    }

    fn dispatch(&mut self) -> Option<SseItem> {
        let (name, data) = (std::mem::take(&mut self.name), self.data.take());
        if name.is_empty() && data.is_none() {
            return None;
        }
        Some(SseItem::Event { name, id: self.id.clone(), data: data.unwrap_or_default().freeze() })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_FIELD)]).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the items of an input that comes in chunks of these lengths, and then in one.
    fn items(input: &[u8], limit: usize, chunks: &[usize]) -> Result<Vec<SseItem>, TooLarge> {
        let mut parser = SseParser::new(limit);
        let (mut items, mut rest) = (Vec::new(), input);
        for length in chunks.iter().copied().chain([usize::MAX]) {
            let (chunk, later) = rest.split_at(length.min(rest.len()));
            rest = later;
            parser.push(chunk);
            while let Some(item) = parser.next()? {
                items.push(item);
            }
        }
        Ok(items)
    }

    fn event(name: &str, id: Option<&str>, data: &'static str) -> SseItem {
        SseItem::Event { name: name.into(), id: id.map(str::to_owned), data: data.into() }
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        let input = "\u{feff}: hello\n\nevent: specs\nid: 5\ndata: {\"a\":1}\n\nretry: 1500\nevent:no_update\r\nid:6\r\n\r\n\
                     data:  two\rdata\rdata:lines\r\rid\nfoo: bar\nretry: x\nid: a\0b\n\ndata:\n\nevent: cut off\n";
        let expected = [
            SseItem::Comment,
            event("specs", Some("5"), "{\"a\":1}"),
            SseItem::Retry(Duration::from_millis(1_500)),
            event("no_update", Some("6"), ""),
            event("", Some("6"), " two\n\nlines"),
            event("", None, ""),
        ];
        assert_eq!(items(input.as_bytes(), 100, &[]).unwrap(), expected);
    }

    #[test]
    fn events_beyond_the_limit_are_errors() {
        let long = "x".repeat(101);
        assert_eq!(items(format!("data: {long}\n\n").as_bytes(), 100, &[]), Err(TooLarge));
        assert_eq!(items(b"data: 1234\ndata: 56789\n\n", 9, &[]), Err(TooLarge));
        assert!(items(b"data: 1234\ndata: 56789\n\n", 10, &[]).is_ok());
        // A line without an end is not collected without end.
        assert_eq!(items("x".repeat(1_000).as_bytes(), 100, &[10; 100]), Err(TooLarge));
    }

    #[test]
    fn an_unfinished_event_is_noticed() {
        let mut parser = SseParser::new(100);
        parser.push(b"data: x\n\n");
        assert!(parser.next().unwrap().is_some() && parser.is_between_events());
        parser.push(b"data: x\n");
        assert!(parser.next().unwrap().is_none() && !parser.is_between_events());
    }

    proptest! {
        #[test]
        fn any_division_into_chunks_gives_the_same_items(
            input in "(event: specs|data: [a-c]{0,3}|data|id: 7|: x|retry: 9|\u{feff}|\r\n|\n|\r|\n\n|x){0,30}",
            chunks in prop::collection::vec(0_usize..5, 0..60),
        ) {
            prop_assert_eq!(items(input.as_bytes(), 100, &chunks), items(input.as_bytes(), 100, &[]));
        }

        #[test]
        fn nothing_panics(input: Vec<u8>, chunks in prop::collection::vec(0_usize..9, 0..20)) {
            let _ = items(&input, 20, &chunks);
        }
    }
}
