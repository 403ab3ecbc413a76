//! Private files with atomic replacement, behind a trait that tests can replace.
//!
//! | item | purpose |
//! | --- | --- |
//! | [`FileSystem`], [`FileHandle`], [`FileLock`] | operations, one open file, one lock |
//! | [`OsFileSystem`] | the operating system's file system |
//! | [`write_private_file`], [`read_regular_file`] | atomic replacement of a whole file, bounded reading |
//! | [`remove_abandoned_files`] | cleanup after writers that were killed |
//! | [`testing`](crate::testing) | a disk in memory, and a file system that fails on command (feature `testing`) |

mod os;
mod private_file;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

use std::io;
use std::path::Path;
use std::time::SystemTime;

pub use self::os::OsFileSystem;
pub use self::private_file::{read_regular_file, remove_abandoned_files, write_private_file};

/// One file or folder in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderItem {
    /// Name without path. Entries whose name is not UTF-8 are left out.
    pub name: String,
    /// Whether it is a folder. What is neither a folder nor a regular file (links, pipes) is left out.
    pub is_dir: bool,
    /// Bytes, for files.
    pub len: u64,
}

/// An advisory lock that lasts until it is dropped or the process ends, however it ends.
pub trait FileLock: Send {}

/// An open file.
pub trait FileHandle: Send {
    /// Writes all bytes at the end. On an error any prefix of them may have been written.
    ///
    /// # Errors
    /// What the file system says.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Writes over bytes that are there, so that the next fsync takes them to the disk again.
    ///
    /// # Errors
    /// What the file system says; some of the bytes may have been written then.
    fn rewrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Reads into `buf` from an offset; returns the bytes read, fewer than asked for at the end.
    ///
    /// # Errors
    /// What the file system says; reading beyond the end is not an error.
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Cuts the file to a length that is at most its present one.
    ///
    /// # Errors
    /// What the file system says.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Forces content and length to the disk.
    ///
    /// # Errors
    /// What the file system says. A caller must not rely on a second call for the same data then: most kernels
    /// report success without having written anything.
    fn sync(&mut self) -> io::Result<()>;

    /// Returns the present length in bytes.
    ///
    /// # Errors
    /// What the file system says.
    fn size(&mut self) -> io::Result<u64>;

    /// Returns the time of the last write.
    ///
    /// # Errors
    /// What the file system says, `Unsupported` where it keeps no times.
    fn modified(&mut self) -> io::Result<SystemTime>;

    /// Locks the file until the handle is dropped; `false` if another handle has locked it.
    ///
    /// # Errors
    /// What the file system says, `Unsupported` where there are no locks.
    fn try_lock(&mut self) -> io::Result<bool>;
}

/// File system operations of background tasks. All calls block.
///
/// Renames and removals must be atomic with regard to the end of the process.
pub trait FileSystem: Send + Sync {
    /// Creates a folder and missing parents, readable by the owner only; leaves an existing one.
    ///
    /// # Errors
    /// What the file system says.
    fn ensure_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes an existing folder readable by the owner only.
    ///
    /// # Errors
    /// `NotADirectory` if it is a link, `PermissionDenied` if it belongs to another user, else what the file system
    /// says. Nothing is changed then.
    fn make_private(&self, dir: &Path) -> io::Result<()>;

    /// Forces creations, renames and removals in a folder to the disk.
    ///
    /// # Errors
    /// What the file system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Lists a folder, in any order.
    ///
    /// # Errors
    /// `NotFound` if there is no such folder, else what the file system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<FolderItem>>;

    /// Creates a file for reading and appending, readable by the owner only.
    ///
    /// # Errors
    /// `AlreadyExists` if there is one, else what the file system says.
    fn create(&self, path: &Path) -> io::Result<Box<dyn FileHandle>>;

    /// Opens an existing file for reading and appending.
    ///
    /// # Errors
    /// `NotFound` if there is none, else what the file system says.
    fn open(&self, path: &Path) -> io::Result<Box<dyn FileHandle>>;

    /// Opens an existing regular file for reading only. Follows no link, and waits for no writer of a pipe.
    ///
    /// # Errors
    /// `NotFound` if there is none, `InvalidData` if it is not a regular file, else what the file system says.
    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn FileHandle>>;

    /// Moves a file or folder within the file system; replaces a file at the target.
    ///
    /// # Errors
    /// What the file system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound` if there is none, else what the file system says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder if it is empty.
    ///
    /// # Errors
    /// What the file system says, in particular if it is not empty.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;

    /// Creates the file if needed and locks it; `None` if another holder has it.
    ///
    /// Must exclude other holders in the same process, too.
    ///
    /// # Errors
    /// What the file system says, `Unsupported` where there are no locks.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>>;

    /// Returns whether there is a file or folder at this path.
    ///
    /// # Errors
    /// What the file system says.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Returns the id of the calling process, by which a forked child is told from its parent.
    fn process_id(&self) -> u32 {
        std::process::id()
    }
}
