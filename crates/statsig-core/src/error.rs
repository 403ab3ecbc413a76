//! Errors of loading config specs.

use crate::excerpt::JsonError;
use crate::specs::PayloadShape;

/// Reason config specs were refused.
///
/// A refused payload changes nothing: the specs that were current stay current. Messages repeat at most 200 characters
/// of the payload, and no value in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The document is larger than the limit that the caller set.
    #[error("config specs of {size} bytes exceed the limit of {limit} bytes")]
    TooLarge {
        /// Size of the document in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The payload is of another kind, for instance a client-initialize response or a compressed file.
    #[error("not config specs but {shape}: {}", shape.advice())]
    OtherPayload {
        /// Kind that the payload seems to be.
        shape: PayloadShape,
    },
    /// The document begins like JSON but is not UTF-8.
    #[error("config specs are not valid UTF-8 from byte {} on", .0.valid_up_to())]
    NotUtf8(#[source] std::str::Utf8Error),
    /// The document is not JSON, or a key that concerns the whole of it has the wrong type.
    #[error("config specs are malformed")]
    Malformed(#[source] JsonError),
    /// A section of the document has the wrong type.
    #[error("section `{section}` of the config specs is malformed")]
    MalformedSection {
        /// Name of the section.
        section: &'static str,
        /// What the parser says.
        #[source]
        source: JsonError,
    },
    /// A required key is missing.
    #[error("config specs lack the required key `{key}`")]
    MissingKey {
        /// The key.
        key: &'static str,
    },
    /// The document says that there is nothing new, and there is nothing to fall back on.
    #[error("config specs say `has_updates: false` and hold no specs")]
    NoUpdates,
}

/// Kinds of [`Error`], for matching without looking at messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The document is too large.
    TooLarge,
    /// The document cannot be read.
    Malformed,
    /// The payload is of another kind.
    OtherPayload,
    /// The document has no specs.
    NoUpdates,
}

impl Error {
    pub(crate) fn malformed(source: &serde_json::Error) -> Self {
        Self::Malformed(JsonError::of_document(source))
    }

    pub(crate) fn in_section(section: &'static str, source: &serde_json::Error) -> Self {
        Self::MalformedSection { section, source: JsonError::of_fragment(source) }
    }

    pub(crate) fn missing(key: &'static str) -> Self {
        Self::MissingKey { key }
    }

    /// Returns the error of a payload of a kind where config specs are expected; `None` for config specs.
    ///
    /// [`PayloadShape::NoUpdates`] gives [`Error::NoUpdates`].
    #[must_use]
    pub fn of_shape(shape: PayloadShape) -> Option<Self> {
        match shape {
            PayloadShape::SpecsV1 | PayloadShape::SpecsV2 => None,
            PayloadShape::NoUpdates => Some(Self::NoUpdates),
            shape => Some(Self::OtherPayload { shape }),
        }
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::NoUpdates => ErrorKind::NoUpdates,
            Self::OtherPayload { .. } => ErrorKind::OtherPayload,
            Self::NotUtf8(_) | Self::Malformed(_) | Self::MalformedSection { .. } | Self::MissingKey { .. } => {
                ErrorKind::Malformed
            }
        }
    }

    /// Whether the same call may succeed later: never, since loading depends on its input alone.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_but_config_specs_has_an_error() {
        let message = |shape| Error::of_shape(shape).map(|error| error.to_string());
        assert_eq!(message(PayloadShape::SpecsV1), None);
        assert_eq!(message(PayloadShape::SpecsV2), None);
        let gzip = "not config specs but gzip data: decompress it first";
        assert_eq!(message(PayloadShape::Gzip).as_deref(), Some(gzip));
        assert!(matches!(Error::of_shape(PayloadShape::NoUpdates), Some(Error::NoUpdates)));
    }
}
