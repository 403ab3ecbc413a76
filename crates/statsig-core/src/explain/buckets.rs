//! Buckets as an explanation shows them.

use super::shown::cut;
use super::tree::BucketTrace;
use crate::evaluate::EvaluationContext;
use crate::value::TextBuffer;

/// Describes the bucket of the user, with what it was hashed from.
pub(super) fn trace(context: &EvaluationContext<'_>, bucket: u64, of: u64, salt: &str, unit: u32) -> BucketTrace {
    let ruleset = context.snapshot.ruleset();
    let unit = ruleset.unit_types.get(unit as usize);
    let unit_id = unit.and_then(|unit| {
        let id = context.user.unit(unit.is_user_id, ruleset.str(unit.name), ruleset.str(unit.lower))?;
        id.text(&mut TextBuffer::new()).map(cut)
    });
    let id_type = unit.map(|unit| cut(ruleset.str(unit.name))).unwrap_or_default();
    BucketTrace { bucket, of, salt: cut(salt), id_type, unit_id }
}
