//! Panics of what the application hands in to be called: callbacks and the observer.

#[cfg(any(feature = "net", feature = "logger"))]
use std::panic::resume_unwind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
#[cfg(any(feature = "net", feature = "logger"))]
use std::time::Duration;
use std::time::Instant;

/// Health of the callbacks and of the observer.
#[cfg(any(feature = "net", feature = "logger"))]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CallbackHealth {
    /// Calls that panicked so far. What a callback is called for goes on all the same.
    pub panics: u64,
    /// The last call that panicked, such as ``the callback for `gate_evaluated` panicked``. It stays.
    pub last_error: Option<String>,
    /// Time since that.
    pub last_failure: Option<Duration>,
}

/// Notes about calls that panicked.
#[derive(Debug, Default)]
pub(crate) struct CallbackLog(Mutex<Panics>);

#[derive(Debug, Default)]
#[cfg_attr(not(any(feature = "net", feature = "logger")), allow(dead_code, reason = "shown by the health"))]
struct Panics {
    count: u64,
    last: Option<(String, Instant)>,
}

impl CallbackLog {
    fn panics(&self) -> MutexGuard<'_, Panics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, callee: &str) {
        let mut panics = self.panics();
        panics.count += 1;
        panics.last = Some((format!("{callee} panicked"), Instant::now()));
    }

    /// Calls, and notes a panic, which ends here. Returns whether the call returned.
    pub(crate) fn contain(&self, callee: &dyn Fn() -> String, call: impl FnOnce()) -> bool {
        let Err(payload) = catch_unwind(AssertUnwindSafe(call)) else { return true };
        // To drop it may panic, too.
        std::mem::forget(payload);
        self.note(&callee());
        false
    }

    /// Calls, and notes a panic, which goes on to whoever guards the caller.
    #[cfg(any(feature = "net", feature = "logger"))]
    pub(crate) fn watch(&self, callee: &str, call: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
            self.note(callee);
            resume_unwind(payload);
        }
    }

    /// Returns the health as of now.
    #[cfg(any(feature = "net", feature = "logger"))]
    pub(crate) fn health(&self) -> CallbackHealth {
        let panics = self.panics();
        CallbackHealth {
            panics: panics.count,
            last_error: panics.last.as_ref().map(|(error, _)| error.clone()),
            last_failure: panics.last.as_ref().map(|(_, at)| at.elapsed()),
        }
    }
}

/// The application's observer, whose panics are noted.
#[cfg(any(feature = "net", feature = "logger"))]
pub(crate) struct WatchedObserver {
    pub(crate) observer: std::sync::Arc<dyn statsig_core::Observer>,
    pub(crate) log: std::sync::Arc<CallbackLog>,
}

#[cfg(any(feature = "net", feature = "logger"))]
impl statsig_core::Observer for WatchedObserver {
    fn increment(&self, name: &str, by: u64, tags: &[statsig_core::Tag<'_>]) {
        self.log.watch(OBSERVER, || self.observer.increment(name, by, tags));
    }

    fn gauge(&self, name: &str, value: f64, tags: &[statsig_core::Tag<'_>]) {
        self.log.watch(OBSERVER, || self.observer.gauge(name, value, tags));
    }

    fn distribution(&self, name: &str, value: f64, tags: &[statsig_core::Tag<'_>]) {
        self.log.watch(OBSERVER, || self.observer.distribution(name, value, tags));
    }

    fn error(&self, tag: &str, message: &str) {
        self.log.watch(OBSERVER, || self.observer.error(tag, message));
    }
}

/// The observer in messages.
#[cfg(any(feature = "net", feature = "logger"))]
const OBSERVER: &str = "the observer";

#[cfg(all(test, any(feature = "net", feature = "logger")))]
mod tests {
    use super::*;

    #[test]
    fn panics_are_counted_and_the_last_one_is_named() {
        let log = CallbackLog::default();
        assert_eq!(log.health(), CallbackHealth::default());
        assert!(log.contain(&|| "one".to_owned(), || ()));
        assert!(!log.contain(&|| "one".to_owned(), || std::panic::panic_any("secret-abc")));
        let thrown = catch_unwind(AssertUnwindSafe(|| log.watch("another", || std::panic::panic_any(1))));
        assert!(thrown.is_err(), "it goes on");
        let health = log.health();
        assert_eq!((health.panics, health.last_error.as_deref()), (2, Some("another panicked")));
        assert!(health.last_failure.is_some());
    }
}
