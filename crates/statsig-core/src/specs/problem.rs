//! What was wrong with a part of a document that otherwise lives.

use std::fmt;

use crate::excerpt::{LONGEST, LONGEST_NAME, clip};

/// A part of the config specs that was skipped or that will not behave as written.
///
/// Loading goes on around it: one bad spec never takes the project down. Everything else in the
/// document is unaffected, except that a rule whose condition was skipped is *unsupported*.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// What kind of problem it is.
    pub kind: ProblemKind,
    /// Where in the document, as a JSON path such as `feature_gates.checkout`.
    pub path: String,
    /// What was found and, where it helps, what was expected.
    pub message: String,
}

/// The kinds of [`Problem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProblemKind {
    /// A gate, config or layer could not be read and is absent.
    SpecSkipped,
    /// A condition could not be read; rules that name it are unsupported.
    ConditionSkipped,
    /// A parameter store, contextual bandit, mapping or override rule could not be read and is absent.
    PartSkipped,
    /// A condition has a type or operator that this version does not know; rules that use it are unsupported.
    Unsupported,
    /// A rule names a condition that the document does not have; the rule is unsupported.
    MissingCondition,
    /// A regular expression does not compile; the condition never matches.
    InvalidPattern,
    /// A regular expression exceeds a limit of length or memory; rules that use it are unsupported.
    PatternLimit,
    /// A gate depends on itself; evaluating it into the cycle gives an error.
    Cycle,
    /// A gate nests more than 64 levels deep; evaluating it that far gives an error.
    TooDeep,
    /// The payload's time is more than a day ahead of the clock; it orders nothing.
    FutureTime,
    /// Entries of one kind were so many that the rest of the reports was left out.
    MoreOmitted,
}

impl ProblemKind {
    /// A short name in lower case with dashes, for tables and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SpecSkipped => "spec-skipped",
            Self::ConditionSkipped => "condition-skipped",
            Self::PartSkipped => "part-skipped",
            Self::Unsupported => "unsupported",
            Self::MissingCondition => "missing-condition",
            Self::InvalidPattern => "invalid-pattern",
            Self::PatternLimit => "pattern-limit",
            Self::Cycle => "cycle",
            Self::TooDeep => "too-deep",
            Self::FutureTime => "future-time",
            Self::MoreOmitted => "more-omitted",
        }
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.kind, self.path, self.message)
    }
}

/// Collects problems, at most [`Problems::LIMIT`] of them: a hostile document has millions.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    list: Vec<Problem>,
    omitted: usize,
}

impl Problems {
    const LIMIT: usize = 1_000;

    pub(crate) fn push(&mut self, kind: ProblemKind, path: impl FnOnce() -> String, message: impl fmt::Display) {
        if self.list.len() < Self::LIMIT {
            let (path, message) = (path(), message.to_string());
            self.list.push(Problem {
                kind,
                path: clip(&path, LONGEST_NAME + 40).into_owned(),
                message: clip(&message, LONGEST).into_owned(),
            });
        } else {
            self.omitted += 1;
        }
    }

    /// How much was pushed so far, for [`Problems::rewind`].
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.list.len(), self.omitted)
    }

    /// Forgets what was pushed since the mark.
    pub(crate) fn rewind(&mut self, (listed, omitted): (usize, usize)) {
        self.list.truncate(listed);
        self.omitted = omitted;
    }

    /// Adds what was pushed elsewhere.
    pub(crate) fn append(&mut self, other: Self) {
        let room = Self::LIMIT - self.list.len();
        self.omitted += other.omitted + other.list.len().saturating_sub(room);
        self.list.extend(other.list.into_iter().take(room));
    }

    pub(crate) fn into_vec(mut self) -> Vec<Problem> {
        if self.omitted > 0 {
            self.list.push(Problem {
                kind: ProblemKind::MoreOmitted,
                path: String::new(),
                message: format!("{} more problems are not listed", self.omitted),
            });
        }
        self.list
    }
}
