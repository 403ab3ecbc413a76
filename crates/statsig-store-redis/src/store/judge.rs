//! Judges stored payloads: what cannot be used has no version, and so orders nothing.
//!
//! A stored time says when its writer thinks the project changed. It counts only together with a payload that is
//! config specs by its outside, and only if it is not from the future.

use statsig_adapters::{PayloadShape, SpecVersion, StoreFormat, recognise};

/// Largest time that scripts compare exactly.
pub(super) const LARGEST_LCUT: u64 = 1 << 53;

/// Reads a stored time: decimal digits, positive, and not more than a day ahead of the clock.
pub(super) fn stored_time(text: &str, now_ms: u64) -> Option<u64> {
    let lcut = text.parse().ok().filter(|&lcut| lcut > 0)?;
    (!SpecVersion::new(lcut, None).is_future(now_ms)).then_some(lcut)
}

/// Returns the version of a payload, decompressed by the store; `None` if it is no config specs.
///
/// `beside` is the version that stands beside a payload in the binary form, which does not tell its own here.
pub(super) fn version_of(payload: &[u8], format: StoreFormat, beside: Option<SpecVersion>) -> Option<SpecVersion> {
    match (recognise(payload), format) {
        (shape, _) if shape.is_specs() => SpecVersion::of_json(payload),
        (PayloadShape::Binary, StoreFormat::StatsigBr) => beside,
        _ => None,
    }
}

/// Returns whether a payload may be config specs, as far as its outside tells.
pub(super) fn is_usable(payload: &[u8], format: StoreFormat) -> bool {
    match (recognise(payload), format) {
        (PayloadShape::Binary, StoreFormat::StatsigBr) => true,
        (shape, _) => shape.is_specs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000_000;

    #[test]
    fn stored_times() {
        for (text, expected) in [
            ("17", Some(17)),
            ("1790000000000", Some(NOW)),
            ("9999999999999999", None),
            ("18446744073709551615", None),
            ("99999999999999999999", None),
            ("0", None),
            ("-1", None),
            ("1e3", None),
            ("17.0", None),
            (" 17", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(stored_time(text, NOW), expected, "{text}");
        }
    }

    #[test]
    fn only_config_specs_have_a_version() {
        let specs = br#"{"has_updates":true,"time":5,"feature_gates":{},"dynamic_configs":{},"layer_configs":{},"condition_map":{}}"#;
        let (plain, binary) = (StoreFormat::PlainText, StoreFormat::StatsigBr);
        let beside = || Some(SpecVersion::new(9, None));
        let lcut = |payload: &[u8], format| version_of(payload, format, beside()).map(|version| version.time_ms);
        assert_eq!((lcut(specs, plain), lcut(specs, binary)), (Some(5), Some(5)));
        assert_eq!((lcut(b"\x0b\x80\x01\xff", binary), lcut(b"\x0b\x80\x01\xff", plain)), (Some(9), None));
        let others: [&[u8]; 5] = [
            b"garbage",
            br#"{"time":9,"message":"Forbidden"}"#,
            br#"{"has_updates":true,"time":9,"sdkParams":{},"hash_used":"djb2","feature_gates":{},"dynamic_configs":{}}"#,
            br#"{"has_updates":false,"time":9}"#,
            b"<html></html>",
        ];
        for other in others {
            for format in [plain, binary] {
                assert_eq!(lcut(other, format), None, "{}", String::from_utf8_lossy(other));
                assert!(!is_usable(other, format));
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_stored_value_is_judged(payload: Vec<u8>, text in ".*", now: u64) {
            for format in [StoreFormat::PlainText, StoreFormat::StatsigBr] {
                let version = version_of(&payload, format, None);
                assert!(version.is_none() || is_usable(&payload, format));
            }
            assert!(stored_time(&text, now).is_none_or(|lcut| text.trim_start_matches('+').parse() == Ok(lcut)));
        }
    }
}
