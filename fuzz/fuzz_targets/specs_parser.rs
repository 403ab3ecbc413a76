//! Any bytes are compiled or refused; the same bytes always to the same ruleset.

#![no_main]

use libfuzzer_sys::fuzz_target;
use statsig_core::Ruleset;

fuzz_target!(|document: &[u8]| {
    match (Ruleset::compile(document), Ruleset::compile(document)) {
        (Ok(one), Ok(other)) => {
            assert!(one == other, "two rulesets of the same bytes differ");
            let size = one.size();
            assert!(size.rules <= document.len() && size.conditions <= document.len());
        }
        (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
        (one, other) => panic!("{one:?}, but then {other:?}"),
    }
});
