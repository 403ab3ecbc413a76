//! Names under which options were set, for messages.

use std::collections::BTreeMap;

#[cfg(any(feature = "net", feature = "logger"))]
use crate::options::{Bounds, StatsigOptions};

/// The spelling in which each option was set: as an option of a file, or as a method of the builder.
#[derive(Debug, Default)]
pub(crate) struct Spelling(BTreeMap<&'static str, Shown>);

/// The name of an option in messages.
#[derive(Debug, Clone, Copy)]
enum Shown {
    /// Its own.
    Option(&'static str),
    /// That of the builder's method, or of a field.
    InCode(&'static str),
}

impl Spelling {
    /// Notes that an option was set in code, by a name that messages show.
    pub(crate) fn in_code(&mut self, option: &'static str, shown: &'static str) {
        self.0.insert(option, Shown::InCode(shown));
    }

    /// Notes that options were set by their own names.
    pub(crate) fn as_options(&mut self, options: impl IntoIterator<Item = &'static str>) {
        self.0.extend(options.into_iter().map(|option| (option, Shown::Option(option))));
    }

    /// Whether an option was set at all.
    #[cfg(feature = "logger")]
    pub(crate) fn is_set(&self, option: &str) -> bool {
        self.0.contains_key(option)
    }

    /// Whether an option was set by its own name.
    #[cfg(any(feature = "net", feature = "logger"))]
    pub(crate) fn is_option(&self, option: &str) -> bool {
        matches!(self.0.get(option), Some(Shown::Option(_)))
    }

    /// Returns the name that a message shows, without quotation marks.
    pub(crate) fn bare<'a>(&self, option: &'a str) -> &'a str {
        match self.0.get(option) {
            Some(Shown::Option(name) | Shown::InCode(name)) => name,
            None => option,
        }
    }

    /// Returns the name that a message shows.
    pub(crate) fn name(&self, option: &str) -> String {
        format!("`{}`", self.bare(option))
    }

    /// Returns the unit that follows a duration in a message about an option.
    #[cfg(feature = "net")]
    pub(crate) fn unit(&self, option: &str) -> &'static str {
        if self.is_option(option) { "" } else { " ms" }
    }
}

/// Returns the bounds of an option by its path, such as `proxy.retry_backoff_base_ms`.
#[cfg(any(feature = "net", feature = "logger"))]
pub(crate) fn bounds_of(path: &str) -> Bounds {
    let mut rows = StatsigOptions::ALL;
    let mut bounds = Bounds::Any;
    for name in path.split('.') {
        let found = rows.iter().find(|row| row.name == name);
        debug_assert!(found.is_some(), "no option is called {path}");
        let Some(row) = found else { return Bounds::Any };
        (bounds, rows) = (row.bounds, row.inner);
    }
    bounds
}
