//! The file system as the spool sees it.
//!
//! A trait, so that tests can fill the disk, fail an fsync, tear a write or cut the power. The
//! duties of an implementor are on the methods; all calls block.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirItem {
    /// Name without path. Entries whose name is not UTF-8 are left out.
    pub name: String,
    /// Whether it is a folder. What is neither a folder nor a regular file (links, pipes) is left out.
    pub is_dir: bool,
    /// Bytes, for files.
    pub len: u64,
}

/// Advisory lock that lasts until it is dropped or the process ends, however it ends.
pub trait SpoolLock: Send {}

/// Open file.
pub trait SpoolFile: Send {
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
    /// What the file system says. The spool does not call it again for the same data then.
    fn sync(&mut self) -> io::Result<()>;

    /// Returns the present length in bytes.
    ///
    /// # Errors
    /// What the file system says.
    fn size(&mut self) -> io::Result<u64>;
}

/// File system operations of the spool.
///
/// Paths are below the spool's folder, except for that folder itself and its parent. Renames and
/// removals must be atomic with regard to the end of the process.
pub trait SpoolFs: Send + Sync {
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
    fn list(&self, dir: &Path) -> io::Result<Vec<DirItem>>;

    /// Creates a file for reading and appending, readable by the owner only.
    ///
    /// # Errors
    /// `AlreadyExists` if there is one, else what the file system says.
    fn create(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>>;

    /// Opens an existing file for reading and appending.
    ///
    /// # Errors
    /// `NotFound` if there is none, else what the file system says.
    fn open(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>>;

    /// Moves a file or folder within the spool.
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
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn SpoolLock>>>;

    /// Says whether there is a file or folder at this path.
    ///
    /// # Errors
    /// What the file system says.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Returns the id of the calling process, by which a forked child is told from its parent.
    fn process_id(&self) -> u32 {
        std::process::id()
    }
}

/// The operating system's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFs;

impl OsFs {
    /// Opens a regular file for reading and writing. Follows no link, and waits for nobody at the other end of a pipe.
    fn open_regular(path: &Path, choose: impl FnOnce(&mut OpenOptions) -> &mut OpenOptions) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        }
        let file = choose(&mut options).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(file)
    }
}

/// Fails unless a path is a folder of our own, no link to one.
///
/// There is no safe call that names the user of a process. The owner of a file that it creates is as good, and right
/// for shares that map users, too.
#[cfg(unix)]
fn check_own(dir: &Path) -> io::Result<fs::Metadata> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::symlink_metadata(dir)?;
    if !metadata.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, "not a folder, or a link to one"));
    }
    let probe = dir.join(format!(".owner-{}", uuid::Uuid::now_v7()));
    let created = OsFs::open_regular(&probe, |options| options.create_new(true));
    let owner = created.and_then(|file| Ok(file.metadata()?.uid()));
    let _ = fs::remove_file(&probe);
    match owner {
        Ok(owner) if owner != metadata.uid() => {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "the folder belongs to another user"))
        }
        // We are not the superuser, then, who alone could change folders of others.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(metadata),
        owner => owner.map(|_| metadata),
    }
}

impl SpoolFs for OsFs {
    fn ensure_dir(&self, dir: &Path) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt;
            builder.mode(0o700);
        }
        builder.create(dir)
    }

    #[cfg(unix)]
    fn make_private(&self, dir: &Path) -> io::Result<()> {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        if check_own(dir)?.permissions().mode() & 0o777 == 0o700 {
            return Ok(());
        }
        // By its descriptor: the name may have become a link since.
        let flags = libc::O_NOFOLLOW | libc::O_DIRECTORY;
        let folder = OpenOptions::new().read(true).custom_flags(flags).open(dir)?;
        folder.set_permissions(fs::Permissions::from_mode(0o700))
    }

    #[cfg(not(unix))]
    fn make_private(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    #[cfg(unix)]
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    /// Folders cannot be synced here; the file system journals their changes in order.
    #[cfg(not(unix))]
    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirItem>> {
        let mut items = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            // Another process may remove an entry while we look.
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if metadata.is_dir() || metadata.is_file() {
                items.push(DirItem { name, is_dir: metadata.is_dir(), len: metadata.len() });
            }
        }
        Ok(items)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        Ok(Box::new(OsFile(Self::open_regular(path, |options| options.create_new(true))?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        Ok(Box::new(OsFile(Self::open_regular(path, |options| options)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir(dir)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn SpoolLock>>> {
        let file = Self::open_regular(path, |options| options.create(true).truncate(false))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(OsLock { _file: file }))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        fs::exists(path)
    }
}

struct OsFile(File);

impl SpoolFile for OsFile {
    // Not opened in append mode: on Windows that would take the right to truncate.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.seek(SeekFrom::End(0))?;
        self.0.write_all(bytes)
    }

    fn rewrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(offset))?;
        self.0.write_all(bytes)
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.0.seek(SeekFrom::Start(offset))?;
        let mut filled = 0;
        while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn size(&mut self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

/// The lock goes with the file. It is not released explicitly: in a forked child that would release
/// the parent's.
struct OsLock {
    _file: File,
}

impl SpoolLock for OsLock {}
