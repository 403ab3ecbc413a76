//! Checksum by which a client's response is recognized as current.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::contents::{Contents, write_digested};
use super::json_writer::{Chunked, JsonWriter};
use crate::ruleset::{HashedText, SharedText};

/// Returns the first eight bytes of the SHA-256 of the covered fields, as they would be written.
///
/// The checksum is the same on every machine and in every build that writes the same; receivers treat it as opaque.
pub(super) fn checksum<C: Contents>(contents: &C, shared: &SharedText, hashed: &HashedText) -> u64 {
    let mut digest = DigestWriter(Sha256::new());
    let mut out = Chunked::new(&mut digest);
    // Neither hashing nor serializing a response can fail.
    let _ = JsonWriter::new(&mut out, contents.head().style, shared, hashed)
        .object(|object| write_digested(contents, object));
    let _ = out.finish();
    digest.0.finalize()[..8].iter().fold(0, |bits, &byte| bits << 8 | u64::from(byte))
}

struct DigestWriter(Sha256);

impl Write for DigestWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
