//! Entry points of the fuzz targets in `fuzz/`. Not part of the API.
//!
//! Each panics where a parser breaks its promise.

use crate::id_lists::lines_agree;
#[cfg(feature = "proto")]
use crate::proto::{Decoded, decode};

/// Undoes the content codings of a body: at most `limit` bytes come out.
pub fn decode_body(body: &[u8], codings: &str, limit: usize) {
    crate::transport::decode_for_fuzzing(body, codings, limit);
}

/// Reads the lines of an ID list at once, and in two parts: the result is the same.
pub fn id_list_lines(bytes: &[u8], cut: usize) {
    assert!(lines_agree(bytes, cut), "the parts of a file give another list than the whole");
}

/// Reads config specs in binary form, and a delta on top of them: at most `limit` bytes of JSON each.
#[cfg(feature = "proto")]
pub fn binary_specs(base: &[u8], delta: &[u8], limit: usize) {
    let Ok(Decoded { json, parts, .. }) = decode(base, limit, None) else { return };
    // A payload that is JSON already is returned as it is.
    assert!(parts.is_none() || json.len() <= limit + 1);
    let Some(parts) = parts else { return };
    if let Ok(Decoded { json, parts: Some(_), .. }) = decode(delta, limit, Some(&parts)) {
        assert!(json.len() <= limit + 1);
        assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok(), "what was put together is no JSON");
    }
}

/// Decodes and converts a gRPC message.
#[cfg(feature = "grpc")]
pub fn grpc_message(bytes: &[u8]) {
    crate::streams::for_fuzzing::grpc_message(bytes);
}

/// Parses a frame of a WebSocket stream, as text and as binary.
#[cfg(feature = "websocket")]
pub fn websocket_frame(bytes: &[u8]) {
    crate::streams::for_fuzzing::websocket_frame(bytes);
}

/// Parses server-sent events at once, and in two parts: the events are the same.
#[cfg(feature = "sse")]
pub fn server_sent_events(bytes: &[u8], cut: usize, limit: usize) {
    crate::streams::for_fuzzing::server_sent_events(bytes, cut, limit);
}
