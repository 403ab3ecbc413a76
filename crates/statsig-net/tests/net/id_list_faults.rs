//! ID lists when manifests, files and lines are not as they should be.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use statsig_core::{
    DataStore, IdListChunk, IdListEntry, IdListLookup, IdListManifest, IdListSource, InMemoryDataStore, KeySchema,
    SourceError, SourceErrorKind, StoreFormat, StoreKey, StoreKeys, StorePath, id_hash,
};
use statsig_net::id_lists::{IdListOptions, IdListSync, IdLists, StoredIdLists};
use statsig_testkit::server::{Endpoint, FakeStatsig, Fault, FrozenTime};
use tokio::runtime::Handle;

use crate::common::{HandClock, KEY, NOW, key, network};

/// A file from signs and IDs, for instance `+1 -1 +2`. Other words are lines of their own.
fn file(text: &str) -> String {
    let line = |part: &str| match part.chars().next().unwrap() {
        sign @ ('+' | '-') => format!("{sign}{}\n", std::str::from_utf8(&id_hash(&part[1..])).unwrap()),
        _ => format!("{part}\n"),
    };
    text.split_whitespace().map(line).collect()
}

/// The lines `+0`, `+1` and so on.
fn numbered(count: usize) -> String {
    (0..count).map(|n| file(&format!("+{n}"))).collect()
}

struct Client {
    lists: Arc<IdLists>,
    sync: IdListSync,
}

impl Client {
    fn new(source: Arc<dyn IdListSource>, change: impl FnOnce(&mut IdListOptions)) -> Self {
        let mut options = IdListOptions::default();
        options.clock = Some(HandClock::at(NOW));
        change(&mut options);
        let lists = Arc::new(IdLists::new());
        Self { sync: IdListSync::start(options, Arc::clone(&lists), source, &Handle::current()), lists }
    }

    fn of(server: &FakeStatsig) -> Self {
        Self::new(Arc::new(network(server).id_list_source(false)), |_| {})
    }

    /// Each list with those of the IDs 0 to 9 that it has.
    fn members(&self) -> Vec<String> {
        let of = |list: &str| -> String {
            (0..10).map(|n| n.to_string()).filter(|id| self.lists.contains(list, &id_hash(id))).collect()
        };
        self.lists.status().iter().map(|list| format!("{} {}", list.name, of(&list.name))).collect()
    }

    fn len(&self, list: &str) -> usize {
        self.lists.status().iter().find(|status| status.name == list).map_or(0, |status| status.len)
    }
}

/// JSON objects that are no manifests.
const OTHER_OBJECTS: [&str; 6] = [
    r#"{"error":"upstream"}"#,
    r#"{"success":false,"message":"try later"}"#,
    r#"{"error":{"code":503,"message":"no backend"}}"#,
    r#"{"has_updates":true,"time":5,"feature_gates":{"g":{}},"dynamic_configs":{},"layer_configs":{}}"#,
    r#"{"feature_gates":{},"dynamic_configs":{},"layer_configs":{},"has_updates":true,"hash_used":"djb2"}"#,
    "\u{feff}{\"error\":\"upstream\"}",
];

#[tokio::test]
async fn other_objects_in_place_of_the_manifest_take_no_list_away() {
    let server = FakeStatsig::start().unwrap();
    server.publish_id_list("vips", "f1", 1, file("+1 +2"));
    let client = Client::of(&server);
    assert!(client.sync.sync_now().await.success);
    for (round, other) in OTHER_OBJECTS.into_iter().enumerate() {
        server.fail_once(Endpoint::IdLists, Fault::Body(other.into()));
        let report = client.sync.sync_now().await;
        assert!(!report.success, "{other}");
        assert_eq!(client.members(), ["vips 12"], "{other}");
        let health = client.sync.health();
        assert!(health.error.as_ref().is_some_and(|error| error.contains("not a manifest")), "{health:?}");
        assert_eq!(health.failures as usize, round + 1);
    }
    // An entry that cannot be read, among others that can: its list stays.
    server.publish_id_list("new", "f2", 1, file("+3"));
    let manifest = format!(
        r#"{{"vips":{{"size":"?"}},"new":{{"fileID":"f2","size":10,"url":"{}/v1/download_id_list_file/f2"}}}}"#,
        server.url()
    );
    server.fail_once(Endpoint::IdLists, Fault::Body(manifest.into()));
    let report = client.sync.sync_now().await;
    assert_eq!((report.success, report.failed[0].0.as_str()), (true, "vips"));
    assert_eq!(client.members(), ["new 3", "vips 12"]);
    // Only an empty object says that there are no lists.
    server.fail_once(Endpoint::IdLists, Fault::Body(b"\xef\xbb\xbf{}".to_vec()));
    assert_eq!(client.sync.sync_now().await.changed, 2);
    assert_eq!((client.members().len(), client.sync.health().error), (0, None));
}

#[tokio::test]
async fn other_objects_in_a_store_take_no_list_away() {
    for schema in [KeySchema::Hashed, KeySchema::Prefix] {
        let store = Arc::new(InMemoryDataStore::new());
        let name = |path| StoreKeys::new(KEY).key(&path, StoreFormat::PlainText, schema).name;
        let put = async |path, value: &str| store.set(&name(path), value, None).await.unwrap();
        put(StorePath::IdList("vips".into()), &file("+1 +2")).await;
        let client = Client::new(Arc::new(StoredIdLists::alone(store.clone(), &key())), |_| {});
        // In each of the forms that writers leave.
        for manifest in [r#"{"vips":{"size":20,"creationTime":1}}"#, r#"["vips"]"#, "\u{feff}[\"vips\"]"] {
            put(StorePath::IdListManifest, manifest).await;
            assert!(client.sync.sync_now().await.success, "{manifest}");
            assert_eq!(client.members(), ["vips 12"], "{manifest}");
        }
        for other in OTHER_OBJECTS.into_iter().chain([r#"["upstream","failed"]"#, r#"{"errors":["no backend"]}"#]) {
            put(StorePath::IdListManifest, other).await;
            let report = client.sync.sync_now().await;
            assert!(!report.success && report.error.is_some(), "{other}");
            assert_eq!(client.members(), ["vips 12"], "{other}");
        }
        put(StorePath::IdListManifest, "[]").await;
        assert!(client.sync.sync_now().await.success && client.members().is_empty());
    }
}

#[tokio::test]
async fn lines_that_are_no_entries_are_skipped_wherever_they_are() {
    for ranges in [true, false] {
        let server = FakeStatsig::start().unwrap();
        server.serve_ranges(ranges);
        let client = Client::of(&server);
        let mut text = "#head +1 junk +2".to_owned();
        for (more, members) in [
            ("", "12"),
            // At the start of an appended part, alone in one, and at its end.
            ("#week48 +3", "123"),
            ("#week49", "123"),
            (";comment //comment +4 #end", "1234"),
            ("+not-a-hash-of-eight +5", "12345"),
            ("-1", "2345"),
        ] {
            text.push_str(&format!(" {more}"));
            server.publish_id_list("vips", "f1", 1, file(&text));
            let report = client.sync.sync_now().await;
            assert!(report.success && report.failed.is_empty(), "{more}: {report:?}");
            assert_eq!(client.members(), [format!("vips {members}")], "{more}");
        }
        assert_eq!(client.sync.health().error, None);
        // A mark that editors leave, and a line that is cut within its entry.
        server.publish_id_list("marked", "f2", 1, format!("\u{feff}{}+abc", file("+1 +2")));
        client.sync.sync_now().await;
        assert_eq!(client.members()[0], "marked 12");
    }
}

/// A source of one list, whose answers the test writes.
#[derive(Default)]
struct Scripted {
    entries: Mutex<Vec<IdListEntry>>,
    /// The file of each list.
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Sent in place of any part that does not begin at 0.
    part: Mutex<Option<Vec<u8>>>,
    /// Whether reading fails.
    fails: AtomicBool,
    starts: Mutex<Vec<u64>>,
}

impl Scripted {
    fn of(file: impl Into<Vec<u8>>) -> Arc<Self> {
        let source = Arc::new(Self::default());
        source.set(file);
        source
    }

    fn set(&self, file: impl Into<Vec<u8>>) {
        let file = file.into();
        *self.entries.lock().unwrap() = vec![IdListEntry::new("vips", "m:", "f1", file.len() as u64)];
        self.files.lock().unwrap().insert("f1".into(), file);
    }

    fn starts(&self) -> Vec<u64> {
        std::mem::take(&mut *self.starts.lock().unwrap())
    }
}

#[async_trait::async_trait]
impl IdListSource for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }
    async fn manifest(&self) -> Result<IdListManifest, SourceError> {
        Ok(IdListManifest::new(self.entries.lock().unwrap().clone()))
    }
    async fn read(&self, entry: &IdListEntry, start: u64) -> Result<IdListChunk, SourceError> {
        self.starts.lock().unwrap().push(start);
        if self.fails.load(Ordering::Relaxed) {
            return Err(SourceError::new(SourceErrorKind::Failing, "no such luck"));
        }
        if let (Some(part), true) = (&*self.part.lock().unwrap(), start > 0) {
            return Ok(IdListChunk::new(start, part.clone()));
        }
        let files = self.files.lock().unwrap();
        let file = files.get(&entry.file_id).cloned().unwrap_or_default();
        Ok(IdListChunk::new(start, file[usize::try_from(start).unwrap().min(file.len())..].to_vec()))
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_continued_is_read_from_its_beginning() {
    let source = Scripted::of(file("+1 +2"));
    let client = Client::new(source.clone(), |_| {});
    client.sync.sync_now().await;
    assert_eq!(source.starts(), [0]);
    for (n, part) in
        ["<html>\n<p>no</p>\n", "{\"error\":\n1}\n", "upstream connect error\n", "cut"].into_iter().enumerate()
    {
        *source.part.lock().unwrap() = Some(part.into());
        source.set(file(&format!("+1 +2{}", " +3".repeat(n + 1))));
        let report = client.sync.sync_now().await;
        assert_eq!((report.failed.len(), source.starts().len()), (0, 2), "{part}: {report:?}");
        assert_eq!(client.members(), ["vips 123"], "{part}");
    }
    // What is no list at all takes nothing away, and is not asked for again and again.
    for whole in ["<html>\n<p>down for maintenance</p>\n+12345678\n".repeat(9), "no such file\n".repeat(9)] {
        source.set(whole.clone());
        source.entries.lock().unwrap()[0].size += 500;
        let report = client.sync.sync_now().await;
        assert_eq!((report.failed.len(), source.starts().len()), (1, 2), "{whole}");
        client.sync.sync_now().await;
        assert_eq!((client.members(), source.starts().len()), (vec!["vips 123".to_owned()], 1), "{whole}");
    }
    // A file that ends where it was read, whatever the manifest announces, is read again from its beginning in time.
    *source.part.lock().unwrap() = Some(Vec::new());
    source.set(file("+1 +4 +5 +6 +7 +8 +9 +0"));
    for round in 1..=3 {
        client.sync.sync_now().await;
        assert_eq!(client.members(), [if round < 3 { "vips 123" } else { "vips 01456789" }]);
    }
}

#[tokio::test]
async fn a_rebuilt_list_without_any_entry_does_not_empty_the_one_in_use() {
    let server = FakeStatsig::start().unwrap();
    let client = Client::of(&server);
    server.publish_id_list("vips", "f1", 1, file("+1 +2"));
    client.sync.sync_now().await;
    for (n, content) in ["upstream error\n", "<html>", "{\"success\":false}\n", "\x1f\u{8b}"].into_iter().enumerate() {
        server.publish_id_list("vips", &format!("g{n}"), 2, content);
        let report = client.sync.sync_now().await;
        assert_eq!((report.failed.len(), client.members()), (1, vec!["vips 12".to_owned()]), "{content:?}");
    }
    server.publish_id_list("vips", "f3", 2, file("+3"));
    client.sync.sync_now().await;
    assert_eq!(client.members(), ["vips 3"]);
}

#[tokio::test]
async fn the_longest_interval_is_no_danger() {
    let client = Client::new(Scripted::of(file("+1")), |options| options.interval = Duration::MAX);
    assert!(client.sync.sync_now().await.success);
    tokio::task::yield_now().await;
    let health = client.sync.health();
    assert!(health.running && health.restarts == 0 && health.next_round > Some(Duration::from_secs(1 << 20)));
    client.sync.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn health_says_which_list_fails_since_when_and_what_happens_next() {
    let source = Scripted::of(file("+1"));
    let client = Client::new(source.clone(), |_| {});
    client.sync.sync_now().await;
    assert_eq!((client.sync.health().error, client.sync.health().failing), (None, Vec::new()));
    source.fails.store(true, Ordering::Relaxed);
    source.set(file("+1 +2"));
    client.sync.sync_now().await;
    tokio::time::advance(Duration::from_secs(5)).await;
    client.sync.sync_now().await;
    tokio::time::advance(Duration::from_secs(2)).await;
    let health = client.sync.health();
    let error = health.error.unwrap();
    assert!(error.starts_with("vips: ") && error.contains("no such luck"), "{error}");
    let list = &health.failing[0];
    assert_eq!((list.name.as_str(), list.failures, list.since), ("vips", 2, Duration::from_secs(7)));
    assert_eq!((health.failures, health.last_failure), (2, Some(Duration::from_secs(2))));
    assert!(health.next_round.unwrap() > Duration::from_secs(40), "{:?}", health.next_round);
    source.fails.store(false, Ordering::Relaxed);
    client.sync.sync_now().await;
    let health = client.sync.health();
    assert_eq!((health.error, health.failing.len(), health.failures), (None, 0, 0));
    assert_eq!((health.last_failure, health.last_success), (Some(Duration::from_secs(2)), Some(Duration::ZERO)));
}

#[tokio::test]
async fn creation_times_in_the_future_order_nothing() {
    let server = FakeStatsig::start().unwrap();
    let client = Client::of(&server);
    let now_us = NOW * 1_000;
    for (file_id, creation, text, members) in [
        ("f1", NOW, "+1", "vips 1"),
        // Earlier: some server lags behind.
        ("f0", NOW - 1, "+2", "vips 1"),
        ("f2", now_us, "+3", "vips 3"),
        ("f3", NOW + 1, "+4", "vips 4"),
        ("f4", i64::MAX, "+5", "vips 5"),
        ("f5", now_us, "+6", "vips 6"),
        ("f6", NOW + 2, "+7", "vips 7"),
        ("f7", NOW + 1, "+8", "vips 7"),
    ] {
        server.publish_id_list("vips", file_id, creation, file(text));
        let report = client.sync.sync_now().await;
        assert!(report.failed.is_empty(), "{report:?}");
        assert_eq!(client.members(), [members], "{file_id}");
        assert_eq!(report.problems.len(), usize::from(creation >= now_us), "{file_id}");
    }
}

#[tokio::test]
async fn what_has_arrived_of_a_file_is_kept() {
    for ranges in [true, false] {
        let server = FakeStatsig::start().unwrap();
        server.serve_ranges(ranges);
        let client = Client::of(&server);
        let text = numbered(1_000);
        server.publish_id_list("big", "f1", 1, &*text);
        for (round, cut) in [3_005, 2_000, 1].into_iter().enumerate() {
            // Without ranges the file begins anew each time.
            let cut = if ranges { cut } else { cut + 3_000 * round };
            server.fail_once(Endpoint::IdListFile, Fault::Cut(cut));
            let report = client.sync.sync_now().await;
            assert_eq!(report.failed.len(), 1);
            assert_eq!(client.len("big"), 0, "half a list is no list");
            if round < 2 {
                assert_eq!(report.unfinished, 1, "{report:?}");
                assert!(report.failed[0].1.contains("of 10000 bytes are read"), "{report:?}");
            }
        }
        let report = client.sync.sync_now().await;
        assert!(report.failed.is_empty(), "{report:?}");
        assert_eq!(client.len("big"), 1_000);
        if ranges {
            let asked = server.requests_to(Endpoint::IdListFile);
            let asked: Vec<_> = asked.iter().map(|request| request.header("range").unwrap()).collect();
            assert_eq!(asked, ["bytes=0-", "bytes=3000-", "bytes=5000-", "bytes=5000-"]);
        }
        // While a list is rebuilt, that of before is in use; while it grows, what has come.
        server.publish_id_list("big", "f2", 2, numbered(500));
        server.fail_once(Endpoint::IdListFile, Fault::Cut(2_000));
        client.sync.sync_now().await;
        assert_eq!(client.len("big"), 1_000);
        client.sync.sync_now().await;
        assert_eq!(client.len("big"), 500);
        server.publish_id_list("big", "f2", 2, numbered(800));
        server.fail_once(Endpoint::IdListFile, Fault::Cut(if ranges { 1_000 } else { 6_000 }));
        client.sync.sync_now().await;
        client.sync.sync_now().await;
        assert_eq!(client.len("big"), 800);
    }
}

#[tokio::test]
async fn a_file_that_stalls_goes_on_where_it_was() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    server.publish_id_list("big", "f1", 1, numbered(1_000));
    let client = Arc::new(Client::of(&server));
    for stall in [4_000, 3_000] {
        server.fail_once(Endpoint::IdListFile, Fault::Stall(stall));
        let seen = server.requests_to(Endpoint::IdListFile).len();
        let round = tokio::spawn({
            let client = Arc::clone(&client);
            async move { client.sync.sync_now().await }
        });
        server.wait_for_requests(Endpoint::IdListFile, seen + 1).await;
        // The time limit is for silence.
        while !round.is_finished() {
            time.advance(Duration::from_millis(500)).await;
            tokio::task::spawn_blocking(|| {}).await.unwrap();
        }
        let report = round.await.unwrap();
        assert_eq!(report.unfinished, 1, "{report:?}");
    }
    assert!(client.sync.sync_now().await.failed.is_empty());
    assert_eq!(client.len("big"), 1_000);
    let asked = server.requests_to(Endpoint::IdListFile);
    assert_eq!(asked.last().unwrap().header("range"), Some("bytes=7000-"));
}

#[tokio::test]
async fn a_copy_in_a_store_grows_with_what_has_arrived() {
    let server = FakeStatsig::start().unwrap();
    let store = Arc::new(InMemoryDataStore::new());
    let text = numbered(300);
    server.publish_id_list("big", "f1", 1, &*text);
    let origin = Arc::new(network(&server).id_list_source(false));
    let source = StoredIdLists::new(store.clone(), &key(), KeySchema::Hashed, origin, true);
    let client = Client::new(Arc::new(source), |_| {});
    server.fail_once(Endpoint::IdListFile, Fault::Cut(1_000));
    assert_eq!(client.sync.sync_now().await.unfinished, 1);
    assert!(client.sync.sync_now().await.failed.is_empty());
    let stored = store.get(&StoreKey::id_list_file("", "f1").name).await.unwrap();
    assert_eq!((client.len("big"), stored.result), (300, Some(text)));
}

#[tokio::test]
async fn a_file_takes_no_more_room_than_the_manifest_says() {
    let source = Scripted::of(numbered(100));
    source.entries.lock().unwrap()[0].size = 105;
    let client = Client::new(source.clone(), |options| options.max_total_bytes = 500);
    client.sync.sync_now().await;
    assert_eq!((client.len("vips"), client.lists.status()[0].read_bytes), (10, 100));
    source.entries.lock().unwrap()[0].size = 501;
    let report = client.sync.sync_now().await;
    assert!(report.failed[0].1.contains("limit of 500 bytes"), "{report:?}");
    assert_eq!(client.len("vips"), 10);
}
