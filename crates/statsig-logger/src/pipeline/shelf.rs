//! The part of the books about the disk: what goes there, what comes from there, and how much is
//! there.
//!
//! The sending task writes orders here, under the lock of the books, and a blocking thread carries
//! them out (`disk`). While a batch is being worked on it stays here, in `doing`, so that it is
//! counted at every moment.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use statsig_background::Backoff;
use statsig_core::EventBatch;
use tokio::time::Instant;

use super::held::{DiskCopy, Held};
use super::history::RememberedAnswers;
use super::spool_damage::{DamageWarnings, SpoolDamage};
use super::spool_health::{SpoolHealth, SpoolHistory, SpoolState};
use crate::ledger::DropCause;

/// Pause of the spool after a failure; doubles with each further one.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
const MOST_PAUSE: Duration = Duration::from_secs(60);
/// Time between two warnings.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);
/// Batches that are remembered for their failures.
const MOST_SUSPECTS: usize = 64;
/// Batches of the spool that are kept back in pauses of their own.
const MOST_ASIDE: usize = 1_024;

/// What is to be done with a batch on a blocking thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Write it, and be done with it for now.
    Store,
    /// Write it, and then send it.
    StoreAndSend,
    /// It was delivered: have the spool forget it.
    Forget,
    /// The destination refused it: keep it in `dead/`.
    Bury,
    /// It cannot be delivered: have the spool forget it.
    Discard(DropCause),
    /// Leave it to the spool, which hands it out again.
    Release,
    /// It is too large: put its halves in its place.
    Split,
}

/// What the blocking thread does next.
#[derive(Debug)]
pub(super) enum Task {
    Batch(EventBatch, DiskCopy, Order),
    /// Write a batch that stays in memory.
    Copy(EventBatch),
    Fetch,
    Sync,
    Maintain,
}

/// A batch of the spool that failed, and is not asked for until others were tried.
#[derive(Debug)]
struct Aside {
    held: Held,
    /// When to try it again; if nothing is said, when the next batch was tried.
    until: Option<Instant>,
}

#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// What a job works on.
    pub(super) doing: Option<(Held, Order)>,
    pub(super) orders: VecDeque<(Held, Order)>,
    /// To be written, while they stay in memory.
    pub(super) copies: VecDeque<EventBatch>,
    /// Is being written, while it stays in memory.
    pub(super) copying: Option<[u8; 16]>,
    /// Events of a batch that was given up at the end while it was being written.
    pub(super) given_up: Option<([u8; 16], u64, DropCause)>,
    /// Events in the spool that were delivered; the spool is still to be told.
    pub(super) unacknowledged: u64,
    /// Beginning of the present task of a job.
    pub(super) began: Option<Instant>,
    /// That task takes so long that nothing waits for it any more.
    pub(super) hanging: bool,
    /// From the spool, to be sent.
    pub(super) fetched: VecDeque<Held>,
    /// Number of batches to be fetched.
    pub(super) wanted: usize,
    /// The spool wants to be looked after.
    pub(super) maintain: bool,
    /// Something happened since that was done last.
    pub(super) dirty: bool,
    /// A job is at work.
    pub(super) working: bool,
    /// Nothing is to be begun any more.
    pub(super) stopped: bool,
    /// The spool is closed.
    pub(super) closed: bool,

    aside: Vec<Aside>,
    /// Failures of batches that the spool has back.
    marks: HashMap<[u8; 16], (u32, Option<u64>)>,
    /// Answers to attempts with batches that the spool has.
    answers: RememberedAnswers,

    /// Not to be written to before; how often it failed in a row.
    down: Option<(Instant, u32)>,
    /// Not to be read before.
    pub(super) unreadable_until: Option<Instant>,
    warned: Option<Instant>,

    /// As the spool says: events and batches in it, those that it could hand out, and its size.
    pub(super) events: u64,
    pub(super) at_rest: u64,
    pub(super) bytes: u64,
    pub(super) oldest_ms: Option<u64>,
    pub(super) recovered: u64,
    pub(super) failures: u64,
    pub(super) history: SpoolHistory,
    /// The spool could not be opened yet.
    pub(super) unopened: bool,
    pub(super) damage: SpoolDamage,
    pub(super) damage_warnings: DamageWarnings,
}

impl Shelf {
    /// The batches here that are in memory and not delivered. Not those that were put aside: nobody waits for them.
    pub(super) fn held(&self) -> impl Iterator<Item = &Held> {
        let ordered = self.doing.iter().chain(&self.orders).filter(|(_, order)| *order != Order::Forget);
        ordered.map(|(held, _)| held).chain(&self.fetched)
    }

    pub(super) fn held_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        let ordered = self.doing.iter_mut().chain(&mut self.orders).filter(|(_, order)| *order != Order::Forget);
        ordered.map(|(held, _)| held).chain(&mut self.fetched)
    }

    /// Events in the spool that are not delivered.
    pub(super) fn on_disk(&self) -> u64 {
        self.events.saturating_sub(self.unacknowledged)
    }

    pub(super) fn order(&mut self, held: Held, order: Order) {
        if matches!(order, Order::Release | Order::Store) {
            self.answers.remember(held.batch.id, held.history);
        }
        if order == Order::Release && held.strikes > 0 {
            if self.marks.len() >= MOST_SUSPECTS {
                self.marks.clear();
            }
            self.marks.insert(held.batch.id, (held.strikes, held.passed_then));
        }
        // Whatever becomes of it, it needs no copy besides.
        self.cancel_copy(held.batch.id);
        self.orders.push_back((held, order));
    }

    /// Takes everything but what a job works on, and what only the spool is still to forget.
    pub(super) fn clear(&mut self) -> Vec<Held> {
        self.wanted = 0;
        self.copies.clear();
        let (forget, ordered) = std::mem::take(&mut self.orders)
            .into_iter()
            .partition::<VecDeque<_>, _>(|(_, order)| *order == Order::Forget);
        self.orders = forget;
        ordered.into_iter().map(|(held, _)| held).chain(std::mem::take(&mut self.fetched)).collect()
    }

    /// Notes a batch that the spool has handed out.
    pub(super) fn fetched(&mut self, batch: EventBatch) {
        let mut held = Held::new(batch, DiskCopy::Drained);
        if let Some((strikes, passed_then)) = self.marks.remove(&held.batch.id) {
            (held.strikes, held.passed_then) = (strikes, passed_then);
        }
        held.history = self.answers.recall(held.batch.id);
        self.fetched.push_back(held);
    }

    /// Keeps back a batch that failed: until a time, or until another one was tried.
    pub(super) fn put_aside(&mut self, mut held: Held, until: Option<Instant>) {
        if self.aside.len() >= MOST_ASIDE {
            let oldest = self.aside.swap_remove(0);
            self.order(oldest.held, Order::Release);
        }
        // It is on disk; no need to keep it in memory.
        held.batch.body = [].into();
        self.aside.push(Aside { held, until });
    }

    /// Gives back to the spool what was kept back only until another batch was tried.
    pub(super) fn release_suspects(&mut self) {
        self.release_aside(|until| until.is_none());
    }

    /// Gives back to the spool what was kept back for long enough.
    pub(super) fn release_due(&mut self, now: Instant) {
        self.release_aside(|until| until.is_some_and(|until| until <= now));
    }

    fn release_aside(&mut self, due: impl Fn(Option<Instant>) -> bool) {
        let mut at = 0;
        while at < self.aside.len() {
            if due(self.aside[at].until) {
                let aside = self.aside.remove(at);
                self.order(aside.held, Order::Release);
            } else {
                at += 1;
            }
        }
    }

    /// When the next batch was kept back for long enough.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.aside.iter().filter_map(|aside| aside.until).min()
    }

    /// Whether so many batches are kept back that no further one is to be fetched.
    pub(super) fn is_aside_full(&self) -> bool {
        // Leaves room for those that are on their way.
        self.aside.len() + MOST_SUSPECTS >= MOST_ASIDE
    }

    pub(super) fn has_suspects(&self) -> bool {
        self.aside.iter().any(|aside| aside.until.is_none())
    }

    /// When the spool is to be tried again, if it failed.
    pub(super) fn down_until(&self) -> Option<Instant> {
        self.down.map(|(until, _)| until)
    }

    /// Whether batches can be written.
    pub(super) fn takes_batches(&self, now: Instant) -> bool {
        !self.closed && !self.hanging && self.down.is_none_or(|(until, _)| until <= now)
    }

    pub(super) fn works(&mut self) {
        if self.down.take().is_some() {
            tracing::info!("the spool takes batches of events again");
        }
    }

    /// Brings the history up to the present state.
    pub(super) fn note_state(&mut self, now: Instant) {
        let state = match (self.closed || self.stopped, self.hanging, self.down) {
            (true, _, _) => SpoolState::Closed,
            (_, true, _) => SpoolState::Hanging,
            (_, _, Some(_)) => SpoolState::Unavailable,
            _ => SpoolState::Ok,
        };
        self.history.enter(state, now);
    }

    pub(super) fn health(&mut self, now: Instant) -> SpoolHealth {
        self.note_state(now);
        self.history.health(self.down_until(), now)
    }

    /// Notes that a batch could not be written: batches stay in memory for a while, as long as the spool asks for if
    /// it does.
    pub(super) fn failed(&mut self, now: Instant, asked: Option<Duration>) {
        self.failures += 1;
        let times = self.down.map_or(0, |(_, times)| times);
        let times = times.saturating_add(1);
        let pause = Backoff::new(LEAST_PAUSE, 2.0, MOST_PAUSE).longest_pause(times);
        self.down = Some((now + asked.unwrap_or(pause), times));
        self.note_state(now);
    }

    /// Notes that a batch could not be read.
    pub(super) fn unreadable(&mut self, now: Instant) {
        self.wanted = 0;
        self.unreadable_until = Some(now + LEAST_PAUSE);
    }

    /// Whether it is time for a warning about the spool.
    pub(super) fn may_warn(&mut self, now: Instant) -> bool {
        let may = self.warned.is_none_or(|warned| now >= warned + WARNING_INTERVAL);
        if may {
            self.warned = Some(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_spool_that_fails_is_left_alone_for_longer_and_longer() {
        let mut shelf = Shelf::default();
        let mut warnings = 0;
        let begin = Instant::now();
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let now = Instant::now();
            shelf.failed(now, None);
            warnings += u64::from(shelf.may_warn(now));
            let pause = Duration::from_secs(seconds);
            assert!(!shelf.takes_batches(now + pause - Duration::from_millis(1)));
            assert!(shelf.takes_batches(now + pause));
            tokio::time::advance(pause).await;
        }
        assert!(warnings > 1 && warnings <= begin.elapsed().as_secs() / 60 + 1, "{warnings}");
        shelf.works();
        shelf.failed(begin, None);
        assert!(shelf.takes_batches(begin + Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_put_aside_is_bounded_and_comes_back() {
        let mut shelf = Shelf::default();
        let now = Instant::now();
        let batch = |number: u128| {
            EventBatch::new(number.to_be_bytes(), 0, 1, &b"[1]"[..], statsig_core::BatchEncoding::Identity, 3)
        };
        let many = MOST_ASIDE + 36;
        for number in 0..many as u128 {
            let held = Held { strikes: 3, ..Held::new(batch(number), DiskCopy::Drained) };
            shelf.put_aside(held, (number % 2 == 0).then_some(now + LEAST_PAUSE));
        }
        assert_eq!((shelf.aside.len(), shelf.orders.len()), (MOST_ASIDE, 36));
        assert!(shelf.has_suspects() && shelf.aside.iter().all(|aside| aside.held.batch.body.is_empty()));
        shelf.release_suspects();
        assert!(!shelf.has_suspects());
        assert_eq!(shelf.next_due(), Some(now + LEAST_PAUSE));
        shelf.release_due(now);
        assert!(!shelf.aside.is_empty());
        shelf.release_due(now + LEAST_PAUSE);
        assert_eq!((shelf.aside.len(), shelf.orders.len()), (0, many));
        // The failures of the last ones are remembered.
        let last = shelf.orders.back().map(|(held, _)| u128::from_be_bytes(held.batch.id)).unwrap();
        shelf.fetched(batch(last));
        assert_eq!(shelf.fetched.front().unwrap().strikes, 3);
        assert!(shelf.marks.len() <= MOST_SUSPECTS);
    }
}
