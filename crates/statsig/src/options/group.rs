//! What one table of options becomes.

use serde_json::{Map, Value};

/// One option, as `docs/options.md` lists it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct OptionRow {
    /// Its name in files; in the environment `STATSIG_` and the name in capitals.
    pub name: &'static str,
    /// What it may be, with its unit.
    pub kind: &'static str,
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
            Err(_) => Self::wrong(name, problems),
        }
    }

    /// Notes that the value is of another kind.
    fn wrong(name: &str, problems: &mut Vec<String>) -> Option<Self> {
        problems.push(format!("`{name}` must be {}", Self::KIND));
        None
    }
}

/// Options that are written together.
pub(super) trait OptionGroup: Sized + Default {
    /// All of them.
    const ROWS: &'static [OptionRow];

    /// Takes an object; `path` names it in problems, with a dot at its end unless it is empty.
    fn read_object(object: Map<String, Value>, path: &str, problems: &mut Vec<String>) -> Self;
}

/// Declares a group: `field("name", "default", "builder's method"): type`, each with its documentation.
macro_rules! option_group {
    ($(#[$meta:meta])* $group:ident {
        $($(#[doc = $about:literal])+ $field:ident($name:literal, $default:literal, $builder:literal): $type:ty,)*
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
                    let name = format!("{path}{key}");
                    match key.as_str() {
                        $($name => {
                            group.$field = $crate::options::group::OptionValue::read(value, &name, problems);
                        })*
                        _ => problems.push(format!("there is no option `{name}`: docs/options.md lists them all")),
                    }
                }
                group
            }
        }

        impl $group {
            /// Takes the text of an environment variable; `false` if there is no such option.
            #[allow(dead_code, reason = "only the outermost group is read from variables")]
            pub(super) fn set_from_text(&mut self, option: &str, text: &str, variable: &str, problems: &mut Vec<String>) -> bool {
                match option {
                    $($name => {
                        self.$field = $crate::options::group::OptionValue::read_text(text, variable, problems);
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
                    _ => Self::wrong(name, problems),
                }
            }
        }
    )*};
}
pub(super) use group_value;
