//! Client-initialize responses, rule by rule (`docs/protocol/client-initialize.md`).

mod checksums;
mod entries;
mod filters;
mod formats;
mod parts;
mod project;
