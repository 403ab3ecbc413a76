//! Any bytes are read as config specs in binary form or refused, and so are deltas on top of them.

#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, &[u8], &[u8])| {
    let (compress, base, delta) = input;
    // Few random bytes are a Brotli stream.
    let stream = |parts: &[u8]| {
        let mut out = Vec::new();
        brotli::CompressorWriter::new(&mut out, 4096, 1, 18).write_all(parts).expect("memory can be written");
        out
    };
    if compress {
        statsig_net::fuzzing::binary_specs(&stream(base), &stream(delta), 1 << 20);
    } else {
        statsig_net::fuzzing::binary_specs(base, delta, 1 << 20);
    }
});
