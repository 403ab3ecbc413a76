//! Binary frames of the protocol `statsig-sfp.bin.v1`.
//!
//! | offset | bytes | field |
//! | --- | --- | --- |
//! | 0 | 1 | version of the frame: 1 |
//! | 1 | 1 | encoding |
//! | 2 | 8 | time of the specs in milliseconds since 1970, big endian |
//! | 10 | 2 | length n of the checksum, big endian, at most 256 |
//! | 12 | n | checksum, UTF-8 |
//! | 12 + n | rest | payload |

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::super::event::PayloadCoding;

/// Length of the fields in front of the checksum.
const FIXED: usize = 12;
/// Largest length of a checksum.
const MAX_CHECKSUM: usize = 256;

/// Payload of a binary frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) coding: PayloadCoding,
    pub(super) is_delta: bool,
    pub(super) time_ms: u64,
    pub(super) checksum: Option<Arc<str>>,
    pub(super) payload: Bytes,
}

/// Reason that a frame is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameError {
    /// A later version of the protocol may have added it: the frame is ignored.
    UnknownVersion(u8),
    /// As above.
    UnknownEncoding(u8),
    /// The frame breaks the protocol.
    TooShort,
    LongChecksum,
    ChecksumNotText,
}

impl FrameError {
    /// Returns whether the connection remains usable.
    pub(super) fn is_ignored(self) -> bool {
        matches!(self, Self::UnknownVersion(_) | Self::UnknownEncoding(_))
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownVersion(version) => write!(f, "a binary frame has the unknown version {version}"),
            Self::UnknownEncoding(encoding) => write!(f, "a binary frame has the unknown encoding {encoding}"),
            Self::TooShort => f.write_str("a binary frame is too short"),
            Self::LongChecksum => write!(f, "the checksum of a binary frame has more than {MAX_CHECKSUM} bytes"),
            Self::ChecksumNotText => f.write_str("the checksum of a binary frame is not UTF-8"),
        }
    }
}

impl std::error::Error for FrameError {}

/// Parses a binary frame. The payload shares the memory of the frame.
pub(super) fn parse(frame: &Bytes) -> Result<Frame, FrameError> {
    let version = *frame.first().ok_or(FrameError::TooShort)?;
    if version != 1 {
        return Err(FrameError::UnknownVersion(version));
    }
    let (fixed, rest) = frame.split_first_chunk::<FIXED>().ok_or(FrameError::TooShort)?;
    let [_, encoding, time @ .., high, low] = *fixed;
    let (coding, is_delta) = match encoding {
        0 => (PayloadCoding::Json, false),
        1 => (PayloadCoding::Compressed("gzip"), false),
        2 => (PayloadCoding::Compressed("br"), false),
        3 => (PayloadCoding::Protobuf, false),
        4 => (PayloadCoding::Protobuf, true),
        other => return Err(FrameError::UnknownEncoding(other)),
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_CHECKSUM {
        return Err(FrameError::LongChecksum);
    }
    let checksum = rest.get(..length).ok_or(FrameError::TooShort)?;
    let checksum = std::str::from_utf8(checksum).map_err(|_| FrameError::ChecksumNotText)?;
    Ok(Frame {
        coding,
        is_delta,
        time_ms: u64::from_be_bytes(time),
        checksum: (!checksum.is_empty()).then(|| checksum.into()),
        payload: frame.slice(FIXED + length..),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(version: u8, encoding: u8, time: u64, length: u16, rest: &[u8]) -> Bytes {
        let mut frame = vec![version, encoding];
        frame.extend_from_slice(&time.to_be_bytes());
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(rest);
        frame.into()
    }

    #[test]
    fn frames_are_read_field_by_field() {
        let read = parse(&frame(1, 0, 0x0102_0304_0506_0708, 2, b"c1{}")).unwrap();
        assert_eq!(
            (read.time_ms, read.checksum.as_deref(), &*read.payload),
            (0x0102_0304_0506_0708, Some("c1"), &b"{}"[..])
        );
        assert_eq!((read.coding, read.is_delta), (PayloadCoding::Json, false));
        let read = parse(&frame(1, 2, 5, 0, b"")).unwrap();
        assert_eq!((read.coding, read.checksum, read.payload.len()), (PayloadCoding::Compressed("br"), None, 0));
        let read = parse(&frame(1, 4, 5, 0, b"x")).unwrap();
        assert_eq!((read.coding, read.is_delta), (PayloadCoding::Protobuf, true));
    }

    #[test]
    fn unknown_frames_are_ignored_and_broken_ones_are_errors() {
        for (bytes, expected) in [
            (frame(2, 0, 5, 0, b""), FrameError::UnknownVersion(2)),
            (frame(1, 9, 5, 0, b""), FrameError::UnknownEncoding(9)),
            (Bytes::new(), FrameError::TooShort),
            (Bytes::from_static(b"\x01\x00short"), FrameError::TooShort),
            (frame(1, 0, 5, 3, b"c1"), FrameError::TooShort),
            (frame(1, 0, 5, 257, &[b'c'; 300]), FrameError::LongChecksum),
            (frame(1, 0, 5, 1, b"\xff"), FrameError::ChecksumNotText),
        ] {
            let error = parse(&bytes).unwrap_err();
            assert_eq!(error, expected);
            let is_unknown = matches!(expected, FrameError::UnknownVersion(_) | FrameError::UnknownEncoding(_));
            assert_eq!(error.is_ignored(), is_unknown);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read(time: u64, checksum in "[a-z0-9]{0,256}", payload: Vec<u8>) {
            let length = u16::try_from(checksum.len()).unwrap();
            let read = parse(&frame(1, 1, time, length, &[checksum.as_bytes(), &payload].concat())).unwrap();
            prop_assert_eq!(read.time_ms, time);
            prop_assert_eq!(read.checksum.as_deref().unwrap_or_default(), checksum);
            prop_assert_eq!(&*read.payload, payload);
        }

        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            let _ = parse(&bytes.into());
        }
    }
}
