//! A number by which a client's response is recognised as still right.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::contents::{Contents, Digested};

/// The first eight bytes of the SHA-256 of what matters of a response, as it would be written.
///
/// It is the same on every machine and in every build that writes the same; whoever receives it is
/// to take it as opaque.
pub(super) fn checksum<C: Contents>(contents: &C) -> u64 {
    let mut hashed = Hashed(Sha256::new());
    // Neither hashing nor serializing a response can fail.
    let _ = serde_json::to_writer(&mut hashed, &Digested(contents));
    hashed.0.finalize()[..8].iter().fold(0, |bits, &byte| bits << 8 | u64::from(byte))
}

struct Hashed(Sha256);

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
