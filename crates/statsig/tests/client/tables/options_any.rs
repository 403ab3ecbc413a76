//! Any options at all: never a panic, never a secret in a message.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use statsig::{Error, OptionRow, Statsig, StatsigOptions};

/// Part of every secret.
const SECRET: &str = "s3cr3tZq";

/// What is in places for secrets.
fn secret() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(format!("secret-{SECRET}"))),
        Just(json!(format!(" secret-{SECRET}\n"))),
        Just(json!(format!("'{SECRET}'"))),
        Just(json!(format!("redis://u:{SECRET}@127.0.0.1:1/0"))),
        Just(json!(format!("htp://u:{SECRET}@h:99999"))),
        Just(json!([format!("rediss://:{SECRET}@h"), SECRET])),
        Just(json!({format!("secret-{SECRET}"): SECRET})),
        Just(json!({"address": format!("u:{SECRET}@h"), "password": SECRET})),
        Just(json!([[SECRET]])),
    ]
}

/// What is in any place.
fn plain() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z_/.]{0,12}".prop_map(Value::from),
        prop::collection::vec(prop_oneof![Just("network"), Just("file"), Just("stream"), Just("x")], 0..4)
            .prop_map(Value::from),
        prop::collection::btree_map("(ca|address|protocol|redis_url|retry_backoff_base_ms|x)", any::<u64>(), 0..3)
            .prop_map(|map| json!(map)),
    ]
}

fn is_for_secrets(row: &OptionRow) -> bool {
    row.kind.contains("secret") || ["bootstrap", "http_proxy", "data_store"].contains(&row.name)
}

fn options() -> impl Strategy<Value = Value> {
    let option = prop::sample::select(StatsigOptions::ALL).prop_flat_map(|row| {
        let value = if is_for_secrets(&row) { prop_oneof![secret(), plain()].boxed() } else { plain().boxed() };
        (Just(row.name.to_owned()), value)
    });
    let other = ("[a-zA-Z-]{0,20}", secret());
    let misplaced = prop::sample::select(StatsigOptions::ALL)
        .prop_map(|row| (row.name.to_owned(), json!([[SECRET], {"k": SECRET}])));
    let key = Just((format!("secret-{SECRET}"), json!(1)));
    let entry = prop_oneof![8 => option, 1 => other, 1 => misplaced, 1 => key];
    prop::collection::vec(entry, 0..6).prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>()))
}

fn tells_nothing(error: &Error) {
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(shown.len() < 80_000, "{} bytes", shown.len());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn objects(options in options(), cut in any::<prop::sample::Index>(), letter in any::<char>()) {
        match StatsigOptions::from_json(&options.to_string()) {
            Ok(read) => {
                let shown = format!("{read:?}");
                prop_assert!(!shown.contains(SECRET), "{}", shown);
                if let Err(error) = Statsig::builder().options(read).disable_network(true).build() {
                    tells_nothing(&error);
                }
            }
            Err(error) => tells_nothing(&error),
        }
        let serde = serde_json::from_value::<StatsigOptions>(options.clone());
        if let Err(error) = serde {
            prop_assert!(!error.to_string().contains(SECRET));
        }

        // As variables, each whatever it may be.
        let variables = options.as_object().unwrap().iter().map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (format!("STATSIG_{}", name.to_uppercase()), text)
        });
        if let Err(error) = StatsigOptions::from_vars(variables) {
            tells_nothing(&error);
        }

        // Damaged texts. Names are repeated in messages, unless they look like keys; a damaged one does not.
        let text = options.to_string();
        prop_assume!(!text.contains(&format!("\"secret-{SECRET}\":")));
        let mut letters: Vec<char> = text.chars().collect();
        let at = cut.index(letters.len());
        letters[at] = letter;
        let damaged: String = letters.iter().collect();
        for text in [text.chars().take(at).collect::<String>(), damaged] {
            for read in readers() {
                if let Err(error) = read(&text) {
                    tells_nothing(&error);
                }
            }
        }
    }

    #[test]
    fn lines_of_toml(options in options(), cut in any::<prop::sample::Index>()) {
        let lines: Vec<String> = options.as_object().unwrap().iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let text = lines.join("\n");
        let at = cut.index(text.len() + 1);
        for text in [text.clone(), text.chars().take(at).collect(), format!("{text}\n{SECRET} = {SECRET}")] {
            for read in readers() {
                if let Err(error) = read(&text) {
                    tells_nothing(&error);
                }
            }
        }
    }
}

type Reader = fn(&str) -> Result<StatsigOptions, Error>;

fn readers() -> Vec<Reader> {
    vec![
        |text| StatsigOptions::from_json(text),
        #[cfg(feature = "toml")]
        |text| StatsigOptions::from_toml(text),
    ]
}
