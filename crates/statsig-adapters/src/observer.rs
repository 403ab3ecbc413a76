//! Who watches the client at work.

/// A label of a measurement: name and value.
pub type Tag<'a> = (&'a str, &'a str);

/// Receives the client's own metrics and errors, to hand them to whatever the application's
/// monitoring is.
///
/// Names come without prefix (`events_dropped_count`, say); `docs/protocol/events.md#metrics` and
/// `docs/protocol/network.md#metrics` and `docs/protocol/data-store.md#metrics` list them with their tags. Calls come from background tasks, never from a check; they should return
/// at once. A panic in one is caught and logged by the caller. Secrets, user data and the contents
/// of events are never passed.
///
/// Every method has a default that does nothing.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use statsig_adapters::{Observer, Tag};
///
/// #[derive(Default)]
/// struct Lost(AtomicU64);
///
/// impl Observer for Lost {
///     fn increment(&self, name: &str, by: u64, _tags: &[Tag<'_>]) {
///         if name == "events_dropped_count" {
///             self.0.fetch_add(by, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let lost = Lost::default();
/// lost.increment("events_dropped_count", 3, &[("cause", "queue_events")]);
/// assert_eq!(lost.0.into_inner(), 3);
/// ```
pub trait Observer: Send + Sync {
    /// Adds to a counter.
    fn increment(&self, name: &str, by: u64, tags: &[Tag<'_>]) {
        let _ = (name, by, tags);
    }

    /// Sets a value that goes up and down.
    fn gauge(&self, name: &str, value: f64, tags: &[Tag<'_>]) {
        let _ = (name, value, tags);
    }

    /// Adds one measurement to a distribution: durations are in milliseconds.
    fn distribution(&self, name: &str, value: f64, tags: &[Tag<'_>]) {
        let _ = (name, value, tags);
    }

    /// Something went wrong inside the client; `tag` says where (`statsig::log_event_failed`).
    fn error(&self, tag: &str, message: &str) {
        let _ = (tag, message);
    }
}
