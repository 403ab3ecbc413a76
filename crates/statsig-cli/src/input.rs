//! Opening and reading what users of the command hand over.
//!
//! Comes in: paths (`-` is standard input), plain or gzip, told apart by their first bytes; places on
//! the network ([`source`]). Goes out: the bytes of specs, users line by line. Errors name the file, the place in it, and what to do.

pub(crate) mod id_lists;
pub(crate) mod json_error;
pub(crate) mod source;
pub(crate) mod specs;
pub(crate) mod users;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use flate2::bufread::MultiGzDecoder;

/// Largest ID list that is read, in bytes.
const MAX_TEXT_BYTES: u64 = 1 << 30;

/// Opens a file, or standard input for `-`.
///
/// Directories are refused here, as reading them gives a message that helps nobody.
pub(crate) fn open(path: &Path) -> anyhow::Result<Box<dyn Read + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let context = || format!("cannot open {}", path.display());
    let file = File::open(path).with_context(context)?;
    if file.metadata().with_context(context)?.is_dir() {
        bail!("{} is a folder, a file is needed", path.display());
    }
    Ok(Box::new(file))
}

/// Decompresses what starts like gzip, and passes on everything else.
pub(crate) fn inflate(reader: Box<dyn Read + Send>) -> io::Result<BufReader<Box<dyn Read + Send>>> {
    const CAPACITY: usize = 1 << 17;
    let mut reader = BufReader::with_capacity(CAPACITY, reader);
    let compressed = reader.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if compressed { BufReader::with_capacity(CAPACITY, Box::new(MultiGzDecoder::new(reader))) } else { reader })
}

/// How a path is called in messages.
pub(crate) fn name_of(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// Reads a file of at most `limit` bytes (decompressed) into memory.
pub(crate) fn read(path: &Path, limit: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let reader = inflate(open(path)?).with_context(|| format!("cannot read {}", name_of(path)))?;
    reader.take(limit + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", name_of(path)))?;
    if bytes.len() as u64 > limit {
        bail!("{} is larger than {} MiB", name_of(path), limit >> 20);
    }
    Ok(bytes)
}

/// Reads a text file.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    String::from_utf8(read(path, MAX_TEXT_BYTES)?).with_context(|| format!("{} is no text", name_of(path)))
}
