//! A response that is evaluated while it is written.

use std::cell::RefCell;

use super::contents::{Contents, Head};
use super::entry::Entry;
use super::parameter_store::ClientParameterStore;
use super::session_replay::Recording;
use super::tables::Tables;
use super::walk::{Section, Walk};
use crate::evaluate::random;

/// The contents of a response that holds one entry at a time.
pub(super) struct Streamed<'a> {
    pub(super) head: Head<'a>,
    pub(super) walk: RefCell<Walk<'a>>,
    pub(super) seed: Option<u64>,
}

impl Contents for Streamed<'_> {
    fn head(&self) -> Head<'_> {
        self.head
    }

    fn entries(&self, section: Section, each: &mut dyn FnMut(Entry<'_>) -> bool) {
        let mut walk = self.walk.borrow_mut();
        for item in walk.items(section) {
            walk.forget();
            if let Some(evaluated) = walk.evaluate(section, item)
                && !each(Entry::new(self.head.style, &evaluated, &walk.exposures, &walk.exposure_ids))
            {
                return;
            }
        }
    }

    fn stores(&self, each: &mut dyn FnMut(ClientParameterStore<'_>) -> bool) {
        let names = self.head.style.names;
        for at in self.walk.borrow().stores() {
            if let Some(store) = names.ruleset.stores.get(at as usize)
                && !each(ClientParameterStore { names, store })
            {
                return;
            }
        }
    }

    fn recording(&self) -> Option<Recording> {
        let settings = self.head.style.names.ruleset.session_replay.as_ref()?;
        let targeted = settings.targeting_gate.get().map(|gate| self.walk.borrow_mut().gate(gate));
        Some(Recording::new(random(self.seed), targeted))
    }

    fn tables(&self, read: &mut dyn FnMut(&Tables)) {
        read(&self.walk.borrow().tables);
    }
}
