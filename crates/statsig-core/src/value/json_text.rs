//! JSON text as operators compare it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

/// Compact JSON, with exponents written as `1e21`, not `1e+21`.
///
/// Arrays are compared as text, so that the spelling of a number matters.
pub(crate) fn json_text(value: &Value) -> String {
    let mut bytes = Vec::new();
    // Writing to memory cannot fail.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut bytes, PlainExponents));
    String::from_utf8(bytes).unwrap_or_default()
}

struct PlainExponents;

impl Formatter for PlainExponents {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let text = Value::from(value).to_string();
        writer.write_all(text.replace("e+", "e").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_have_no_plus() {
        let value: Value = serde_json::from_str(r#"[1e21, -1.5e300, 1e-7, 1.0, 1, "e+", {"k": null}]"#).unwrap();
        assert_eq!(json_text(&value), r#"[1e21,-1.5e300,1e-7,1.0,1,"e+",{"k":null}]"#);
    }
}
