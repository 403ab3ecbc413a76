//! When two JSON values count as the same.

use serde_json::{Number, Value};

/// How far two non-integral numbers may lie apart, relative to the larger one.
const TOLERANCE: f64 = 1e-9;

/// Largest magnitude below which an `f64` holds every integer exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Tells whether two JSON values are the same result.
///
/// Objects need the same keys in any order, arrays the same items in the same order, strings the
/// same characters (nothing is normalised). Numbers are compared by value: `1` is `1.0`, integers
/// must be equal however large, other numbers may differ by one part in 10⁹. A boolean is never a
/// number, and `null` is never an absent key.
///
/// Integers that fit neither `i64` nor `u64` are held as `f64` by the JSON reader, and so compared
/// as such.
///
/// ```
/// use serde_json::json;
/// use statsig_conformance::equality::same;
///
/// assert!(same(&json!({"a": 1, "b": [2.5]}), &json!({"b": [2.5], "a": 1.0})));
/// assert!(!same(&json!(1), &json!(true)));
/// assert!(!same(&json!(9007199254740993_u64), &json!(9007199254740992_u64)));
/// ```
#[must_use]
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => same_number(a, b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

fn same_number(a: &Number, b: &Number) -> bool {
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        return a == b;
    }
    let (Some(a), Some(b)) = (a.as_f64(), b.as_f64()) else {
        return a == b;
    };
    if a == b {
        return true;
    }
    let both_exact_integers = a.fract() == 0.0 && b.fract() == 0.0 && a.abs() < EXACT && b.abs() < EXACT;
    !both_exact_integers && (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}

/// The number as an integer, if it was written as one that fits 64 bits.
fn integer(n: &Number) -> Option<i128> {
    n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from))
}

#[cfg(test)]
mod tests {
    use super::same;
    use serde_json::{Value, json};

    #[test]
    fn numbers_compare_by_value() {
        let equal = [
            ("1", "1.0"),
            ("0", "-0.0"),
            ("0.1", "0.10000000001"),
            ("18446744073709551615", "18446744073709551615"),
            ("1e300", "1.0000000001e300"),
            ("18446744073709551616", "1.8446744073709552e19"),
        ];
        let different = [
            ("1", "2"),
            ("1.0", "2.0"),
            ("0.1", "0.1001"),
            ("9007199254740993", "9007199254740992"),
            ("-9223372036854775808", "9223372036854775808"),
            ("1", "true"),
            ("0", "null"),
            ("1", "\"1\""),
            ("1000000000000", "1000000000000.5e1"),
            ("100000000000.0", "100000000001.0"),
        ];
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        for (a, b) in equal {
            assert!(same(&parse(a), &parse(b)), "{a} and {b}");
        }
        for (a, b) in different {
            assert!(!same(&parse(a), &parse(b)), "{a} and {b}");
        }
    }

    #[test]
    fn containers_compare_by_content() {
        assert!(same(&json!({"a": [1, {"b": null}]}), &json!({"a": [1.0, {"b": null}]})));
        assert!(!same(&json!([1, 2]), &json!([2, 1])));
        assert!(!same(&json!([1, 1]), &json!([1])));
        assert!(!same(&json!({"a": null}), &json!({})));
        assert!(!same(&json!("é"), &json!("e\u{301}")));
    }
}
