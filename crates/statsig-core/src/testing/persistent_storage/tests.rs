use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;

use super::*;
use crate::hooks::{InMemoryPersistentStorage, StorageError};

fn run(storage: &dyn PersistentStorage) {
    let mut run = pin!(persistent_storage_contract(storage));
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(run.as_mut().poll(&mut context), Poll::Ready(()));
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    LosesExposures,
    OneConfigPerKey,
    OneKey,
    KeepsTheFirst,
    DeletesTheKey,
    DeletesLate,
    CannotLoad,
}

/// Keeps values as text, and does one thing wrong.
struct Faulty {
    fault: Fault,
    inner: InMemoryPersistentStorage,
    late: Mutex<Vec<(String, String)>>,
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        Self { fault, inner: InMemoryPersistentStorage::new(), late: Mutex::default() }
    }

    fn key<'k>(&self, key: &'k str) -> &'k str {
        if self.fault == Fault::OneKey { "" } else { key }
    }
}

#[async_trait]
impl PersistentStorage for Faulty {
    async fn load(&self, key: &str) -> Result<UserPersistedValues, StorageError> {
        if self.fault == Fault::CannotLoad {
            return Err("no connection".into());
        }
        let values = self.inner.values(self.key(key));
        for (key, config) in self.late.lock().unwrap().drain(..) {
            self.inner.delete(&key, &config);
        }
        Ok(serde_json::from_str(&serde_json::to_string(&values)?)?)
    }

    fn save(&self, key: &str, config_name: &str, mut values: StickyValues) {
        let held = self.inner.values(key);
        match self.fault {
            Fault::LosesExposures => values.secondary_exposures.dedup(),
            Fault::OneConfigPerKey => held.iter().for_each(|(config, _)| self.inner.delete(key, config)),
            Fault::KeepsTheFirst if held.get(config_name).is_some() => return,
            _ => {}
        }
        if self.fault == Fault::LosesExposures {
            values.secondary_exposures.truncate(2);
        }
        self.inner.save(self.key(key), config_name, values);
    }

    fn delete(&self, key: &str, config_name: &str) {
        match self.fault {
            Fault::DeletesTheKey => {
                self.inner.values(key).iter().for_each(|(config, _)| self.inner.delete(key, config));
            }
            Fault::DeletesLate => self.late.lock().unwrap().push((key.to_owned(), config_name.to_owned())),
            _ => self.inner.delete(self.key(key), config_name),
        }
    }
}

#[test]
fn sound_storages_pass_and_are_left_empty() {
    let memory = InMemoryPersistentStorage::new();
    run(&memory);
    assert!(memory.is_empty());
    run(&Faulty::new(Fault::None));
}

/// What the contract says about a storage with a fault.
fn complaint(fault: Fault) -> String {
    let panic = std::panic::catch_unwind(|| run(&Faulty::new(fault))).unwrap_err();
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn broken_storages_fail() {
    for (fault, expected) in [
        (Fault::LosesExposures, "every field"),
        (Fault::OneConfigPerKey, "two configs under one key"),
        (Fault::OneKey, "another key"),
        (Fault::KeepsTheFirst, "in the place of an earlier one"),
        (Fault::DeletesTheKey, "one config deleted, twice"),
        (Fault::DeletesLate, "one config deleted, twice"),
        (Fault::CannotLoad, "no connection"),
    ] {
        let complaint = complaint(fault);
        assert!(complaint.contains(expected), "{complaint:?} should say {expected:?}");
    }
}
