//! Counts of damage in the spool, and their warnings.

use std::time::Duration;

use tokio::time::Instant;

/// Time between two warnings of one kind.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Damage that the spool has found since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SpoolDamage {
    pub(super) corrupt_records: u64,
    pub(super) corrupt_segments: u64,
    pub(super) truncated_tails: u64,
    pub(super) foreign_segments: u64,
    pub(super) read_errors: u64,
}

/// Times of the last warnings, by kind of damage.
#[derive(Debug, Default)]
pub(super) struct DamageWarnings([Option<Instant>; 4]);

impl DamageWarnings {
    /// Warns about what is new, once a minute for each kind.
    pub(super) fn warn(&mut self, before: &SpoolDamage, after: &SpoolDamage, now: Instant) {
        let SpoolDamage { corrupt_records: records, corrupt_segments: segments, .. } = *after;
        let corrupt = records > before.corrupt_records || segments > before.corrupt_segments;
        if corrupt && self.is_due(0, now) {
            tracing::warn!(
                records,
                segments,
                "spool is damaged; intact batches are delivered, damaged bytes are kept in its folder `dead`"
            );
        }
        if after.truncated_tails > before.truncated_tails && self.is_due(1, now) {
            let tails = after.truncated_tails;
            tracing::warn!(tails, "cut an interrupted write off a spool segment; the batches before it are delivered");
        }
        if after.foreign_segments > before.foreign_segments && self.is_due(2, now) {
            let segments = after.foreign_segments;
            tracing::warn!(
                segments,
                "spool has segments of a newer format; they stay until a newer version delivers them"
            );
        }
        if after.read_errors > before.read_errors && self.is_due(3, now) {
            let failures = after.read_errors;
            tracing::warn!(failures, "failed to read the spool; batches stay there and are read again within minutes");
        }
    }

    fn is_due(&mut self, kind: usize, now: Instant) -> bool {
        let Some(warned) = self.0.get_mut(kind) else { return false };
        let due = warned.is_none_or(|warned| now >= warned + WARNING_INTERVAL);
        if due {
            *warned = Some(now);
        }
        due
    }
}
