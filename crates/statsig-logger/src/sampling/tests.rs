use super::*;
use crate::exposure_key::ExposureKind;

const PARTS: ExposureParts = ExposureParts { kind: ExposureKind::Gate, spec: 11, rule: 22, user: 33, extra: 1 };

/// Parts of a user whose exposure is kept, or not, at a rate.
fn parts(kept: bool, rate: u64) -> ExposureParts {
    (0..)
        .map(|user| ExposureParts { user, ..PARTS })
        .find(|parts| ExposureKey::new(parts).bits().is_multiple_of(rate) == kept)
        .unwrap()
}

fn input(parts: &ExposureParts) -> SamplingInput<'_> {
    SamplingInput { parts, rule_id: "rule", rule_rate: None, forward_all: false, analytical: false }
}

/// A sampler for which the rule of `PARTS` is not new any more.
fn warm(mode: SamplingMode) -> ExposureSampler {
    let sampler = ExposureSampler::new();
    sampler.set_mode(mode);
    let first = sampler.decide(&input(&PARTS), 0);
    assert_eq!(first, Some(SamplingMark::Unsampled));
    sampler
}

#[test]
fn matrix_of_mode_and_circumstance() {
    use SamplingMode::{Off, On, Shadow};
    const PLAIN: Option<SamplingMark> = Some(SamplingMark::Unsampled);
    let mark = |rate, shadow, kept| Some(SamplingMark::Sampled { rate, shadow, kept });
    let (lucky, unlucky) = (parts(true, 10), parts(false, 10));
    let rated = |parts| SamplingInput { rule_rate: Some(10), ..input(parts) };
    let special = |parts, rule_id| SamplingInput { rule_id, ..input(parts) };

    // The special-case rate is 10 throughout.
    let rows: [(&str, SamplingInput<'_>, [Option<SamplingMark>; 3]); 16] = [
        // circumstance, input, [off, on, shadow]
        ("forward all", SamplingInput { forward_all: true, ..rated(&unlucky) }, [PLAIN; 3]),
        ("analytical", SamplingInput { analytical: true, ..rated(&unlucky) }, [PLAIN; 3]),
        (
            "override",
            SamplingInput { rule_id: "a:override", ..rated(&unlucky) },
            [PLAIN, PLAIN, mark(Some(10), true, false)],
        ),
        (
            "ID override",
            SamplingInput { rule_id: "a:id_override", ..rated(&lucky) },
            [PLAIN, PLAIN, mark(Some(10), true, true)],
        ),
        (
            "override without a rate",
            SamplingInput { rule_id: "a:override", ..input(&unlucky) },
            [PLAIN, mark(None, false, true), mark(None, true, true)],
        ),
        ("rule rate, kept", rated(&lucky), [PLAIN, mark(Some(10), false, true), mark(Some(10), true, true)]),
        ("rule rate, not kept", rated(&unlucky), [PLAIN, None, mark(Some(10), true, false)]),
        ("special, kept", special(&lucky, "default"), [PLAIN, mark(Some(10), false, true), mark(Some(10), true, true)]),
        ("special, not kept", special(&unlucky, "default"), [PLAIN, None, mark(Some(10), true, false)]),
        ("special, disabled", special(&unlucky, "disabled"), [PLAIN, None, mark(Some(10), true, false)]),
        ("special, no rule", special(&unlucky, ""), [PLAIN, None, mark(Some(10), true, false)]),
        (
            "special before rule",
            SamplingInput { rule_rate: Some(1), ..special(&unlucky, "default") },
            [PLAIN, None, mark(Some(10), true, false)],
        ),
        ("no rate", input(&unlucky), [PLAIN, mark(None, false, true), mark(None, true, true)]),
        ("other rule", special(&unlucky, "defaults"), [PLAIN, mark(None, false, true), mark(None, true, true)]),
        (
            "rate of one",
            SamplingInput { rule_rate: Some(1), ..input(&unlucky) },
            [PLAIN, mark(Some(1), false, true), mark(Some(1), true, true)],
        ),
        (
            "rate of zero",
            SamplingInput { rule_rate: Some(0), ..input(&lucky) },
            [PLAIN, None, mark(Some(0), true, false)],
        ),
    ];
    for (name, input, expected) in rows {
        for (mode, expected) in [Off, On, Shadow].into_iter().zip(expected) {
            let sampler = warm(mode);
            sampler.set_special_rate(Some(10));
            let _ = sampler.decide(&SamplingInput { forward_all: false, ..input }, 0);
            assert_eq!(sampler.decide(&input, 0), expected, "{name}, {mode:?}");
            sampler.set_production(false);
            // Outside of production nothing is left out, and no rate scales anything up.
            let scales =
                |mark: SamplingMark| matches!(mark, SamplingMark::Sampled { rate: Some(rate), .. } if rate != 1);
            let expected = match expected {
                Some(mark) if mode == On && scales(mark) => PLAIN,
                None => PLAIN,
                other => other,
            };
            assert_eq!(sampler.decide(&input, 0), expected, "{name}, {mode:?}, not in production");
        }
    }
}

#[test]
fn without_a_special_rate_the_rule_decides() {
    let sampler = warm(SamplingMode::On);
    let unlucky = parts(false, 10);
    let input = SamplingInput { rule_id: "default", rule_rate: Some(10), ..input(&unlucky) };
    assert_eq!(sampler.decide(&input, 0), None);
    sampler.set_special_rate(Some(0));
    assert_eq!(sampler.decide(&input, 0), None);
    sampler.set_special_rate(Some(1));
    assert!(sampler.decide(&input, 0).is_some());
    sampler.set_special_rate(None);
    assert_eq!(sampler.decide(&input, 0), None);
}

#[test]
fn the_first_exposure_of_a_rule_in_a_window_is_logged() {
    let sampler = ExposureSampler::new();
    sampler.set_mode(SamplingMode::On);
    let unlucky = parts(false, 10);
    let other_rule = ExposureParts { rule: 23, ..unlucky };
    let rated = |parts| SamplingInput { rule_rate: Some(0), ..input(parts) };
    assert_eq!(sampler.decide(&rated(&unlucky), 0), Some(SamplingMark::Unsampled));
    assert_eq!(sampler.decide(&rated(&unlucky), 0), None);
    assert_eq!(sampler.decide(&rated(&other_rule), 0), Some(SamplingMark::Unsampled), "another rule");
    assert_eq!(sampler.decide(&rated(&unlucky), 60_000), Some(SamplingMark::Unsampled), "another window");
    sampler.set_first_time_window(Duration::from_millis(10));
    let at = 1_700_000_000_000;
    assert!(sampler.decide(&rated(&unlucky), at).is_some());
    assert!(sampler.decide(&rated(&unlucky), at).is_none());
    assert!(sampler.decide(&rated(&unlucky), at + 10).is_some());
}

#[test]
fn about_one_of_so_many_is_kept() {
    let sampler = warm(SamplingMode::On);
    let kept = (0..100_000)
        .filter(|&user| {
            let parts = ExposureParts { user, ..PARTS };
            sampler.decide(&SamplingInput { rule_rate: Some(20), ..input(&parts) }, 0).is_some()
        })
        .count();
    assert!((4_700..5_300).contains(&kept), "{kept}");
}

#[test]
fn metadata_as_the_protocol_has_it() {
    let json = |mark: SamplingMark| {
        let mut out = Vec::new();
        mark.write_json(&mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(json(SamplingMark::Unsampled), "{}");
    assert_eq!(
        json(SamplingMark::Sampled { rate: Some(101), shadow: false, kept: true }),
        r#"{"samplingRate":101,"samplingMode":"on","shadowLogged":"logged"}"#
    );
    assert_eq!(
        json(SamplingMark::Sampled { rate: None, shadow: true, kept: false }),
        r#"{"samplingRate":null,"samplingMode":"shadow","shadowLogged":"dropped"}"#
    );
}

#[test]
fn modes_by_name() {
    for (name, mode) in [
        ("on", SamplingMode::On),
        ("shadow", SamplingMode::Shadow),
        ("none", SamplingMode::Off),
        ("ON", SamplingMode::Off),
    ] {
        assert_eq!(SamplingMode::from_name(name), mode);
    }
}
