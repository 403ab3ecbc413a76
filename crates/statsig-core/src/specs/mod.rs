//! The wire model of config specs: what a document says, before it is compiled.
//!
//! In: the bytes of a v2 or v1 document (`docs/protocol/evaluation.md#documents`). Out: typed,
//! mostly borrowed parts, one spec or condition at a time, so that the whole model never stands in
//! memory beside the text; and a [`Problem`] for every part that had to be skipped.

mod document;
mod problem;
pub(crate) mod wire;

pub use document::Format;
pub(crate) use document::{Document, Entry, for_each_entry};
pub(crate) use problem::Problems;
pub use problem::{Problem, ProblemKind};
pub(crate) use wire::CowStr;
