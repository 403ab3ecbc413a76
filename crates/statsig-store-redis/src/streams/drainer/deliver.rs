//! The way of a batch to its destination.

use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{Value, cmd};
use statsig_adapters::{Delivery, EventBatch};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::answers::Answers;
use super::settle::Fate;
use super::{FIRST_PAUSE, Inner, pause_or_stop};
use crate::codec::off_thread;
use crate::link::jittered;
use crate::metrics::millis;
use crate::op::Op;
use crate::streams::halves::halves;
use crate::streams::wire::{Entry, id_text};

impl Inner {
    /// Delivers one entry and settles it; gives up only to stop.
    pub(super) async fn work_off(&self, name: &str, entry: Entry, mut stopping: watch::Receiver<bool>) {
        let fate = match &entry.batch {
            Some(batch) => match self.deliver(name, &entry.at, batch, &mut stopping).await {
                Some(fate) => fate,
                // Whoever claims it later goes on.
                None => return,
            },
            None => Fate::Dead("it cannot be read".to_owned()),
        };
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.settle(name, &entry, &fate).await {
                Ok(true) => return self.count(&entry, &fate),
                // It was split by whoever else had it, and its halves are counted there.
                Ok(false) => return self.count(&entry, &Fate::Known),
                Err(error) => error,
            };
            self.failed();
            tracing::warn!(%error, "a batch of events cannot be settled; trying again");
            // Held meanwhile: another drainer would deliver it once more.
            if self.wait_holding(name, &entry.at, jittered(pause), &mut stopping).await {
                return;
            }
            pause = (2 * pause).min(self.options.longest_pause);
        }
    }

    /// Attempts a delivery until the destination has decided; `None` if it is time to stop.
    async fn deliver(
        &self,
        name: &str,
        at: &str,
        batch: &EventBatch,
        stopping: &mut watch::Receiver<bool>,
    ) -> Option<Fate> {
        // Should this fail, the worst is that a batch is sent twice.
        if self.is_done(name, batch).await.unwrap_or(false) {
            return Some(Fate::Known);
        }
        if batch.event_count > 1 && batch.raw_len > self.options.max_batch_bytes {
            return Some(too_large(batch.clone()).await);
        }
        let mut pause = FIRST_PAUSE;
        let mut batch = batch.clone();
        let mut answers = Answers::default();
        loop {
            let begun = Instant::now();
            let outcome = timeout(self.options.deliver_timeout, self.sink.deliver(&batch)).await.ok();
            self.measure(begun, outcome.as_ref());
            let longest = self.options.longest_pause;
            let (after, reason) = match outcome {
                Some(Delivery::Delivered) => return Some(Fate::Delivered),
                Some(Delivery::Reject { reason }) => return Some(Fate::Dead(reason.to_string())),
                Some(Delivery::TooLarge) => return Some(too_large(batch).await),
                Some(Delivery::Retry { after, reason }) => (after, reason.to_string()),
                Some(Delivery::Refused { after, reason }) => {
                    if answers.refused(self.options.refusal_window) {
                        return Some(Fate::Dead(reason.to_string()));
                    }
                    (after, reason.to_string())
                }
                Some(Delivery::Unconfirmed { reason }) => match answers.unconfirmed(longest) {
                    pause @ Some(_) => (pause, reason.to_string()),
                    None => {
                        tracing::warn!(events = batch.event_count, %reason, "a batch of events counts as delivered, unconfirmed");
                        return Some(Fate::Unconfirmed);
                    }
                },
                None => (None, "no answer in time".to_owned()),
            };
            self.stats.retries.fetch_add(1, Ordering::Relaxed);
            self.metrics.increment("redis.drain.retries_count", 1, &[]);
            tracing::debug!(id = %id_text(&batch.id), %reason, "a batch of events is not delivered yet");
            let wait = after.unwrap_or(jittered(pause)).min(longest);
            if self.wait_holding(name, at, wait, stopping).await {
                return None;
            }
            pause = (2 * pause).min(self.options.longest_pause);
            batch.attempt = batch.attempt.saturating_add(1);
        }
    }

    fn measure(&self, begun: Instant, outcome: Option<&Delivery>) {
        let outcome = match outcome {
            Some(Delivery::Delivered) => "delivered",
            Some(Delivery::Retry { .. }) => "retry",
            Some(Delivery::Refused { .. }) => "refused",
            Some(Delivery::Unconfirmed { .. }) => "unconfirmed",
            Some(Delivery::Reject { .. }) => "reject",
            Some(Delivery::TooLarge) => "too_large",
            None => "timeout",
        };
        self.metrics.distribution("redis.drain.delivery.latency", millis(begun.elapsed()), &[("outcome", outcome)]);
    }

    /// Waits with a sign of life in between, so that nobody else claims the entry. Says whether it is
    /// time to stop.
    async fn wait_holding(&self, name: &str, at: &str, wait: Duration, stopping: &mut watch::Receiver<bool>) -> bool {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if pause_or_stop(left.min(self.options.claim_idle() / 4), stopping).await {
                return true;
            }
            let mut command = cmd("XCLAIM");
            command.arg(name).arg(&self.options.group).arg(&self.options.consumer).arg(0).arg(at).arg("JUSTID");
            if self.link.attempt::<Value>(Op::Hold, &command, self.link.deadline(Op::Hold)).await.is_err() {
                self.failed();
            }
            if Instant::now() >= until {
                return false;
            }
        }
    }
}

/// What becomes of a batch that cannot pass in one piece.
async fn too_large(batch: EventBatch) -> Fate {
    let single = batch.event_count < 2;
    match off_thread(batch.raw_len, move || halves(&batch)).await {
        Ok(Some(halves)) => Fate::Split(Box::new(halves)),
        _ if single => Fate::Dead("it is too large".to_owned()),
        _ => Fate::Dead("it is too large, and cannot be cut in two".to_owned()),
    }
}
