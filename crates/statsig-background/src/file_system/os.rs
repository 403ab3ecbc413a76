//! The operating system's file system.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::SystemTime;

use super::{FileHandle, FileLock, FileSystem, FolderItem};

/// The operating system's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFileSystem;

impl OsFileSystem {
    /// Opens a regular file for reading and writing. Follows no link, and does not wait for the other end of a pipe.
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

/// Returns the metadata of a folder of this process's user; fails for a link to one.
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
    let probe = dir.join(format!(".owner-{}", uuid::Uuid::new_v4()));
    let created = OsFileSystem::open_regular(&probe, |options| options.create_new(true));
    let owner = created.and_then(|file| Ok(file.metadata()?.uid()));
    let _ = fs::remove_file(&probe);
    match owner {
        Ok(owner) if owner != metadata.uid() => {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "the folder belongs to another user"))
        }
        // Only the superuser could change folders of others, and it may create files everywhere.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(metadata),
        owner => owner.map(|_| metadata),
    }
}

impl FileSystem for OsFileSystem {
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

    fn list(&self, dir: &Path) -> io::Result<Vec<FolderItem>> {
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
                items.push(FolderItem { name, is_dir: metadata.is_dir(), len: metadata.len() });
            }
        }
        Ok(items)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        Ok(Box::new(OsFile(Self::open_regular(path, |options| options.create_new(true))?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        Ok(Box::new(OsFile(Self::open_regular(path, |options| options)?)))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        let other = || io::Error::new(io::ErrorKind::InvalidData, "not a regular file");
        // Looked at before it is opened: to open a pipe waits for a writer.
        if !fs::symlink_metadata(path)?.is_file() {
            return Err(other());
        }
        let file = File::open(path)?;
        // It may have been replaced in between.
        if !file.metadata()?.is_file() {
            return Err(other());
        }
        Ok(Box::new(OsFile(file)))
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

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
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

impl FileHandle for OsFile {
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

    fn modified(&mut self) -> io::Result<SystemTime> {
        self.0.metadata()?.modified()
    }

    fn try_lock(&mut self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// The lock goes with the file. It is not released explicitly: in a forked child that would release
/// the parent's.
struct OsLock {
    _file: File,
}

impl FileLock for OsLock {}
