//! Reports to an observer that may panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use statsig_adapters::{Observer, Tag};

/// Reports metrics to an observer, if there is one.
///
/// A panic of the observer loses that one measurement, is logged, and goes no further. Calls are
/// synchronous; do not call this while holding a lock that the observer's code could need.
#[derive(Clone, Default)]
pub struct GuardedObserver(Option<Arc<dyn Observer>>);

impl std::fmt::Debug for GuardedObserver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("GuardedObserver").field(&self.is_enabled()).finish()
    }
}

impl GuardedObserver {
    /// Wraps an observer; `None` reports nothing.
    #[must_use]
    pub fn new(observer: Option<Arc<dyn Observer>>) -> Self {
        Self(observer)
    }

    /// Returns whether there is an observer. Callers use this to skip computing a measurement.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.0.is_some()
    }

    /// Calls the observer; returns whether it was called and returned.
    pub fn report(&self, call: impl FnOnce(&dyn Observer)) -> bool {
        let Some(observer) = &self.0 else { return false };
        let returned = catch_unwind(AssertUnwindSafe(|| call(&**observer))).is_ok();
        if !returned {
            tracing::error!("the observer panicked; the measurement is lost");
        }
        returned
    }

    /// Adds to a counter.
    pub fn increment(&self, name: &str, by: u64, tags: &[Tag<'_>]) {
        self.report(|observer| observer.increment(name, by, tags));
    }

    /// Sets a gauge.
    pub fn gauge(&self, name: &str, value: u64, tags: &[Tag<'_>]) {
        #[allow(clippy::cast_precision_loss, reason = "gauges are far below 2^52")]
        self.report(|observer| observer.gauge(name, value as f64, tags));
    }

    /// Records a duration, in milliseconds, in a distribution.
    pub fn duration(&self, name: &str, duration: Duration, tags: &[Tag<'_>]) {
        self.distribution(name, duration.as_secs_f64() * 1_000.0, tags);
    }

    /// Records a value in a distribution.
    pub fn distribution(&self, name: &str, value: f64, tags: &[Tag<'_>]) {
        self.report(|observer| observer.distribution(name, value, tags));
    }

    /// Reports an error that has been logged.
    pub fn error(&self, tag: &str, message: &str) {
        self.report(|observer| observer.error(tag, message));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Adds up counters; panics at the name `bad`.
    #[derive(Default)]
    struct Adding(AtomicU64);

    impl Observer for Adding {
        fn increment(&self, name: &str, by: u64, _: &[Tag<'_>]) {
            if name == "bad" {
                std::panic::panic_any("bad");
            }
            self.0.fetch_add(by, Ordering::Relaxed);
        }
        fn gauge(&self, _: &str, _: f64, _: &[Tag<'_>]) {}
        fn distribution(&self, _: &str, _: f64, _: &[Tag<'_>]) {}
    }

    #[test]
    fn a_panic_of_the_observer_loses_one_measurement() {
        let adding = Arc::new(Adding::default());
        let observer = GuardedObserver::new(Some(adding.clone()));
        for name in ["good", "bad", "good"] {
            observer.increment(name, 2, &[]);
        }
        assert_eq!(adding.0.load(Ordering::Relaxed), 4);
        assert!(observer.is_enabled() && !observer.report(|observer| observer.increment("bad", 1, &[])));
    }

    #[test]
    fn without_an_observer_nothing_is_called() {
        assert!(!GuardedObserver::default().report(|_| std::panic::panic_any("called")));
    }
}
