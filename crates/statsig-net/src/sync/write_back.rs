//! Queues of accepted payloads that wait to be persisted: in a data store, and on disk.
//!
//! Each destination has room for the newest payload: one that comes while another is written replaces those that wait.

use std::sync::{Arc, Mutex, PoisonError};

use statsig_core::{Envelope, Reach, SpecUpdate, SpecVersion};
use tokio::sync::Notify;

/// A payload that was accepted.
#[derive(Debug, Clone)]
pub(super) struct AcceptedPayload {
    pub(super) update: Arc<SpecUpdate>,
    pub(super) envelope: Envelope,
    /// Whether the payload is the client's own earlier copy.
    pub(super) is_own_copy: bool,
    /// Whether the payload came as a delta.
    pub(super) is_from_delta: bool,
}

impl AcceptedPayload {
    /// Returns whether the other one is as new, or this one is from the future and the other one is not.
    fn gives_way_to(&self, other: &Self) -> bool {
        let version = |payload: &Self| SpecVersion::new(payload.envelope.version.time_ms, None);
        version(self).cmp_time(&version(other), Some(other.update.received_at_ms)).is_le()
    }
}

/// Room for the newest payload of one destination.
#[derive(Debug, Default)]
pub(super) struct LatestPayload {
    waiting: Mutex<Option<AcceptedPayload>>,
    filled: Notify,
    /// The current payload, if the store is to hold it.
    shared: Mutex<Option<AcceptedPayload>>,
    confirmed: Notify,
}

impl LatestPayload {
    /// Makes a payload wait, unless a newer one does.
    fn put(&self, payload: &AcceptedPayload) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.as_ref().is_none_or(|waiting| waiting.gives_way_to(payload)) {
            *waiting = Some(payload.clone());
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// Waits until a payload waits. A notification may be of one that was taken already.
    pub(super) async fn is_filled(&self) {
        while self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            self.filled.notified().await;
        }
    }

    pub(super) fn take(&self) -> Option<AcceptedPayload> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until an upstream source confirms that the current payload is the newest.
    pub(super) async fn is_confirmed(&self) {
        self.confirmed.notified().await;
    }

    /// Records the current payload, and whether the store is to hold it.
    fn set_shared(&self, payload: &AcceptedPayload, is_shared: bool) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.as_ref().is_none_or(|shared| shared.gives_way_to(payload)) {
            *shared = is_shared.then(|| payload.clone());
        }
    }

    /// Returns the current payload, if the store is to hold it.
    pub(super) fn shared(&self) -> Option<AcceptedPayload> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Payloads that wait to be persisted, for each destination.
#[derive(Debug, Default)]
pub(super) struct WriteBackQueue {
    store: Option<LatestPayload>,
    disk: Option<LatestPayload>,
}

impl WriteBackQueue {
    pub(super) fn new(has_store: bool, has_disk: bool) -> Self {
        Self { store: has_store.then(LatestPayload::default), disk: has_disk.then(LatestPayload::default) }
    }

    /// Returns the room of the data store.
    pub(super) fn store(&self) -> Option<&LatestPayload> {
        self.store.as_ref()
    }

    /// Returns the room of the last-known-good file.
    pub(super) fn disk(&self) -> Option<&LatestPayload> {
        self.disk.as_ref()
    }

    /// Queues a payload where it is to be persisted.
    pub(super) fn put(&self, payload: &AcceptedPayload) {
        let reach = payload.update.reach;
        if let Some(store) = &self.store {
            let is_written = reach == Reach::Upstream && !payload.is_from_delta;
            store.set_shared(payload, is_written || reach == Reach::Shared);
            if is_written {
                store.put(payload);
            }
        }
        if let (false, Some(disk)) = (payload.is_own_copy, &self.disk) {
            disk.put(payload);
        }
    }

    /// Records that an upstream source has nothing newer: the entry in the store is to stay.
    pub(super) fn confirm(&self) {
        if let Some(store) = &self.store {
            store.confirmed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use statsig_core::{SpecOrigin, SpecVersion, StorePath};

    use super::*;

    fn payload_received_at(time_ms: u64, received_at_ms: u64) -> AcceptedPayload {
        let update = SpecUpdate::new(Vec::new(), SpecOrigin::Network, Reach::Upstream, received_at_ms);
        AcceptedPayload {
            update: Arc::new(update),
            envelope: Envelope::new(SpecVersion::new(time_ms, None), StorePath::SpecsV2),
            is_own_copy: false,
            is_from_delta: false,
        }
    }

    fn payload(time_ms: u64) -> AcceptedPayload {
        payload_received_at(time_ms, 0)
    }

    fn time_of(payload: Option<AcceptedPayload>) -> Option<u64> {
        payload.map(|payload| payload.envelope.version.time_ms)
    }

    fn is_filled(room: &LatestPayload) -> bool {
        let polled = std::pin::pin!(room.is_filled()).poll(&mut Context::from_waker(Waker::noop()));
        polled == Poll::Ready(())
    }

    #[test]
    fn the_newest_waits_and_a_stale_notification_counts_for_nothing() {
        let room = LatestPayload::default();
        room.put(&payload(5));
        room.put(&payload(4));
        assert!(is_filled(&room));
        assert_eq!(time_of(room.take()), Some(5));
        // One from the future gives way to any other.
        let now = 1_790_000_000_000;
        let received = |time_ms| payload_received_at(time_ms, now);
        room.put(&received(now * 1_000));
        room.set_shared(&received(now * 1_000), true);
        room.put(&received(now));
        room.set_shared(&received(now), true);
        room.put(&received(now * 1_000));
        assert_eq!((time_of(room.take()), time_of(room.shared())), (Some(now), Some(now)));
        // The notifications of both are still there; a write in progress must not end for them.
        assert!(!is_filled(&room));
    }

    #[test]
    fn the_reach_decides_what_is_persisted() {
        for (reach, is_from_delta, is_own_copy, stored, upheld, on_disk) in [
            (Reach::Upstream, false, false, true, true, true),
            (Reach::Upstream, true, false, false, false, true),
            (Reach::Shared, false, false, false, true, true),
            (Reach::Local, false, false, false, false, true),
            (Reach::Local, false, true, false, false, false),
        ] {
            let queue = WriteBackQueue::new(true, true);
            let update = SpecUpdate::new(Vec::new(), SpecOrigin::Adapter("Any".into()), reach, 0);
            let update = Arc::new(update);
            queue.put(&AcceptedPayload { update, is_from_delta, is_own_copy, ..payload(5) });
            let (store, disk) = (queue.store().unwrap(), queue.disk().unwrap());
            let found = (store.shared().is_some(), store.take().is_some(), disk.take().is_some());
            assert_eq!(found, (upheld, stored, on_disk), "{reach:?} {is_from_delta} {is_own_copy}");
        }
    }
}
