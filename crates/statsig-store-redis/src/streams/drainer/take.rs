//! The way of a batch out of the stream.

use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{Cmd, Value, cmd};
use statsig_core::DataStoreError;
use tokio::time::Instant;

use super::Inner;
use crate::error::malformed;
use crate::link::{Link, jittered};
use crate::op::Op;
use crate::streams::wire::{Entry, claimed_entries, read_entries};

impl Inner {
    /// What was left by others, or else what is new.
    pub(super) async fn next_entries(
        &self,
        link: &Link,
        name: &str,
        wait: Duration,
        claim_at: &mut Instant,
    ) -> Result<Vec<Entry>, DataStoreError> {
        if Instant::now() >= *claim_at {
            let (more, entries) = self.claim(link, name).await?;
            if !more {
                *claim_at = Instant::now() + jittered(self.options.claim_idle() / 2);
            }
            if !entries.is_empty() {
                self.stats.claimed.fetch_add(entries.len() as u64, Ordering::Relaxed);
                self.metrics.increment("redis.drain.claimed_count", entries.len() as u64, &[]);
                return Ok(entries);
            }
        }
        let mut command = cmd("XREADGROUP");
        command.arg("GROUP").arg(&self.options.group).arg(&self.options.consumer);
        command.arg("COUNT").arg(self.options.concurrency);
        command.arg("BLOCK").arg(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
        command.arg("STREAMS").arg(name).arg(">");
        let answer = self.in_group(link, name, Op::Take, &command).await?;
        read_entries(answer).ok_or_else(|| malformed("an unusual answer about events"))
    }

    /// Takes over entries whose drainer gives no sign of life. Says whether there may be more.
    async fn claim(&self, link: &Link, name: &str) -> Result<(bool, Vec<Entry>), DataStoreError> {
        let idle = u64::try_from(self.options.claim_idle().as_millis()).unwrap_or(u64::MAX);
        let mut command = cmd("XAUTOCLAIM");
        command.arg(name).arg(&self.options.group).arg(&self.options.consumer).arg(idle).arg("0-0");
        command.arg("COUNT").arg(self.options.concurrency);
        let answer = self.in_group(link, name, Op::Claim, &command).await?;
        let (cursor, entries) =
            claimed_entries(answer).ok_or_else(|| malformed("an unusual answer about claimed events"))?;
        Ok((cursor != "0-0", entries))
    }

    /// Runs a command of the group, which is made where it is missing.
    async fn in_group(&self, link: &Link, name: &str, op: Op, command: &Cmd) -> Result<Value, DataStoreError> {
        match link.attempt(op, command).await {
            Err(failure) if failure.code() == Some("NOGROUP") => {}
            answer => return answer.map_err(|failure| failure.into_error(op)),
        }
        let mut create = cmd("XGROUP");
        create.arg("CREATE").arg(name).arg(&self.options.group).arg("0").arg("MKSTREAM");
        match self.link.attempt::<Value>(Op::Group, &create).await {
            Err(failure) if failure.code() != Some("BUSYGROUP") => return Err(failure.into_error(Op::Group)),
            _ => {}
        }
        link.query(op, command).await
    }
}
