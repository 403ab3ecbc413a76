//! Reads the file of one list, piece by piece, and keeps what has arrived.

use std::time::Duration;

use statsig_core::{IdListChunk, IdListEntry, IdListReader, IdListSource, SourceError, SourceErrorKind};
use tokio::time::timeout_at;

use super::lines;
use super::lists::List;
use super::progress::Progress;
use crate::deadline;

/// Longest time that one list is read in one round. What was read is kept, and the next round goes on.
const LONGEST_READ: Duration = Duration::from_secs(300);
/// Least and most bytes that are applied at once; in between, an eighth of what was read already. Each time, most of
/// a set is copied.
const AT_ONCE: (u64, u64) = (1 << 20, 16 << 20);
/// Longest line. Entries have nine characters.
const LONGEST_LINE: usize = 64 << 10;

/// State of a list after its file was read, as far as that went.
pub(super) struct FileRead {
    /// The list with everything that has arrived.
    pub(super) list: List,
    /// Whether something has.
    pub(super) progressed: bool,
    /// Lines that are no entries.
    pub(super) ignored: usize,
    pub(super) end: FileEnd,
}

/// How the reading of a file ended.
#[derive(Debug)]
pub(super) enum FileEnd {
    /// Everything that the source has was read.
    Complete,
    /// The source has nothing behind what was read before, though the manifest announces more.
    Nothing,
    /// What came cannot be a continuation of the list, or is no list; `in_part` if it came in answer to a request
    /// for a part, so that the whole may be of use.
    Unusable { in_part: bool, reason: String },
    /// The rest did not come.
    Failed(SourceError),
}

/// Reads what the file of a list has behind what was read of it. `is_visible` says whether evaluations see the list
/// while it is read.
pub(super) async fn read(
    source: &dyn IdListSource,
    entry: &IdListEntry,
    list: List,
    is_visible: bool,
    progress: &Progress,
) -> FileRead {
    let known = list.read_bytes;
    let mut read = FileRead { list, progressed: false, ignored: 0, end: FileEnd::Complete };
    let mut reader = match source.open(entry, known).await {
        Ok(reader) => reader,
        Err(error) => {
            read.end = FileEnd::Failed(error);
            return read;
        }
    };
    // Read again from its beginning, a log gives the same set: it may be applied over what was read of it.
    let mut part = Part::new(read.list.clone(), entry.size);
    let limit = deadline::from_now(LONGEST_READ);
    loop {
        let step = match timeout_at(limit, part.extend(&mut *reader)).await {
            Ok(step) => step,
            Err(_) => {
                let reason = format!("not read within {} seconds", LONGEST_READ.as_secs());
                Step::Failed(SourceError::new(SourceErrorKind::TimedOut, reason))
            }
        };
        if matches!(step, Step::More) && !part.is_large() {
            continue;
        }
        let at_end = matches!(step, Step::End) && part.end() == entry.size;
        part = match part.applied(at_end).await {
            Ok(part) => part,
            Err(error) => {
                read.end = FileEnd::Failed(error);
                return read;
            }
        };
        match (part.suspicion(at_end), step) {
            (Some(_), Step::Failed(error)) => {
                read.end = FileEnd::Failed(error);
                return read;
            }
            (Some(reason), _) => {
                read.end = FileEnd::Unusable { in_part: part.is_continuation(), reason };
                return read;
            }
            (None, step) => {
                if part.list.read_bytes > known {
                    read.list = part.list.clone();
                    (read.list.stalled, read.progressed, read.ignored) = (0, true, part.ignored);
                }
                read.end = match step {
                    Step::More if read.progressed => {
                        progress.keep(&entry.name, &read.list, is_visible).await;
                        continue;
                    }
                    Step::More => continue,
                    Step::Failed(error) => FileEnd::Failed(error),
                    Step::End | Step::Beyond if read.progressed => FileEnd::Complete,
                    Step::End | Step::Beyond => part.without_progress(),
                };
                return read;
            }
        }
    }
}

/// What came of waiting for a piece.
enum Step {
    More,
    /// The source has no more.
    End,
    /// The source has more than the manifest says, which is left for the next round.
    Beyond,
    Failed(SourceError),
}

/// A file under way: the list so far, and bytes that have arrived and are not applied yet.
struct Part {
    list: List,
    /// Length of what was read before.
    known: u64,
    /// Where in the file the answer begins; `None` before the first piece.
    first: Option<u64>,
    /// Where in the file the bytes begin.
    at: u64,
    bytes: Vec<u8>,
    size: u64,
    entries: usize,
    ignored: usize,
    is_markup: bool,
    is_gzip: bool,
}

impl Part {
    fn new(list: List, size: u64) -> Self {
        Self {
            known: list.read_bytes,
            at: list.read_bytes,
            list,
            first: None,
            bytes: Vec::new(),
            size,
            entries: 0,
            ignored: 0,
            is_markup: false,
            is_gzip: false,
        }
    }

    /// Waits for the next piece and adds it.
    async fn extend(&mut self, reader: &mut dyn IdListReader) -> Step {
        let IdListChunk { start, mut bytes, .. } = match reader.next().await {
            Ok(Some(chunk)) if chunk.bytes.is_empty() => return Step::More,
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Step::End,
            Err(error) => return Step::Failed(error),
        };
        match self.first {
            None if start == self.known || start == 0 => {
                (self.first, self.at) = (Some(start), start);
                self.is_gzip = bytes.starts_with(&[0x1f, 0x8b]);
            }
            Some(_) if start == self.end() => {}
            _ => {
                let reason = "the source sends another part of the file";
                return Step::Failed(SourceError::new(SourceErrorKind::Invalid, reason));
            }
        }
        let room = usize::try_from(self.size.saturating_sub(self.end())).unwrap_or(usize::MAX);
        let is_beyond = bytes.len() > room;
        bytes.truncate(room);
        if self.bytes.is_empty() {
            self.bytes = bytes;
        } else {
            self.bytes.extend_from_slice(&bytes);
        }
        if is_beyond { Step::Beyond } else { Step::More }
    }

    /// Where in the file the bytes end.
    fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }

    /// Returns whether there are enough bytes to apply them.
    fn is_large(&self) -> bool {
        self.bytes.len() as u64 >= (self.list.read_bytes / 8).clamp(AT_ONCE.0, AT_ONCE.1)
    }

    /// Returns whether the answer begins where the part that was read before ends.
    fn is_continuation(&self) -> bool {
        self.known > 0 && self.first == Some(self.known)
    }

    /// Applies the whole lines among the bytes, on a blocking thread.
    async fn applied(mut self, at_end: bool) -> Result<Self, SourceError> {
        if self.bytes.is_empty() {
            return Ok(self);
        }
        let work = tokio::task::spawn_blocking(move || {
            let applied = lines::apply(&self.list.set, &self.bytes, at_end);
            if self.entries + self.ignored == 0 {
                self.is_markup = applied.is_markup;
            }
            self.entries += applied.entries;
            self.ignored += applied.ignored;
            self.list.set = applied.set;
            self.at += applied.consumed as u64;
            self.list.read_bytes = self.at;
            self.bytes.drain(..applied.consumed);
            self
        });
        work.await.map_err(|_| SourceError::new(SourceErrorKind::Invalid, "reading the file failed unexpectedly"))
    }

    /// Returns why what came does not look like a list: an error page that was sent as a success, for instance.
    ///
    /// A part that is exactly what the manifest announces may hold comments alone.
    fn suspicion(&self, at_end: bool) -> Option<String> {
        let place = if self.is_continuation() {
            format!("from byte {} on, the file", self.known)
        } else {
            "the file".to_owned()
        };
        if self.is_gzip {
            return Some(format!("{place} is compressed with gzip, and must be plain text"));
        }
        if self.is_markup && self.entries <= self.ignored {
            return Some(format!("{place} looks like HTML or JSON, not like lines of `+` or `-` and a hash"));
        }
        if self.entries == 0 && self.ignored > 0 && !(at_end && self.is_continuation()) {
            return Some(format!("{place} has no line of `+` or `-` and a hash"));
        }
        (self.bytes.len() > LONGEST_LINE).then(|| format!("{place} has a line of more than {LONGEST_LINE} bytes"))
    }

    /// How a file ended of which nothing could be used.
    fn without_progress(&self) -> FileEnd {
        let Some(first) = self.first else { return FileEnd::Nothing };
        let arrived = self.end() - first;
        let reason = if first < self.known {
            format!("the source sends a file of {arrived} bytes, of which {} were read before", self.known)
        } else {
            format!("the source sends {arrived} bytes without a complete line")
        };
        FileEnd::Unusable { in_part: self.is_continuation(), reason }
    }
}
