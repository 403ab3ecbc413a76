//! Any bytes are recognised; what compiles is recognised as config specs, and what is refused as another kind is not.

#![no_main]

use libfuzzer_sys::fuzz_target;
use statsig_core::specs::{PayloadShape, recognise, without_byte_order_mark};
use statsig_core::{Error, Ruleset};

fuzz_target!(|payload: &[u8]| {
    let shape = recognise(payload);
    let marked = [b"\xEF\xBB\xBF", without_byte_order_mark(payload)].concat();
    assert_eq!(recognise(&marked), shape, "a byte order mark changes the kind");
    match Ruleset::compile(payload) {
        // A number out of range in a member that nobody reads is broken to the one and nothing to the other.
        Ok(_) => assert!(shape.is_specs() || shape == PayloadShape::BrokenJson, "{shape:?} was compiled"),
        Err(Error::OtherPayload { shape: refused }) => assert!(!refused.is_specs() && refused == shape),
        Err(Error::NoUpdates) => assert_eq!(shape, PayloadShape::NoUpdates),
        Err(error) => assert!(error.to_string().chars().count() <= 300, "{error}"),
    }
});
