//! Compressing one batch after another with the same memory.
//!
//! A compressor works on a few hundred kilobytes, which are dear to get and to clear for each batch
//! of some tens of kilobytes, and leave holes in the heap between what applications allocate. So
//! each thread that encodes keeps one.

use std::cell::Cell;

use flate2::{Compress, Compression, FlushCompress, Status};

/// Least room for more output.
const ROOM: usize = 16 << 10;
/// Window of the compression: the largest.
const WINDOW_BITS: u8 = 15;
/// Most output memory that is kept for the next batch.
const MOST_KEPT: usize = 1 << 20;

thread_local! {
    static KEPT: Cell<Option<Box<Gzip>>> = const { Cell::new(None) };
}

/// A gzip member that is being written.
pub(super) struct Gzip {
    level: u32,
    compress: Compress,
    out: Vec<u8>,
}

impl Gzip {
    /// Begins a member. `level` is 1 to 9.
    pub(super) fn begin(level: u32) -> Box<Self> {
        // A thread that is ending keeps nothing.
        match KEPT.try_with(Cell::take).ok().flatten().filter(|kept| kept.level == level) {
            Some(kept) => kept,
            None => {
                let compress = Compress::new_gzip(Compression::new(level), WINDOW_BITS);
                Box::new(Self { level, compress, out: Vec::new() })
            }
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.run(bytes, FlushCompress::None);
    }

    /// Ends the member, hands it to `take`, and keeps the memory for the next one.
    pub(super) fn finish<T>(mut self: Box<Self>, take: impl FnOnce(&[u8]) -> T) -> T {
        self.run(&[], FlushCompress::Finish);
        let taken = take(&self.out);
        self.compress.reset();
        self.out.clear();
        self.out.shrink_to(MOST_KEPT);
        let _ = KEPT.try_with(|kept| kept.set(Some(self)));
        taken
    }

    /// Compresses all of `bytes`, and with `Finish` all that is left.
    fn run(&mut self, mut bytes: &[u8], flush: FlushCompress) {
        loop {
            self.out.reserve(ROOM);
            let before = self.compress.total_in();
            let status = self.compress.compress_vec(bytes, &mut self.out, flush);
            let eaten = usize::try_from(self.compress.total_in() - before).unwrap_or(bytes.len());
            bytes = bytes.get(eaten..).unwrap_or_default();
            let done = match flush {
                FlushCompress::Finish => matches!(status, Ok(Status::StreamEnd)),
                // It may hold back what it has not put out yet.
                _ => bytes.is_empty(),
            };
            // Only a compressor that is misused fails.
            if done || status.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    fn compressed(level: u32, pieces: &[&[u8]]) -> Vec<u8> {
        let mut gzip = Gzip::begin(level);
        for piece in pieces {
            gzip.write(piece);
        }
        gzip.finish(<[u8]>::to_vec)
    }

    #[test]
    fn members_read_back_one_after_another() {
        let noise: Vec<u8> = (0_u32..300_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for (level, pieces) in [
            (3, [&b"["[..], b"1,2", b"]"]),
            (3, [&noise, b"", &noise[..7]]),
            (9, [b"", b"", b""]),
            (1, [&noise[..70_000], &noise[70_000..], b"end"]),
            (1, [b"a", b"b", b"c"]),
        ] {
            let member = compressed(level, &pieces);
            let mut read = Vec::new();
            GzDecoder::new(&*member).read_to_end(&mut read).unwrap();
            assert!(read == pieces.concat(), "level {level}");
        }
    }
}
