//! Any bytes are parsed as server-sent events, alike at once and in two parts.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, u16, &[u8])| {
    let (cut, limit, bytes) = input;
    statsig_net::fuzzing::server_sent_events(bytes, cut.into(), limit.into());
});
