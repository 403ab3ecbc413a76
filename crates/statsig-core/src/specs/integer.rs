//! Integers that were written as floats.
//!
//! JSON knows one kind of number. Scripts that read a payload and write it again (with Lua's `cjson`, Go's maps, old
//! versions of `jq`) make `1700000000000.0` or `1.7e+12` of `1700000000000`. Wherever the protocol has an integer, a
//! float without a fraction counts as one; anything else is of the wrong type.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// Reads an integer, which may be written as a float without a fraction; for `#[serde(deserialize_with)]`.
///
/// # Errors
/// When the value is no number, has a fraction, or does not fit into `T`.
pub fn integer<'de, D: Deserializer<'de>, T: TryFrom<i128>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(IntegerVisitor(PhantomData))
}

/// Reads an integer like [`integer`], or `null` as none; for `#[serde(default, deserialize_with)]`.
///
/// # Errors
/// Like those of [`integer`].
pub fn optional_integer<'de, D: Deserializer<'de>, T: TryFrom<i128>>(deserializer: D) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_any(OptionalVisitor(PhantomData))
}

struct IntegerVisitor<T>(PhantomData<T>);

impl<T: TryFrom<i128>> IntegerVisitor<T> {
    fn fit<E: Error>(&self, value: i128, unexpected: Unexpected<'_>) -> Result<T, E> {
        T::try_from(value).map_err(|_| E::invalid_value(unexpected, self))
    }
}

impl<T: TryFrom<i128>> Visitor<'_> for IntegerVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number within the range of the field")
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        self.fit(value.into(), Unexpected::Signed(value))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        self.fit(value.into(), Unexpected::Unsigned(value))
    }
    #[allow(clippy::cast_possible_truncation)] // whole and within range
    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        // Every integer type that is read fits into this range; floats in it are exact in 128 bits.
        let is_whole = value.fract() == 0.0 && value.abs() <= 2.0_f64.powi(64);
        if !is_whole {
            return Err(E::invalid_type(Unexpected::Float(value), &self));
        }
        self.fit(value as i128, Unexpected::Float(value))
    }
}

struct OptionalVisitor<T>(PhantomData<T>);

impl<T: TryFrom<i128>> Visitor<'_> for OptionalVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        IntegerVisitor::<T>(PhantomData).expecting(f)
    }
    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_none<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Option<T>, E> {
        IntegerVisitor(PhantomData).visit_i64(value).map(Some)
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Option<T>, E> {
        IntegerVisitor(PhantomData).visit_u64(value).map(Some)
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Option<T>, E> {
        IntegerVisitor(PhantomData).visit_f64(value).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Both {
        #[serde(deserialize_with = "super::integer")]
        time: u64,
        #[serde(default, deserialize_with = "super::optional_integer")]
        version: Option<u32>,
    }

    fn read(time: &str, version: &str) -> Result<(u64, Option<u32>), String> {
        let text = format!("{{\"time\":{time}{version}}}");
        serde_json::from_str::<Both>(&text).map(|both| (both.time, both.version)).map_err(|error| error.to_string())
    }

    #[test]
    fn whole_floats_are_integers_and_exact() {
        for (text, expected) in [
            ("0", 0),
            ("-0.0", 0),
            ("1000.0", 1_000),
            ("1.7e+12", 1_700_000_000_000),
            ("1700000000000.0", 1_700_000_000_000),
            ("1.700000000001e12", 1_700_000_000_001),
            ("9007199254740991.0", 9_007_199_254_740_991),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(read(text, ""), Ok((expected, None)), "{text}");
        }
        assert_eq!(read("1", r#","version":4294967295.0"#), Ok((1, Some(u32::MAX))));
        assert_eq!(read("1", r#","version":null"#), Ok((1, None)));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in ["1.5", "-1", "-1.0", "1e300", "18446744073709551616.0", "1e20", "\"1\"", "true", "null", "[]"] {
            assert!(read(text, "").is_err(), "{text}");
        }
        for version in ["4294967296", "4294967296.0", "-1", "0.5", "\"1\"", "{}"] {
            assert!(read("1", &format!(",\"version\":{version}")).is_err(), "{version}");
        }
    }
}
