//! Opens and reads what users of the command hand over.
//!
//! In: paths (`-` is standard input), plain or gzip, told apart by their first bytes; places on
//! the network ([`source`]). Out: the bytes of specs, users line by line. Errors name the file, the place in it, and
//! the remedy; [`likeness`] recognises files of another kind.

pub(crate) mod file;
pub(crate) mod id_lists;
pub(crate) mod json_error;
pub(crate) mod likeness;
mod read;
#[cfg(feature = "net")]
pub(crate) mod remote;
pub(crate) mod source;
pub(crate) mod specs;
pub(crate) mod survey;
pub(crate) mod user;
pub(crate) mod users;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use flate2::bufread::MultiGzDecoder;

use crate::mask::masked_argument;
use likeness::Likeness;

/// Largest ID list that is read, in bytes.
const MAX_TEXT_BYTES: u64 = 1 << 30;
/// Bytes that are read at a time; a file is judged by the first of them.
const CAPACITY: usize = 1 << 17;

/// What is read: the content, decompressed.
pub(crate) struct Reader {
    pub(crate) bytes: BufReader<Box<dyn Read + Send>>,
    is_gzip: bool,
}

/// Opens a file, or standard input for `-`.
///
/// Folders are refused here, as reading them gives a message that helps nobody.
pub(crate) fn open(path: &Path) -> anyhow::Result<Box<dyn Read + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let context = || format!("cannot open {}", name_of(path));
    let file = File::open(path).with_context(context)?;
    if file.metadata().with_context(context)?.is_dir() {
        bail!("{} is a folder, a file is needed", name_of(path));
    }
    Ok(Box::new(file))
}

/// Decompresses what starts like gzip, and passes on everything else.
pub(crate) fn inflate(reader: Box<dyn Read + Send>) -> io::Result<Reader> {
    let mut bytes = BufReader::with_capacity(CAPACITY, reader);
    let is_gzip = starts_like_gzip(bytes.fill_buf()?);
    if is_gzip {
        bytes = BufReader::with_capacity(CAPACITY, Box::new(MultiGzDecoder::new(bytes)));
    }
    Ok(Reader { bytes, is_gzip })
}

fn starts_like_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

impl Reader {
    /// Returns a reader of bytes that are there already.
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes: BufReader::new(Box::new(io::Cursor::new(bytes))), is_gzip: false }
    }

    /// Describes an error of reading; `name` is the file.
    pub(crate) fn describe(&self, error: io::Error, name: &str) -> anyhow::Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof if self.is_gzip => {
                anyhow!("{name} is gzip, and ends too early: was it copied or downloaded as a whole?")
            }
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData if self.is_gzip => {
                anyhow!("{name} is gzip, and damaged: {error}")
            }
            _ => anyhow::Error::from(error).context(format!("cannot read {name}")),
        }
    }
}

/// The name of a path in messages. Keys in it are masked.
pub(crate) fn name_of(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { masked_argument(&path.display().to_string()) }
}

/// Reads a file of at most `limit` bytes (decompressed) into memory.
pub(crate) fn read(path: &Path, limit: u64) -> anyhow::Result<Vec<u8>> {
    read_from(open(path)?, &name_of(path), limit)
}

/// Reads what was opened, or is in memory already, like [`read`].
pub(crate) fn read_from(reader: Box<dyn Read + Send>, name: &str, limit: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut reader = inflate(reader).with_context(|| format!("cannot read {name}"))?;
    let read = (&mut reader.bytes).take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|error| reader.describe(error, name))?;
    if bytes.len() as u64 > limit {
        bail!("{name} is larger than {} MiB", limit >> 20);
    }
    Ok(bytes)
}

/// Decompresses bytes that came from elsewhere, if they are gzip.
#[cfg(feature = "net")]
pub(crate) fn inflated(bytes: Vec<u8>, name: &str, limit: u64) -> anyhow::Result<Vec<u8>> {
    if starts_like_gzip(&bytes) { read_from(Box::new(io::Cursor::new(bytes)), name, limit) } else { Ok(bytes) }
}

/// Reads a text file.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    let bytes = read(path, MAX_TEXT_BYTES)?;
    let name = name_of(path);
    if let Some(likeness) = Likeness::of_binary(&bytes[..bytes.len().min(CAPACITY)]) {
        bail!("{name} {likeness}, not text");
    }
    let text = String::from_utf8(bytes).with_context(|| format!("{name} is no text"))?;
    // Editors on Windows write a byte order mark.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}
