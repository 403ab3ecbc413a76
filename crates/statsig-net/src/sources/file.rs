//! A file on this machine.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use statsig_core::{
    Clock, Reach, SourceError, SourceErrorKind, SpecFetch, SpecOrigin, SpecRequest, SpecSource, SpecStream,
    SpecSubscription, SpecUpdate, StreamEvent,
};
use tokio::io::AsyncReadExt;
use tokio::time::sleep;

use super::{answer_with, unpack};
use crate::secret::SdkKey;

/// Largest file by default.
const MAX_BYTES: u64 = 256 << 20;
/// How often a watched file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Gives the JSON document in a file, plain or gzip.
#[derive(Clone)]
pub struct FileSpecSource {
    path: Arc<Path>,
    max_bytes: u64,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for FileSpecSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileSpecSource").field("path", &self.path).finish_non_exhaustive()
    }
}

impl FileSpecSource {
    /// A source of a file, which need not exist yet. At most 256 MiB are read, also decompressed.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self { path: path.into().into(), max_bytes: MAX_BYTES, clock }
    }

    /// A source of the file that other SDKs would write for a key into a folder:
    /// `{hash of the key}_specs.json`.
    #[must_use]
    pub fn in_folder(folder: impl AsRef<Path>, key: &SdkKey, clock: Arc<dyn Clock>) -> Self {
        Self::new(folder.as_ref().join(format!("{}_specs.json", key.hash())), clock)
    }

    /// The same source, with another limit of size.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// A stream of what the file holds from now on.
    #[must_use]
    pub fn stream(&self) -> FileSpecStream {
        FileSpecStream { source: self.clone(), every: LOOK_EVERY }
    }

    async fn read(&self) -> Result<SpecUpdate, SourceError> {
        let file = tokio::fs::File::open(&self.path).await.map_err(|error| self.failed(error))?;
        let mut document = Vec::new();
        file.take(self.max_bytes + 1).read_to_end(&mut document).await.map_err(|error| self.failed(error))?;
        if document.len() as u64 > self.max_bytes {
            let reason = format!("{} has more than {} bytes", self.path.display(), self.max_bytes);
            return Err(SourceError::new(SourceErrorKind::Invalid, reason));
        }
        let limit = usize::try_from(self.max_bytes).unwrap_or(usize::MAX);
        let document = unpack::unpacked(document.into(), limit).await.map_err(|error| {
            let reason = format!("cannot read {}: {error}", self.path.display());
            SourceError::new(SourceErrorKind::Invalid, reason)
        })?;
        let update = SpecUpdate::new(document, self.origin(), self.reach(), self.clock.unix_ms());
        Ok(update.with_address(self.path.display().to_string()))
    }

    fn failed(&self, error: io::Error) -> SourceError {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => SourceErrorKind::Empty,
            io::ErrorKind::PermissionDenied => SourceErrorKind::Refused,
            _ => SourceErrorKind::Failing,
        };
        SourceError::new(kind, crate::error::Error::File { path: self.path.to_path_buf(), source: error })
    }
}

#[async_trait]
impl SpecSource for FileSpecSource {
    fn name(&self) -> &str {
        "file"
    }

    fn origin(&self) -> SpecOrigin {
        SpecOrigin::Adapter("FileBased".into())
    }

    fn reach(&self) -> Reach {
        Reach::Local
    }

    async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
        answer_with(self.read().await?, request.version.as_ref())
    }
}

/// Tells what a file holds, whenever it changes.
///
/// Looks at the file's length and times once a second. That is less immediate than the notices of an
/// operating system, and works the same everywhere: on network file systems, through symbolic links
/// that are swapped (as container platforms do), for files that are replaced and files that are
/// written in place. A file that is read in the middle of a write does not parse, is refused, and
/// read again when it is complete.
#[derive(Debug, Clone)]
pub struct FileSpecStream {
    source: FileSpecSource,
    every: Duration,
}

impl FileSpecStream {
    /// The same stream, with another pause between looks.
    #[must_use]
    pub fn with_interval(mut self, every: Duration) -> Self {
        self.every = every.max(Duration::from_millis(1));
        self
    }
}

#[async_trait]
impl SpecStream for FileSpecStream {
    fn name(&self) -> &str {
        "file-watcher"
    }

    fn origin(&self) -> SpecOrigin {
        self.source.origin()
    }

    fn reach(&self) -> Reach {
        Reach::Local
    }

    async fn subscribe(&self, _: &SpecRequest) -> Result<Box<dyn SpecSubscription>, SourceError> {
        Ok(Box::new(Subscription { stream: self.clone(), seen: None, greeted: false }))
    }

    fn is_quiet(&self) -> bool {
        true
    }
}

struct Subscription {
    stream: FileSpecStream,
    seen: Option<Fingerprint>,
    greeted: bool,
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fingerprint {
    len: u64,
    modified: Option<SystemTime>,
    file: u64,
}

impl Fingerprint {
    async fn of(path: &Path) -> Option<Self> {
        let metadata = tokio::fs::metadata(path).await.ok()?;
        #[cfg(unix)]
        let file = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let file = 0;
        Some(Self { len: metadata.len(), modified: metadata.modified().ok(), file })
    }
}

#[async_trait]
impl SpecSubscription for Subscription {
    async fn next(&mut self) -> Result<Option<StreamEvent>, SourceError> {
        loop {
            let found = Fingerprint::of(&self.stream.source.path).await;
            if found != self.seen && found.is_some() {
                let update = self.stream.source.read().await;
                // Only now: a wait that is given up before must find the change again.
                self.seen = found;
                self.greeted = true;
                match update {
                    Ok(update) if !update.payload.is_empty() => return Ok(Some(StreamEvent::Specs(update))),
                    Err(error) if error.kind() != SourceErrorKind::Empty => return Err(error),
                    // Gone again, or about to be written.
                    _ => {}
                }
            } else if found.is_none() {
                self.seen = None;
            }
            if !std::mem::replace(&mut self.greeted, true) {
                return Ok(Some(StreamEvent::NoUpdate { time_ms: 0 }));
            }
            sleep(self.stream.every).await;
        }
    }
}
