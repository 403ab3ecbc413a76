//! Any bytes in place of a last-known-good file are read or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use statsig_core::{SpecRequest, SpecSource};
use statsig_net::SdkKey;
use statsig_net::sources::LastKnownGood;

fuzz_target!(|bytes: &[u8]| {
    let Ok(folder) = tempfile::tempdir() else { return };
    let kept = LastKnownGood::new(folder.path(), &SdkKey::new("secret-fuzz"));
    if std::fs::write(kept.path(), bytes).is_err() {
        return;
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
    let _ = runtime.block_on(kept.fetch(&SpecRequest::default()));
});
