//! Options from JSON, TOML, files and environment variables.
//!
//! All problems of a text are listed at once, and none repeats a value: it may be a secret.

use std::ffi::OsString;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Map, Value};

use super::client::StatsigOptions;
use super::group::{OptionGroup, OptionRow};
use crate::error::{Error, Misconfiguration};

/// What names of environment variables begin with.
const PREFIX: &str = "STATSIG_";
/// Another name of `STATSIG_SDK_KEY`.
const KEY_ALIAS: &str = "STATSIG_SECRET_KEY";
/// Most bytes of a file with options, which may hold a bootstrap document.
const MAX_FILE_BYTES: u64 = 256 << 20;

impl StatsigOptions {
    /// Every option, in the order of `docs/options.md`.
    pub const ALL: &'static [OptionRow] = <Self as OptionGroup>::ROWS;

    /// Reads a JSON object. A `null` is like no option.
    ///
    /// # Errors
    /// When the text is no JSON object, an option is unknown or of another kind; all problems at once.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let object: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| wrong(vec![format!("the options are no JSON object (line {})", error.line())]))?;
        Self::from_object(object)
    }

    /// Reads a TOML document.
    ///
    /// # Errors
    /// Those of [`from_json`](Self::from_json).
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let object: Map<String, Value> = toml::from_str(text).map_err(|error| {
            // The error's own text would show the line, which may hold a secret.
            let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            wrong(vec![format!("the options are no TOML document (line {line}): {}", error.message())])
        })?;
        Self::from_object(object)
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
    /// When a variable is not what its option may be; all problems at once.
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
        for (name, value) in variables {
            let (name, value) = (name.into(), value.into());
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            let option = if name == KEY_ALIAS { "sdk_key".to_owned() } else { name[PREFIX.len()..].to_lowercase() };
            let is_known = Self::ALL.iter().any(|row| row.name == option);
            let Some(value) = value.to_str().or(if is_known { None } else { Some("not text") }) else {
                problems.push(format!("the environment variable `{name}` is not text"));
                continue;
            };
            if value.is_empty() {
                continue;
            }
            // Of the two names of the key, the option's own counts.
            if name == KEY_ALIAS && options.sdk_key.is_some() {
                continue;
            }
            if !options.set_from_text(&option, value, name, &mut problems) {
                tracing::warn!(
                    variable = name,
                    "the environment variable looks like an option, but there is none of this name"
                );
            }
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
    Error::Misconfigured(Misconfiguration { problems })
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
