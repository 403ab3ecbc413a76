//! How often names were checked with exposures switched off.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};

use crate::lanes::{LANES, LaneCounter, Padded, own_lane};
use statsig_background::ForkGuard;

/// Most names that a lane of threads counts.
const MOST_NAMES: usize = 2_048;
/// Most bytes of these, so that ordinary names of all lanes together fit one event.
const MOST_NAME_BYTES: usize = 64 << 10;

#[derive(Debug, Default)]
struct Counts {
    by_name: HashMap<Box<str>, u64, foldhash::fast::RandomState>,
    name_bytes: usize,
}

/// Counters by name. Each lane of threads has its own, so threads rarely meet; the names are
/// bounded, so that names made from users' input cannot fill the memory.
#[derive(Debug, Default)]
pub(super) struct NonExposedChecks {
    lanes: [Padded<Mutex<Counts>>; LANES],
    uncounted: LaneCounter,
    process: ForkGuard,
}

impl NonExposedChecks {
    /// Counts a check. Allocates for a name that is new since the last [`take`](Self::take).
    pub(super) fn count(&self, name: &str) {
        let Some(mut counts) = self.process.lock(&self.lanes[own_lane()].0) else { return };
        if let Some(count) = counts.by_name.get_mut(name) {
            *count += 1;
        } else if counts.by_name.len() < MOST_NAMES && counts.name_bytes + name.len() <= MOST_NAME_BYTES {
            counts.name_bytes += name.len();
            counts.by_name.insert(name.into(), 1);
        } else {
            drop(counts);
            self.uncounted.add_one();
        }
    }

    /// The counts since the last call, sorted by name; `None` if there are none.
    pub(super) fn take(&self) -> Option<Map<String, Value>> {
        let mut sums: HashMap<Box<str>, u64> = HashMap::new();
        for at in 0..LANES {
            let mut counts = self.lock(at);
            counts.name_bytes = 0;
            for (name, count) in counts.by_name.drain() {
                match sums.entry(name) {
                    Entry::Occupied(mut sum) => *sum.get_mut() += count,
                    Entry::Vacant(sum) => {
                        sum.insert(count);
                    }
                }
            }
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable();
        (!sums.is_empty()).then(|| sums.into_iter().map(|(name, count)| (name.into(), count.into())).collect())
    }

    /// Checks of names beyond the bound.
    pub(super) fn uncounted(&self) -> u64 {
        self.uncounted.sum()
    }

    fn lock(&self, at: usize) -> MutexGuard<'_, Counts> {
        self.lanes[at].0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_many_threads_add_up() {
        let checks = NonExposedChecks::default();
        std::thread::scope(|scope| {
            for thread in 0..32 {
                let checks = &checks;
                scope.spawn(move || {
                    for at in 0..1_000 {
                        checks.count(if (thread + at) % 2 == 0 { "even" } else { "odd" });
                    }
                });
            }
        });
        let counts = Value::Object(checks.take().unwrap());
        assert_eq!(counts.to_string(), r#"{"even":16000,"odd":16000}"#);
        assert_eq!(checks.take(), None);
    }

    #[test]
    fn names_are_bounded() {
        let checks = NonExposedChecks::default();
        for at in 0..MOST_NAMES + 10 {
            checks.count(&at.to_string());
        }
        assert_eq!(checks.uncounted(), 10);
        assert_eq!(checks.take().unwrap().len(), MOST_NAMES);
        let long = |at: usize| format!("{at:0width$}", width = MOST_NAME_BYTES / 2);
        for _ in 0..2 {
            (0..3).for_each(|at| checks.count(&long(at)));
            checks.count(&long(0));
            let counts = checks.take().unwrap();
            assert_eq!((counts.len(), counts.get(&long(0)).cloned()), (2, Some(2.into())));
        }
        assert_eq!(checks.uncounted(), 12);
    }
}
