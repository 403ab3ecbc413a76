//! Events in a file, one a line.

mod open;

use std::collections::VecDeque;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use statsig_core::{Delivery, EventBatch, EventSink, SinkError};

use crate::body::{self, BodyError};

/// Ids that are remembered, to know a batch that comes again.
const REMEMBERED_IDS: usize = 1_024;
/// Bytes that are gathered before a write.
const WRITE_BYTES: usize = 256 << 10;

/// Why a [`JsonlFileSink`] cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonlError {
    /// Another process, or another sink of this one, writes to the file.
    #[error("{} is in use", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file system failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The batch cannot be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The thread that works on the file did not come to an end.
    #[error("the work on {} was abandoned", path.display())]
    Abandoned {
        /// The file.
        path: PathBuf,
    },
}

impl JsonlError {
    /// Whether time can heal it: a disk may be full or busy, a batch stays what it is.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::Body(_))
    }
}

/// Appends events to a file, one JSON object a line.
///
/// For analysis of one's own, for tests, and where no network is. `Delivered` means that all lines
/// of the batch are with the operating system: they survive the end of the process.
/// [`flush`](EventSink::flush) and [`close`](EventSink::close) make them survive that of the machine
/// (`fsync`).
///
/// An event of a batch with [metadata](EventBatch::metadata) of another SDK has it as its last member, `sdkMetadata`:
/// `sdkType`, `sdkVersion`, `sessionID`, `serviceName` and `statsigMetadata`, as far as they are known.
///
/// A batch is written whole or not at all: if the disk is full halfway, the file is cut back. Only
/// a process that dies in the middle of a write leaves a part of a batch, and perhaps of a line,
/// which ends with a line break when the file is opened again. The last 1,024 batches are known by
/// their ids and not written twice by one sink. The file is locked against other sinks, never
/// shortened otherwise, and never rotated.
///
/// File work is done on blocking threads of the `tokio` runtime that delivers, one batch at a time.
///
/// ```
/// use statsig_core::{BatchEncoding, EventBatch, EventSink};
/// use statsig_logger::JsonlFileSink;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("events.jsonl");
/// let sink = JsonlFileSink::open(&path)?;
/// let body = br#"[{"eventName":"a"},{"eventName":"b"}]"#;
/// let batch = EventBatch::new([1; 16], 0, 2, &body[..], BatchEncoding::Identity, body.len());
/// assert!(sink.deliver(&batch).await.is_delivered());
/// assert_eq!(std::fs::read_to_string(&path)?, "{\"eventName\":\"a\"}\n{\"eventName\":\"b\"}\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct JsonlFileSink {
    lines: Arc<Mutex<Lines>>,
    path: PathBuf,
}

impl JsonlFileSink {
    /// Opens a file for appending, or creates it. Blocks shortly.
    ///
    /// A new file is for its owner only (mode 0600), since events hold user data; one that exists keeps its
    /// mode. A symbolic link of another user than root and that of the process is not followed. The folder
    /// must exist.
    ///
    /// # Errors
    /// [`JsonlError::InUse`] if another sink has it open; [`JsonlError::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, JsonlError> {
        let path = path.as_ref().to_owned();
        let failed = |action| {
            let path = path.clone();
            move |source| JsonlError::Io { action, path, source }
        };
        let mut file = open::open(&path).map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JsonlError::InUse { path }),
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        let len = end_last_line(&mut file).map_err(failed("read the end of"))?;
        let lines = Lines { file, len, torn: false, recent: VecDeque::new(), path: path.clone() };
        Ok(Self { lines: Arc::new(Mutex::new(lines)), path })
    }

    /// Runs something on a blocking thread; it goes on there if the future is dropped.
    async fn on_file<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Lines) -> Result<T, JsonlError> + Send + 'static,
    ) -> Result<T, JsonlError> {
        let lines = Arc::clone(&self.lines);
        let done = tokio::task::spawn_blocking(move || work(&mut lines.lock().unwrap_or_else(PoisonError::into_inner)));
        done.await.unwrap_or_else(|_| Err(JsonlError::Abandoned { path: self.path.clone() }))
    }
}

#[async_trait]
impl EventSink for JsonlFileSink {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        let batch = batch.clone();
        match self.on_file(move |lines| lines.append(&batch)).await {
            Ok(()) => Delivery::Delivered,
            Err(error) if error.is_retryable() => Delivery::retry(error),
            Err(error) => Delivery::reject(error),
        }
    }

    async fn flush(&self, within: Duration) -> Result<(), SinkError> {
        Ok(tokio::time::timeout(within, self.on_file(Lines::sync)).await??)
    }
}

#[derive(Debug)]
struct Lines {
    file: File,
    /// Length up to the end of the last whole batch.
    len: u64,
    /// Something may stand beyond `len`.
    torn: bool,
    recent: VecDeque<[u8; 16]>,
    path: PathBuf,
}

impl Lines {
    fn append(&mut self, batch: &EventBatch) -> Result<(), JsonlError> {
        if self.recent.contains(&batch.id) {
            return Ok(());
        }
        let raw = body::decoded(batch)?;
        let events = body::events(&raw)?;
        if self.torn {
            self.cut_back()?;
        }
        self.torn = true;
        let mut out = Vec::with_capacity(WRITE_BYTES.min(raw.len() + events.len()));
        let metadata = batch.metadata.as_ref().map(|metadata| metadata.to_json());
        let mut written = 0;
        let mut result = Ok(());
        for event in events {
            write_line(&mut out, event.get(), metadata.as_deref());
            if out.len() >= WRITE_BYTES {
                written += out.len() as u64;
                result = result.and_then(|()| self.file.write_all(&out));
                out.clear();
            }
        }
        written += out.len() as u64;
        if let Err(source) = result.and_then(|()| self.file.write_all(&out)) {
            // If this fails as well, the next batch does it.
            let _ = self.cut_back();
            return Err(JsonlError::Io { action: "write to", path: self.path.clone(), source });
        }
        self.torn = false;
        self.len += written;
        if self.recent.len() == REMEMBERED_IDS {
            self.recent.pop_front();
        }
        self.recent.push_back(batch.id);
        Ok(())
    }

    fn cut_back(&mut self) -> Result<(), JsonlError> {
        self.file.set_len(self.len).map_err(|source| JsonlError::Io {
            action: "cut back",
            path: self.path.clone(),
            source,
        })?;
        self.torn = false;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), JsonlError> {
        self.file.sync_all().map_err(|source| JsonlError::Io { action: "sync", path: self.path.clone(), source })
    }
}

/// Writes an event as one line; an object gets the metadata of its SDK as member `sdkMetadata`.
fn write_line(out: &mut Vec<u8>, event: &str, metadata: Option<&[u8]>) {
    // Outside of strings a line break is only space, and within them there is none.
    let one_line = |byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte };
    let members = event.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    match (metadata, members) {
        (Some(metadata), Some(members)) => {
            out.push(b'{');
            out.extend(members.bytes().map(one_line));
            out.extend_from_slice(if members.trim().is_empty() { b"" } else { b"," });
            out.extend_from_slice(b"\"sdkMetadata\":");
            out.extend(metadata.iter().copied().map(one_line));
            out.push(b'}');
        }
        _ => out.extend(event.bytes().map(one_line)),
    }
    out.push(b'\n');
}

/// Ends a last line that has no end, and returns the length of the file.
fn end_last_line(file: &mut File) -> io::Result<u64> {
    let len = file.seek(SeekFrom::End(0))?;
    if len == 0 {
        return Ok(0);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(len);
    }
    file.write_all(b"\n")?;
    Ok(len + 1)
}

#[cfg(test)]
mod tests;
