//! Decompression that knows its limit.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// Why a body could not be decoded.
#[derive(Debug)]
pub(crate) enum DecodeError {
    /// More than the limit came out.
    TooLarge,
    /// The data is broken, or ends too early.
    Broken(io::Error),
}

/// What [`decode`] can undo, as a value for `accept-encoding`.
pub(crate) const ACCEPTED: &str = if cfg!(feature = "zstd") { "gzip, deflate, br, zstd" } else { "gzip, deflate, br" };

/// Undoes the content codings of a body, the last one first.
///
/// Codings that are not of HTTP (the vendor's `statsig-br`) stay, as does everything before them:
/// the caller looks at the header. Cost: linear in what comes out, which is at most `limit`.
pub(crate) fn decode(body: Bytes, codings: &str, limit: usize) -> Result<Bytes, DecodeError> {
    let mut body = body;
    // No server stacks more than one; a hostile one would make us work.
    for coding in codings.rsplit(',').take(3).map(str::trim) {
        body = match &*coding.to_ascii_lowercase() {
            "" | "identity" => continue,
            "gzip" | "x-gzip" => read(MultiGzDecoder::new(&*body), limit, body.len())?,
            "deflate" => deflate(&body, limit)?,
            "br" => read(brotli_decompressor::Decompressor::new(&*body, 16 << 10), limit, body.len())?,
            #[cfg(feature = "zstd")]
            "zstd" => {
                let decoder = zstd::stream::read::Decoder::with_buffer(&*body).map_err(DecodeError::Broken)?;
                read(decoder, limit, body.len())?
            }
            "statsig-br" => return Ok(body),
            other => {
                let unknown = format!("unknown content coding `{}`", other.chars().take(20).collect::<String>());
                return Err(DecodeError::Broken(io::Error::new(io::ErrorKind::Unsupported, unknown)));
            }
        };
    }
    Ok(body)
}

/// The standard says zlib; some servers send the bare stream.
fn deflate(body: &Bytes, limit: usize) -> Result<Bytes, DecodeError> {
    let is_zlib = matches!(**body, [first, second, ..]
        if first & 0x0f == 8 && (u16::from(first) << 8 | u16::from(second)) % 31 == 0);
    if is_zlib {
        read(ZlibDecoder::new(&**body), limit, body.len())
    } else {
        read(DeflateDecoder::new(&**body), limit, body.len())
    }
}

fn read(decoder: impl Read, limit: usize, encoded: usize) -> Result<Bytes, DecodeError> {
    // Specs shrink to about a tenth; a body that promises more than it holds costs no more than this.
    let mut out = Vec::with_capacity(encoded.saturating_mul(8).min(limit).min(16 << 20));
    decoder.take(limit as u64 + 1).read_to_end(&mut out).map_err(DecodeError::Broken)?;
    if out.len() > limit { Err(DecodeError::TooLarge) } else { Ok(out.into()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn encoded(coding: &str, raw: &[u8]) -> Vec<u8> {
        match coding {
            "gzip" => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(raw).unwrap();
                encoder.finish().unwrap()
            }
            "zlib" => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(raw).unwrap();
                encoder.finish().unwrap()
            }
            "bare" => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(raw).unwrap();
                encoder.finish().unwrap()
            }
            "br" => {
                let mut out = Vec::new();
                let mut encoder = brotli::CompressorWriter::new(&mut out, 4096, 5, 20);
                encoder.write_all(raw).unwrap();
                drop(encoder);
                out
            }
            #[cfg(feature = "zstd")]
            "zstd" => zstd::stream::encode_all(raw, 3).unwrap(),
            _ => unreachable!(),
        }
    }

    fn codings() -> Vec<(&'static str, &'static str)> {
        let mut all = vec![("gzip", "gzip"), ("zlib", "deflate"), ("bare", "deflate"), ("br", "br")];
        if cfg!(feature = "zstd") {
            all.push(("zstd", "zstd"));
        }
        all
    }

    #[test]
    fn what_was_encoded_comes_back() {
        let raw = br#"{"has_updates":true,"time":1}"#.repeat(1_000);
        for (form, coding) in codings() {
            let body = decode(encoded(form, &raw).into(), coding, raw.len()).unwrap();
            assert_eq!(body, raw, "{form}");
        }
        let twice = encoded("br", &encoded("gzip", &raw));
        assert_eq!(decode(twice.into(), "gzip, BR", raw.len()).unwrap(), raw);
        assert_eq!(decode(Bytes::from_static(b"x"), "", 0).unwrap(), &b"x"[..]);
        assert_eq!(decode(Bytes::from_static(b"x"), "statsig-br", 9).unwrap(), &b"x"[..]);
    }

    #[test]
    fn bombs_stop_at_the_limit() {
        let raw = vec![b'0'; 8 << 20];
        for (form, coding) in codings() {
            let bomb = encoded(form, &raw);
            assert!(bomb.len() < raw.len() / 50, "{form}");
            assert!(matches!(decode(bomb.into(), coding, raw.len() - 1), Err(DecodeError::TooLarge)), "{form}");
        }
    }

    #[test]
    fn cut_and_broken_bodies_are_errors() {
        let raw: Vec<u8> = (0..50_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
        for (form, coding) in codings() {
            let whole = encoded(form, &raw);
            for end in [1, whole.len() / 2, whole.len() - 1] {
                let cut = decode(Bytes::copy_from_slice(&whole[..end]), coding, raw.len());
                assert!(matches!(cut, Err(DecodeError::Broken(_))), "{form} cut at {end}");
            }
        }
        for coding in ["gzip", "br", "unheard-of"] {
            assert!(matches!(
                decode(Bytes::from_static(b"\xff\xfe garbage"), coding, 100),
                Err(DecodeError::Broken(_))
            ));
        }
    }
}
