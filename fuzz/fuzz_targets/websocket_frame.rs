//! Any bytes are parsed as a frame of the WebSocket stream, text or binary, or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| statsig_net::fuzzing::websocket_frame(bytes));
