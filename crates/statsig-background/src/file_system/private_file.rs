//! Whole files that only their owner may read, replaced atomically.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::{FileHandle, FileSystem};

/// End of the name of a temporary file, after its identifier.
const TEMPORARY: &str = ".tmp";
/// Age at which a temporary file that is not locked is abandoned: it is created before it is locked, and closed
/// before it is renamed.
const UNLOCKED_AGE: Duration = Duration::from_secs(60);
/// The same age on file systems without locks.
const LOCKLESS_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes read at once.
const READ_CHUNK: usize = 64 << 10;

/// Replaces a file with the concatenation of some parts.
///
/// Readers see the previous content or all of the new one, also after a crash: the parts go to a temporary file beside
/// the target, which is synced and then renamed. The file has mode 0600, and missing folders are created with mode
/// 0700, on systems with modes; an existing folder keeps its mode. A link at the target is replaced, never followed.
///
/// The temporary file is locked while it is written. One that a killed process has left is removed by
/// [`remove_abandoned_files`].
///
/// ```
/// use statsig_background::{OsFileSystem, read_regular_file, write_private_file};
///
/// # fn main() -> std::io::Result<()> {
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("cache/rules.bin");
/// write_private_file(&OsFileSystem, &path, &[b"header\n", b"content"])?;
/// assert_eq!(read_regular_file(&OsFileSystem, &path, 1_024)?, b"header\ncontent");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Any error of the file system; the target is unchanged then, and the temporary file is removed where that is possible.
pub fn write_private_file(file_system: &dyn FileSystem, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let folder = folder_of(path);
    file_system.ensure_dir(folder)?;
    // A name of its own for each writer, so that two never share one.
    let temporary = path.with_extension(format!("{}{TEMPORARY}", Uuid::new_v4().simple()));
    let written = write_parts(file_system, &temporary, parts).and_then(|()| file_system.rename(&temporary, path));
    if written.is_err() {
        let _ = file_system.remove_file(&temporary);
    }
    // Makes the new name durable; not every system lets folders be opened.
    let _ = file_system.sync_dir(folder);
    written
}

fn write_parts(file_system: &dyn FileSystem, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = file_system.create(path)?;
    // Without locks, `remove_abandoned_files` goes by a longer age.
    let _ = file.try_lock();
    for part in parts {
        file.append(part)?;
    }
    file.sync()
    // Closing the file unlocks it: on some systems a locked file cannot be read.
}

/// Reads a whole regular file of at most `max_bytes` bytes. Follows no link, and waits for no pipe.
///
/// # Errors
/// `NotFound` if there is none, `InvalidData` if it is longer or not a regular file, else any error of the file system.
pub fn read_regular_file(file_system: &dyn FileSystem, path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut file = file_system.open_to_read(path)?;
    let too_long = || io::Error::new(io::ErrorKind::InvalidData, format!("the file is longer than {max_bytes} bytes"));
    let size = file.size()?;
    if size > max_bytes {
        return Err(too_long());
    }
    let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    loop {
        let filled = content.len();
        // One byte more than the size tells the end without another read.
        let chunk =
            usize::try_from(size).unwrap_or(READ_CHUNK).saturating_sub(filled).saturating_add(1).max(READ_CHUNK);
        content.resize(filled + chunk, 0);
        let count = file.read_at(filled as u64, content.get_mut(filled..).unwrap_or_default())?;
        content.truncate(filled + count);
        if content.len() as u64 > max_bytes {
            return Err(too_long());
        }
        if count < chunk {
            return Ok(content);
        }
    }
}

/// Removes temporary files of [`write_private_file`] that killed processes have left in a folder.
///
/// Considers files whose names begin with `prefix`. Removes those that no process has locked and that are a minute
/// older than `now`, or a day on systems without locks. Ignores errors: what cannot be removed now can be later.
/// Returns the number of removed files.
pub fn remove_abandoned_files(file_system: &dyn FileSystem, folder: &Path, prefix: &str, now: SystemTime) -> usize {
    let Ok(items) = file_system.list(folder) else { return 0 };
    let temporaries = items.iter().filter(|item| !item.is_dir && is_temporary(&item.name, prefix));
    temporaries
        .filter(|item| {
            let path = folder.join(&item.name);
            let abandoned = file_system.open_to_read(&path).and_then(|mut file| is_abandoned(&mut *file, now));
            abandoned.unwrap_or(false) && file_system.remove_file(&path).is_ok()
        })
        .count()
}

/// Returns whether a name is `{prefix}….{32 hexadecimal digits}.tmp`.
fn is_temporary(name: &str, prefix: &str) -> bool {
    let identified = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(TEMPORARY));
    let identifier = identified.and_then(|rest| rest.rsplit_once('.')).map(|(_, identifier)| identifier);
    identifier.is_some_and(|identifier| identifier.len() == 32 && identifier.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_abandoned(file: &mut dyn FileHandle, now: SystemTime) -> io::Result<bool> {
    // A time in the future says nothing.
    let age = now.duration_since(file.modified()?).unwrap_or_default();
    let limit = match file.try_lock() {
        Ok(true) => UNLOCKED_AGE,
        Ok(false) => return Ok(false),
        Err(_) => LOCKLESS_AGE,
    };
    Ok(age > limit)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
