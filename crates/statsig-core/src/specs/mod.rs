//! The wire model of config specs: what a payload says, before it is compiled.
//!
//! In: the bytes of a v2 or v1 payload (`docs/protocol/evaluation.md#documents`). Out: typed,
//! mostly borrowed parts, one spec or condition at a time, so that the whole model never stands in
//! memory beside the text; a [`Problem`] for every part that had to be skipped, and a
//! [`MalformedSpec`] for every one of them that has a name.
//!
//! Public are the checks that other readers of payloads share: [`recognise`] returns the kind of a payload,
//! [`without_byte_order_mark`] skips the mark before its text, [`integer`] reads integers that may be written as
//! floats, and [`is_future`] finds times that do not order payloads.

mod document;
mod integer;
mod malformed;
mod problem;
pub(crate) mod wire;

pub use document::Format;
pub(crate) use document::{Document, Entry, for_each_entry};
pub use integer::{integer, optional_integer};
pub(crate) use malformed::MalformedSpecs;
pub use malformed::{MalformedSpec, SpecSection};
pub(crate) use problem::Problems;
pub use problem::{Problem, ProblemKind};
pub use statsig_adapters::{MAX_TIME_AHEAD_MS, PayloadShape, is_future, recognise, without_byte_order_mark};
pub(crate) use wire::CowStr;
