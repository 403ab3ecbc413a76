//! Any text is packed or refused as `serde_json` refuses it; what was packed reads back as the same value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use statsig_core::Json;

fuzz_target!(|text: &str| {
    let expected = serde_json::from_str::<serde_json::Value>(text.strip_prefix('\u{FEFF}').unwrap_or(text));
    let packed = Json::parse(text);
    assert_eq!(packed.is_ok(), expected.is_ok(), "{packed:?}");
    let (Ok(packed), Ok(expected)) = (packed, expected) else { return };
    assert_eq!(packed.view().to_json(), expected);
    let written = serde_json::to_string(&packed).expect("packed values can be written");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&written).ok(), Some(expected.clone()));
    for (name, value) in packed.view().as_object().into_iter().flatten() {
        assert_eq!(Some(&value.to_json()), expected.get(name));
    }
});
