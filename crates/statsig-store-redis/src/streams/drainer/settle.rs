//! The end of a batch.

use std::sync::atomic::Ordering;

use redis::cmd;
use statsig_adapters::{DataStoreError, EventBatch};

use super::Inner;
use crate::op::Op;
use crate::streams::wire::{Entry, FieldTexts, encoding_word, fields, id_text};

/// What became of a batch.
#[derive(Debug)]
pub(super) enum Fate {
    Delivered,
    /// The destination answered with success, but did not confirm it.
    Unconfirmed,
    /// It had been delivered before.
    Known,
    /// Nobody will ever take it; why.
    Dead(String),
    /// It is too large; its halves come in its place.
    Split(Box<[EventBatch; 2]>),
}

impl Inner {
    /// Whether a batch was delivered before.
    pub(super) async fn is_done(&self, name: &str, batch: &EventBatch) -> Result<bool, DataStoreError> {
        let mut command = cmd("GET");
        command.arg(mark(name, batch));
        let mark: Option<String> = self.link.query(Op::LookUp, &command, self.link.deadline(Op::LookUp)).await?;
        // Of one that was split, the mark says who did it.
        Ok(mark.is_some_and(|mark| mark.split(':').next() == Some("done")))
    }

    /// Takes an entry out of the stream. Says whether its fate is that, or another drainer was faster.
    pub(super) async fn settle(&self, name: &str, entry: &Entry, fate: &Fate) -> Result<bool, DataStoreError> {
        // One that cannot be read has no mark of its own.
        let mark = entry.batch.as_ref().map_or_else(|| format!("{name}:unreadable"), |batch| mark(name, batch));
        let remember = self.stream.remember.as_secs().to_string();
        let (what, reason) = match fate {
            Fate::Split(halves) => return self.replace(name, &mark, &entry.at, &remember, halves).await,
            Fate::Delivered | Fate::Unconfirmed => ("delivered", ""),
            Fate::Known => ("known", ""),
            Fate::Dead(reason) => ("dead", reason.as_str()),
        };
        let dead = format!("{name}:dead");
        let most = self.stream.max_dead.to_string();
        let arguments: [&[u8]; 6] = [
            self.options.group.as_bytes(),
            entry.at.as_bytes(),
            what.as_bytes(),
            remember.as_bytes(),
            most.as_bytes(),
            reason.as_bytes(),
        ];
        let keys = [name, &mark, &dead];
        if self.settle.call::<u64>(&self.link, Op::Settle, &keys, &arguments, self.link.deadline(Op::Settle)).await?
            == 2
        {
            self.failed();
            tracing::error!(reason, "a batch of events that is refused for good could not be set aside, and is gone");
        }
        Ok(true)
    }

    /// Puts halves in the place of a batch, in one call: whoever dies meanwhile, nothing is lost. Says
    /// whether it was this drainer that did it.
    async fn replace(
        &self,
        name: &str,
        mark: &str,
        at: &str,
        remember: &str,
        halves: &[EventBatch; 2],
    ) -> Result<bool, DataStoreError> {
        let texts = halves.each_ref().map(FieldTexts::of);
        let mut values = Vec::new();
        for (half, texts) in halves.iter().zip(&texts) {
            // A half has the encoding of the whole, which could be read.
            values.extend(fields(half, encoding_word(half.encoding).unwrap_or_default(), texts));
        }
        let each = (values.len() / 2).to_string();
        // The halves have new ids: nobody else has these.
        let by = &texts[0].id;
        let (group, at, remember, each) =
            (self.options.group.as_bytes(), at.as_bytes(), remember.as_bytes(), each.as_bytes());
        let about: [&[u8]; 5] = [group, at, remember, each, by.as_bytes()];
        let arguments = [&about[..], &values].concat();
        let (keys, deadline) = ([name, mark], self.link.deadline(Op::Split));
        Ok(self.split.call::<u64>(&self.link, Op::Split, &keys, &arguments, deadline).await? == 1)
    }

    pub(super) fn count(&self, entry: &Entry, fate: &Fate) {
        let events = entry.batch.as_ref().map_or(0, |batch| u64::from(batch.event_count));
        let (outcome, batches, sum) = match fate {
            Fate::Delivered => ("delivered", &self.stats.delivered, Some(&self.stats.delivered_events)),
            Fate::Unconfirmed => {
                self.stats.unconfirmed.fetch_add(1, Ordering::Relaxed);
                ("unconfirmed", &self.stats.delivered, Some(&self.stats.delivered_events))
            }
            Fate::Known => ("known", &self.stats.known, None),
            Fate::Split(_) => ("split", &self.stats.split, None),
            Fate::Dead(reason) => {
                tracing::warn!(events, %reason, "a batch of events is refused for good and set aside");
                self.metrics.error("statsig::redis_events_set_aside", &format!("{events} events: {reason}"));
                ("dead", &self.stats.dead, Some(&self.stats.dead_events))
            }
        };
        batches.fetch_add(1, Ordering::Relaxed);
        if let Some(sum) = sum {
            sum.fetch_add(events, Ordering::Relaxed);
        }
        self.metrics.increment("redis.drain.batches_count", 1, &[("outcome", outcome)]);
        self.metrics.increment("redis.drain.events_count", events, &[("outcome", outcome)]);
    }

    /// Leaves the group, unless there is something that others have to claim.
    pub(super) async fn leave(&self, name: &str) {
        let (group, consumer) = (&self.options.group, &self.options.consumer);
        let deadline = self.link.deadline(Op::Group);
        let mut pending = cmd("XPENDING");
        pending.arg(name).arg(group).arg("-").arg("+").arg(1).arg(consumer);
        if let Ok(redis::Value::Array(held)) = self.link.attempt(Op::Group, &pending, deadline).await
            && held.is_empty()
        {
            let mut leave = cmd("XGROUP");
            leave.arg("DELCONSUMER").arg(name).arg(group).arg(consumer);
            // One that stays in the list costs a few bytes.
            let _ = self.link.attempt::<redis::Value>(Op::Group, &leave, deadline).await;
        }
    }
}

fn mark(name: &str, batch: &EventBatch) -> String {
    format!("{name}:{}", id_text(&batch.id))
}
