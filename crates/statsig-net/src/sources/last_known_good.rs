//! The newest accepted document, kept on disk.
//!
//! ```text
//! statsig-specs-{16 hex digits of SHA-256 of the key}.lkg
//!   "statsig-lkg 1\n" format "\n" received_at_ms "\n" SHA-256 of the document in hex "\n" document
//! ```
//!
//! Written to a temporary file beside it, synced, then renamed over it: a reader sees the old one or
//! the new one, also after a crash. A file whose digest is wrong is as good as none.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use statsig_core::{
    SourceError, SourceErrorKind, SpecFetch, SpecRequest, SpecSource, SpecSourceKind, SpecUpdate, StoreFormat,
};

use super::whole;
use crate::secret::SdkKey;

const MAGIC: &str = "statsig-lkg 1";
/// Longest header: four lines.
const MOST_HEADER: usize = 200;
/// Largest document that is kept, and read.
const MAX_BYTES: u64 = 256 << 20;

/// Keeps the newest accepted document on disk, and gives it back when nobody else can.
///
/// Several processes may share a folder: the last one to write wins, which is as good as any, since
/// whoever reads it asks the others as soon as they answer. One file for each SDK key, whose name
/// does not tell the key.
#[derive(Debug, Clone)]
pub struct LastKnownGood {
    path: Arc<Path>,
}

/// What the source is called in reasons.
const ADAPTER: &str = "LastKnownGood";

impl LastKnownGood {
    /// Whether specs came from here.
    pub(crate) fn is_source(kind: &SpecSourceKind) -> bool {
        matches!(kind, SpecSourceKind::Adapter(name) if &**name == ADAPTER)
    }

    /// Keeps the document of a key in a folder, which is made when it is first needed.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, key: &SdkKey) -> Self {
        let digest = hex(&Sha256::digest(key.expose().as_bytes()));
        let path = folder.into().join(format!("statsig-specs-{}.lkg", &digest[..16]));
        Self { path: path.into() }
    }

    /// Where the document is kept.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps a document. Takes as long as the disk; call it off the hot path.
    ///
    /// # Errors
    /// When the folder or the file cannot be written; what was kept before stays.
    pub async fn keep(&self, update: Arc<SpecUpdate>) -> Result<(), SourceError> {
        let path = Arc::clone(&self.path);
        let done = tokio::task::spawn_blocking(move || write(&path, &update));
        self.result(done.await)
    }

    fn result<T>(&self, done: Result<io::Result<T>, tokio::task::JoinError>) -> Result<T, SourceError> {
        let done = done.unwrap_or_else(|error| Err(io::Error::other(error)));
        done.map_err(|source| {
            let kind = match source.kind() {
                io::ErrorKind::NotFound => SourceErrorKind::Empty,
                io::ErrorKind::InvalidData => SourceErrorKind::Invalid,
                _ => SourceErrorKind::Failing,
            };
            SourceError::new(kind, crate::error::Error::File { path: self.path.to_path_buf(), source })
        })
    }
}

#[async_trait]
impl SpecSource for LastKnownGood {
    fn name(&self) -> &str {
        "last-known-good"
    }

    fn kind(&self) -> SpecSourceKind {
        SpecSourceKind::Adapter(ADAPTER.into())
    }

    async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
        let path = Arc::clone(&self.path);
        let read = tokio::task::spawn_blocking(move || read(&path));
        let (document, format, received_at_ms) = self.result(read.await)?;
        let update = SpecUpdate::new(document, self.kind(), received_at_ms).with_format(format);
        whole(update.with_origin(self.path.display().to_string()), &request.cursor)
    }

    async fn wants_polling(&self) -> bool {
        false
    }
}

fn write(path: &Path, update: &SpecUpdate) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let header = format!(
        "{MAGIC}\n{}\n{}\n{}\n",
        update.format.as_str(),
        update.received_at_ms,
        hex(&Sha256::digest(&update.document))
    );
    // A name of its own for each writer, so that two never share one.
    let temporary = path.with_extension(format!("{}.tmp", uuid::Uuid::new_v4().simple()));
    let written = (|| {
        let mut file = File::create_new(&temporary)?;
        file.write_all(header.as_bytes())?;
        file.write_all(&update.document)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    // So that the new name survives a crash as well; not every system lets folders be opened.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    written
}

fn read(path: &Path) -> io::Result<(Vec<u8>, StoreFormat, u64)> {
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "the file is damaged");
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + MOST_HEADER as u64).read_to_end(&mut bytes)?;
    let mut at = 0;
    let mut line = || {
        let rest = bytes.get(at..)?;
        let end = rest.iter().take(MOST_HEADER).position(|byte| *byte == b'\n')?;
        at += end + 1;
        std::str::from_utf8(&rest[..end]).ok()
    };
    let (magic, format, received, digest) = (line(), line(), line(), line().map(str::to_owned).ok_or_else(broken)?);
    let format = match (magic, format) {
        (Some(MAGIC), Some("plain_text")) => StoreFormat::PlainText,
        (Some(MAGIC), Some("statsig-br")) => StoreFormat::StatsigBr,
        _ => return Err(broken()),
    };
    let received = received.and_then(|text| text.parse().ok()).ok_or_else(broken)?;
    bytes.drain(..at);
    if hex(&Sha256::digest(&bytes)) == digest { Ok((bytes, format, received)) } else { Err(broken()) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
