use proptest::prelude::*;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Encoder, PackSeed, Raw, Reader, Unread};
use serde::de::DeserializeSeed;

fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Unread> {
    let mut reader = Reader::new(text);
    let value = T::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Compares with `serde_json`; returns whether the reader accepts the text.
fn agrees(text: &str) -> bool {
    let value = read::<Value>(text);
    if let Ok(value) = &value {
        let reference: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        // As text, so that -0.0 and 0.0 differ.
        assert_eq!(value.to_string(), reference.to_string(), "{text}");
        let (mut packed, mut expected) = (Encoder::default(), Encoder::default());
        PackSeed(&mut packed).deserialize(&mut Reader::new(text)).unwrap();
        PackSeed(&mut expected).deserialize(&mut serde_json::Deserializer::from_str(text)).unwrap();
        assert_eq!(packed.into_bytes(), expected.into_bytes(), "{text}");
    }
    if let Ok(raw) = read::<Raw<'_>>(text) {
        assert!(serde_json::from_str::<IgnoredAny>(text).is_ok(), "skipped {text}");
        assert_eq!(raw.get(), text.trim_matches([' ', '\n', '\r', '\t']), "{text}");
        assert_eq!(serde_json::from_str::<Raw<'_>>(text).ok(), Some(raw), "{text}");
    }
    value.is_ok()
}

#[test]
fn sound_text_is_read() {
    for text in [
        "null",
        " true ",
        "\t[\n]\r",
        "{}",
        "0",
        "-0",
        "-1",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "999999999999999999",
        "0.1",
        "-1.5e-7",
        "1E+3",
        "5e-324",
        r#""""#,
        r#""plain text of more than eight bytes""#,
        r#""a\"b\\c\/d\b\f\n\r\tä""#,
        r#""\u00e9\ud83c\udf89\u0000""#,
        "\"日本語 🎉 and so on\u{7f}\"",
        r#"[1, [2, []], {"k": {"\n": [null]}}]"#,
        r#"{"a":1,"a":2,"b":[true,false]}"#,
    ] {
        assert!(agrees(text), "{text}");
    }
}

#[test]
fn damaged_text_is_refused() {
    for text in [
        "",
        " ",
        "nul",
        "nulll",
        "tru e",
        "+1",
        "01",
        "-",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "1.e1",
        "0x1",
        "1e400",
        "\"",
        "\"\\",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800x\"",
        "\"tab\t\"",
        "\"line\nbreak is longer than that\"",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[,]",
        "[1 2]",
        "[1}",
        "{",
        "}",
        "{]",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{,}",
        "{\"a\" 1}",
        "{\"a\",1}",
        "{a:1}",
        "{1:1}",
        "{\"a\":1]",
        "1 1",
        "{} {}",
        "\u{feff}1",
        "\u{a0}1",
        "'a'",
        "/**/1",
    ] {
        assert!(!agrees(text), "{text}");
        assert!(read::<Raw<'_>>(text).is_err() || text == "1e400" || text.contains("\\u"), "skipped {text}");
    }
}

#[test]
fn nesting_is_bounded() {
    for (levels, expected) in [(50, true), (100, true), (101, false), (100_000, false)] {
        for (open, close) in [("[", "]"), ("{\"k\":", "}")] {
            let text = format!("{}1{}", open.repeat(levels), close.repeat(levels));
            assert_eq!(read::<Value>(&text).is_ok(), expected, "{levels}");
        }
    }
    for (levels, expected) in [(64, true), (65, false), (100_000, false)] {
        let text = format!("{}1{}", "[{\"k\":".repeat(levels / 2 + levels % 2), "}]".repeat(levels / 2 + levels % 2));
        assert_eq!(read::<Raw<'_>>(&text).is_ok(), expected, "{levels}");
    }
}

fn text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| Value::from(value).to_string()),
        "\\PC{0,20}".prop_map(|text| Value::from(text).to_string()),
        r#""([a-z]|\\n|\\u00e9|\\ud83c\\udf89|\\"){0,12}""#,
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(("[a-c]{0,2}", inner), 0..6).prop_map(|members| {
                let members: Vec<String> =
                    members.into_iter().map(|(key, value)| format!("\"{key}\" : {value}")).collect();
                format!("{{ {}}}", members.join(" , "))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_sound_text_is_read_as_serde_json_reads_it(text in text()) {
        prop_assert!(agrees(&text));
        prop_assert!(read::<Raw<'_>>(&text).is_ok());
    }

    #[test]
    fn damaged_text_is_never_read_otherwise_than_by_serde_json(
        text in text(), at: prop::sample::Index, new in "[\\[\\]{},:\"\\\\ 0-9eE+.\\-untrfalse\t]{0,2}",
    ) {
        let at = at.index(text.len());
        if let (Some(before), Some(behind)) = (text.get(..at), text.get(at + 1..)) {
            agrees(&format!("{before}{new}{behind}"));
            agrees(before);
        }
    }
}
