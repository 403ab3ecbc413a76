//! The contract of [`DataStore`].

use std::fmt::Display;

use crate::{
    AppendOutcome, ChangeFeed, ChangeHint, DataStore, DataStoreErrorKind, EntryRequest, KeySchema, PutMode, PutOutcome,
    SpecVersion, StoreEntry, StoreFormat, StoreHealth, StoreKey, StoreKeys, StorePath,
};

/// Checks the duties of a [`DataStore`] that works and may be written to.
///
/// Uses keys of the made-up SDK keys `secret-contract-…` only. Initializes the store, reads and
/// writes text, bytes and entries of many kinds, sees that older payloads do not replace newer ones,
/// follows changes if the store notifies, and shuts it down. A feed that never says anything blocks
/// the contract: put a time limit around it.
///
/// ```
/// # use statsig_adapters::{InMemoryDataStore, testing::data_store_contract};
/// # let run = async {
/// data_store_contract(&InMemoryDataStore::new()).await;
/// # };
/// # let mut run = std::pin::pin!(run);
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert!(std::future::Future::poll(run.as_mut(), &mut context).is_ready());
/// ```
///
/// # Panics
/// Where the store breaks its contract.
pub async fn data_store_contract(store: &dyn DataStore) {
    works(store.initialize().await, "`initialize`");
    let _ = store.support_polling_updates_for(&StorePath::SpecsV2).await;

    text(store).await;
    bytes(store).await;
    appends(store).await;
    newest_survives(store).await;
    newest_of_several(store).await;
    changes(store).await;

    let health = store.health().await;
    assert!(!matches!(health, StoreHealth::Down { .. }), "a working store says that it is {health:?}");
    works(store.shutdown().await, "`shutdown`");
    works(store.shutdown().await, "a second `shutdown`");
}

/// Text comes back as it was.
async fn text(store: &dyn DataStore) {
    let key = key("secret-contract-text", StoreFormat::PlainText);
    let found = works(store.get(&key.name).await, "`get` of a key that was never set");
    assert_eq!(found.result, None, "`get` of a key that was never set");
    let large = format!(r#"{{"time": 3, "filler": "{}"}}"#, "Zoë\u{0} \r\n".repeat(100_000));
    for (value, what) in [
        (r#"{"time": 1}"#, "a short text"),
        ("+aaaaaaaa\n-bbbbbbbb\n", "a text that is no JSON"),
        ("\u{feff}{\"time\": 2, \"é\": \"\u{1F980}\u{0}\"}\r\n", "a text with unusual characters"),
        (&large, "a text of a megabyte"),
        (r#"{"time": 1}"#, "a text that was there before"),
    ] {
        works(store.set(&key.name, value, Some(5)).await, "`set`");
        let found = works(store.get(&key.name).await, "`get`").result;
        assert!(found.as_deref() == Some(value), "`get` does not give {what} back");
    }
    works(store.set(&key.name, "", None).await, "`set` of an empty value");
    let found = works(store.get(&key.name).await, "`get` of an empty value").result;
    assert!(found.is_none_or(|value| value.is_empty()), "an empty value comes back as something else");
}

/// Bytes come back as they were, if the store keeps bytes at all.
async fn bytes(store: &dyn DataStore) {
    let key = key("secret-contract-bytes", StoreFormat::StatsigBr);
    let found = match store.get_bytes(&key.name).await {
        Err(error) if error.kind() == DataStoreErrorKind::BytesNotImplemented => {
            let set = store.set_bytes(&key.name, b"x", None).await.map_err(|error| error.kind());
            assert_eq!(set, Err(DataStoreErrorKind::BytesNotImplemented), "`set_bytes` without `get_bytes`");
            return;
        }
        found => works(found, "`get_bytes` of a key that was never set"),
    };
    assert_eq!(found.result, None, "`get_bytes` of a key that was never set");
    let all: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    for value in [&b"\0"[..], b"\x28\xb5\x2f\xfd\0not really", b"\x1f\x8b", &all] {
        works(store.set_bytes(&key.name, value, Some(1)).await, "`set_bytes`");
        let found = works(store.get_bytes(&key.name).await, "`get_bytes`").result;
        assert!(found.as_deref() == Some(value), "`get_bytes` does not give {} bytes back", value.len());
    }
    let text = StoreKey::new(format!("{}-text", key.name), StoreFormat::PlainText);
    works(store.set(&text.name, "{}", None).await, "`set`");
    let found = works(store.get_bytes(&text.name).await, "`get_bytes` of a text").result;
    assert_eq!(found.as_deref(), Some(&b"{}"[..]), "`get_bytes` of a text");

    let entry = StoreEntry::new(all, StoreFormat::StatsigBr, SpecVersion::new(7, Some("c")));
    let put = works(store.put_entry(&key.name, &entry, PutMode::Force).await, "`put_entry` of protobuf");
    assert_eq!(put, PutOutcome::Written, "`put_entry` of protobuf");
    let found = works(store.get_entry(&EntryRequest::new([key])).await, "`get_entry` of protobuf");
    assert!(found.is_some_and(|found| found.bytes == entry.bytes), "protobuf does not come back");
}

/// A value grows only from the length that the caller knows.
async fn appends(store: &dyn DataStore) {
    let key = key("secret-contract-append", StoreFormat::PlainText);
    for (at, tail, outcome, stays) in [
        (3, "+a\n", AppendOutcome::LengthDiffers { len: 0 }, None),
        (0, "+a\n", AppendOutcome::Appended, Some("+a\n")),
        (3, "-é\n", AppendOutcome::Appended, Some("+a\n-é\n")),
        (3, "+b\n", AppendOutcome::LengthDiffers { len: 7 }, Some("+a\n-é\n")),
        (7, "", AppendOutcome::Appended, Some("+a\n-é\n")),
    ] {
        let appended = works(store.append(&key.name, at, tail.as_bytes()).await, "`append`");
        assert_eq!(appended, outcome, "`append` of {tail:?} at {at}");
        let found = works(store.get(&key.name).await, "`get`").result;
        assert_eq!(found.as_deref(), stays, "what is stored after `append` of {tail:?} at {at}");
    }
}

/// An older payload never replaces a newer one.
async fn newest_survives(store: &dyn DataStore) {
    let key = key("secret-contract-order", StoreFormat::PlainText);
    let request = EntryRequest::new([key.clone()]);
    assert_eq!(works(store.get_entry(&request).await, "`get_entry`"), None, "`get_entry` of what was never put");
    let put = async |entry: &StoreEntry, mode, what: &str| works(store.put_entry(&key.name, entry, mode).await, what);
    let read = async || works(store.get_entry(&request).await, "`get_entry`").map(|entry| entry.bytes);

    for (entry, mode, outcome, stays, what) in [
        (payload(20, "a"), PutMode::IfNewer, PutOutcome::Written, payload(20, "a"), "the first payload"),
        (payload(20, "a"), PutMode::IfNewer, PutOutcome::Refreshed, payload(20, "a"), "the same payload again"),
        (
            payload(10, "b"),
            PutMode::IfNewer,
            PutOutcome::SkippedOlder { stored_lcut: Some(20) },
            payload(20, "a"),
            "an older payload",
        ),
        (payload(20, "c"), PutMode::IfNewer, PutOutcome::Written, payload(20, "c"), "another one of the same time"),
        (payload(30, "d"), PutMode::IfNewer, PutOutcome::Written, payload(30, "d"), "a newer payload"),
        (
            payload(40, "e").with_delta(true),
            PutMode::IfNewer,
            PutOutcome::SkippedDelta,
            payload(30, "d"),
            "a difference",
        ),
        (payload(5, "f"), PutMode::Force, PutOutcome::Written, payload(5, "f"), "an older payload by force"),
        (payload(9, "g"), PutMode::IfNewer, PutOutcome::Written, payload(9, "g"), "a newer payload after a roll-back"),
    ] {
        let got = put(&entry, mode, what).await;
        let as_expected = match (&got, &outcome) {
            // Not every store knows the time of what it keeps.
            (PutOutcome::SkippedOlder { stored_lcut: None }, PutOutcome::SkippedOlder { .. }) => true,
            _ => got == outcome,
        };
        assert!(as_expected, "{what} gives {got:?} instead of {outcome:?}");
        assert!(read().await == Some(stays.bytes), "after {what} the wrong payload is stored");
    }

    let nameless = StoreEntry::json(br#"{"has_updates": false}"#.to_vec());
    let refused = store.put_entry(&key.name, &nameless, PutMode::Force).await;
    assert!(refused.is_err(), "a payload without a time is stored");
    works(store.touch(std::slice::from_ref(&key)).await, "`touch`");
    assert!(read().await == Some(payload(9, "g").bytes), "`touch` changes what is stored");

    let version = |lcut, checksum: &str| Some(SpecVersion::new(lcut, Some(checksum)));
    for (known, is_news) in [(version(8, "g"), true), (version(9, "x"), true), (version(9, "g"), false)] {
        let found = works(store.get_entry(&request.clone().unless_known(known.clone())).await, "`get_entry`");
        assert_eq!(found.is_some(), is_news, "whether {known:?} makes time 9 with checksum `g` news");
    }
}

/// The newest of several keys is read, the first of equals, and missing keys do not matter.
async fn newest_of_several(store: &dyn DataStore) {
    let names = ["one", "two", "three", "four"];
    let keys = names.map(|name| key(&format!("secret-contract-{name}"), StoreFormat::PlainText));
    let request = EntryRequest::new(keys.clone());
    for (at, entry, newest) in [
        (2, payload(10, "third"), payload(10, "third")),
        (1, payload(10, "second"), payload(10, "second")),
        (2, payload(11, "third"), payload(11, "third")),
        (1, payload(12, "second"), payload(12, "second")),
    ] {
        works(store.put_entry(&keys[at].name, &entry, PutMode::IfNewer).await, "`put_entry`");
        let found = works(store.get_entry(&request).await, "`get_entry` of several keys").map(|entry| entry.bytes);
        assert!(found == Some(newest.bytes), "`get_entry` of several keys does not give the newest");
    }
}

/// Whoever watches hears of a change.
async fn changes(store: &dyn DataStore) {
    let watched = key("secret-contract-watched", StoreFormat::PlainText);
    let other = key("secret-contract-other", StoreFormat::PlainText);
    let Some(mut feed) = works(store.watch(std::slice::from_ref(&watched)).await, "`watch`") else { return };
    loop {
        match feed.next().await {
            Some(ChangeHint::Subscribed) => break,
            Some(ChangeHint::Interrupted) => {}
            hint => panic!("a feed begins with {hint:?} instead of `Subscribed`"),
        }
    }
    for lcut in [1, 2] {
        works(store.put_entry(&other.name, &payload(lcut, "x"), PutMode::IfNewer).await, "`put_entry`");
        works(store.put_entry(&watched.name, &payload(lcut, "x"), PutMode::IfNewer).await, "`put_entry`");
        hears(feed.as_mut(), &watched, lcut).await;
    }
}

async fn hears(feed: &mut dyn ChangeFeed, key: &StoreKey, at_least: u64) {
    loop {
        match feed.next().await {
            Some(ChangeHint::Changed { key: changed, lcut }) => {
                assert_eq!(changed, key.name, "the feed tells of a key that is not watched");
                if lcut.is_none_or(|lcut| lcut >= at_least) {
                    return;
                }
            }
            Some(_) => {}
            None => panic!("the feed ends before the store does"),
        }
    }
}

fn key(sdk_key: &str, format: StoreFormat) -> StoreKey {
    StoreKeys::new(sdk_key).key(&StorePath::SpecsV2, format, KeySchema::Hashed)
}

fn payload(lcut: u64, checksum: &str) -> StoreEntry {
    // Whole config specs: a store may replace anything else.
    StoreEntry::json(
        format!(
            r#"{{"dynamic_configs": {{}}, "feature_gates": {{}}, "layer_configs": {{}}, "condition_map": {{}},
            "has_updates": true, "time": {lcut}, "checksum": "{checksum}"}}"#
        )
        .into_bytes(),
    )
}

fn works<T, E: Display>(result: Result<T, E>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{what} failed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::pin::pin;
    use std::sync::Mutex;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::{DataStoreError, InMemoryDataStore, StoreResponse};

    /// Runs a future that never waits for anything but itself.
    fn run<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("the future waits for something that nobody does"),
        }
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        Forgets,
        Trims,
        LatestWins,
        IsDown,
    }

    /// A store as users write them, with the required methods only.
    struct Shelf(Mutex<HashMap<String, String>>, Fault);

    #[async_trait::async_trait]
    impl DataStore for Shelf {
        async fn initialize(&self) -> Result<(), DataStoreError> {
            match self.1 {
                Fault::IsDown => Err(DataStoreError::new(DataStoreErrorKind::Unavailable, "nobody there")),
                _ => Ok(()),
            }
        }

        async fn shutdown(&self) -> Result<(), DataStoreError> {
            Ok(())
        }

        async fn get(&self, key: &str) -> Result<StoreResponse<String>, DataStoreError> {
            Ok(StoreResponse::new(self.0.lock().unwrap().get(key).cloned()))
        }

        async fn set(&self, key: &str, value: &str, _time: Option<u64>) -> Result<(), DataStoreError> {
            let value = if self.1 == Fault::Trims { value.trim() } else { value };
            if self.1 != Fault::Forgets {
                self.0.lock().unwrap().insert(key.to_owned(), value.to_owned());
            }
            Ok(())
        }

        async fn support_polling_updates_for(&self, _path: &StorePath) -> bool {
            false
        }

        async fn put_entry(&self, key: &str, entry: &StoreEntry, mode: PutMode) -> Result<PutOutcome, DataStoreError> {
            if self.1 == Fault::LatestWins {
                self.set(key, std::str::from_utf8(&entry.bytes).unwrap(), None).await?;
                return Ok(PutOutcome::Written);
            }
            Plain(self).put_entry(key, entry, mode).await
        }
    }

    /// The same with the default of `put_entry`.
    struct Plain<'a>(&'a Shelf);

    #[async_trait::async_trait]
    impl DataStore for Plain<'_> {
        async fn initialize(&self) -> Result<(), DataStoreError> {
            self.0.initialize().await
        }

        async fn shutdown(&self) -> Result<(), DataStoreError> {
            self.0.shutdown().await
        }

        async fn get(&self, key: &str) -> Result<StoreResponse<String>, DataStoreError> {
            self.0.get(key).await
        }

        async fn set(&self, key: &str, value: &str, time: Option<u64>) -> Result<(), DataStoreError> {
            self.0.set(key, value, time).await
        }

        async fn support_polling_updates_for(&self, path: &StorePath) -> bool {
            self.0.support_polling_updates_for(path).await
        }
    }

    fn contract_with(fault: Fault) {
        run(data_store_contract(&Shelf(Mutex::default(), fault)));
    }

    #[test]
    fn sound_stores_pass() {
        run(data_store_contract(&InMemoryDataStore::new()));
        contract_with(Fault::None);
        run(data_store_contract(&Plain(&Shelf(Mutex::default(), Fault::None))));
    }

    #[test]
    #[should_panic(expected = "`initialize` failed: nobody there")]
    fn a_store_that_is_down_fails() {
        contract_with(Fault::IsDown);
    }

    #[test]
    #[should_panic(expected = "does not give a short text back")]
    fn a_store_that_forgets_fails() {
        contract_with(Fault::Forgets);
    }

    #[test]
    #[should_panic(expected = "does not give a text that is no JSON back")]
    fn a_store_that_changes_values_fails() {
        contract_with(Fault::Trims);
    }

    #[test]
    #[should_panic(expected = "the same payload again gives Written")]
    fn a_store_without_order_fails() {
        contract_with(Fault::LatestWins);
    }

    #[test]
    fn unreadable_keys_count_only_when_no_other_has_an_entry() {
        let store = InMemoryDataStore::new();
        run(store.shutdown()).unwrap();
        let request = EntryRequest::new([StoreKey::legacy_specs()]);
        assert_eq!(run(store.get_entry(&request)).unwrap_err().kind(), DataStoreErrorKind::Closed);
        assert!(run(store.watch(&request.keys)).is_err());
    }

    #[test]
    fn feeds_end_with_the_store_and_never_grow_without_bound() {
        let store = InMemoryDataStore::new();
        let key = StoreKey::legacy_specs();
        let mut feed = run(store.watch(std::slice::from_ref(&key))).unwrap().unwrap();
        for lcut in 0..1_000 {
            run(store.put_entry(&key.name, &payload(lcut, ""), PutMode::Force)).unwrap();
        }
        run(store.shutdown()).unwrap();
        let mut hints = 0;
        while run(feed.next()).is_some() {
            hints += 1;
        }
        assert!((1..=64).contains(&hints), "{hints}");
    }

    #[test]
    fn protobuf_counts_before_json_of_an_unknown_order() {
        let store = InMemoryDataStore::new();
        let keys = [StoreFormat::StatsigBr, StoreFormat::PlainText].map(|format| key("k", format));
        run(store.set_bytes(&keys[1].name, &payload(9, "json").bytes, None)).unwrap();
        let request = EntryRequest::new(keys.clone());
        assert_eq!(run(store.get_entry(&request)).unwrap().unwrap().format, StoreFormat::PlainText);
        run(store.set_bytes(&keys[0].name, b"\xffproto", None)).unwrap();
        assert_eq!(run(store.get_entry(&request)).unwrap().unwrap().format, StoreFormat::StatsigBr);
        let version = SpecVersion::new(8, None);
        let older = StoreEntry::new(b"\xffproto".to_vec(), StoreFormat::StatsigBr, version);
        run(store.put_entry(&keys[0].name, &older, PutMode::Force)).unwrap();
        assert_eq!(
            run(store.get_entry(&request)).unwrap().unwrap().format,
            StoreFormat::PlainText,
            "known to be newer"
        );
    }
}
