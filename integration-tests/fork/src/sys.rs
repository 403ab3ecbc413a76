//! What only the operating system can do.

#![allow(unsafe_code, reason = "forking is what this program is for")]

use std::io;

/// Forks; `None` in the child.
///
/// The child may do whatever the C library allows after a fork of several threads; that of GNU and those of
/// the BSDs allow allocating, which is all that a child needs besides system calls.
pub(crate) fn fork() -> io::Result<Option<libc::pid_t>> {
    // SAFETY: `fork` has no preconditions. The calling thread holds no lock.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        child => Ok(Some(child)),
    }
}

/// Waits for a child and returns its exit code; `None` if it was killed.
pub(crate) fn wait_for(child: libc::pid_t) -> io::Result<Option<i32>> {
    let mut status = 0;
    loop {
        // SAFETY: `status` outlives the call.
        if unsafe { libc::waitpid(child, &raw mut status, 0) } == child {
            return Ok(libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Kills this process after so many seconds.
pub(crate) fn die_after(seconds: u32) {
    // SAFETY: `alarm` has no preconditions.
    unsafe { libc::alarm(seconds) };
}
