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
    /// Kind of the item: `true` for a folder. Links, pipes and other special files are left out.
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
    /// Any error of the file system.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Writes over bytes that are there, so that the next fsync takes them to the disk again.
    ///
    /// # Errors
    /// Any error of the file system; some of the bytes may have been written then.
    fn rewrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Reads into `buf` from an offset; returns the bytes read, fewer than asked for at the end.
    ///
    /// # Errors
    /// Any error of the file system; reading beyond the end is not an error.
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Cuts the file to a length that is at most its present one.
    ///
    /// # Errors
    /// Any error of the file system.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Forces content and length to the disk.
    ///
    /// # Errors
    /// Any error of the file system. A caller must not rely on a second call for the same data then: most kernels
    /// report success without having written anything.
    fn sync(&mut self) -> io::Result<()>;

    /// Returns the present length in bytes.
    ///
    /// # Errors
    /// Any error of the file system.
    fn size(&mut self) -> io::Result<u64>;

    /// Returns the time of the last write.
    ///
    /// # Errors
    /// Any error of the file system; `Unsupported` where it keeps no times.
    fn modified(&mut self) -> io::Result<SystemTime>;

    /// Locks the file until the handle is dropped; `false` if another handle has locked it.
    ///
    /// # Errors
    /// Any error of the file system; `Unsupported` where there are no locks.
    fn try_lock(&mut self) -> io::Result<bool>;
}

/// File system operations of background tasks. All calls block.
///
/// Renames and removals must be atomic with regard to the end of the process.
pub trait FileSystem: Send + Sync {
    /// Creates a folder and missing parents, readable by the owner only; leaves an existing one.
    ///
    /// # Errors
    /// Any error of the file system.
    fn ensure_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes an existing folder readable by the owner only.
    ///
    /// # Errors
    /// `NotADirectory` if it is a link, `PermissionDenied` if it belongs to another user, else any error of the file
    /// system. Nothing is changed then.
    fn make_private(&self, dir: &Path) -> io::Result<()>;

    /// Forces creations, renames and removals in a folder to the disk.
    ///
    /// # Errors
    /// Any error of the file system.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Lists a folder, in any order.
    ///
    /// # Errors
    /// `NotFound` if there is no such folder, else any error of the file system.
    fn list(&self, dir: &Path) -> io::Result<Vec<FolderItem>>;

    /// Creates a file for reading and appending, readable by the owner only.
    ///
    /// # Errors
    /// `AlreadyExists` if there is one, else any error of the file system.
    fn create(&self, path: &Path) -> io::Result<Box<dyn FileHandle>>;

    /// Opens an existing file for reading and appending.
    ///
    /// # Errors
    /// `NotFound` if there is none, else any error of the file system.
    fn open(&self, path: &Path) -> io::Result<Box<dyn FileHandle>>;

    /// Opens an existing regular file for reading only. Follows no link, and waits for no writer of a pipe.
    ///
    /// # Errors
    /// `NotFound` if there is none, `InvalidData` if it is not a regular file, else any error of the file system.
    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn FileHandle>>;

    /// Moves a file or folder within the file system; replaces a file at the target.
    ///
    /// # Errors
    /// Any error of the file system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound` if there is none, else any error of the file system.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder if it is empty.
    ///
    /// # Errors
    /// Any error of the file system, in particular if it is not empty.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;

    /// Creates the file if needed and locks it; `None` if another holder has it.
    ///
    /// Must exclude other holders in the same process, too.
    ///
    /// # Errors
    /// Any error of the file system; `Unsupported` where there are no locks.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>>;

    /// Returns whether there is a file or folder at this path.
    ///
    /// # Errors
    /// Any error of the file system.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Returns the id of the calling process, by which a forked child is told from its parent.
    fn process_id(&self) -> u32 {
        std::process::id()
    }
}
