//! Errors of the storage medium, as opposed to a shortage or a state that passes.

use std::io;

/// Says whether an error of a read means that the bytes are lost unless a later read succeeds.
///
/// A shortage of descriptors or memory, missing permissions, an interrupted call or a stale handle say nothing about
/// the bytes. The list is therefore one of what counts, not of what does not.
pub(super) fn is_medium_error(error: &io::Error) -> bool {
    match error.raw_os_error() {
        #[cfg(unix)]
        Some(code) => is_medium_code(code),
        // ERROR_CRC, ERROR_SECTOR_NOT_FOUND, ERROR_FILE_CORRUPT, ERROR_IO_DEVICE.
        #[cfg(windows)]
        Some(code) => matches!(code, 23 | 27 | 1392 | 1117),
        #[cfg(not(any(unix, windows)))]
        Some(_) => false,
        None => matches!(error.kind(), io::ErrorKind::Other | io::ErrorKind::InvalidData),
    }
}

#[cfg(unix)]
fn is_medium_code(code: i32) -> bool {
    // What the block layer and file systems make of an unreadable or inconsistent sector.
    #[cfg(target_os = "linux")]
    if matches!(code, libc::EUCLEAN | libc::EREMOTEIO | libc::ENODATA) {
        return true;
    }
    matches!(code, libc::EIO | libc::EBADMSG | libc::EILSEQ)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn shortages_and_passing_states_are_no_errors_of_the_medium() {
        for code in [
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOMEM,
            libc::EACCES,
            libc::EPERM,
            libc::EINTR,
            libc::EAGAIN,
            libc::ESTALE,
            libc::ENOENT,
            libc::ELOOP,
            libc::ENODEV,
            libc::ENOSPC,
            libc::ETIMEDOUT,
        ] {
            assert!(!is_medium_error(&io::Error::from_raw_os_error(code)), "{code}");
        }
        assert!(is_medium_error(&io::Error::from_raw_os_error(libc::EIO)));
        assert!(!is_medium_error(&io::ErrorKind::OutOfMemory.into()));
    }
}
