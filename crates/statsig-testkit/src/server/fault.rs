//! The ways to misbehave.

use std::io::Write;
use std::time::Duration;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Coding {
    /// `gzip`.
    Gzip,
    /// `deflate`, in the zlib form.
    Deflate,
    /// `br`.
    Brotli,
}

impl Coding {
    /// Its name in headers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
        }
    }

    pub(super) fn encode(self, raw: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(raw)?;
                encoder.finish()
            }
            Self::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(raw)?;
                encoder.finish()
            }
            Self::Brotli => {
                let mut out = Vec::new();
                let mut encoder = brotli::CompressorWriter::new(&mut out, 4096, 4, 20);
                encoder.write_all(raw)?;
                encoder.flush()?;
                drop(encoder);
                Ok(out)
            }
        }
    }
}

/// What happens in place of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A status with a body.
    Status(u16, String),
    /// A status with a header and no body.
    StatusWith(u16, &'static str, String),
    /// A success with this body, whatever was asked.
    Body(Vec<u8>),
    /// A success with this body and this `content-type`.
    Typed(&'static str, Vec<u8>),
    /// No answer, ever; the connection stays open.
    Hang,
    /// The proper answer, after a time.
    Late(Duration),
    /// The proper answer, one byte at a time with a pause after each.
    Drip(Duration),
    /// The proper answer, cut after so many bytes of its body, though its header announces all.
    Cut(usize),
    /// The proper answer, then silence after so many bytes of its body; the connection stays open.
    Stall(usize),
    /// The connection is closed without an answer.
    Close,
    /// Bytes that are not HTTP.
    Garbage,
    /// A success with so many bytes of spaces, compressed.
    Bomb(Coding, usize),
    /// A success that announces more than it will ever send.
    Endless,
}
