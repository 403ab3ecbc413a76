//! Any bytes are read as a manifest of ID lists or refused; what was read survives being written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use statsig_core::IdListManifest;

fuzz_target!(|json: &[u8]| {
    let Ok(manifest) = IdListManifest::parse(json) else { return };
    assert!(!manifest.entries.is_empty() || manifest.unreadable.is_empty(), "lists go for want of an entry");
    let again = IdListManifest::parse(manifest.to_json().as_bytes()).expect("what was written can be read");
    assert_eq!(again.entries, manifest.entries);
});
