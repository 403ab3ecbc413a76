//! Where ID lists are pulled from.

use async_trait::async_trait;

use super::{IdListEntry, IdListManifest, SourceError};

/// A part of the file of an ID list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IdListChunk {
    /// Where in the file the bytes begin: where the reader asked, or 0 if the source gave the whole file.
    pub start: u64,
    /// The bytes: lines of `+` or `-` and a hash.
    pub bytes: Vec<u8>,
}

impl IdListChunk {
    /// Bytes from a place in the file on.
    #[must_use]
    pub fn new(start: u64, bytes: Vec<u8>) -> Self {
        Self { start, bytes }
    }
}

/// Gives the files of ID lists when asked.
///
/// A source fetches bytes; what they mean, and which lists they make, is the reader's business.
///
/// # Duties of an implementor
///
/// - **A manifest is complete.** A list that is not in it does not exist any more. A source that
///   cannot tell gives an error.
/// - **Pieces.** A source of large files over slow lines implements [`open`](Self::open), so that what has
///   arrived is kept if the rest does not. The default calls [`read`](Self::read).
/// - **Ranges.** [`read`](Self::read) gives the bytes from `start` on, as far as the file goes; the
///   whole file, saying so by `start: 0`, where ranges are not known. At or beyond the end the bytes
///   are empty.
/// - **Bounded**: at most as many bytes as the entry's `size` says, and a time limit for each call.
/// - **No blocking** of the thread that polls the future.
///
/// # Cancel safety
///
/// The futures may be dropped at any time.
///
/// # Contract test
///
/// `statsig_adapters::testing::id_list_source_contract` (feature `testing`) checks these duties.
///
/// # Example
///
/// One list, from the application's own table of members:
///
/// ```
/// use statsig_adapters::{IdListChunk, IdListEntry, IdListManifest, IdListSource, SourceError};
///
/// /// The hashes of the members: the first 8 characters of Base64 of SHA-256.
/// struct Staff(Vec<&'static str>);
///
/// impl Staff {
///     fn file(&self) -> Vec<u8> {
///         let lines = self.0.iter().map(|hash| [b"+", hash.as_bytes(), b"\n"].concat());
///         lines.flatten().collect()
///     }
/// }
///
/// #[async_trait::async_trait]
/// impl IdListSource for Staff {
///     fn name(&self) -> &str {
///         "staff"
///     }
///
///     async fn manifest(&self) -> Result<IdListManifest, SourceError> {
///         let file = IdListEntry::new("staff", "memory:staff", "v1", self.file().len() as u64);
///         Ok(IdListManifest::new(vec![file]))
///     }
///
///     async fn read(&self, _entry: &IdListEntry, start: u64) -> Result<IdListChunk, SourceError> {
///         let rest = self.file().split_off((start as usize).min(self.file().len()));
///         Ok(IdListChunk::new(start, rest))
///     }
/// }
/// ```
#[async_trait]
pub trait IdListSource: Send + Sync {
    /// A short name for reports and logs, the same at every call.
    fn name(&self) -> &str;

    /// Gives all lists of the project.
    ///
    /// # Errors
    /// When the source cannot be reached, refuses, or does not know.
    async fn manifest(&self) -> Result<IdListManifest, SourceError>;

    /// Gives the bytes of a list's file from `start` on.
    ///
    /// # Errors
    /// When the source cannot be reached, refuses, or does not have the file.
    async fn read(&self, entry: &IdListEntry, start: u64) -> Result<IdListChunk, SourceError>;

    /// Opens a list's file from `start` on, to read it piece by piece: the bytes of [`read`](Self::read), the
    /// first piece at `start`, or at 0 where ranges are not known, each further one behind the one before.
    ///
    /// # Errors
    /// When the source cannot be reached, refuses, or does not have the file.
    async fn open(&self, entry: &IdListEntry, start: u64) -> Result<Box<dyn IdListReader>, SourceError> {
        Ok(self.read(entry, start).await?.into())
    }
}

/// The bytes of a list's file, piece by piece. Made by [`IdListSource::open`].
///
/// Each call has a time limit of the source's own. What was returned before an error may be used.
#[async_trait]
pub trait IdListReader: Send {
    /// Returns the next piece, of any size; `None` at the end.
    ///
    /// # Errors
    /// When the rest cannot be had. There are no pieces after an error.
    async fn next(&mut self) -> Result<Option<IdListChunk>, SourceError>;
}

/// A reader of a part that is there already, in one piece.
impl From<IdListChunk> for Box<dyn IdListReader> {
    fn from(chunk: IdListChunk) -> Self {
        Box::new(Once(Some(chunk)))
    }
}

/// A part that is there already.
struct Once(Option<IdListChunk>);

#[async_trait]
impl IdListReader for Once {
    async fn next(&mut self) -> Result<Option<IdListChunk>, SourceError> {
        Ok(self.0.take())
    }
}
