use super::{Comparison, Kind, Kinds, compare};
use crate::exceptions::{DOCUMENTED, unused};
use crate::{Error, Exception, Report};

const GATE: &str = r#"{"kind":"gate","user":"u","name":"g","value":true,"rule_id":"r","id_type":"userID","reason":"Recognized:detail","version":null,"secondary_exposures":[]}"#;

fn report(expected: &str, actual: &str) -> Report {
    compare(expected.as_bytes(), actual.as_bytes(), DOCUMENTED).unwrap()
}

fn places(report: &Report) -> Vec<&str> {
    report.mismatches().iter().map(|mismatch| mismatch.place.as_str()).collect()
}

#[test]
fn equal_records_agree_in_any_order() {
    let config = r#"{"kind":"dynamic_config","user":"u","name":"c","value":{"a":1},"rule_id":"","id_type":"","reason":"Unrecognized","version":1}"#;
    let same_config = config.replace(r#"{"a":1}"#, r#"{"a":1.0}"#);
    let report = report(&format!("{GATE}\n{config}\n"), &format!("{same_config}\n\n{}\n", GATE.replace(":detail", "")));
    assert!(report.is_agreement(), "{report}");
    assert_eq!(report.total().total, 13);
}

#[test]
fn every_field_that_differs_is_counted() {
    for (field, changed) in [
        (r#""value":true"#, r#""value":false"#),
        (r#""rule_id":"r""#, r#""rule_id":"""#),
        (r#""id_type":"userID""#, r#""id_type":"userid""#),
        ("Recognized:detail", "Unrecognized"),
        (r#""version":null"#, r#""version":1"#),
        (r#""secondary_exposures":[]"#, r#""secondary_exposures":[1]"#),
        (r#","version":null"#, ""),
    ] {
        let report = report(GATE, &GATE.replace(field, changed));
        assert_eq!(report.total().differing(), 1, "{field}: {report}");
        assert!(!report.is_agreement());
    }
}

#[test]
fn a_missing_record_differs_in_every_field() {
    let report = report(GATE, "");
    assert_eq!(report.total().differing(), 7);
    assert_eq!(report.total().agreed, 0);
}

#[test]
fn comparing_nothing_is_no_agreement() {
    assert!(!report("", GATE).is_agreement());
    assert_eq!(report("", GATE).extra_records(), 1);
}

#[test]
fn what_failed_in_the_reference_is_passed_over() {
    let failed = r#"{"kind":"gate","user":"u","name":"g","error":"panic"}"#;
    assert!(report(failed, GATE).is_agreement());
}

#[test]
fn only_chosen_kinds_are_compared() {
    let kinds = Kinds::from_iter([Kind::Layer]);
    let report = Comparison::new("s").kinds(kinds).run(GATE.as_bytes(), &b""[..]).unwrap();
    assert_eq!(report.total().total, 0);
    assert!(Kinds::EVALUATION.contains(Kind::Gcir));
    assert!(!Kinds::EVALUATION.contains(Kind::Script));
    assert!(Kind::ALL.into_iter().all(|kind| Kinds::ALL.contains(kind)));
    assert!(Kind::ALL.into_iter().all(|kind| kind.name().parse::<Kind>().unwrap() == kind));
    assert!("gates".parse::<Kind>().is_err());
}

#[test]
fn layer_parameters_are_compared_one_by_one() {
    let layer = r#"{"kind":"layer","user":"u","name":"l","value":{"a":1,"b":2},"rule_id":"r","reason":"Recognized","params":{"a":{"rule_id":"r","is_explicit":true},"b":null}}"#;
    let found = report(layer, &layer.replace(r#""is_explicit":true"#, r#""is_explicit":false"#));
    assert_eq!(places(&found), [" layer u l .params[a].is_explicit"]);
}

#[test]
fn client_responses_are_compared_both_ways() {
    let gcir = r#"{"kind":"gcir","user":"u","name":"none","response":{"feature_gates":{"g":{"value":true,"rule_id":"r"}},"time":1,"sdkInfo":{"a":1}}}"#;
    let equal = gcir.replace(r#","sdkInfo":{"a":1}"#, "");
    assert!(report(gcir, &equal).is_agreement());
    let wrong = r#"{"kind":"gcir","user":"u","name":"none","response":{"feature_gates":{"g":{"value":true,"rule_id":"x"},"h":{}},"time":1,"more":null}}"#;
    assert_eq!(
        places(&report(gcir, wrong)),
        [
            " gcir u none .response.feature_gates[g].rule_id",
            " gcir u none .response.feature_gates[h]",
            " gcir u none .response.more",
        ]
    );
}

#[test]
fn scripts_are_compared_call_by_call_and_event_by_event() {
    let script = r#"{"kind":"script","name":"s","results":[null,{"value":1,"reason":"Recognized:x"}],"events":[{"eventName":"a","value":null,"user":{"userID":"u"},"metadata":{"gate":"g","reason":"Recognized:x"},"secondaryExposures":[]},{"eventName":"b","value":2,"metadata":null}]}"#;
    let equal = script.replace(":x", "").replace(r#","secondaryExposures":[]"#, "");
    assert!(report(script, &equal).is_agreement());
    let wrong = r#"{"kind":"script","name":"s","results":[null,{"value":2,"reason":"Recognized"}],"events":[{"eventName":"b","value":3,"metadata":{"k":"v"}}]}"#;
    assert_eq!(
        places(&report(script, wrong)),
        [
            " script s .results[1].value",
            " script s .events[0]",
            " script s .events[1].value",
            " script s .events[1].metadata.k",
        ]
    );
    let events_only =
        Comparison::new("").kinds(Kinds::from_iter([Kind::Events])).run(script.as_bytes(), wrong.as_bytes()).unwrap();
    assert_eq!(events_only.total().differing(), 3);
}

#[test]
fn documented_exceptions_excuse_what_they_name_and_nothing_else() {
    let leak = GATE.replace("Recognized:detail", "Unsupported");
    let neutral = leak.replace(r#""value":true,"rule_id":"r""#, r#""value":false,"rule_id":"""#);
    let excused = report(&leak, &neutral);
    assert!(excused.is_agreement(), "{excused}");
    assert_eq!(excused.total().excepted, 2);
    // The other way round it would be the leak itself.
    assert_eq!(report(&neutral, &leak).total().differing(), 2);

    let array = r#"{"kind":"param","user":"u","name":"s","param":"p","type":"array","value":[1,0,0,"x",[2.5]]}"#;
    let kept = array.replace("[1,0,0,", "[1,3.5,1e20,");
    assert_eq!(report(array, &kept).total().excepted, 1);
    let wrong = array.replace("[1,0,0,", "[2,3.5,1e20,");
    assert_eq!(report(array, &wrong).total().differing(), 1);

    assert_eq!(unused(DOCUMENTED, &excused).len(), DOCUMENTED.len() - 1);
}

#[test]
fn reports_add_up() {
    let mut sum = report(GATE, GATE);
    let other = report(GATE, &GATE.replace("true", "false"));
    sum.merge(other.clone(), 3);
    sum.merge(other, 1);
    assert_eq!((sum.total().total, sum.total().differing()), (21, 2));
    assert_eq!(sum.mismatches().len(), 1);
    assert!(sum.to_string().contains("<- 2 differ"), "{sum}");
}

#[test]
fn broken_lines_are_errors() {
    let unknown = br#"{"kind":"nonsense"}"#;
    let none: &[Exception] = &[];
    let failed = compare(&unknown[..], &b""[..], none).unwrap_err();
    assert!(matches!(failed, Error::Record { side: "expected", line: 1, .. }), "{failed}");
    let failed = compare(&b""[..], &b"\n{"[..], none).unwrap_err();
    assert!(matches!(failed, Error::Record { side: "actual", line: 2, .. }), "{failed}");
}
