//! The bounds of Redis replies do not depend on how the bytes arrive.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u16, &[u8])| {
    let (chunk, max_bytes, received) = input;
    statsig_store_redis::fuzzing::redis_replies(received, chunk.into(), max_bytes.into());
});
