//! From a document to a [`Ruleset`].
//!
//! Everything that can be decided once is decided here, so that a check only has to look at the
//! user: names become positions, targets are parsed into the form their operator needs, salts are
//! joined and partly hashed, equal strings and values are stored once. The document's sections are
//! read one after the other, conditions first, and each spec is compiled as soon as it is read.
//!
//! A part that cannot be read becomes a [`Problem`](crate::specs::Problem) and is left out; only
//! what concerns the whole document is an error.

mod clients;
mod compiler;
mod condition;
mod graph;
mod in_place;
mod names;
mod parts;
mod spec;

use compiler::Compiler;

use crate::error::Error;
use crate::ruleset::{Ruleset, RulesetMeta};
use crate::specs::{Document, Format, PayloadShape, recognise, without_byte_order_mark};

/// Bounds on what a document may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompileLimits {
    /// Largest document in bytes; default 512 MiB, at most 1 GiB.
    pub max_bytes: usize,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { max_bytes: 512 << 20 }
    }
}

impl CompileLimits {
    /// Positions in a ruleset are 32 bits wide; this keeps them from overflowing.
    const CEILING: usize = 1 << 30;

    /// The same limits with another size of document, in bytes.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }
}

impl Ruleset {
    /// Returns a ruleset without any spec.
    #[must_use]
    pub fn empty() -> Self {
        Compiler::new(Format::V2).finish(RulesetMeta::default(), Vec::new())
    }

    /// Compiles a document of config specs, v2 or v1, with the default limits.
    ///
    /// Takes time linear in the size of the document (give or take a logarithm), and memory of
    /// about its size; call it off the hot path. No choice of names, salts or IDs makes it slower,
    /// and it takes no entropy: the same bytes take the same steps. Implements `docs/protocol/evaluation.md#documents`.
    ///
    /// # Errors
    /// When the document as a whole cannot be used; parts that cannot are reported by
    /// [`Ruleset::problems`].
    pub fn compile(document: &[u8]) -> Result<Self, Error> {
        Self::compile_with(document, &CompileLimits::default())
    }

    /// Like [`Ruleset::compile`], with limits of the caller's own.
    ///
    /// # Errors
    /// Also when the document exceeds the limits.
    pub fn compile_with(document: &[u8], limits: &CompileLimits) -> Result<Self, Error> {
        let limit = limits.max_bytes.min(CompileLimits::CEILING);
        if document.len() > limit {
            return Err(Error::TooLarge { size: document.len(), limit });
        }
        let text = text_of(document)?;
        if let Some(ruleset) = in_place::compile(text) {
            return Ok(ruleset);
        }
        let document = Document::parse(text)?.ok_or(Error::NoUpdates)?;
        Compiler::new(document.format).run(document.wire, text.len())
    }
}

/// The text of a document, after a byte order mark; what is no text is named by its kind.
fn text_of(document: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(without_byte_order_mark(document)).map_err(|error| match recognise(document) {
        // JSON but for a few bytes: those are to blame.
        shape if shape.is_specs() => Error::NotUtf8(error),
        PayloadShape::NoUpdates | PayloadShape::IncompleteSpecs | PayloadShape::BrokenJson => Error::NotUtf8(error),
        shape => Error::of_shape(shape).unwrap_or(Error::NotUtf8(error)),
    })
}
