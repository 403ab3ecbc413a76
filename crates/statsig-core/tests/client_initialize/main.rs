//! Client-initialize responses, rule by rule (`docs/protocol/client-initialize.md`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail like tests")]

mod checksums;
mod entries;
mod filters;
mod formats;
mod parts;
mod project;
