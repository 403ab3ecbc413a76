//! Results of the conditions that a check evaluated last.
//!
//! The rules of a gate often share conditions: an environment, a segment. A check evaluates each of them once, as long as
//! few others come in between.

/// Conditions that are remembered; a power of two.
const CAPACITY: usize = 16;

/// A table of condition results: a condition may replace another one that has the same place.
#[derive(Debug)]
pub(super) struct RecentConditions {
    /// Twice the position of the condition, plus one if it holds.
    entries: [u32; CAPACITY],
}

impl RecentConditions {
    /// Stands for "no condition": no payload has as many.
    const EMPTY: u32 = u32::MAX;

    pub(super) const fn new() -> Self {
        Self { entries: [Self::EMPTY; CAPACITY] }
    }

    /// Returns whether a condition holds, by its position, if that is remembered.
    #[inline]
    pub(super) fn get(&self, condition: u32) -> Option<bool> {
        let entry = self.entries[condition as usize % CAPACITY];
        (entry >> 1 == condition).then_some(entry & 1 == 1)
    }

    /// Remembers whether a condition holds.
    #[inline]
    pub(super) fn insert(&mut self, condition: u32, holds: bool) {
        self.entries[condition as usize % CAPACITY] = condition << 1 | u32::from(holds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_remembered_until_another_takes_its_place() {
        let mut recent = RecentConditions::new();
        for condition in [0, 1, 15, 16, 1 << 20, u32::MAX >> 1, u32::MAX] {
            assert_eq!(recent.get(condition).filter(|_| condition != u32::MAX >> 1), None, "{condition}");
        }
        recent.insert(3, true);
        recent.insert(4, false);
        assert_eq!((recent.get(3), recent.get(4), recent.get(19)), (Some(true), Some(false), None));
        recent.insert(19, false);
        assert_eq!((recent.get(3), recent.get(19)), (None, Some(false)));
    }
}
