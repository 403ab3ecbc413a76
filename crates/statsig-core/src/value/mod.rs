//! What operators see of a user's values: the facets of `docs/protocol/evaluation.md#values`.
//!
//! In: an [`Attribute`], a JSON value that the user carries. Out: its text, float, integer,
//! boolean, time, array or object facet, each computed when an operator asks for it, on the stack.

mod attribute;
mod attribute_map;
mod json_text;
mod lowercase;
mod text_buffer;
mod timestamp;
mod version;

pub(crate) use attribute::{ArrayAttribute, Attribute, parse_float};
pub(crate) use attribute_map::AttributeMap;
pub(crate) use json_text::json_text;
pub(crate) use lowercase::{is_lower_ascii, lower};
pub(crate) use text_buffer::TextBuffer;
pub(crate) use timestamp::{parse_target_time, parse_user_time};
pub(crate) use version::{VersionPart, version_parts};
