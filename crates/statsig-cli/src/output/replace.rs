//! Replaces a file as a whole: results go to a temporary file beside it, which is renamed at the end.
//!
//! Until then the file is what it was, and a run that fails or is interrupted leaves it so.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// A file that is being written, and the path that it is for.
pub(super) struct Replacement {
    file: NamedTempFile,
    target: PathBuf,
}

/// Returns whether a path leads to a regular file, or to none yet. Pipes and devices are written to directly.
pub(super) fn is_replaced(path: &Path) -> bool {
    match path.metadata() {
        Ok(metadata) => metadata.is_file() || metadata.is_dir(),
        // A link to a file that does not exist: opening it creates the file.
        Err(_) => path.symlink_metadata().is_err(),
    }
}

impl Replacement {
    /// Creates the temporary file, with the mode of the file that it replaces.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        // A link stays one: the file that it leads to is replaced.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if target.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        let existing = fs::metadata(&target).ok();
        if existing.is_some() {
            // Refused like any other write, before the work is done.
            OpenOptions::new().append(true).open(&target)?;
        }
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = match (new_file(folder), &existing) {
            (Ok(file), _) => file,
            // The file may be written, its folder may not.
            (Err(error), Some(_)) if error.kind() == io::ErrorKind::PermissionDenied => {
                new_file(&std::env::temp_dir())?
            }
            (Err(error), _) => return Err(error),
        };
        if let Some(existing) = existing {
            file.as_file().set_permissions(existing.permissions())?;
        }
        remove_when_interrupted(file.path());
        Ok(Self { file, target })
    }

    /// Puts the file in its place.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        let Err(error) = self.file.persist(&self.target) else { return Ok(()) };
        // A file that is mounted by itself, as into a container, and one in a folder that may not be written
        // can only be overwritten.
        if !self.target.exists() {
            return Err(error.error);
        }
        self.file = error.file;
        let mut written = File::open(self.file.path())?;
        let mut target = OpenOptions::new().write(true).truncate(true).open(&self.target)?;
        io::copy(&mut written, &mut target)?;
        target.sync_all()
    }
}

fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".statsig-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Like any new file; the umask applies.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Removes the temporary file when the user or the system ends the process.
fn remove_when_interrupted(path: &Path) {
    #[cfg(feature = "net")]
    {
        let path = path.to_owned();
        std::thread::spawn(move || {
            let interrupted = crate::remote::run(async {
                crate::remote::interrupted().await;
                Ok(())
            });
            if interrupted.is_ok() {
                let _ = fs::remove_file(path);
                // By convention, 128 and the number of the signal.
                std::process::exit(130);
            }
        });
    }
    #[cfg(not(feature = "net"))]
    let _ = path;
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        fs::write(&target, "before").unwrap();
        let mut file = Replacement::create(&target).unwrap();
        file.write_all(b"after").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"before");
        file.finish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"after");
        // A run that fails.
        Replacement::create(&target).unwrap().write_all(b"half").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"after");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn mode_and_links_are_kept() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("out"), folder.path().join("link"));
        fs::write(&target, "before").unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let mut file = Replacement::create(&link).unwrap();
        file.write_all(b"after").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"after");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(
            !is_replaced(Path::new("/dev/null")) && is_replaced(&target) && is_replaced(&folder.path().join("new"))
        );
    }
}
