//! Reading a document of config specs, and saying why one was refused.

use std::path::Path;

use anyhow::{Context, anyhow};
use statsig_core::CompileLimits;

use super::json_error::{Place, message};
use super::{name_of, read};
use crate::failure::Failure;

/// What to do about a document that is something else.
const EXPECTED: &str = "a config specs document is what Statsig's `download_config_specs` sends to server SDKs";

/// A document of config specs, wherever it came from.
pub(crate) struct Document {
    /// The text, decompressed.
    pub(crate) bytes: Vec<u8>,
    /// How it is called in messages.
    pub(crate) name: String,
    /// The command that shows what is in it.
    pub(crate) inspection: String,
}

impl Document {
    /// Reads a file; its size is bounded as compilation bounds it.
    pub(crate) fn of_file(path: &Path) -> Result<Self, Failure> {
        let bytes = read(path, max_bytes()).context("no config specs").map_err(Failure::input)?;
        let name = name_of(path);
        Ok(Self { bytes, inspection: format!("statsig specs {name}"), name })
    }
}

/// Largest document that is read.
pub(crate) fn max_bytes() -> u64 {
    CompileLimits::default().max_bytes as u64
}

/// Says why a document was refused, where in it, and what to do.
pub(crate) fn refused(document: &Document, error: &statsig_core::Error) -> Failure {
    let name = &document.name;
    let document = &document.bytes;
    let (message, hint) = match error {
        statsig_core::Error::Malformed(source) => (
            match Place::of(document, source) {
                Some(place) => format!("{place}: {}", message(source)),
                None => message(source),
            },
            EXPECTED,
        ),
        statsig_core::Error::MalformedSection { section, source } => {
            (format!("at `{section}`: {}", message(source)), EXPECTED)
        }
        statsig_core::Error::MissingKey { key } => (format!("the key `{key}` is missing"), EXPECTED),
        statsig_core::Error::NotUtf8(source) => (
            format!("neither JSON nor gzip: invalid UTF-8 at byte {}", source.valid_up_to()),
            "decompress it first if it is compressed in another way",
        ),
        statsig_core::Error::NoUpdates => {
            ("it says `has_updates: false` and holds no specs".to_owned(), "download it without `sinceTime`")
        }
        other => (other.to_string(), EXPECTED),
    };
    Failure::input(anyhow!("{name}: {message}")).with_hint(hint)
}
