//! Helpers for reading objects field by field, without derive macros.

use serde_core::de::Error;
use serde_json::Number;

/// Up to here every integer is a float.
const MAX_EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

/// Fills a field, once.
///
/// # Errors
/// If the object has the field twice.
pub(crate) fn set_once<T, E: Error>(field: &mut Option<T>, name: &'static str, value: T) -> Result<(), E> {
    if field.replace(value).is_some() {
        return Err(E::duplicate_field(name));
    }
    Ok(())
}

/// Returns a number as an unsigned integer of any JSON spelling, such as `30`, `30.0` or `3e1`; `None` for a
/// fraction, a negative number, and floats beyond 2^53, which are not exact.
pub(crate) fn unsigned_integer(number: &Number) -> Option<u64> {
    number.as_u64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
        (0.0..=MAX_EXACT_FLOAT).contains(&float).then_some(float as u64)
    })
}
