//! The way of a batch out of the stream.

use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{Cmd, Value, cmd};
use statsig_adapters::{DataStoreError, DataStoreErrorKind};
use tokio::time::Instant;

use super::Inner;
use crate::error::malformed;
use crate::link::{Link, jittered};
use crate::op::Op;
use crate::streams::wire::{Entry, claimed_entries, read_entries};

/// Where a look through what others hold begins, and ends.
const FIRST: &str = "0-0";

/// How far a drainer is with a shard.
pub(super) struct Place {
    /// When it looks next for what others left.
    claim_at: Instant,
    /// Where it goes on looking.
    cursor: String,
    /// Most entries that it takes at once.
    most: usize,
}

impl Place {
    /// Whether all that others hold was looked at.
    pub(super) fn is_through(&self) -> bool {
        self.cursor == FIRST
    }
}

impl Inner {
    pub(super) fn first_place(&self) -> Place {
        Place { claim_at: Instant::now(), cursor: FIRST.to_owned(), most: self.options.concurrency }
    }

    /// What was left by others, or else what is new.
    pub(super) async fn next_entries(
        &self,
        link: &Link,
        name: &str,
        wait: Duration,
        place: &mut Place,
    ) -> Result<Vec<Entry>, DataStoreError> {
        let taken = self.next_of(link, name, wait, place).await;
        match &taken {
            // Perhaps it was too much for one answer in time.
            Err(error) if error.kind() == DataStoreErrorKind::Timeout => place.most = (place.most / 2).max(1),
            Err(_) => {}
            Ok(_) => place.most = (2 * place.most).min(self.options.concurrency),
        }
        taken
    }

    async fn next_of(
        &self,
        link: &Link,
        name: &str,
        wait: Duration,
        place: &mut Place,
    ) -> Result<Vec<Entry>, DataStoreError> {
        if Instant::now() >= place.claim_at {
            let mut entries = self.claim(link, name, place).await?;
            // What is held by others that live may be many pages long.
            while entries.is_empty() && !place.is_through() {
                entries = self.claim(link, name, place).await?;
            }
            if place.is_through() {
                place.claim_at = Instant::now() + jittered(self.options.claim_idle() / 2);
            }
            if !entries.is_empty() {
                self.stats.claimed.fetch_add(entries.len() as u64, Ordering::Relaxed);
                self.metrics.increment("redis.drain.claimed_count", entries.len() as u64, &[]);
                return Ok(entries);
            }
        }
        let mut command = cmd("XREADGROUP");
        command.arg("GROUP").arg(&self.options.group).arg(&self.options.consumer);
        command.arg("COUNT").arg(place.most);
        command.arg("BLOCK").arg(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
        command.arg("STREAMS").arg(name).arg(">");
        let answer = self.in_group(link, name, Op::Take, &command).await?;
        read_entries(answer).ok_or_else(|| malformed("an unusual answer about events"))
    }

    /// Takes over entries whose drainer gives no sign of life, from where the last look ended.
    async fn claim(&self, link: &Link, name: &str, place: &mut Place) -> Result<Vec<Entry>, DataStoreError> {
        let idle = u64::try_from(self.options.claim_idle().as_millis()).unwrap_or(u64::MAX);
        let mut command = cmd("XAUTOCLAIM");
        command.arg(name).arg(&self.options.group).arg(&self.options.consumer).arg(idle).arg(&place.cursor);
        command.arg("COUNT").arg(place.most);
        let answer = self.in_group(link, name, Op::Claim, &command).await?;
        let (cursor, entries) =
            claimed_entries(answer).ok_or_else(|| malformed("an unusual answer about claimed events"))?;
        place.cursor = cursor;
        Ok(entries)
    }

    /// Runs a command of the group, which is made where it is missing.
    async fn in_group(&self, link: &Link, name: &str, op: Op, command: &Cmd) -> Result<Value, DataStoreError> {
        match link.attempt(op, command, link.deadline(op)).await {
            Err(failure) if failure.code() == Some("NOGROUP") => {}
            answer => return answer.map_err(|failure| failure.into_error(op)),
        }
        let mut create = cmd("XGROUP");
        create.arg("CREATE").arg(name).arg(&self.options.group).arg("0").arg("MKSTREAM");
        match self.link.attempt::<Value>(Op::Group, &create, link.deadline(Op::Group)).await {
            Err(failure) if failure.code() != Some("BUSYGROUP") => return Err(failure.into_error(Op::Group)),
            _ => {}
        }
        link.query(op, command, link.deadline(op)).await
    }
}
