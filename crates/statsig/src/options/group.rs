//! Types, readers and rows of documentation, declared by one table of options.

use serde_json::{Map, Value};

use super::bounds::Bounds;

/// One option, as `docs/options.md` lists it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct OptionRow {
    /// Its name in files; in the environment `STATSIG_` and the name in capitals.
    pub name: &'static str,
    /// What it may be, with its unit.
    pub kind: &'static str,
    /// The values of that kind that it may have.
    pub bounds: Bounds,
    /// What it is if nobody says anything.
    pub default: &'static str,
    /// The builder's method that does the same.
    pub builder: &'static str,
    /// What it does.
    pub about: &'static str,
    /// The options inside, if it is an object.
    pub inner: &'static [OptionRow],
}

/// A kind of values that an option can have.
pub(super) trait OptionValue: Sized {
    /// The kind in words, to be read after "must be".
    const KIND: &'static str;
    /// The options inside.
    const INNER: &'static [OptionRow] = &[];

    /// Takes a value that is not `null`. What is wrong goes to `problems`, with the name of the option and
    /// without the value, which may be secret.
    fn read(value: Value, name: &str, problems: &mut Vec<String>) -> Option<Self>;

    /// Takes the text of an environment variable.
    fn read_text(text: &str, name: &str, problems: &mut Vec<String>) -> Option<Self> {
        match serde_json::from_str(text) {
            Ok(value) => Self::read(value, name, problems),
            Err(_) => Self::wrong(name, "", problems),
        }
    }

    /// Notes that the value is of another kind. `found` says of which, and may be empty.
    fn wrong(name: &str, found: &str, problems: &mut Vec<String>) -> Option<Self> {
        let comma = if found.is_empty() { "" } else { ", not " };
        problems.push(format!("`{name}` must be {}{comma}{found}", Self::KIND));
        None
    }

    /// Notes what is out of bounds, by the option's name; returns `false` for a value that must not be used.
    fn check(&mut self, _name: &str, _bounds: Bounds, _problems: &mut Vec<String>) -> bool {
        true
    }
}

/// The kind of a JSON value in words.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "`true` or `false`",
        Value::Number(number) if number.as_f64().is_some_and(|number| number < 0.0) => "a negative number",
        Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() != 0.0) => "a fraction",
        Value::Number(_) => "such a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Options that are written together.
pub(super) trait OptionGroup: Sized + Default {
    /// All of them.
    const ROWS: &'static [OptionRow];

    /// Takes an object; `path` names it in problems, with a dot at its end unless it is empty.
    fn read_object(object: Map<String, Value>, path: &str, problems: &mut Vec<String>) -> Self;

    /// Checks every option that is set against its bounds, and takes out those that must not be used.
    fn check_all(&mut self, path: &str, problems: &mut Vec<String>);
}

/// The bounds of an option that has none unless they are given.
macro_rules! option_bounds {
    () => {
        $crate::options::bounds::Bounds::Any
    };
    ($bounds:ident) => {
        $crate::options::bounds::$bounds
    };
}
pub(super) use option_bounds;

/// Declares a group: `field("name", "default", "builder's method", BOUNDS): type`, each with its documentation.
macro_rules! option_group {
    ($(#[$meta:meta])* $group:ident {
        $($(#[doc = $about:literal])+ $field:ident($name:literal, $default:literal, $builder:literal $(, $bounds:ident)?): $type:ty,)*
    }) => {
        $(#[$meta])*
        ///
        /// A field that is `None` is left as the builder has it. `Debug` shows what is set, without secrets.
        #[derive(Clone, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $group {
            $(
                $(#[doc = $about])+
                ///
                #[doc = concat!("`", $name, "`: ", $default, " by default.")]
                pub $field: Option<$type>,
            )*
        }

        impl $crate::options::group::OptionGroup for $group {
            const ROWS: &'static [$crate::options::group::OptionRow] = &[$($crate::options::group::OptionRow {
                name: $name,
                kind: <$type as $crate::options::group::OptionValue>::KIND,
                bounds: $crate::options::group::option_bounds!($($bounds)?),
                default: $default,
                builder: $builder,
                about: concat!($($about),+),
                inner: <$type as $crate::options::group::OptionValue>::INNER,
            },)*];

            fn read_object(
                object: serde_json::Map<String, serde_json::Value>,
                path: &str,
                problems: &mut Vec<String>,
            ) -> Self {
                let mut group = Self::default();
                for (key, value) in object {
                    if value.is_null() {
                        continue;
                    }
                    match key.as_str() {
                        $($name => {
                            let name = format!("{path}{}", $name);
                            group.$field = $crate::options::group::OptionValue::read(value, &name, problems);
                        })*
                        _ => problems.push($crate::options::suggest::unknown_option(path, &key, Self::ROWS)),
                    }
                }
                group
            }

            fn check_all(&mut self, path: &str, problems: &mut Vec<String>) {
                $(if let Some(value) = &mut self.$field {
                    let (name, bounds) = (format!("{path}{}", $name), $crate::options::group::option_bounds!($($bounds)?));
                    if !$crate::options::group::OptionValue::check(value, &name, bounds, problems) {
                        self.$field = None;
                    }
                })*
            }
        }

        impl $group {
            /// Takes the text of an environment variable, and checks it; `false` if there is no such option.
            #[allow(dead_code, reason = "only the outermost group is read from variables")]
            pub(super) fn set_from_text(&mut self, option: &str, text: &str, variable: &str, problems: &mut Vec<String>) -> bool {
                match option {
                    $($name => {
                        self.$field = $crate::options::group::OptionValue::read_text(text, variable, problems);
                        if let Some(value) = &mut self.$field {
                            let bounds = $crate::options::group::option_bounds!($($bounds)?);
                            $crate::options::group::OptionValue::check(value, variable, bounds, problems);
                        }
                    })*
                    _ => return false,
                }
                true
            }

            /// Whether an option is set, by its name.
            #[allow(dead_code, reason = "only the outermost group is asked")]
            pub(super) fn is_set(&self, option: &str) -> bool {
                match option {
                    $($name => self.$field.is_some(),)*
                    _ => false,
                }
            }

            /// These options, and those of `others` where these say nothing.
            #[must_use]
            pub fn or(self, others: Self) -> Self {
                Self { $($field: self.$field.or(others.$field),)* }
            }
        }

        impl std::fmt::Debug for $group {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut out = f.debug_struct(stringify!($group));
                $(if let Some(value) = &self.$field {
                    out.field($name, value);
                })*
                out.finish()
            }
        }
    };
}
pub(super) use option_group;

/// Makes a group the value of an option.
macro_rules! group_value {
    ($($group:ident)*) => {$(
        impl $crate::options::group::OptionValue for $group {
            const KIND: &'static str = "an object";
            const INNER: &'static [$crate::options::group::OptionRow] =
                <$group as $crate::options::group::OptionGroup>::ROWS;

            fn read(value: serde_json::Value, name: &str, problems: &mut Vec<String>) -> Option<Self> {
                match value {
                    serde_json::Value::Object(object) => {
                        let path = format!("{name}.");
                        Some($crate::options::group::OptionGroup::read_object(object, &path, problems))
                    }
                    other => Self::wrong(name, $crate::options::group::kind_of(&other), problems),
                }
            }

            fn check(&mut self, name: &str, _: $crate::options::bounds::Bounds, problems: &mut Vec<String>) -> bool {
                $crate::options::group::OptionGroup::check_all(self, &format!("{name}."), problems);
                true
            }
        }
    )*};
}
pub(super) use group_value;
