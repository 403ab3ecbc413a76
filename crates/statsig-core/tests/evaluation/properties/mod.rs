//! What holds for every document and every user.
//!
//! Documents come from `statsig_testkit::generate`, which reads its decisions from bytes, so that a
//! failing case shrinks to a short document. Regressions are named after what broke.

mod buckets;
mod client_initialize;
mod compilation;
mod evaluation;
mod json;
mod payloads;
mod sticky;
mod support;
mod users;
