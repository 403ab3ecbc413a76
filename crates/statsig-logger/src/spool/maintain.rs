//! What is due from time to time, and the end.

use super::error::SpoolError;
use super::inner::Inner;
use super::options::FsyncPolicy;

/// Time between two looks for orphans.
const ADOPTION_INTERVAL_MS: u64 = 60_000;
/// Time between two looks whether somebody has deleted files.
const CHECK_INTERVAL_MS: u64 = 10_000;
/// Age at which an active segment with nothing open in it is deleted.
const IDLE_SEGMENT_MS: u64 = 60_000;

impl Inner {
    pub(super) fn maintain(&mut self) -> Result<(), SpoolError> {
        self.check_usable()?;
        let now = self.clock.now_ms();
        let checked = match self.clock.monotonic_ms().saturating_sub(self.checked_files_ms) >= CHECK_INTERVAL_MS {
            true => self.check_files(),
            false => Ok(()),
        };
        let rehomed = self.rehome_limbo();
        let synced = match self.options.fsync {
            FsyncPolicy::Interval { every, .. } if self.interval_passed(every) => self.sync(),
            // For what was adopted, or failed before.
            FsyncPolicy::EveryBatch => self.sync(),
            _ => self.persist_acks(self.syncs()),
        };
        let adopted = if passed(now, self.last_adoption_ms, ADOPTION_INTERVAL_MS) {
            self.adopt_orphans()
        } else {
            self.expire();
            Ok(())
        };
        self.retire_idle_segment(now);
        let swept = self.sweep();
        let bounded = self.make_room(0);
        checked.and(rehomed).and(synced).and(adopted).and(swept).and(bounded)
    }

    /// Deletes the active segment if everything in it has long been delivered: user data should not
    /// stay on disk for want of traffic.
    fn retire_idle_segment(&mut self, now: u64) {
        let idle = self.active().and_then(|key| self.segment(key)).is_some_and(|segment| {
            segment.is_spent() && !segment.entries().is_empty() && passed(now, segment.created_ms, IDLE_SEGMENT_MS)
        });
        if idle {
            self.seal();
        }
    }

    /// Deletes segments that are spent and could not be deleted before.
    fn sweep(&mut self) -> Result<(), SpoolError> {
        let active = self.active();
        let mut result = Ok(());
        for key in self.segment_keys() {
            let spent = self.segment(key).is_some_and(|segment| segment.is_spent());
            if spent && Some(key) != active {
                result = result.and(self.remove_segment(key));
            }
        }
        let instances: Vec<u32> = self.instances.keys().copied().collect();
        for instance in instances {
            self.remove_drained_instance(instance);
        }
        result
    }

    pub(super) fn close(&mut self) -> Result<(), SpoolError> {
        match self.check_usable() {
            Err(SpoolError::Closed) => return Ok(()),
            usable => usable?,
        }
        // An end needs no folder; what is lost with it is counted.
        let _ = self.check_files();
        let result = if self.syncs() { self.sync() } else { self.persist_acks(false) };
        self.seal();
        let _ = self.sweep();
        self.reader = None;
        self.ack_writer = None;
        let empty = self.instances.values().all(|i| i.segments.is_empty());
        if empty {
            let dir = self.own_dir();
            // Fails if something is in it that is not ours to delete; then it stays an orphan.
            if self.clear_acks(&dir).is_ok() && self.fs.remove_dir(&dir).is_ok() {
                let _ = self.fs.remove_file(&self.lock_path());
            }
        }
        self.lock = None;
        result
    }
}

/// Says whether a time has passed since a moment. A clock that jumped back counts.
fn passed(now: u64, since: u64, duration_ms: u64) -> bool {
    now.checked_sub(since).is_none_or(|elapsed| elapsed >= duration_ms)
}
