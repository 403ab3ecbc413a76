//! The newest accepted document, kept on disk.
//!
//! ```text
//! statsig-specs-{16 hex digits of SHA-256 of the key}.lkg
//!   "statsig-lkg 1\n" format "\n" received_at_ms "\n" SHA-256 of the document in hex "\n" document
//! ```
//!
//! Written to a temporary file beside it, synced, then renamed over it: a reader sees the old one or
//! the new one, also after a crash. A file whose digest is wrong is as good as none.
//!
//! Files are made for their owner alone (mode 0600 in folders of mode 0700, where there are modes): they hold rules and
//! target values. Nothing but a regular file is opened: a link or a pipe that somebody else put there is passed over.
//!
//! Temporary files of killed processes are removed by the next writer; see `statsig_background::remove_abandoned_files`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use statsig_background::{OsFileSystem, read_regular_file, remove_abandoned_files, write_private_file};
use statsig_core::{
    PayloadFormat, Reach, SourceError, SourceErrorKind, SpecFetch, SpecOrigin, SpecRequest, SpecSource, SpecUpdate,
};

use super::answer_with;
use crate::secret::SdkKey;

const MAGIC: &str = "statsig-lkg 1";
/// Longest header: four lines.
const MOST_HEADER: usize = 200;
/// How the names of files begin.
const PREFIX: &str = "statsig-specs-";
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
    /// Keeps the document of a key in a folder, which is made when it is first needed.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, key: &SdkKey) -> Self {
        let digest = hex(&Sha256::digest(key.expose().as_bytes()));
        let path = folder.into().join(format!("{PREFIX}{}.lkg", &digest[..16]));
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

    fn origin(&self) -> SpecOrigin {
        SpecOrigin::Adapter(ADAPTER.into())
    }

    fn reach(&self) -> Reach {
        Reach::Local
    }

    fn is_own_copy(&self) -> bool {
        true
    }

    async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
        let path = Arc::clone(&self.path);
        let read = tokio::task::spawn_blocking(move || read(&path));
        let (document, format, received_at_ms) = self.result(read.await)?;
        let update = SpecUpdate::new(document, self.origin(), self.reach(), received_at_ms).with_format(format);
        answer_with(update.with_address(self.path.display().to_string()), request.version.as_ref())
    }

    async fn wants_polling(&self) -> bool {
        false
    }
}

fn write(path: &Path, update: &SpecUpdate) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    if remove_abandoned_files(&OsFileSystem, folder, PREFIX, SystemTime::now()) > 0 {
        tracing::debug!(folder = %folder.display(), "removed temporary files of processes that were killed");
    }
    write_private_file(&OsFileSystem, path, &[header_of(update).as_bytes(), &update.payload])
}

/// The lines before a document.
fn header_of(update: &SpecUpdate) -> String {
    format!(
        "{MAGIC}\n{}\n{}\n{}\n",
        update.format.as_str(),
        update.received_at_ms,
        hex(&Sha256::digest(&update.payload))
    )
}

fn read(path: &Path) -> io::Result<(Bytes, PayloadFormat, u64)> {
    parse(read_regular_file(&OsFileSystem, path, MAX_BYTES + MOST_HEADER as u64)?)
}

/// Takes a file apart: document, format, time of reception.
fn parse(bytes: Vec<u8>) -> io::Result<(Bytes, PayloadFormat, u64)> {
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "the file is damaged");
    let mut at = 0;
    let mut line = || {
        let rest = bytes.get(at..)?;
        let end = rest.iter().take(MOST_HEADER).position(|byte| *byte == b'\n')?;
        at += end + 1;
        std::str::from_utf8(&rest[..end]).ok()
    };
    let (magic, format, received, digest) = (line(), line(), line(), line().map(str::to_owned).ok_or_else(broken)?);
    let format = match (magic, format) {
        (Some(MAGIC), Some("plain_text")) => PayloadFormat::Json,
        (Some(MAGIC), Some("statsig-br")) => PayloadFormat::Protobuf,
        _ => return Err(broken()),
    };
    let received = received.and_then(|text| text.parse().ok()).ok_or_else(broken)?;
    let bytes = Bytes::from(bytes).slice(at..);
    if hex(&Sha256::digest(&bytes)) == digest { Ok((bytes, format, received)) } else { Err(broken()) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    fn file_of(update: &SpecUpdate) -> Vec<u8> {
        [header_of(update).as_bytes(), &update.payload].concat()
    }

    #[tokio::test]
    async fn what_killed_processes_have_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let kept = LastKnownGood::new(folder.path(), &SdkKey::new("secret-k"));
        let hour_ago = SystemTime::now() - Duration::from_secs(3_600);
        let id = uuid::Uuid::new_v4().simple().to_string();
        let make = |name: String, at: SystemTime| {
            let file = File::create_new(folder.path().join(name)).unwrap();
            file.set_modified(at).unwrap();
            file
        };
        let stem = kept.path().file_stem().unwrap().to_str().unwrap().to_owned();
        let left = format!("{stem}.{id}.tmp");
        let of_another_key = format!("{PREFIX}0123456789abcdef.{id}.tmp");
        drop((make(left.clone(), hour_ago), make(of_another_key.clone(), hour_ago)));
        let being_written = format!("{PREFIX}00000000000000ff.{id}.tmp");
        let slow = make(being_written.clone(), hour_ago);
        slow.try_lock().unwrap();
        let just_made = format!("{PREFIX}00000000000000fe.{id}.tmp");
        drop(make(just_made.clone(), SystemTime::now()));
        let others =
            ["notes.tmp".to_owned(), format!("{stem}.tmp"), format!("{stem}.{id}.txt"), format!("{stem}.x.tmp")];
        others.iter().for_each(|name| drop(make(name.clone(), hour_ago)));

        let update = SpecUpdate::new(b"{}".to_vec(), SpecOrigin::Network, Reach::Upstream, 1);
        kept.keep(Arc::new(update)).await.unwrap();
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let mut expected = vec![being_written.clone(), just_made.clone(), format!("{stem}.lkg")];
        expected.extend(others);
        expected.sort();
        assert_eq!(names, expected);

        // Once the slow one is dead as well.
        drop(slow);
        kept.keep(Arc::new(SpecUpdate::new(b"{}".to_vec(), SpecOrigin::Network, Reach::Upstream, 2))).await.unwrap();
        assert!(!folder.path().join(being_written).exists() && folder.path().join(just_made).exists());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn files_are_private_and_nothing_but_files_is_opened() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("a/b");
        let kept = LastKnownGood::new(&folder, &SdkKey::new("secret-k"));
        let update = Arc::new(SpecUpdate::new(br#"{"time":5}"#.to_vec(), SpecOrigin::Network, Reach::Upstream, 1));
        kept.keep(Arc::clone(&update)).await.unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(kept.path()), mode(&folder), mode(folder.parent().unwrap())), (0o600, 0o700, 0o700));
        assert!(kept.fetch(&SpecRequest::default()).await.is_ok());
        // A folder of somebody's choice stays as it is.
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
        kept.keep(Arc::clone(&update)).await.unwrap();
        assert_eq!(mode(&folder), 0o755);

        // A link is replaced, not written through or read.
        let elsewhere = outer.path().join("elsewhere");
        std::fs::rename(kept.path(), &elsewhere).unwrap();
        symlink(&elsewhere, kept.path()).unwrap();
        let error = kept.fetch(&SpecRequest::default()).await.unwrap_err();
        assert_eq!(error.kind(), SourceErrorKind::Invalid);
        kept.keep(Arc::clone(&update)).await.unwrap();
        assert!(
            std::fs::symlink_metadata(kept.path()).unwrap().is_file()
                && kept.fetch(&SpecRequest::default()).await.is_ok()
        );

        // A pipe under either name hangs nobody.
        let pipe = |path: &Path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
        let id = uuid::Uuid::new_v4().simple();
        let temporary = folder.join(format!("{PREFIX}0123456789abcdef.{id}.tmp"));
        pipe(&temporary);
        kept.keep(Arc::clone(&update)).await.unwrap();
        std::fs::remove_file(kept.path()).unwrap();
        pipe(kept.path());
        assert_eq!(kept.fetch(&SpecRequest::default()).await.unwrap_err().kind(), SourceErrorKind::Invalid);
        kept.keep(update).await.unwrap();
        assert!(temporary.exists() && kept.fetch(&SpecRequest::default()).await.is_ok());
    }

    proptest::proptest! {
        #[test]
        fn any_file_is_read_or_refused(bytes: Vec<u8>, cut in 0_usize..200, flip in 0_usize..200) {
            let _ = parse(bytes.clone());
            let whole = file_of(&SpecUpdate::new(bytes.clone(), SpecOrigin::Network, Reach::Upstream, 7));
            assert_eq!(parse(whole.clone()).unwrap(), (bytes.into(), PayloadFormat::Json, 7));
            // What is cut or changed is never taken for something else.
            let mut cut_off = whole.clone();
            cut_off.truncate(cut);
            assert!(cut_off == whole || parse(cut_off).is_err());
            let mut flipped = whole.clone();
            if let Some(byte) = flipped.get_mut(flip) {
                *byte ^= 1;
                let read = parse(flipped);
                assert!(read.is_err() || read.is_ok_and(|(document, ..)| whole.ends_with(&document)));
            }
        }
    }
}
