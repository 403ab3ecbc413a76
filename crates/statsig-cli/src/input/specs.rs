//! Reading a document of config specs, and saying why one was refused.

use std::path::Path;

use anyhow::{Context, anyhow};
use statsig_core::{CompileLimits, PayloadShape};

use super::file::InputFile;
use super::json_error::Place;
use super::likeness::Likeness;
use super::{name_of, read};
use crate::failure::Failure;
use crate::text::quoted;

/// What to do about a document that is something else.
const EXPECTED: &str = "a config specs document is what Statsig's `download_config_specs` sends to server SDKs";

/// A document of config specs, wherever it came from.
pub(crate) struct Document {
    /// The text, decompressed.
    pub(crate) bytes: Vec<u8>,
    /// The document as it was, if that was the vendor's binary form.
    #[cfg(feature = "redis")]
    pub(crate) binary: Option<Vec<u8>>,
    /// How it is called in messages.
    pub(crate) name: String,
    /// The command that shows what is in it.
    pub(crate) inspection: String,
}

impl Document {
    /// Reads a file; its size is bounded as compilation bounds it.
    pub(crate) fn of_file(file: InputFile<'_>) -> Result<Self, Failure> {
        file.refuse_address()?;
        let path = file.path;
        let bytes = read(path, max_bytes()).context("no config specs").map_err(Failure::input)?;
        let name = name_of(path);
        let inspection = format!("statsig specs {}", quoted(&argument_of(path)));
        #[cfg(feature = "net")]
        if is_no_text(&bytes)
            && let Ok(text) = text_of(&bytes)
        {
            return Ok(Self {
                bytes: text,
                #[cfg(feature = "redis")]
                binary: Some(bytes),
                name,
                inspection,
            });
        }
        Ok(Self::of_text(bytes, name, inspection))
    }

    /// A document that is JSON, or should be.
    pub(crate) fn of_text(bytes: Vec<u8>, name: String, inspection: String) -> Self {
        Self {
            bytes,
            #[cfg(feature = "redis")]
            binary: None,
            name,
            inspection,
        }
    }
}

/// A path as an argument that reads it again. Keys in it are masked, as in the name.
fn argument_of(path: &Path) -> String {
    if path == Path::new("-") { "-".to_owned() } else { name_of(path) }
}

/// Whether it may be the binary form: that never is text.
#[cfg(feature = "net")]
fn is_no_text(bytes: &[u8]) -> bool {
    !bytes.trim_ascii_start().starts_with(b"{") && std::str::from_utf8(bytes).is_err()
}

/// The JSON of a document in the vendor's binary form.
#[cfg(feature = "net")]
pub(crate) fn text_of(binary: &[u8]) -> Result<Vec<u8>, statsig_net::BinarySpecsError> {
    statsig_net::binary_specs_to_json(binary, CompileLimits::default().max_bytes)
}

/// Largest document that is read.
pub(crate) fn max_bytes() -> u64 {
    CompileLimits::default().max_bytes as u64
}

/// Says why a document was refused, the place in it, and the remedy.
pub(crate) fn refused(document: &Document, error: &statsig_core::Error) -> Failure {
    let name = &document.name;
    let document = &document.bytes;
    if document.trim_ascii().is_empty() {
        return Failure::input(anyhow!("{name} is empty")).with_hint(EXPECTED);
    }
    if let Some(likeness) = Likeness::of_specs(document).filter(|likeness| *likeness != Likeness::Binary) {
        let failure = Failure::input(anyhow!("{name} {likeness}; expected are config specs"));
        return failure.with_hint(match likeness {
            Likeness::Packed(_) => "unpack it first; of compressed files only gzip is read as it is",
            Likeness::WideText(_) => "write it as UTF-8",
            _ => EXPECTED,
        });
    }
    let (message, hint) = match error {
        statsig_core::Error::Malformed(source) => (
            match Place::of(document, source) {
                Some(place) => format!("{place}: {}", source.message()),
                None => source.message().to_owned(),
            },
            EXPECTED,
        ),
        statsig_core::Error::MalformedSection { section, source } => {
            (format!("at `{section}`: {}", source.message()), EXPECTED)
        }
        statsig_core::Error::MissingKey { key } => (format!("the key `{key}` is missing"), EXPECTED),
        statsig_core::Error::NotUtf8(source) => (
            format!("invalid UTF-8 at byte {}", source.valid_up_to()),
            "decompress it first if it is compressed in another way",
        ),
        statsig_core::Error::NoUpdates => {
            ("it says `has_updates: false` and holds no specs".to_owned(), "download it without `sinceTime`")
        }
        statsig_core::Error::OtherPayload { shape: shape @ PayloadShape::Binary } => (
            format!("not config specs but {shape}"),
            "is it compressed in another way than gzip, for instance with brotli? brotli -dc FILE | statsig … -",
        ),
        statsig_core::Error::OtherPayload { shape } => (format!("not config specs but {shape}"), shape.advice()),
        other => (other.to_string(), EXPECTED),
    };
    Failure::input(anyhow!("{name}: {message}")).with_hint(hint)
}
