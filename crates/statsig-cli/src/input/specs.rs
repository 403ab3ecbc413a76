//! Reading a document of config specs, and saying why one was refused.

use std::path::Path;

use anyhow::{Context, anyhow};
use statsig_core::CompileLimits;

use super::json_error::{Place, message};
use super::{name_of, read};
use crate::failure::Failure;

/// What to do about a document that is something else.
const EXPECTED: &str = "a config specs document is what Statsig's `download_config_specs` sends to server SDKs";

/// Reads the document, decompressed; its size is bounded as compilation bounds it.
pub(crate) fn read_document(path: &Path) -> Result<Vec<u8>, Failure> {
    let limit = CompileLimits::default().max_bytes as u64;
    read(path, limit).context("no config specs").map_err(Failure::input)
}

/// Says why a document was refused, where in it, and what to do.
pub(crate) fn refused(path: &Path, document: &[u8], error: &statsig_core::Error) -> Failure {
    let name = name_of(path);
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
