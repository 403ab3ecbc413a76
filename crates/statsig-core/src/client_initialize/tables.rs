//! What the later formats tell once and refer to by id.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::walk::value_of;
use crate::evaluate::{ConfigValue, Exposed};
use crate::ruleset::{Ruleset, position};

/// The distinct exposures and values of a response; ids are positions, in the order of first use.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) exposures: Vec<Exposed>,
    exposure_index: HashTable<u32>,
    pub(super) values: Vec<ConfigValue>,
    value_index: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
}

impl Tables {
    /// The id of an exposure.
    pub(super) fn exposure(&mut self, exposed: Exposed) -> u32 {
        let Self { exposures, exposure_index, hasher, .. } = self;
        let known = |at: &u32| exposures.get(*at as usize) == Some(&exposed);
        if let Some(&at) = exposure_index.find(hasher.hash_one(exposed), known) {
            return at;
        }
        let at = position(exposures.len());
        exposures.push(exposed);
        exposure_index.insert_unique(hasher.hash_one(exposed), at, |&at| {
            exposures.get(at as usize).map_or(0, |one| hasher.hash_one(one))
        });
        at
    }

    /// The id of a value. Values are the same when they are written the same.
    pub(super) fn value(&mut self, ruleset: &Ruleset, value: &ConfigValue) -> u32 {
        let Self { values, value_index, hasher, .. } = self;
        let packed = value_of(ruleset, value).packed();
        let hash = hasher.hash_one(packed);
        let known = |at: &u32| values.get(*at as usize).is_some_and(|one| value_of(ruleset, one).packed() == packed);
        if let Some(&at) = value_index.find(hash, known) {
            return at;
        }
        let at = position(values.len());
        values.push(value.clone());
        value_index.insert_unique(hash, at, |&at| {
            values.get(at as usize).map_or(0, |one| hasher.hash_one(value_of(ruleset, one).packed()))
        });
        at
    }
}
