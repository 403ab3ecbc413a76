//! What is worth remembering about keys between calls.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use statsig_adapters::SpecVersion;
use tokio::time::Instant;

use crate::options::Layout;

/// Most keys that are remembered; beyond that everything is forgotten, and learnt again.
const MOST_KEYS: usize = 4_096;

#[derive(Default)]
pub(crate) struct Memory(Mutex<HashMap<Box<str>, Known>>);

#[derive(Default, Clone)]
struct Known {
    layout: Option<Layout>,
    read: Option<Read>,
    touched: Option<Instant>,
    /// The time of a payload that a notice was about and that was not read since; 0 if it did not say.
    noticed: Option<u64>,
}

/// A payload that was read, by what can be seen without reading it.
#[derive(Clone, PartialEq)]
pub(super) struct Read {
    /// Its stored time.
    pub(super) lcut: Option<u64>,
    /// Its stored length.
    pub(super) len: u64,
    /// What it says itself; `None` if it cannot be used.
    pub(super) version: Option<SpecVersion>,
}

impl Memory {
    pub(super) fn layout(&self, key: &str) -> Option<Layout> {
        self.lock().get(key).and_then(|known| known.layout)
    }

    pub(super) fn set_layout(&self, key: &str, layout: Layout) {
        self.change(key, |known| known.layout = Some(layout));
    }

    /// Returns the version of a payload that was read before and looks the same; `Some(None)` if that could not be
    /// used.
    pub(super) fn version(&self, key: &str, lcut: Option<u64>, len: u64) -> Option<Option<SpecVersion>> {
        let known = self.lock();
        let read = known.get(key)?.read.as_ref()?;
        (lcut.is_some() && read.lcut == lcut && read.len == len).then(|| read.version.clone())
    }

    pub(super) fn set_read(&self, key: &str, read: Read) {
        self.change(key, |known| known.read = Some(read));
    }

    /// Whether it is time to touch a key again; if so, it counts as touched.
    pub(super) fn take_touch(&self, key: &str, every: Duration) -> bool {
        let mut due = false;
        self.change(key, |known| {
            due = known.touched.is_none_or(|at| at.elapsed() >= every);
            if due {
                known.touched = Some(Instant::now());
            }
        });
        due
    }

    /// That a touch failed.
    pub(super) fn forget_touch(&self, key: &str) {
        self.change(key, |known| known.touched = None);
    }

    /// That a notice came about a payload of this time; 0 if it did not say.
    pub(crate) fn note_notice(&self, key: &str, lcut: u64) {
        self.change(key, |known| known.noticed = Some(lcut));
    }

    /// Whether a payload that was read now had been announced by a notice.
    pub(super) fn take_notice(&self, key: &str, lcut: u64) -> bool {
        let noticed = self.lock().get_mut(key).and_then(|known| known.noticed.take());
        noticed.is_some_and(|noticed| noticed == 0 || noticed >= lcut)
    }

    fn change(&self, key: &str, change: impl FnOnce(&mut Known)) {
        let mut keys = self.lock();
        match keys.get_mut(key) {
            Some(known) => change(known),
            None => {
                if keys.len() >= MOST_KEYS {
                    keys.clear();
                }
                change(keys.entry(key.into()).or_default());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
