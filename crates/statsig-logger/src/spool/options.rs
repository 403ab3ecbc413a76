//! Options of the spool, and their limits.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::error::SpoolError;
use super::format::{RECORD_HEADER_LEN, SEGMENT_HEADER_LEN};

/// Smallest segment that makes sense.
const MIN_SEGMENT_BYTES: u64 = 1024;
/// Largest segment; offsets within it are 32 bits wide.
pub(super) const MAX_SEGMENT_BYTES: u64 = 1 << 30;
/// Most bytes that may wait for an fsync, since a copy of them is kept in memory.
const MAX_INTERVAL_BYTES: u64 = 64 << 20;

/// Says when written data is forced to the disk.
///
/// What each policy can lose is in the table of the [module](super).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FsyncPolicy {
    /// Leaves it to the operating system. Survives the end of the process, not of the machine.
    Never,
    /// Syncs in groups: when `bytes` have been written or `every` has passed since the last time.
    ///
    /// Time is looked at in `append` and in [`Spool::maintain`](super::Spool::maintain), so the
    /// window is `every` only if one of them is called that often.
    Interval {
        /// Longest time that data waits.
        every: Duration,
        /// Most bytes that wait, up to 64 MiB; as much memory is used for copies of them.
        bytes: u64,
    },
    /// Syncs each batch before `append` returns, and each acknowledgement.
    EveryBatch,
}

impl Default for FsyncPolicy {
    /// Every 200 ms or 1 MiB.
    fn default() -> Self {
        Self::Interval { every: Duration::from_millis(200), bytes: 1 << 20 }
    }
}

/// Where the spool lives and how much it may keep.
#[derive(Debug, Clone)]
pub struct SpoolOptions {
    /// Folder of all spools of this machine; created with mode `0700` if missing. It must be on a
    /// local file system with advisory locks, and not writable by others.
    pub dir: PathBuf,
    /// First 16 lower-case hexadecimal digits of the SHA-256 of the SDK key. Spools of different
    /// keys never meet.
    pub key_hash: String,
    /// Most bytes in segments of this process, adopted ones included. Default 512 MiB.
    pub max_bytes: u64,
    /// Longest time to keep a batch, from its creation. Default 72 hours.
    pub max_age: Duration,
    /// Bytes at which a new segment begins, 1 KiB to 1 GiB and at most half of `max_bytes`; also
    /// the limit for one batch. Eviction deletes whole segments. Default 8 MiB.
    pub segment_bytes: u64,
    /// Most bytes in `dead/`. Default 16 MiB; 0 keeps no rejected batch.
    pub dead_max_bytes: u64,
    /// When data is forced to the disk. Default every 200 ms or 1 MiB.
    pub fsync: FsyncPolicy,
}

impl SpoolOptions {
    /// Returns the default options for a folder and an SDK key, of which only a hash is kept.
    #[must_use]
    pub fn for_sdk_key(dir: impl Into<PathBuf>, sdk_key: &str) -> Self {
        let digest = Sha256::digest(sdk_key.as_bytes());
        let mut key_hash = String::with_capacity(16);
        for byte in digest.iter().take(8) {
            // Writing to a string cannot fail.
            let _ = write!(key_hash, "{byte:02x}");
        }
        Self::new(dir, key_hash)
    }

    /// Returns the default options for a folder and the hash of an SDK key.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, key_hash: impl Into<String>) -> Self {
        Self {
            dir: dir.into(),
            key_hash: key_hash.into(),
            max_bytes: 512 << 20,
            max_age: Duration::from_secs(72 * 60 * 60),
            segment_bytes: 8 << 20,
            dead_max_bytes: 16 << 20,
            fsync: FsyncPolicy::default(),
        }
    }

    /// Returns the longest body that fits a segment.
    #[must_use]
    pub fn max_body_bytes(&self) -> usize {
        let overhead = (SEGMENT_HEADER_LEN + RECORD_HEADER_LEN) as u64;
        usize::try_from(self.segment_bytes.saturating_sub(overhead)).unwrap_or(usize::MAX)
    }

    /// Checks the options, listing all problems at once.
    pub(super) fn validate(&self) -> Result<(), SpoolError> {
        let mut problems = Vec::new();
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if self.key_hash.len() != 16 || !self.key_hash.bytes().all(is_hex) {
            problems.push("`key_hash` must be 16 lower-case hexadecimal digits".to_owned());
        }
        if self.dir.as_os_str().is_empty() {
            problems.push("`dir` must not be empty".to_owned());
        }
        if !(MIN_SEGMENT_BYTES..=MAX_SEGMENT_BYTES).contains(&self.segment_bytes) {
            problems.push(format!(
                "`segment_bytes` must be {MIN_SEGMENT_BYTES} to {MAX_SEGMENT_BYTES}, not {}",
                self.segment_bytes
            ));
        }
        if self.segment_bytes > self.max_bytes / 2 {
            problems.push(format!(
                "`max_bytes` ({}) must be at least twice `segment_bytes` ({})",
                self.max_bytes, self.segment_bytes
            ));
        }
        if self.max_age.is_zero() {
            problems.push("`max_age` must not be zero".to_owned());
        }
        if let FsyncPolicy::Interval { bytes, .. } = self.fsync
            && bytes > MAX_INTERVAL_BYTES
        {
            problems.push(format!("`bytes` of the fsync interval must be at most {MAX_INTERVAL_BYTES}, not {bytes}"));
        }
        if problems.is_empty() { Ok(()) } else { Err(SpoolError::InvalidOptions { problems }) }
    }

    /// Milliseconds after which a batch is too old.
    pub(super) fn max_age_ms(&self) -> u64 {
        u64::try_from(self.max_age.as_millis()).unwrap_or(u64::MAX)
    }
}
