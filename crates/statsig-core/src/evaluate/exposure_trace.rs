//! The tracer that collects secondary exposures.

use super::outcome::Exposed;

/// Exposures that one check may collect; with the next, bounds its memory. The rest is dropped.
pub(crate) const MAX_EXPOSURES: usize = 65_536;
/// Exposures that one check may copy in order to remember nested gates. The rest is dropped.
const MAX_COPIES: usize = 1 << 20;

/// Collects the secondary exposures of an evaluation, in the order of evaluation.
///
/// Each part of an evaluation owns those from a position on: see
/// [`Outcome::exposures_from`](super::Outcome).
#[derive(Debug, Default)]
pub(crate) struct ExposureTrace {
    exposures: Vec<Exposed>,
    /// Exposures copied to or from remembered gates.
    copied: usize,
    is_incomplete: bool,
}

impl ExposureTrace {
    /// Returns an empty list with room for the exposures of most evaluations.
    pub(super) fn with_room() -> Self {
        Self { exposures: Vec::with_capacity(64), ..Self::default() }
    }

    /// Returns the position of the next exposure.
    #[inline]
    pub(super) fn position(&self) -> u32 {
        crate::ruleset::position(self.exposures.len())
    }

    /// Returns all exposures.
    pub(super) fn all(&self) -> &[Exposed] {
        &self.exposures
    }

    /// Returns the exposures from a position on.
    pub(super) fn since(&self, from: u32) -> &[Exposed] {
        self.exposures.get(from as usize..).unwrap_or_default()
    }

    /// Whether exposures were dropped because there were too many.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }

    #[inline]
    pub(super) fn push(&mut self, exposed: Exposed) {
        if self.exposures.len() >= MAX_EXPOSURES {
            self.is_incomplete = true;
            return;
        }
        if self.exposures.capacity() == 0 {
            self.exposures.reserve(8);
        }
        self.exposures.push(exposed);
    }

    /// Drops the exposures from a position on.
    #[inline]
    pub(super) fn truncate(&mut self, from: u32) {
        self.exposures.truncate(from as usize);
    }

    /// Drops the exposures from a position on, but for the last one if `keeps_last`.
    pub(super) fn condense(&mut self, from: u32, keeps_last: bool) {
        let last = self.exposures.last().copied().filter(|_| keeps_last);
        self.exposures.truncate(from as usize);
        self.exposures.extend(last);
    }

    /// Copies the exposures from a position on, for a gate that is remembered.
    pub(super) fn copy_since(&mut self, from: u32) -> Box<[Exposed]> {
        let own = self.exposures.get(from as usize..).unwrap_or_default();
        let copied: Box<[Exposed]> = own[..own.len().min(MAX_COPIES - self.copied)].into();
        self.is_incomplete |= copied.len() < own.len();
        self.copied += copied.len();
        copied
    }

    /// Appends the exposures of a remembered gate.
    pub(super) fn append_copy(&mut self, remembered: &[Exposed]) {
        let room = (MAX_EXPOSURES - self.exposures.len().min(MAX_EXPOSURES)).min(MAX_COPIES - self.copied);
        let copied = &remembered[..remembered.len().min(room)];
        self.is_incomplete |= copied.len() < remembered.len();
        self.exposures.extend_from_slice(copied);
        self.copied += copied.len();
    }

    /// Prepares for the next evaluation, in the same memory.
    pub(crate) fn restart(&mut self) {
        self.exposures.clear();
        self.copied = 0;
        self.is_incomplete = false;
    }

    /// Returns the exposures as they are: cutting the list to size would cost an allocation.
    pub(crate) fn take(&mut self) -> Vec<Exposed> {
        std::mem::take(&mut self.exposures)
    }

    /// Returns the list itself, for gates that several evaluations share.
    pub(super) fn list_mut(&mut self) -> &mut Vec<Exposed> {
        &mut self.exposures
    }
}
