//! Buffered reads of a segment that may have unreadable blocks.

use std::io;

use statsig_background::FileHandle;

use super::medium::is_medium_error;

/// Bytes of a block of the disk: the unit that becomes unreadable, and that is read while walking over headers.
const BLOCK: usize = 4096;
/// Bytes read at once while searching.
const CHUNK: usize = 64 << 10;

/// Part of a file in memory. An unreadable block costs its own bytes only.
///
/// Methods fail if the file cannot be read for now; errors of the medium set [`Self::unreadable`] instead.
pub(super) struct Window<'a> {
    file: &'a mut dyn FileHandle,
    start: u64,
    bytes: Vec<u8>,
    pub(super) len: u64,
    /// `true` if the medium refused a block since this was last reset.
    pub(super) unreadable: bool,
}

/// Bytes at some offset, as a search meets them.
pub(super) enum Chunk<'a> {
    Bytes(&'a [u8]),
    /// The medium refuses everything before this offset.
    Unreadable {
        until: u64,
    },
}

impl<'a> Window<'a> {
    pub(super) fn new(file: &'a mut dyn FileHandle) -> io::Result<Self> {
        let len = file.size()?;
        Ok(Self { file, start: 0, bytes: Vec::new(), len, unreadable: false })
    }

    /// Returns `N` bytes at an offset, `None` if the file ends before or they are unreadable.
    pub(super) fn at<const N: usize>(&mut self, offset: u64) -> io::Result<Option<[u8; N]>> {
        if let Some(found) = self.buffered(offset) {
            return Ok(Some(found));
        }
        if self.fill(offset, BLOCK.max(N))? || (BLOCK > N && self.fill(offset, N)?) {
            return Ok(self.buffered(offset));
        }
        Ok(None)
    }

    /// Returns bytes from an offset on, for a search for something `overlap` bytes longer than one byte.
    pub(super) fn chunk(&mut self, offset: u64, overlap: usize) -> io::Result<Chunk<'_>> {
        let in_block = BLOCK - usize::try_from(offset % BLOCK as u64).unwrap_or(0);
        let readable =
            self.fill(offset, CHUNK)? || self.fill(offset, in_block + overlap)? || self.fill(offset, in_block)?;
        if readable {
            return Ok(Chunk::Bytes(&self.bytes));
        }
        Ok(Chunk::Unreadable { until: offset + in_block as u64 })
    }

    /// Computes the CRC-32C of some bytes; `None` if the file ends before or they are unreadable.
    pub(super) fn checksum(&mut self, mut offset: u64, len: u32) -> io::Result<Option<u32>> {
        let end = offset + u64::from(len);
        let mut sum = 0;
        while offset < end {
            let wanted = usize::try_from(end - offset).unwrap_or(CHUNK).min(CHUNK);
            if !self.fill(offset, wanted)? || self.bytes.is_empty() {
                return Ok(None);
            }
            sum = crc32c::crc32c_append(sum, &self.bytes);
            offset += self.bytes.len() as u64;
        }
        Ok(Some(sum))
    }

    /// Reads up to `len` bytes; `false` if the medium refuses them.
    fn fill(&mut self, offset: u64, len: usize) -> io::Result<bool> {
        self.bytes.resize(len, 0);
        self.start = offset;
        match self.file.read_at(offset, &mut self.bytes) {
            Ok(count) => {
                self.bytes.truncate(count);
                Ok(true)
            }
            Err(error) => {
                self.bytes.clear();
                if is_medium_error(&error) {
                    self.unreadable = true;
                    return Ok(false);
                }
                Err(error)
            }
        }
    }

    fn buffered<const N: usize>(&self, offset: u64) -> Option<[u8; N]> {
        let at = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(at..)?.first_chunk().copied()
    }
}
