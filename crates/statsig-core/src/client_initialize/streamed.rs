//! A response that is evaluated while it is written.

use std::cell::RefCell;

use super::contents::{Contents, Head};
use super::entry::Entry;
use super::parameter_store::ClientParameterStore;
use super::session_replay::Recording;
use super::tables::Tables;
use super::walk::{Section, Walk};

/// The contents of a response that holds one entry at a time.
pub(super) struct Streamed<'a> {
    pub(super) head: Head<'a>,
    pub(super) walk: RefCell<Walk<'a>>,
    /// Number in `0.0..1.0` for the sampling of recordings.
    pub(super) drawn: f64,
}

impl Contents for Streamed<'_> {
    fn head(&self) -> Head<'_> {
        self.head
    }

    fn entries(&self, section: Section, each: &mut dyn FnMut(Entry<'_>) -> bool) {
        let mut walk = self.walk.borrow_mut();
        let mut items = std::mem::take(&mut walk.items);
        walk.list(section, &mut items);
        for &item in &items {
            walk.forget();
            if let Some(evaluated) = walk.evaluate(section, item)
                && !each(Entry::new(self.head.style, &evaluated, &walk.exposures, &walk.exposure_ids))
            {
                break;
            }
        }
        walk.items = items;
    }

    fn stores(&self, each: &mut dyn FnMut(u32, ClientParameterStore<'_>) -> bool) {
        let names = self.head.style.names;
        for at in self.walk.borrow().stores() {
            if let Some(store) = names.ruleset.stores.get(at as usize)
                && !each(at, ClientParameterStore { names, store })
            {
                return;
            }
        }
    }

    fn recording(&self) -> Option<Recording> {
        let settings = self.head.style.names.ruleset.session_replay.as_ref()?;
        let targeted = settings.targeting_gate.get().map(|gate| self.walk.borrow_mut().gate(gate));
        Some(Recording::new(self.drawn, targeted))
    }

    fn tables(&self, read: &mut dyn FnMut(&Tables)) {
        read(&self.walk.borrow().tables);
    }
}
