//! ID lists as other SDKs leave them in Redis: a manifest, and each list as a whole.

use std::sync::Arc;

use statsig_core::{FixedClock, IdListLookup, KeySchema, StoreFormat, StoreKey, StoreKeys, StorePath, id_hash};
use statsig_net::id_lists::{IdListOptions, IdListReport, IdListSync, IdLists, StoredIdLists};
use statsig_net::{ClientIdentity, Network, NetworkOptions, SdkKey};
use statsig_testkit::redis_server::RedisServer;
use statsig_testkit::server::FakeStatsig;
use tokio::runtime::Handle;

use crate::open;

const SDK_KEY: &str = "secret-1";

/// One line for each ID, for instance `+1 +2`.
fn lines(text: &str) -> String {
    let line = |part: &str| format!("{}{}\n", &part[..1], std::str::from_utf8(&id_hash(&part[1..])).unwrap());
    text.split_whitespace().map(line).collect()
}

/// A process that has nothing but the store, and whoever writes to it.
struct Lists<'s> {
    server: &'s RedisServer,
    schema: KeySchema,
    /// Whether values are hashes, as the official proxy has them.
    hashes: bool,
    lists: Arc<IdLists>,
    sync: IdListSync,
}

impl<'s> Lists<'s> {
    fn new(server: &'s RedisServer, schema: KeySchema) -> Self {
        let source = StoredIdLists::alone(Arc::new(open(server)), &SdkKey::new(SDK_KEY));
        let lists = Arc::new(IdLists::new());
        let options = IdListOptions::default();
        let sync = IdListSync::start(options, Arc::clone(&lists), Arc::new(source), &Handle::current());
        Self { server, schema, hashes: false, lists, sync }
    }

    fn key(&self, path: &StorePath) -> StoreKey {
        StoreKeys::new(SDK_KEY).key(path, StoreFormat::PlainText, self.schema)
    }

    /// Lists first, and the manifest last.
    fn leave(&self, lists: &[(&str, &str)], manifest: &str) {
        for (name, members) in lists {
            self.put(&StorePath::IdList((*name).into()), &lines(members));
        }
        self.put(&StorePath::IdListManifest, manifest);
    }

    fn put(&self, path: &StorePath, value: &str) {
        let name = self.key(path).name;
        let words = if self.hashes {
            vec!["HSET", &name, "config", value, "lcut", "0", "encoding", "plain_text"]
        } else {
            vec!["SET", &name, value]
        };
        self.server.command(&words).unwrap();
    }

    async fn round(&self) -> (IdListReport, Vec<String>) {
        let report = self.sync.sync_now().await;
        let members = |list: &str| -> String {
            (0..10).map(|n| n.to_string()).filter(|id| self.lists.contains(list, &id_hash(id))).collect()
        };
        (report, self.lists.status().iter().map(|list| format!("{} {}", list.name, members(&list.name))).collect())
    }
}

#[tokio::test]
async fn whole_lists_are_read_and_read_afresh_when_they_change() {
    let server = RedisServer::start().unwrap();
    for (schema, hashes) in [(KeySchema::Hashed, false), (KeySchema::Prefix, true)] {
        server.command(&["FLUSHALL"]).unwrap();
        let reader = Lists { hashes, ..Lists::new(&server, schema) };
        // The sizes are those of files with all that was ever added and removed.
        let manifest = |size: u32, created: u32| {
            format!(
                r#"{{"vips": {{"url": "bootstrap", "fileID": "bootstrap", "size": {size}, "creationTime": {created}}},
                    "bare": {{"size": {size}}},
                    "staff": {{"url": "https://cdn.example/v1/download_id_list_file/f9", "fileID": "f9", "size": 90}}}}"#
            )
        };
        reader.leave(&[("vips", "+1 +2 +3"), ("bare", "+4"), ("staff", "+5")], &manifest(50, 7));
        let (report, lists) = reader.round().await;
        assert!(report.success && report.failed.is_empty(), "{report:?}");
        assert_eq!((report.changed, lists), (3, vec!["bare 4".into(), "staff 5".into(), "vips 123".into()]));
        // The manifest is looked at, and the list of which it says neither file nor time; no other one.
        server.command(&["CONFIG", "RESETSTAT"]).unwrap();
        assert_eq!(reader.round().await.0.changed, 0);
        let stats = server.command(&["INFO", "commandstats"]).unwrap().text();
        let reads = if hashes { "cmdstat_hmget:calls=2," } else { "cmdstat_get:calls=2," };
        assert!(stats.contains(reads), "{stats}");

        // One leaves and another one comes: of the file that would be ten bytes more each.
        reader.leave(&[("vips", "+2 +3 +4")], &manifest(70, 7));
        let (report, lists) = reader.round().await;
        assert_eq!((report.changed, lists[2].as_str()), (1, "vips 234"));
        // Rebuilt, and shorter.
        reader.leave(&[("vips", "+9")], &manifest(10, 8));
        assert_eq!(reader.round().await.1[2], "vips 9");
        // A list that is gone, and one whose content went away.
        reader.leave(&[], r#"{"vips": {"fileID": "x", "size": 10}, "lost": {"url": "u", "fileID": "y", "size": 10}}"#);
        let (report, lists) = reader.round().await;
        assert_eq!(lists, ["vips 9"]);
        assert_eq!((report.failed.len(), report.failed[0].0.as_str()), (1, "lost"));
    }
}

#[tokio::test]
async fn a_manifest_may_be_an_array_of_names() {
    let server = RedisServer::start().unwrap();
    let reader = Lists::new(&server, KeySchema::Hashed);
    reader.leave(&[("vips", "+1 +2"), ("staff", "+3")], r#" ["vips", "staff", "vips", "absent"]"#);
    let (report, lists) = reader.round().await;
    assert_eq!(lists, ["staff 3", "vips 12"]);
    assert_eq!((report.changed, report.failed.len(), report.failed[0].0.as_str()), (2, 1, "absent"));
    assert_eq!(reader.round().await.0.changed, 0);
    // Nothing but the content tells that it changed; of the same length, even.
    reader.leave(&[("vips", "+1 +5")], r#"["vips", "staff"]"#);
    let (report, lists) = reader.round().await;
    assert_eq!((report.changed, report.failed.len(), lists), (1, 0, vec!["staff 3".into(), "vips 15".into()]));
}

#[tokio::test]
async fn what_is_no_list_is_refused_and_a_file_is_better() {
    let server = RedisServer::start().unwrap();
    let reader = Lists::new(&server, KeySchema::Hashed);
    reader.leave(&[("vips", "+1")], r#"["vips"]"#);
    assert_eq!(reader.round().await.1, ["vips 1"]);
    let key = reader.key(&StorePath::IdList("vips".into()));
    server.command(&["SET", &key.name, &format!("<html>\n{}", lines("+2"))]).unwrap();
    let (report, lists) = reader.round().await;
    assert_eq!(lists, ["vips 1"], "what there was stays");
    assert!(report.failed[0].1.contains("looks like HTML"), "{report:?}");

    // Both forms: the file goes on where that of the server does.
    let manifest =
        |size: usize| format!(r#"{{"vips": {{"url": "https://cdn.example/f", "fileID": "f1", "size": {size}}}}}"#);
    let file = StoreKey::id_list_file("https://cdn.example/f", "f1").name;
    server.command(&["SET", &file, &lines("+1 +2 -1")]).unwrap();
    reader.leave(&[("vips", "+7")], &manifest(30));
    assert_eq!(reader.round().await.1, ["vips 2"]);
    server.command(&["APPEND", &file, &lines("+3")]).unwrap();
    reader.leave(&[], &manifest(40));
    assert_eq!(reader.round().await.1, ["vips 23"]);
    // A file that is short of what is announced will grow: what there was stays meanwhile.
    reader.leave(&[], &manifest(60));
    let (report, lists) = reader.round().await;
    assert_eq!((report.failed.len(), lists), (1, vec!["vips 23".to_owned()]));
    server.command(&["APPEND", &file, &lines("+4 -3")]).unwrap();
    let (report, lists) = reader.round().await;
    assert_eq!((report.failed.len(), lists), (0, vec!["vips 24".to_owned()]));
    // Without any file the whole list is better than nothing, until there is one.
    server.command(&["DEL", &file]).unwrap();
    reader.leave(&[], &manifest(70));
    assert_eq!(reader.round().await.1, ["vips 7"]);
    assert_eq!(reader.round().await.0.changed, 0);
    server.command(&["SET", &file, &lines("+1 +2 -1 +3 +4 -3 +5")]).unwrap();
    assert_eq!(reader.round().await.1, ["vips 245"]);
}

#[tokio::test]
async fn files_of_lists_that_do_not_change_are_kept() {
    let (redis, server) = (RedisServer::start().unwrap(), FakeStatsig::start().unwrap());
    server.publish_id_list("vips", "f1", 1, lines("+1"));
    let round = async || {
        let mut options = NetworkOptions::default();
        options.endpoints.api = Some(server.url());
        let identity = ClientIdentity::new(SdkKey::new(SDK_KEY)).unwrap();
        let network = Network::new(options, identity, Arc::new(FixedClock(0))).unwrap();
        let origin = Arc::new(network.id_list_source(false));
        let (store, key) = (Arc::new(open(&redis)), SdkKey::new(SDK_KEY));
        let source = StoredIdLists::new(store, &key, KeySchema::Hashed, origin, true);
        let (lists, options) = (Arc::new(IdLists::new()), IdListOptions::default());
        let sync = IdListSync::start(options, Arc::clone(&lists), Arc::new(source), &Handle::current());
        assert!(sync.sync_now().await.failed.is_empty() && lists.contains("vips", &id_hash("1")));
    };
    round().await;
    let file = StoreKey::id_list_file("/v1/download_id_list_file/f1", "f1").name;
    let left = || redis.command(&["TTL", &file]).unwrap().text().parse::<u64>().unwrap();
    assert!(left() > 1_000);
    redis.command(&["EXPIRE", &file, "1000"]).unwrap();
    round().await;
    assert!(left() > 1_000, "the next process has found it, and keeps it");
}
