//! Integration tests of this crate, in one binary: each further binary would link the HTTP stack again.
#![allow(clippy::unwrap_used, clippy::panic, clippy::field_reassign_with_default, reason = "tests")]

mod background;
mod closing;
mod common;
mod event_answers;
mod event_sink;
mod faults;
mod feed;
mod id_list_faults;
mod id_lists;
mod initialize;
mod metrics;
mod ready;
mod sequences;
mod sources;
mod stored;
mod stream_options;
#[cfg(any(feature = "grpc", feature = "websocket", feature = "sse"))]
mod streams;
mod tls_failures;
mod transport;
mod ways_in;
