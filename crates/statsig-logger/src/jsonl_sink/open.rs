//! Opens the file of a sink, which holds user data, without exposing or redirecting it.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Opens a file for reading and appending, or creates it for its owner only (mode 0600).
///
/// A file that exists keeps its mode. A symbolic link at the path is followed only if it belongs to
/// the user of this process or to root: another user could otherwise choose where events go.
pub(super) fn open(path: &Path) -> io::Result<File> {
    // Without following a link, whoever made it.
    match options().create_new(true).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => open_existing(path),
        result => result,
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(not(unix))]
fn open_existing(path: &Path) -> io::Result<File> {
    options().open(path)
}

#[cfg(unix)]
fn open_existing(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::MetadataExt;

    let named = std::fs::symlink_metadata(path)?;
    if named.file_type().is_symlink() {
        if !is_trusted(path, named.uid())? {
            return Err(io::Error::new(ErrorKind::PermissionDenied, "it is a symbolic link of another user"));
        }
        return options().create(true).open(path);
    }
    let file = options().open(path)?;
    let opened = file.metadata()?;
    if (opened.dev(), opened.ino()) == (named.dev(), named.ino()) {
        Ok(file)
    } else {
        Err(io::Error::other("it was replaced while it was opened"))
    }
}

/// Whether a user is root or the user of this process.
#[cfg(unix)]
fn is_trusted(path: &Path, uid: u32) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    const ROOT: u32 = 0;
    if uid == ROOT {
        return Ok(true);
    }
    // The standard library does not name the user; a new file belongs to it.
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".owner-{}", std::process::id()));
    let probe = path.with_file_name(name);
    let own = options().create_new(true).open(&probe)?.metadata()?.uid();
    std::fs::remove_file(&probe)?;
    Ok(uid == own)
}
