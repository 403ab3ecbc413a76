//! Operators: what is asked of a value (`docs/protocol/evaluation.md#operators`).

use std::cmp::Ordering;
use std::collections::HashSet;

use foldhash::fast::RandomState;
use serde_json::{Map, Value};

use super::user_value::Seen;
use crate::hooks::{IdListLookup, id_hash};
use crate::pattern::{Pattern, PatternBudget};
use crate::ruleset::{Affix, ArrayTest, EqualTarget, NumberOp, Ruleset, Test, Text, TextSet, TimeOp, VersionOp};
use crate::value::{ArrayAttribute, Attribute, TextBuffer, VersionPart, is_lower_ascii, lower, version_parts};

/// Times below this are seconds, others milliseconds.
const SECONDS_BELOW: u64 = 10_000_000_000;
const MS_PER_DAY: i64 = 86_400_000;
/// Up to here arrays are compared pair by pair, without a table.
const PAIRWISE: usize = 1_024;

/// Applies an operator; unknown ones and patterns are handled by the caller and count as false here.
#[inline]
pub(crate) fn evaluate_test(
    ruleset: &Ruleset,
    test: &Test,
    seen: &Seen<'_>,
    id_lists: Option<&dyn IdListLookup>,
) -> bool {
    match test {
        // The caller looks at patterns itself: their search may be too much.
        Test::None | Test::Unsupported | Test::PatternLimit | Test::Matches(_) => false,
        Test::Number { op, target } => match (seen.float(), target) {
            (Some(value), Some(target)) => compare_numbers(*op, value, *target),
            _ => false,
        },
        Test::Version { op, target } => target
            .as_ref()
            .is_some_and(|target| seen.with_text(|text| text.is_some_and(|text| compare_versions(*op, text, target)))),
        Test::InSet { .. } | Test::InSetExact { .. } | Test::Affix { .. } => {
            seen.with_text(|text| quick_test(ruleset, test, text.unwrap_or_default())).unwrap_or(false)
        }
        Test::InBuckets { buckets, negated } => {
            let found = match seen {
                Seen::Number(bucket) => {
                    let bucket = bucket.unsigned_abs() as usize;
                    buckets.get(bucket / 64).is_some_and(|bits| bits >> (bucket % 64) & 1 == 1)
                }
                _ => false,
            };
            found != *negated
        }
        Test::Time { op, target } => match (seen.time(), target) {
            (Some(value), Some(target)) => compare_times(*op, value, *target),
            _ => false,
        },
        Test::Equal { target, negated } => is_equal(ruleset, target, seen) != *negated,
        Test::IdList { list, negated } => {
            let listed = match (list, id_lists) {
                (Some(list), Some(id_lists)) => {
                    seen.with_text(|id| id.is_some_and(|id| id_lists.contains(ruleset.str(*list), &id_hash(id))))
                }
                _ => false,
            };
            listed != *negated
        }
        Test::Array { test, items } => match (seen.array(), items) {
            (Some(array), Some(items)) => compare_arrays(*test, array, items),
            _ => false,
        },
    }
}

/// Applies an operator to a text; otherwise like [`evaluate_test`], and faster for the operators that only see texts.
#[inline]
pub(crate) fn evaluate_text_test(
    ruleset: &Ruleset,
    test: &Test,
    text: &str,
    id_lists: Option<&dyn IdListLookup>,
) -> bool {
    match quick_test(ruleset, test, text) {
        Some(holds) => holds,
        None => evaluate_test(ruleset, test, &Seen::Text(text), id_lists),
    }
}

/// Applies one of the operators that compare texts; `None` for all others.
#[inline(always)]
pub(crate) fn quick_test(ruleset: &Ruleset, test: &Test, text: &str) -> Option<bool> {
    Some(match test {
        Test::InSet { set, negated } => set.as_ref().is_some_and(|set| set.contains_lower(text)) != *negated,
        Test::InSetExact { set, negated } => set.as_ref().is_some_and(|set| set.contains(text)) != *negated,
        Test::Affix { affix, pieces, negated } => has_affix(ruleset, *affix, pieces, text) != *negated,
        Test::Version { op, target: Some(target) } => compare_versions(*op, text, target),
        _ => return None,
    })
}

/// Applies `str_matches`; `None` if the search would exceed a limit.
pub(crate) fn matches_pattern(pattern: Option<&Pattern>, seen: &Seen<'_>, budget: &mut PatternBudget) -> Option<bool> {
    let Some(pattern) = pattern else { return Some(false) };
    seen.with_text(|text| text.map_or(Some(false), |text| pattern.is_match(text, budget)))
}

fn compare_numbers(op: NumberOp, value: f64, target: f64) -> bool {
    match op {
        NumberOp::Gt => value > target,
        NumberOp::Gte => value >= target,
        NumberOp::Lt => value < target,
        NumberOp::Lte => value <= target,
    }
}

/// Component by component, missing ones as 0; false as soon as one that is no number is reached.
fn compare_versions(op: VersionOp, value: &str, target: &[VersionPart]) -> bool {
    let mut left = version_parts(value);
    let mut right = target.iter().copied();
    let order = loop {
        let (left, right) = match (left.next(), right.next()) {
            (None, None) => break Ordering::Equal,
            (left, right) => (left.unwrap_or(Some(0)), right.unwrap_or(Some(0))),
        };
        match (left, right) {
            (Some(left), Some(right)) if left == right => {}
            (Some(left), Some(right)) => break left.cmp(&right),
            _ => return false,
        }
    };
    match op {
        VersionOp::Gt => order.is_gt(),
        VersionOp::Gte => order.is_ge(),
        VersionOp::Lt => order.is_lt(),
        VersionOp::Lte => order.is_le(),
        VersionOp::Eq => order.is_eq(),
        VersionOp::Neq => order.is_ne(),
    }
}

fn has_affix(ruleset: &Ruleset, affix: Affix, pieces: &[Text], text: &str) -> bool {
    if is_lower_ascii(text.as_bytes()) {
        lower_has_affix(ruleset, affix, pieces, text)
    } else {
        lower_has_affix(ruleset, affix, pieces, lower(text).as_str())
    }
}

/// `text`: in lower case.
#[inline]
fn lower_has_affix(ruleset: &Ruleset, affix: Affix, pieces: &[Text], text: &str) -> bool {
    let bytes = |piece: Text| ruleset.text.bytes(piece);
    // A look at one byte spares most comparisons.
    let same = |a: &[u8], b: &[u8]| a.first() == b.first() && a == b;
    let whole = text.as_bytes();
    match affix {
        // Both sides are whole characters, so that comparing bytes is enough.
        Affix::Starts => pieces
            .iter()
            .map(|&piece| bytes(piece))
            .any(|piece| whole.get(..piece.len()).is_some_and(|start| same(start, piece))),
        Affix::Ends => pieces.iter().map(|&piece| bytes(piece)).any(|piece| {
            let start = whole.len().wrapping_sub(piece.len());
            whole.get(start..).is_some_and(|end| same(end, piece))
        }),
        Affix::Contains => pieces.iter().any(|&piece| text.contains(ruleset.str(piece))),
    }
}

fn compare_times(op: TimeOp, value: i64, target: i64) -> bool {
    let value = if value.unsigned_abs() < SECONDS_BELOW { value.saturating_mul(1000) } else { value };
    match op {
        TimeOp::Before => value < target,
        TimeOp::After => value > target,
        TimeOp::On => value / MS_PER_DAY == target / MS_PER_DAY,
    }
}

fn is_equal(ruleset: &Ruleset, target: &EqualTarget, seen: &Seen<'_>) -> bool {
    match target {
        EqualTarget::Null => seen.is_null(),
        EqualTarget::Bool(target) => seen.bool() == Some(*target),
        #[allow(clippy::float_cmp)] // equality is what is asked
        EqualTarget::Number(target) => seen.float() == Some(*target),
        EqualTarget::String(target) => seen.with_text(|text| text == Some(ruleset.str(*target))),
        EqualTarget::Array(None) => false,
        EqualTarget::Array(Some(items)) => seen.array().is_some_and(|array| {
            array.items.len() == items.len()
                && array.items.iter().zip(items).all(|(item, target)| item.as_deref() == Some(ruleset.str(*target)))
        }),
        EqualTarget::Object(members) => seen.object().is_some_and(|object| equal_objects(ruleset, object, members)),
    }
}

fn equal_objects(ruleset: &Ruleset, object: &Map<String, Value>, members: &[(Text, Text)]) -> bool {
    object.len() == members.len()
        && members.iter().all(|&(key, target)| {
            object.get(ruleset.str(key)).is_some_and(|value| {
                Attribute::from(value.clone()).text(&mut TextBuffer::new()) == Some(ruleset.str(target))
            })
        })
}

fn compare_arrays(test: ArrayTest, array: &ArrayAttribute, target: &TextSet) -> bool {
    // Elements without text (`null`, objects) match nothing.
    let mut texts = array.items.iter().flatten();
    match test {
        ArrayTest::Any => texts.any(|item| target.contains(item)),
        ArrayTest::None => !texts.any(|item| target.contains(item)),
        ArrayTest::All => has_all(array, target),
        ArrayTest::NotAll => !has_all(array, target),
    }
}

fn has_all(array: &ArrayAttribute, target: &TextSet) -> bool {
    let texts = || array.items.iter().flatten();
    if array.items.len() * target.len() <= PAIRWISE {
        return target.iter().all(|wanted| texts().any(|item| item == wanted));
    }
    let present: HashSet<&str, RandomState> = texts().map(AsRef::as_ref).collect();
    target.iter().all(|wanted| present.contains(wanted))
}
