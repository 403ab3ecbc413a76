//! What conditions ask, with targets parsed into the form that their operator needs.

use std::sync::Arc;

use super::text::Text;
use super::text_set::TextSet;
use crate::pattern::Pattern;
use crate::value::VersionPart;

/// A comparison of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberOp {
    Gt,
    Gte,
    Lt,
    Lte,
}

/// A comparison of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VersionOp {
    Gt,
    Gte,
    Lt,
    Lte,
    Eq,
    Neq,
}

/// A comparison of points in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeOp {
    Before,
    After,
    On,
}

/// Where a text is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Affix {
    Starts,
    Ends,
    Contains,
}

/// What is asked of two arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArrayTest {
    Any,
    None,
    All,
    NotAll,
}

/// An operator with its target.
#[derive(Debug, PartialEq)]
pub(crate) enum Test {
    /// The input decides alone.
    None,
    Number {
        op: NumberOp,
        target: Option<f64>,
    },
    Version {
        op: VersionOp,
        target: Option<Box<[VersionPart]>>,
    },
    /// Membership after lower-casing. `None`: the target is no collection.
    InSet {
        set: Option<TextSet>,
        negated: bool,
    },
    /// Membership of a bucket below 1,000, a bit each.
    InBuckets {
        buckets: Box<[u64; 16]>,
        negated: bool,
    },
    InSetExact {
        set: Option<TextSet>,
        negated: bool,
    },
    /// Lower-cased pieces.
    Affix {
        affix: Affix,
        pieces: Box<[Text]>,
        negated: bool,
    },
    /// `None`: the target is no valid pattern.
    Matches(Option<Arc<Pattern>>),
    /// A pattern that exceeds a limit.
    PatternLimit,
    Time {
        op: TimeOp,
        target: Option<i64>,
    },
    Equal {
        target: EqualTarget,
        negated: bool,
    },
    IdList {
        list: Option<Text>,
        negated: bool,
    },
    /// `None`: the target is no array.
    Array {
        test: ArrayTest,
        items: Option<TextSet>,
    },
    /// An operator that this version does not know.
    Unsupported,
}

/// The target of `eq` and `neq`.
#[derive(Debug, PartialEq)]
pub(crate) enum EqualTarget {
    Null,
    Bool(bool),
    Number(f64),
    String(Text),
    /// Item texts in order; `None` where two are equal but for case, which equals nothing.
    Array(Option<Box<[Text]>>),
    /// Keys, sorted, with value texts.
    Object(Box<[(Text, Text)]>),
}
