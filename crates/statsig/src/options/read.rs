//! Options from JSON, TOML, files and environment variables.
//!
//! All problems of a text are listed at once, and none repeats a value: it may be a secret.

use std::ffi::OsString;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Map, Value};

use super::client::StatsigOptions;
use super::foreign::{FOREIGN_OPTIONS, ForeignOption};
use super::group::{OptionGroup, OptionRow, kind_of};
use super::suggest;
use crate::error::{Error, Misconfiguration};
use crate::key::problem_of_key;

/// What names of environment variables begin with.
const PREFIX: &str = "STATSIG_";
/// Another name of `STATSIG_SDK_KEY`.
const KEY_ALIAS: &str = "STATSIG_SECRET_KEY";
/// Most bytes of a file with options, which may hold a bootstrap document.
const MAX_FILE_BYTES: u64 = 256 << 20;

impl StatsigOptions {
    /// Every option, in the order of `docs/options.md`.
    pub const ALL: &'static [OptionRow] = <Self as OptionGroup>::ROWS;

    /// Names that options have in other Statsig SDKs.
    pub const FOREIGN: &'static [ForeignOption] = FOREIGN_OPTIONS;

    /// Reads a JSON object. A `null` counts as a missing option.
    ///
    /// # Errors
    /// When the text is no JSON object, an option is unknown or of another kind; all problems at once.
    /// [`build`](crate::StatsigBuilder::build) checks the values.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let text = without_mark(text);
        match serde_json::from_str(text) {
            Ok(Value::Object(object)) => Self::from_object(object),
            Ok(other) => Err(wrong(vec![format!("the options must be a JSON object, not {}", kind_of(&other))])),
            // The error's own text may show a value.
            Err(error) => {
                Err(wrong(vec![format!("the options are not JSON (line {}, column {})", error.line(), error.column())]))
            }
        }
    }

    /// Reads a TOML document.
    ///
    /// # Errors
    /// Those of [`from_json`](Self::from_json).
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let text = without_mark(text);
        let table: toml::Table = toml::from_str(text).map_err(|error| {
            // The error's own text may show the line, which may hold a secret.
            let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            wrong(vec![format!("the options are not TOML (line {line})")])
        })?;
        let mut problems = Vec::new();
        let object = object_of(table, "", &mut problems);
        let options = Self::read_object(object, "", &mut problems);
        if problems.is_empty() { Ok(options) } else { Err(wrong(problems)) }
    }

    /// Reads a file, TOML if its name ends in `.toml`, else JSON. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read, and those of [`from_json`](Self::from_json).
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let unread = |why: String| wrong(vec![format!("cannot read the options in {}: {why}", path.display())]);
        let size = std::fs::metadata(path).map_err(|error| unread(error.to_string()))?.len();
        if size > MAX_FILE_BYTES {
            return Err(unread(format!("it has more than {MAX_FILE_BYTES} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| unread(error.to_string()))?;
        let is_toml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
        #[cfg(feature = "toml")]
        let options = if is_toml { Self::from_toml(&text) } else { Self::from_json(&text) };
        #[cfg(not(feature = "toml"))]
        let options = if is_toml {
            Err(unread("the feature `toml` is not compiled in".to_owned()))
        } else {
            Self::from_json(&text)
        };
        options
    }

    /// Reads the environment variables of the process: `STATSIG_` and an option's name in capitals, for
    /// instance `STATSIG_INIT_TIMEOUT_MS`. Lists are separated by commas, objects are JSON; an empty variable
    /// is like none. A variable that begins so and names no option is logged as a warning, not refused: it may
    /// be somebody else's.
    ///
    /// # Errors
    /// When a variable is not what its option may be, or out of its bounds; all problems at once, by the names of
    /// the variables.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_vars(std::env::vars_os())
    }

    /// Like [`from_env`](Self::from_env), from variables that are given.
    ///
    /// # Errors
    /// Those of `from_env`.
    pub fn from_vars<N: Into<OsString>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Error> {
        let mut problems = Vec::new();
        let mut options = Self::default();
        let mut alias = None;
        for (name, value) in variables {
            let (name, value) = (name.into(), value.into());
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            let option = name[PREFIX.len()..].to_lowercase();
            if name != KEY_ALIAS && !Self::ALL.iter().any(|row| row.name == option) {
                let hint = suggest::suggestion("", &option, Self::ALL).unwrap_or_default();
                tracing::warn!(
                    variable = suggest::shown(name),
                    hint,
                    "ignored an environment variable that begins with STATSIG_ and names no option"
                );
                continue;
            }
            match value.to_str() {
                None => problems.push(format!("the environment variable `{name}` is not text")),
                Some("") => {}
                Some(text) if name == KEY_ALIAS => alias = Some(text.to_owned()),
                Some(text) => {
                    options.set_from_text(&option, text, name, &mut problems);
                    if option == "sdk_key" {
                        check_key(text, name, &mut problems);
                    }
                }
            }
        }
        // Of the two names of the key, the option's own counts.
        if let (None, Some(key)) = (&options.sdk_key, alias) {
            check_key(&key, KEY_ALIAS, &mut problems);
            options.sdk_key = Some(key.into());
        }
        if problems.is_empty() { Ok(options) } else { Err(wrong(problems)) }
    }

    fn from_object(object: Map<String, Value>) -> Result<Self, Error> {
        let mut problems = Vec::new();
        let options = Self::read_object(object, "", &mut problems);
        if problems.is_empty() { Ok(options) } else { Err(wrong(problems)) }
    }
}

fn wrong(problems: Vec<String>) -> Error {
    Error::Misconfigured(Misconfiguration::new(problems))
}

fn check_key(key: &str, name: &str, problems: &mut Vec<String>) {
    problems.extend(problem_of_key(key).map(|problem| format!("`{name}` {problem}")));
}

/// A text without the byte order mark that some editors put before it.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// A table of TOML as an object. What JSON does not have goes to `problems`.
#[cfg(feature = "toml")]
fn object_of(table: toml::Table, path: &str, problems: &mut Vec<String>) -> Map<String, Value> {
    let mut object = Map::new();
    for (key, value) in table {
        let inner = format!("{path}{}", suggest::shown(&key).unwrap_or_default());
        object.insert(key, value_of(value, &inner, problems));
    }
    object
}

#[cfg(feature = "toml")]
fn value_of(value: toml::Value, path: &str, problems: &mut Vec<String>) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Float(number) if number.is_finite() => number.into(),
        toml::Value::Float(_) => {
            problems.push(format!("`{path}` must be a finite number"));
            Value::Null
        }
        toml::Value::Datetime(_) => {
            problems.push(format!("`{path}` must not be a date: put a text in quotation marks"));
            Value::Null
        }
        toml::Value::Array(items) => items.into_iter().map(|item| value_of(item, path, problems)).collect(),
        toml::Value::Table(table) => object_of(table, &format!("{path}."), problems).into(),
    }
}

/// From any format that serde reads: for options inside an application's own configuration. All problems are
/// in one error.
impl<'de> Deserialize<'de> for StatsigOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Its own error for another kind would repeat the value.
        match Value::deserialize(deserializer)? {
            Value::Object(object) => Self::from_object(object).map_err(D::Error::custom),
            _ => Err(D::Error::custom("the options must be an object")),
        }
    }
}

#[cfg(test)]
mod tests;
