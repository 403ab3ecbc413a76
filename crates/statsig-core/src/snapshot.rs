//! A ruleset with its origin, and the place where the current one is kept.

use std::ops::Deref;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};

use crate::compile::CompileLimits;
use crate::error::Error;
use crate::ruleset::{ResponseText, Ruleset};
use crate::specs::{Problem, ProblemKind};
use statsig_adapters::{SpecOrigin, SpecUpdate, SpecVersion, VersionOrder, is_future};

/// A state of the specs: a ruleset, where it came from, and when.
///
/// Results keep the snapshot alive that they were read from, by its reference count. So that
/// threads which read the same specs do not fight over one count, the [`SnapshotStore`] hands out
/// several snapshots that share their content: cloning the `Arc` of one touches a cache line that
/// few others touch.
#[derive(Debug, Clone)]
#[repr(align(128))] // a cache line, and the neighbour that processors fetch with it
pub struct Snapshot {
    content: Arc<Content>,
}

#[derive(Debug)]
struct Content {
    ruleset: Ruleset,
    /// Number of the content in this process; never 0.
    generation: u32,
    source: SpecOrigin,
    received_at_ms: u64,
    ordering_time_ms: u64,
    /// Evaluations that a pattern ended.
    pattern_limits: AtomicU64,
    /// Filled by the first client-initialize responses.
    response_text: ResponseText,
}

impl Snapshot {
    /// Wraps a ruleset; `received_at_ms` is in milliseconds since 1970.
    ///
    /// A payload whose time [lies in the future](statsig_adapters::is_future) of `received_at_ms` gets a
    /// [problem](ProblemKind::FutureTime), and its time orders nothing: see [`Snapshot::ordering_time_ms`].
    #[must_use]
    pub fn new(mut ruleset: Ruleset, source: SpecOrigin, received_at_ms: u64) -> Self {
        let time = ruleset.meta().time;
        let ordering_time_ms = if is_future(time, received_at_ms) { 0 } else { time };
        if ordering_time_ms < time {
            let hours = (time - received_at_ms) / 3_600_000;
            ruleset.problems.push(Problem {
                kind: ProblemKind::FutureTime,
                path: "time".to_owned(),
                message: format!(
                    "{hours} hours ahead of the clock; the next payload with a valid time replaces this one"
                ),
            });
        }
        let content = Content {
            ruleset,
            generation: next_generation(),
            source,
            received_at_ms,
            ordering_time_ms,
            pattern_limits: AtomicU64::new(0),
            response_text: ResponseText::default(),
        };
        Self { content: Arc::new(content) }
    }

    /// A project without specs, for the time before the first load.
    #[must_use]
    pub fn empty(source: SpecOrigin) -> Self {
        Self::new(Ruleset::empty(), source, 0)
    }

    /// The ruleset.
    #[inline]
    #[must_use]
    pub fn ruleset(&self) -> &Ruleset {
        &self.content.ruleset
    }

    /// Where the specs came from.
    #[must_use]
    pub fn source(&self) -> &SpecOrigin {
        &self.content.source
    }

    /// Returns the number by which contents are told apart, which clones share.
    #[inline]
    pub(crate) fn generation(&self) -> u32 {
        self.content.generation
    }

    /// Returns the prepared text of client-initialize responses.
    pub(crate) fn response_text(&self) -> &ResponseText {
        &self.content.response_text
    }

    /// When the specs were received, in milliseconds since 1970; 0 if never.
    #[must_use]
    pub fn received_at_ms(&self) -> u64 {
        self.content.received_at_ms
    }
}

impl Snapshot {
    /// Returns the time by which other payloads are newer or older, in milliseconds since 1970.
    ///
    /// It is the payload's own time, or 0 if that lay more than a day ahead of the clock when the payload was received.
    #[must_use]
    pub fn ordering_time_ms(&self) -> u64 {
        self.content.ordering_time_ms
    }

    /// Returns how many evaluations a pattern has ended so far because its search would have taken too long.
    ///
    /// Counts all evaluations of this snapshot and its clones, explanations included; starts at 0 with each new payload.
    #[must_use]
    pub fn pattern_limit_hits(&self) -> u64 {
        self.content.pattern_limits.load(Ordering::Relaxed)
    }

    pub(crate) fn count_pattern_limit(&self) {
        self.content.pattern_limits.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the version of the specs.
    #[must_use]
    pub fn version(&self) -> SpecVersion {
        self.ruleset().meta().into()
    }
}

/// Returns the number of the next content; after 4 billion contents numbers repeat.
fn next_generation() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let next = || LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    match next() {
        0 => next(),
        generation => generation,
    }
}

/// How many snapshots share the current content; threads are spread over them.
const LANES: usize = 16;

thread_local! {
    static LANE: usize = {
        static NEXT: AtomicUsize = const { AtomicUsize::new(0) };
        NEXT.fetch_add(1, Ordering::Relaxed) % LANES
    };
}

/// The same content, once for each lane.
#[derive(Debug)]
struct Lanes([Arc<Snapshot>; LANES]);

impl Lanes {
    fn new(snapshot: &Snapshot) -> Self {
        Self(std::array::from_fn(|_| Arc::new(snapshot.clone())))
    }

    /// Whether anyone but the owner of an `Arc` around this holds a part of it. Once that is not so, it
    /// stays so: there is nowhere to get a part from.
    fn are_in_use(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1
            || self.0.iter().any(|snapshot| Arc::strong_count(snapshot) > 1)
            || Arc::strong_count(&self.0[0].content) > LANES
    }

    #[inline]
    fn own(&self) -> &Arc<Snapshot> {
        // A thread that is ending may have no lane any more.
        &self.0[LANE.try_with(|lane| *lane).unwrap_or(0)]
    }
}

/// The current snapshot, borrowed from a [`SnapshotStore`] for a short while.
#[derive(Debug)]
pub struct SnapshotGuard {
    lanes: Guard<Arc<Lanes>>,
}

impl Deref for SnapshotGuard {
    type Target = Arc<Snapshot>;

    #[inline]
    fn deref(&self) -> &Arc<Snapshot> {
        self.lanes.own()
    }
}

/// What became of a [`SpecUpdate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpdateOutcome {
    /// The new specs are in force.
    Applied,
    /// The document says that there is nothing new, or has the checksum of the current one.
    Unchanged,
    /// The document is older than the specs in force.
    Older,
}

/// Holds the current [`Snapshot`] and replaces it as a whole.
///
/// Readers take no lock, write to no memory that others read, and never wait for a writer; each keeps the snapshot it has for as long as
/// it likes. Compiling happens in [`SnapshotStore::apply`], on the caller's thread.
///
/// Readers do not free old specs either, which takes long where they are large: whoever replaces them
/// keeps them until nobody else does. Those that were still in use then are freed by the next update,
/// or by [`SnapshotStore::free_replaced`].
#[derive(Debug)]
pub struct SnapshotStore {
    current: ArcSwap<Lanes>,
    /// That of the current snapshot, or of the one that is about to become current.
    generation: AtomicU32,
    /// Orders writers, so that the comparison with the current specs holds until the swap. Holds what
    /// was replaced and may still be in use.
    replaced: Mutex<Vec<Arc<Lanes>>>,
}

impl SnapshotStore {
    /// A store that serves `snapshot` until the first update.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            current: ArcSwap::from_pointee(Lanes::new(&snapshot)),
            generation: AtomicU32::new(snapshot.generation()),
            replaced: Mutex::default(),
        }
    }

    /// The current snapshot, for a short while: costs no shared write in the common case.
    #[must_use]
    pub fn load(&self) -> SnapshotGuard {
        SnapshotGuard { lanes: self.current.load() }
    }

    /// The current snapshot, to keep.
    #[must_use]
    pub fn load_full(&self) -> Arc<Snapshot> {
        Arc::clone(&self.load())
    }

    /// Compiles a document and puts it in force, unless it is older than what is there.
    ///
    /// # Errors
    /// When the document cannot be used; the current specs stay in force.
    pub fn apply(&self, update: &SpecUpdate, limits: &CompileLimits) -> Result<UpdateOutcome, Error> {
        match Ruleset::compile_with(&update.payload, limits) {
            Err(Error::NoUpdates) if self.holds_specs() => Ok(UpdateOutcome::Unchanged),
            Err(error) => Err(error),
            Ok(ruleset) => Ok(self.apply_compiled(ruleset, update.origin.clone(), update.received_at_ms)),
        }
    }

    /// Puts a ruleset in force, unless it is older than what is there or has its checksum.
    ///
    /// For those who compile on their own, to look at the ruleset first. Takes the time of a swap. `received_at_ms` is
    /// the clock against which times from the future are recognised: such a time orders nothing, neither that of the
    /// current payload nor that of the new one.
    pub fn apply_compiled(&self, ruleset: Ruleset, source: SpecOrigin, received_at_ms: u64) -> UpdateOutcome {
        let mut replaced = self.replaced();
        if self.holds_specs() {
            let current = self.load();
            // The clock may have been set since the current payload was received.
            let mut held = current.version();
            held.time_ms = current.ordering_time_ms();
            match SpecVersion::from(ruleset.meta()).compare_to_held(&held, received_at_ms) {
                VersionOrder::Older => return UpdateOutcome::Older,
                VersionOrder::Same => return UpdateOutcome::Unchanged,
                VersionOrder::Newer => {}
            }
        }
        self.swap(&Snapshot::new(ruleset, source, received_at_ms), &mut replaced);
        UpdateOutcome::Applied
    }

    /// Says why there are no specs: a load is under way, or every source failed. Returns whether it
    /// did: once there are specs, nothing changes.
    pub fn mark_without_specs(&self, source: SpecOrigin) -> bool {
        let mut replaced = self.replaced();
        let without = !self.holds_specs();
        if without {
            self.swap(&Snapshot::empty(source), &mut replaced);
        }
        without
    }

    /// Whether a document was ever put in force.
    #[must_use]
    pub fn holds_specs(&self) -> bool {
        use SpecOrigin::{Loading, NoValues, Uninitialized};
        !matches!(self.load().source(), Uninitialized | Loading | NoValues)
    }

    /// Frees replaced specs that nobody uses any more; returns how many are still in use.
    ///
    /// Takes a lock that readers never take, and as long as freeing does: milliseconds for the largest
    /// projects. Not for a thread that answers requests.
    pub fn free_replaced(&self) -> usize {
        let mut replaced = self.replaced();
        replaced.retain(|lanes| lanes.are_in_use());
        replaced.len()
    }

    /// Returns the generation of the current snapshot.
    #[inline]
    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    fn replaced(&self) -> MutexGuard<'_, Vec<Arc<Lanes>>> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn swap(&self, snapshot: &Snapshot, replaced: &mut Vec<Arc<Lanes>>) {
        let lanes = Arc::new(Lanes::new(snapshot));
        // Before the swap: a reader that has seen the new specs never finds the old number again.
        self.generation.store(snapshot.generation(), Ordering::Release);
        replaced.push(self.current.swap(lanes));
        replaced.retain(|lanes| lanes.are_in_use());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statsig_adapters::Reach;

    fn update(time: u64, checksum: &str) -> SpecUpdate {
        let document = format!(
            r#"{{"has_updates":true,"time":{time},"checksum":"{checksum}","feature_gates":{{}},"dynamic_configs":{{}},"layer_configs":{{}},"condition_map":{{}}}}"#
        );
        SpecUpdate::new(document.into_bytes(), SpecOrigin::Network, Reach::Upstream, time + 1)
    }

    #[test]
    fn only_newer_specs_replace_the_current_ones() {
        let store = SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized));
        let limits = CompileLimits::default();
        for (time, checksum, outcome, in_force) in [
            (100, "a", UpdateOutcome::Applied, 100),
            (99, "b", UpdateOutcome::Older, 100),
            (100, "c", UpdateOutcome::Applied, 100),
            (200, "c", UpdateOutcome::Unchanged, 100),
            (200, "", UpdateOutcome::Applied, 200),
            (200, "", UpdateOutcome::Applied, 200),
        ] {
            assert_eq!(store.apply(&update(time, checksum), &limits).unwrap(), outcome);
            assert_eq!(store.load().ruleset().meta().time, in_force);
        }
        assert_eq!(store.load().received_at_ms(), 201);
    }

    #[test]
    fn bad_documents_change_nothing() {
        let store = SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized));
        let limits = CompileLimits::default();
        let no_updates = SpecUpdate::new(br#"{"has_updates":false}"#.to_vec(), SpecOrigin::Network, Reach::Upstream, 1);
        assert!(matches!(store.apply(&no_updates, &limits), Err(Error::NoUpdates)));
        store.apply(&update(5, "a"), &limits).unwrap();
        assert_eq!(store.apply(&no_updates, &limits).unwrap(), UpdateOutcome::Unchanged);
        for document in ["", "[]", "{", "{\"has_updates\":true}", "null"] {
            let bad = SpecUpdate::new(document, SpecOrigin::Network, Reach::Upstream, 9);
            assert!(store.apply(&bad, &limits).is_err(), "{document}");
        }
        let large = store.apply(&update(9, "z"), &limits.with_max_bytes(10));
        assert!(matches!(large, Err(Error::TooLarge { limit: 10, .. })));
        assert_eq!(store.load().ruleset().meta().time, 5);
    }

    #[test]
    fn a_held_snapshot_outlives_an_update() {
        let store = SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized));
        let limits = CompileLimits::default();
        store.apply(&update(1, "a"), &limits).unwrap();
        let held = store.load_full();
        store.apply(&update(2, "b"), &limits).unwrap();
        assert_eq!((held.ruleset().meta().time, store.load().ruleset().meta().time), (1, 2));
    }

    /// Ways in which readers hold specs.
    #[allow(dead_code, reason = "held, not looked at")]
    enum Held {
        Guard(SnapshotGuard),
        Shared(Arc<Snapshot>),
        Copied(Snapshot),
    }

    #[test]
    fn readers_never_free_specs() {
        let store = SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized));
        let limits = CompileLimits::default();
        let replace = |time| {
            store.apply(&update(time, ""), &limits).unwrap();
            Arc::downgrade(&store.load().content)
        };
        let unused = replace(1);
        let mut known = replace(2);
        assert_eq!(unused.strong_count(), 0, "nobody held it");
        for time in 3..100 {
            let held = match time % 3 {
                0 => Held::Guard(store.load()),
                1 => Held::Shared(store.load_full()),
                _ => Held::Copied(Snapshot::clone(&store.load())),
            };
            let next = replace(time);
            assert_eq!(store.free_replaced(), 1);
            // The last one to use it, on whatever thread.
            drop(held);
            assert!(known.strong_count() > 0, "freed by a reader");
            if time % 2 == 0 {
                assert_eq!(store.free_replaced(), 0);
                assert_eq!(known.strong_count(), 0);
            }
            known = next;
        }
    }

    #[test]
    fn a_mark_never_takes_specs_away() {
        let store = SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized));
        let no_updates = SpecUpdate::new(br#"{"has_updates":false}"#.to_vec(), SpecOrigin::Network, Reach::Upstream, 1);
        for mark in [SpecOrigin::Loading, SpecOrigin::NoValues] {
            assert!(store.mark_without_specs(mark.clone()));
            assert_eq!(store.load().source(), &mark);
            assert!(matches!(store.apply(&no_updates, &CompileLimits::default()), Err(Error::NoUpdates)));
        }
        store.apply(&update(1, "a"), &CompileLimits::default()).unwrap();
        assert!(!store.mark_without_specs(SpecOrigin::NoValues) && store.holds_specs());
        assert_eq!(store.load().source(), &SpecOrigin::Network);
    }
}
