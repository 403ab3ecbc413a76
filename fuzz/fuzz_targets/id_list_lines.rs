//! Any bytes are read as lines of an ID list, alike at once and in two parts.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, bytes) = input;
    statsig_net::fuzzing::id_list_lines(bytes, cut.into());
});
