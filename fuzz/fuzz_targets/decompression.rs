//! Any body is decompressed to no more than the limit, or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u16, &[u8])| {
    let (coding, limit, body) = input;
    let codings = ["gzip", "deflate", "br", "zstd", "gzip, br", "br, gzip", "identity", "statsig-br", "x-gzip, x"];
    let coding = codings[usize::from(coding) % codings.len()];
    statsig_net::fuzzing::decode_body(body, coding, limit.into());
});
