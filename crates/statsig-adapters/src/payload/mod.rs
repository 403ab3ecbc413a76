//! Recognises the kind of a payload from its envelope, so that one of another kind never replaces config specs.
//!
//! The first bytes decide about everything but JSON objects. Of an object the members of the top level and the first
//! entry of each section are read, and everything else is skipped. Time is linear in the size, memory is constant.

mod object;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::SpecVersion;
use crate::byte_order_mark::without_byte_order_mark;

/// Kind of a payload, as far as its envelope shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PayloadShape {
    /// Config specs of the current form: maps of specs and a map of conditions.
    SpecsV2,
    /// Config specs of the older form: lists of specs with inline conditions.
    SpecsV1,
    /// Config specs of either form without a part that the form requires.
    IncompleteSpecs,
    /// An object that says `has_updates: false`: nothing is newer than what the client holds.
    NoUpdates,
    /// Values evaluated for one user, as `/v1/initialize` sends them to client SDKs.
    ClientInitializeResponse,
    /// A manifest of ID lists.
    IdListManifest,
    /// An object that reports an error.
    ErrorObject,
    /// Any other JSON object.
    OtherObject,
    /// A JSON array.
    Array,
    /// A JSON string that holds JSON: a document that was encoded twice.
    EncodedTwice,
    /// A JSON string, number, boolean or `null`.
    Scalar,
    /// Text that begins like JSON and breaks off or is damaged.
    BrokenJson,
    /// Nothing, or white space only.
    Empty,
    /// Data compressed with gzip.
    Gzip,
    /// Data compressed with zlib (HTTP's `deflate`).
    Zlib,
    /// Data compressed with zstd.
    Zstd,
    /// A zip, xz or bzip2 file.
    Archive,
    /// Text in Base64 of JSON or of compressed data.
    Base64,
    /// Text in UTF-16 or UTF-32.
    Utf16,
    /// An HTML or XML page.
    Html,
    /// Text that is not JSON.
    Text,
    /// Anything else that is not text: the binary form of config specs, or text compressed with Brotli.
    Binary,
}

impl PayloadShape {
    /// Returns true for config specs of either JSON form.
    #[must_use]
    pub const fn is_specs(self) -> bool {
        matches!(self, Self::SpecsV1 | Self::SpecsV2)
    }

    /// Returns a short name in lower case with dashes, for metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SpecsV2 => "specs-v2",
            Self::SpecsV1 => "specs-v1",
            Self::IncompleteSpecs => "incomplete-specs",
            Self::NoUpdates => "no-updates",
            Self::ClientInitializeResponse => "client-initialize-response",
            Self::IdListManifest => "id-list-manifest",
            Self::ErrorObject => "error-object",
            Self::OtherObject => "other-object",
            Self::Array => "array",
            Self::EncodedTwice => "encoded-twice",
            Self::Scalar => "scalar",
            Self::BrokenJson => "broken-json",
            Self::Empty => "empty",
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
            Self::Archive => "archive",
            Self::Base64 => "base64",
            Self::Utf16 => "utf-16",
            Self::Html => "html",
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }

    /// Returns what to do about a payload of this kind where config specs are expected.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::SpecsV1 | Self::SpecsV2 => "nothing is wrong with its outside",
            Self::NoUpdates => "download the whole document, without `sinceTime`",
            Self::ClientInitializeResponse => {
                "it holds the values of one user, for client SDKs; a server needs `download_config_specs`"
            }
            Self::IdListManifest => "check the address: `get_id_lists` and `download_config_specs` are mixed up",
            Self::ErrorObject => "the server refused the request; check address and SDK key",
            Self::OtherObject | Self::Array | Self::Scalar | Self::Text => {
                "a server needs the answer of `download_config_specs`"
            }
            Self::EncodedTwice => "store the document itself, not a JSON string of it",
            Self::IncompleteSpecs | Self::BrokenJson => "download it again, whole",
            Self::Empty => "check what writes it",
            Self::Gzip | Self::Zlib | Self::Zstd | Self::Archive => "decompress it first",
            Self::Base64 => "decode it first",
            Self::Utf16 => "save it as UTF-8",
            Self::Html => "check the address, and for a login page of a network or proxy",
            Self::Binary => "the binary form and Brotli have to be decoded first",
        }
    }
}

impl fmt::Display for PayloadShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SpecsV2 => "config specs (v2)",
            Self::SpecsV1 => "config specs (v1)",
            Self::IncompleteSpecs => "config specs with parts missing",
            Self::NoUpdates => "an answer that says nothing is new",
            Self::ClientInitializeResponse => "a client-initialize response",
            Self::IdListManifest => "a manifest of ID lists",
            Self::ErrorObject => "an error object",
            Self::OtherObject => "another JSON object",
            Self::Array => "a JSON array",
            Self::EncodedTwice => "a JSON string that holds a document (encoded twice)",
            Self::Scalar => "a single JSON value",
            Self::BrokenJson => "damaged JSON",
            Self::Empty => "empty",
            Self::Gzip => "gzip data",
            Self::Zlib => "zlib data",
            Self::Zstd => "zstd data",
            Self::Archive => "an archive (zip, xz or bzip2)",
            Self::Base64 => "Base64 text",
            Self::Utf16 => "UTF-16 or UTF-32 text",
            Self::Html => "an HTML or XML page",
            Self::Text => "text that is not JSON",
            Self::Binary => "binary data that is not JSON text",
        })
    }
}

/// Bytes that decide whether something is text.
const SAMPLE: usize = 4 << 10;

/// Recognises the kind of a payload from its top level alone.
///
/// A payload that is recognised as config specs may still be refused by the compiler, which reads all of it. Takes
/// time linear in the size, and constant memory.
///
/// ```
/// use statsig_adapters::{PayloadShape, recognise};
///
/// assert_eq!(recognise(br#"{"message": "Forbidden"}"#), PayloadShape::ErrorObject);
/// assert_eq!(recognise(b"\x1f\x8b\x08\0"), PayloadShape::Gzip);
/// assert_eq!(recognise(b"").advice(), "check what writes it");
/// ```
#[must_use]
pub fn recognise(payload: &[u8]) -> PayloadShape {
    read_outer_fields(payload).shape
}

/// Kind and outer fields of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OuterFields {
    /// Kind of the payload.
    pub shape: PayloadShape,
    /// Version of a JSON object, as [`SpecVersion::of_json`] reads it.
    pub version: Option<SpecVersion>,
    /// Hash of the SDK key that the payload was made for (`hashed_sdk_key_used`), if it says so.
    pub hashed_sdk_key: Option<String>,
}

impl OuterFields {
    fn of_shape(shape: PayloadShape) -> Self {
        Self { shape, version: None, hashed_sdk_key: None }
    }
}

/// Recognises the kind of a payload and reads its outer fields, in one pass.
///
/// ```
/// use statsig_adapters::{SpecVersion, read_outer_fields};
///
/// let fields = read_outer_fields(br#"{"time": 5, "checksum": "c", "hashed_sdk_key_used": "17"}"#);
/// assert_eq!((fields.version, fields.hashed_sdk_key.as_deref()), (Some(SpecVersion::new(5, Some("c"))), Some("17")));
/// ```
#[must_use]
pub fn read_outer_fields(payload: &[u8]) -> OuterFields {
    let payload = without_byte_order_mark(payload);
    let is_object = of_first_bytes(payload).is_none() && payload.trim_ascii_start().starts_with(b"{");
    if is_object { object::read(payload.trim_ascii_start()) } else { OuterFields::of_shape(of_other(payload)) }
}

/// Recognises a payload that is no JSON object.
fn of_other(payload: &[u8]) -> PayloadShape {
    if let Some(shape) = of_first_bytes(payload) {
        return shape;
    }
    let payload = payload.trim_ascii_start();
    match payload.first() {
        None => PayloadShape::Empty,
        Some(b'[') => PayloadShape::Array,
        Some(b'"') => of_string(payload),
        Some(b'<') => PayloadShape::Html,
        Some(_) if is_zlib(payload) => PayloadShape::Zlib,
        Some(_) if !is_text(payload) => PayloadShape::Binary,
        Some(b't' | b'f' | b'n' | b'-' | b'0'..=b'9') if is_scalar(payload) => PayloadShape::Scalar,
        Some(_) if payload.starts_with(b"eyJ") || payload.starts_with(b"H4sI") => PayloadShape::Base64,
        Some(_) => PayloadShape::Text,
    }
}

/// Returns the kind that magic numbers show, if they do.
fn of_first_bytes(payload: &[u8]) -> Option<PayloadShape> {
    Some(match payload {
        [0x1F, 0x8B, ..] => PayloadShape::Gzip,
        [0x28, 0xB5, 0x2F, 0xFD, ..] => PayloadShape::Zstd,
        [b'P', b'K', 3, 4, ..] | [b'B', b'Z', b'h', b'1'..=b'9', 0x31, ..] => PayloadShape::Archive,
        [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => PayloadShape::Archive,
        // With a byte order mark, and without one: JSON begins with an ASCII character.
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, 0, 0xFE, 0xFF, ..] => PayloadShape::Utf16,
        [b'{' | b'[' | b'"' | b' ' | b'\n' | b'\r', 0, ..] => PayloadShape::Utf16,
        [0, b'{' | b'[' | b'"' | b' ' | b'\n' | b'\r', ..] | [0, 0, 0, b'{' | b'[' | b'"', ..] => PayloadShape::Utf16,
        _ => return None,
    })
}

/// A zlib header in front of something that is no text.
fn is_zlib(payload: &[u8]) -> bool {
    let [method, flags, ..] = *payload else { return false };
    let is_header = method & 0x0F == 8 && method >> 4 <= 7 && (u16::from(method) << 8 | u16::from(flags)) % 31 == 0;
    is_header && !is_text(payload)
}

fn is_text(payload: &[u8]) -> bool {
    let sample = &payload[..payload.len().min(SAMPLE)];
    let valid = match std::str::from_utf8(sample) {
        Ok(_) => sample,
        // The sample may end inside a character.
        Err(error) if error.error_len().is_none() => &sample[..error.valid_up_to()],
        Err(_) => return false,
    };
    !valid.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
}

/// A JSON string: a document encoded twice, or something else.
fn of_string(payload: &[u8]) -> PayloadShape {
    let content = payload[1..].trim_ascii_start();
    // White space and quotes are escaped inside a string.
    let content = content.strip_prefix(b"\\n").unwrap_or(content).trim_ascii_start();
    match content.first() {
        Some(b'{' | b'[') => PayloadShape::EncodedTwice,
        Some(b'\\') if content.get(1) == Some(&b'"') => PayloadShape::EncodedTwice,
        _ => PayloadShape::Scalar,
    }
}

fn is_scalar(payload: &[u8]) -> bool {
    serde_json::from_slice::<serde_core::de::IgnoredAny>(payload).is_ok()
}
