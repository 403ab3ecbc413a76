//! The contract of [`PersistentStorage`].

use std::thread;

use crate::hooks::PersistentStorage;
use crate::json::Json;
use crate::sticky::{StickyExposure, StickyValues, UserPersistedValues};
use crate::user::StatsigUser;

/// Changes in quick succession, more than a small queue would hold.
const BURST: u32 = 200;

/// Checks the duties of a [`PersistentStorage`] against a working, empty store.
///
/// Saves, replaces and deletes values of a few keys and configs, from this thread and from plain
/// threads at the same time, and loads them after each step. Leaves the store empty, as far as it
/// was. Whether `save` and `delete` block cannot be seen from here: that is left to the
/// implementor's own tests.
///
/// ```
/// # use statsig_core::{InMemoryPersistentStorage, testing::persistent_storage_contract};
/// # let run = async {
/// persistent_storage_contract(&InMemoryPersistentStorage::new()).await;
/// # };
/// # let mut run = std::pin::pin!(run);
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert!(std::future::Future::poll(run.as_mut(), &mut context).is_ready());
/// ```
///
/// # Panics
/// Where the storage breaks its contract.
pub async fn persistent_storage_contract(storage: &dyn PersistentStorage) {
    let (ada, bob) = ("contract-ada:userID", "contract-Böb 1:company ID");

    holds(storage, ada, &[], "a key that nothing was saved under").await;
    storage.delete(ada, "exp");
    holds(storage, ada, &[], "deleting what is not there").await;

    storage.save(ada, "exp", rich());
    holds(storage, ada, &[("exp", rich())], "every field, and the same as it was saved").await;
    holds(storage, bob, &[], "another key").await;
    storage.save(ada, "Layer: \"ü\"", bare(1));
    holds(storage, ada, &[("exp", rich()), ("Layer: \"ü\"", bare(1))], "two configs under one key").await;
    storage.save(bob, "exp", bare(2));
    holds(storage, bob, &[("exp", bare(2))], "one config under another key").await;

    storage.save(ada, "exp", bare(3));
    holds(storage, ada, &[("exp", bare(3)), ("Layer: \"ü\"", bare(1))], "a value in the place of an earlier one").await;
    storage.delete(ada, "exp");
    storage.delete(ada, "exp");
    holds(storage, ada, &[("Layer: \"ü\"", bare(1))], "one config deleted, twice").await;
    holds(storage, bob, &[("exp", bare(2))], "the same config under another key").await;

    for round in 0..BURST {
        storage.save(ada, "exp", bare(round));
        if round % 3 == 0 {
            storage.delete(ada, "exp");
        }
    }
    let last = bare(BURST - 1);
    holds(storage, ada, &[("exp", last), ("Layer: \"ü\"", bare(1))], "many changes of one config, in order").await;

    let threads: Vec<(String, u32)> = (0..4).map(|at| (format!("from thread {at}"), at)).collect();
    thread::scope(|scope| {
        for (config, at) in &threads {
            scope.spawn(|| {
                storage.save(bob, config, bare(BURST));
                storage.delete(bob, config);
                storage.save(bob, config, bare(*at));
            });
        }
    });
    let mut expected: Vec<(&str, StickyValues)> = threads.iter().map(|(config, at)| (&**config, bare(*at))).collect();
    expected.push(("exp", bare(2)));
    holds(storage, bob, &expected, "changes by threads without a runtime").await;

    let user = StatsigUser::with_user_id("contract-ada");
    let of_user = storage.load_for_user(&user, "userID").await;
    assert!(of_user.is_ok_and(|values| values.len() == 2), "`load_for_user` is `load` under the user's key");
    let of_nobody = storage.load_for_user(&user, "companyID").await;
    assert!(of_nobody.is_ok_and(|values| values.is_empty()), "a user without that ID has no values");

    storage.delete(ada, "exp");
    storage.delete(ada, "Layer: \"ü\"");
    expected.iter().for_each(|(config, _)| storage.delete(bob, config));
    holds(storage, ada, &[], "the last config deleted").await;
    holds(storage, bob, &[], "all configs deleted").await;
}

/// Loads a key and compares.
async fn holds(storage: &dyn PersistentStorage, key: &str, expected: &[(&str, StickyValues)], what: &str) {
    let expected: UserPersistedValues = expected.iter().cloned().collect();
    let loaded = storage.load(key).await.map_err(|error| error.to_string());
    assert_eq!(loaded, Ok(expected), "{what}");
}

/// A value without anything that can be left out.
fn bare(version: u32) -> StickyValues {
    StickyValues { config_version: Some(version), ..StickyValues::default() }
}

/// A value with everything.
fn rich() -> StickyValues {
    let exposure = |value| StickyExposure { gate: "gate".to_owned(), value, rule_id: "rule:1".to_owned() };
    StickyValues {
        value: true,
        json_value: Json::parse(r#"{"text": "Zoë \"q\"", "n": [1, -2, 1.5, 1e300], "o": {"": null}, "t": true}"#).ok(),
        rule_id: "rule-1".to_owned(),
        group_name: Some("Control".to_owned()),
        secondary_exposures: vec![exposure(true), exposure(false), exposure(true)],
        undelegated_secondary_exposures: Some(Vec::new()),
        config_delegate: Some("experiment".to_owned()),
        explicit_parameters: Some(vec!["text".to_owned(), String::new()]),
        time: Some(1_700_000_000_123),
        config_version: Some(u32::MAX),
    }
}

#[cfg(test)]
mod tests;
