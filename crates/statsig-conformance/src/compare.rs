//! Walking two result files.

use std::collections::HashMap;
use std::fmt;
use std::io::BufRead;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::Value;

use super::equality::same;
use super::exceptions::{Difference, Exception};
use super::report::{Mismatch, Report};
use super::{Error, events, fields};

/// What a record, or a part of one, is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Gates.
    Gate,
    /// Dynamic configs.
    DynamicConfig,
    /// Experiments.
    Experiment,
    /// Layers and the exposures of their parameters.
    Layer,
    /// Parameters of stores.
    Param,
    /// Groups of experiments.
    ExperimentGroups,
    /// Lists of names.
    Lists,
    /// Client-initialize responses.
    Gcir,
    /// What the calls of a script returned.
    Script,
    /// What a script logged. Part of a script's record, chosen apart from the calls.
    #[serde(skip)]
    Events,
}

impl Kind {
    /// Every kind, in the order of the corpus.
    pub const ALL: [Self; 10] = [
        Self::Gate,
        Self::DynamicConfig,
        Self::Experiment,
        Self::Layer,
        Self::Param,
        Self::ExperimentGroups,
        Self::Lists,
        Self::Gcir,
        Self::Script,
        Self::Events,
    ];

    /// The kind's name, as records spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::DynamicConfig => "dynamic_config",
            Self::Experiment => "experiment",
            Self::Layer => "layer",
            Self::Param => "param",
            Self::ExperimentGroups => "experiment_groups",
            Self::Lists => "lists",
            Self::Gcir => "gcir",
            Self::Script => "script",
            Self::Events => "events",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no [`Kind`].
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` is no kind of record")]
pub struct UnknownKind(String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// A choice of kinds to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// Everything.
    pub const ALL: Self = Self((1 << Kind::ALL.len()) - 1);
    /// What evaluation alone decides: all but scripts and events.
    pub const EVALUATION: Self = Self((1 << Kind::Script as u16) - 1);

    /// These and one more.
    #[must_use]
    pub const fn and(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind as u16)
    }

    /// Tells whether a kind is chosen.
    #[must_use]
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u16) != 0
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |bits, kind| bits | 1 << kind as u16))
    }
}

/// How two result files are to be compared.
///
/// ```
/// use statsig_conformance::{Comparison, Kind, Kinds};
///
/// let expected = br#"{"kind":"gate","user":"u","name":"g","value":true,"reason":"Recognized"}"#;
/// let actual = br#"{"kind":"gate","user":"u","name":"g","value":false,"reason":"Recognized"}"#;
/// let report = Comparison::new("demo")
///     .kinds(Kinds::from_iter([Kind::Gate]))
///     .run(&expected[..], &actual[..])?;
///
/// assert_eq!(report.total().differing(), 1);
/// assert_eq!(report.mismatches()[0].place, "demo gate u g .value");
/// # Ok::<(), statsig_conformance::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Comparison<'a> {
    set: String,
    kinds: Kinds,
    exceptions: &'a [Exception],
    shown: usize,
}

impl<'a> Comparison<'a> {
    /// Compares everything in the results of a set, without exceptions, and keeps the first three
    /// differences of each category.
    pub fn new(set: impl Into<String>) -> Self {
        Self { set: set.into(), kinds: Kinds::ALL, exceptions: &[], shown: 3 }
    }

    /// Compares records of these kinds only.
    #[must_use]
    pub fn kinds(mut self, kinds: Kinds) -> Self {
        self.kinds = kinds;
        self
    }

    /// Excuses differences for which one of these exceptions was written.
    #[must_use]
    pub fn exceptions(mut self, exceptions: &'a [Exception]) -> Self {
        self.exceptions = exceptions;
        self
    }

    /// Keeps at most this many differences of each category; all are counted.
    #[must_use]
    pub fn shown(mut self, differences: usize) -> Self {
        self.shown = differences;
        self
    }

    /// Compares.
    ///
    /// The actual results are held in memory as text, the expected ones are streamed. A record
    /// that is missing counts as one difference for each of its fields.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] or [`Error::Record`] when either side breaks off or is no list of records.
    pub fn run(&self, expected: impl BufRead, actual: impl BufRead) -> Result<Report, Error> {
        let mut unused = HashMap::new();
        for_each_line("actual", actual, |line, text| {
            let key: Key = parse("actual", line, &text)?;
            if self.wants(key.kind) {
                unused.insert(key, text.into_boxed_str());
            }
            Ok(())
        })?;
        let mut checker = Checker { comparison: self, report: Report::default() };
        for_each_line("expected", expected, |line, text| {
            let key: Key = parse("expected", line, &text)?;
            if !self.wants(key.kind) {
                return Ok(());
            }
            let expected: Value = parse("expected", line, &text)?;
            let actual: Option<Value> = match unused.remove(&key) {
                Some(text) => Some(parse("actual", 0, &text)?),
                None => None,
            };
            checker.compare(&Pair { key: &key, expected: &expected, actual: actual.as_ref() });
            Ok(())
        })?;
        checker.report.extra(unused.len() as u64);
        Ok(checker.report)
    }

    fn wants(&self, kind: Kind) -> bool {
        self.kinds.contains(kind) || kind == Kind::Script && self.kinds.contains(Kind::Events)
    }
}

/// Compares everything in two result files.
///
/// Short for [`Comparison::new`] with exceptions and [`Comparison::run`].
///
/// # Errors
///
/// As [`Comparison::run`].
pub fn compare(expected: impl BufRead, actual: impl BufRead, exceptions: &[Exception]) -> Result<Report, Error> {
    Comparison::new("").exceptions(exceptions).run(expected, actual)
}

/// What makes a record the one it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub(super) struct Key {
    kind: Kind,
    user: Option<String>,
    name: Option<String>,
    param: Option<String>,
    #[serde(rename = "type")]
    param_type: Option<String>,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        let parts = [&self.user, &self.name, &self.param, &self.param_type];
        for part in parts.into_iter().flatten() {
            write!(f, " {part}")?;
        }
        Ok(())
    }
}

/// A recorded result and the one to hold against it.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    key: &'a Key,
    pub(super) expected: &'a Value,
    pub(super) actual: Option<&'a Value>,
}

/// Checks fields one by one and keeps the books.
pub(super) struct Checker<'a> {
    comparison: &'a Comparison<'a>,
    report: Report,
}

impl Checker<'_> {
    fn compare(&mut self, pair: &Pair<'_>) {
        let found = Value::Bool(true);
        let present = pair.actual.is_some().then_some(&found);
        let whole = format_args!("record");
        self.check(pair, "record present", whole, Some(&found), present);
        if pair.expected.get("error").is_some() {
            return;
        }
        match pair.key.kind {
            Kind::Gate => fields::gate(self, pair),
            Kind::DynamicConfig => fields::dynamic_config(self, pair),
            Kind::Experiment => fields::experiment(self, pair),
            Kind::Layer => fields::layer(self, pair),
            Kind::Param => fields::whole_value(self, pair, "parameter store value"),
            Kind::ExperimentGroups => fields::whole_value(self, pair, "experiment groups"),
            Kind::Lists => fields::lists(self, pair),
            Kind::Gcir => fields::gcir_record(self, pair),
            Kind::Script | Kind::Events => {
                if self.comparison.kinds.contains(Kind::Script) {
                    fields::script_results(self, pair);
                }
                if self.comparison.kinds.contains(Kind::Events) {
                    events::script_events(self, pair);
                }
            }
        }
    }

    /// Compares one field; the name of the field is put together only if it differs.
    pub(super) fn check(
        &mut self,
        pair: &Pair<'_>,
        category: &str,
        field: fmt::Arguments<'_>,
        expected: Option<&Value>,
        actual: Option<&Value>,
    ) {
        if let (Some(expected), Some(actual)) = (expected, actual)
            && same(expected, actual)
        {
            return self.report.agree(category);
        }
        let field = field.to_string();
        let difference = Difference {
            set: &self.comparison.set,
            kind: pair.key.kind,
            field: &field,
            expected_record: pair.expected,
            actual_record: pair.actual,
            expected,
            actual,
        };
        let exceptions = self.comparison.exceptions;
        if let Some(exception) = exceptions.iter().find(|e| (e.applies)(&difference)) {
            return self.report.excuse(category, exception.name);
        }
        let mismatch = Mismatch {
            category: category.to_owned(),
            place: format!("{} {} .{field}", self.comparison.set, pair.key),
            expected: expected.cloned(),
            actual: actual.cloned(),
        };
        self.report.differ(self.comparison.shown, mismatch);
    }
}

fn for_each_line(
    side: &'static str,
    lines: impl BufRead,
    mut each: impl FnMut(usize, String) -> Result<(), Error>,
) -> Result<(), Error> {
    for (index, text) in lines.lines().enumerate() {
        let line = index + 1;
        let text = text.map_err(|source| Error::Read { side, line, source })?;
        if !text.trim().is_empty() {
            each(line, text)?;
        }
    }
    Ok(())
}

fn parse<'t, T: Deserialize<'t>>(side: &'static str, line: usize, text: &'t str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|source| Error::Record { side, line, source })
}

#[cfg(test)]
mod tests;
