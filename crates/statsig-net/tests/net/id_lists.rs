//! ID lists against a server on loopback, and against a data store.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use statsig_core::testing::id_list_source_contract;
use statsig_core::{
    DataStore, IdListLookup, IdListSource, InMemoryDataStore, KeySchema, SourceErrorKind, StoreFormat, StoreKey,
    StoreKeys, StorePath, id_hash,
};
use statsig_net::id_lists::{IdListOptions, IdListSync, IdLists, StoredIdLists};
use statsig_testkit::server::{Endpoint, FakeStatsig, Fault, FrozenTime};
use tokio::runtime::Handle;

use crate::common::{KEY, key, network, network_with, settle, watched_network};

const SECOND: Duration = Duration::from_secs(1);

fn line(sign: char, id: &str) -> String {
    format!("{sign}{}\n", std::str::from_utf8(&id_hash(id)).unwrap())
}

/// A file from signs and IDs, for instance `+1 -1 +2`.
fn file(text: &str) -> String {
    text.split_whitespace().map(|part| line(part.chars().next().unwrap(), &part[1..])).collect()
}

struct Client {
    lists: Arc<IdLists>,
    sync: IdListSync,
}

fn client_of(source: Arc<dyn IdListSource>, options: IdListOptions) -> Client {
    let lists = Arc::new(IdLists::new());
    Client { sync: IdListSync::start(options, Arc::clone(&lists), source, &Handle::current()), lists }
}

fn client(server: &FakeStatsig) -> Client {
    client_of(Arc::new(network(server).id_list_source(false)), IdListOptions::default())
}

impl Client {
    /// Each list with those of the IDs 0 to 9 that it has, and how much of its file was read in lines.
    fn told(&self) -> Vec<String> {
        let members = |list: &str| -> String {
            (0..10).map(|n| n.to_string()).filter(|id| self.lists.contains(list, &id_hash(id))).collect()
        };
        let status = self.lists.status();
        status
            .iter()
            .map(|list| format!("{} {{{}}} {}", list.name, members(&list.name), list.read_bytes / 10))
            .collect()
    }
}

#[tokio::test]
async fn http_keeps_the_contract() {
    let server = FakeStatsig::start().unwrap();
    server.publish_id_list("vip", "f1", 1, file("+1 +2 -1 +3"));
    server.publish_id_list("empty", "f2", 1, "");
    for ranges in [true, false] {
        server.serve_ranges(ranges);
        let files = id_list_source_contract(&network(&server).id_list_source(false)).await;
        assert_eq!(files[0].1, file("+1 +2 -1 +3").as_bytes());
    }
}

#[tokio::test]
async fn lists_follow_their_files_through_every_turn() {
    let server = FakeStatsig::start().unwrap();
    let client = client(&server);
    for ranges in [true, false] {
        server.serve_ranges(ranges);
        server.publish_id_list("one", "f1", 1, file("+1"));
        server.publish_id_list("two", "f2", 1, file("+5"));
        client.sync.sync_now().await;
        assert_eq!(client.told(), ["one {1} 1", "two {5} 1"]);
        // It grows, and the other one goes.
        server.publish_id_list("one", "f1", 1, file("+1 -1 +2"));
        server.remove_id_list("two");
        client.sync.sync_now().await;
        assert_eq!(client.told(), ["one {2} 3"]);
        // Rebuilt in another file.
        server.publish_id_list("one", "f1a", 3, file("+3"));
        client.sync.sync_now().await;
        assert_eq!(client.told(), ["one {3} 1"]);
        // A server that lags behind announces the older file: it is not even asked for.
        let asked = server.requests_to(Endpoint::IdListFile).len();
        server.publish_id_list("one", "f1", 1, file("+1 -1 +2"));
        client.sync.sync_now().await;
        assert_eq!(
            (client.told(), server.requests_to(Endpoint::IdListFile).len()),
            (vec!["one {3} 1".to_owned()], asked)
        );
        // What is no list leaves everything as it was; others go on.
        server.publish_id_list("one", "f1a", 3, file("+3 +4 +5 +4 -4 +6"));
        server.publish_id_list("three", "f3", 5, file("+0"));
        server.fail_once(Endpoint::IdListFile, Fault::Body(b"3".to_vec()));
        let report = client.sync.sync_now().await;
        assert_eq!((report.success, report.failed.len()), (true, 1));
        let expected = match &*report.failed[0].0 {
            "one" => ["one {3} 1", "three {0} 1"].to_vec(),
            _ => ["one {356} 6"].to_vec(),
        };
        assert_eq!(client.told(), expected);
        client.sync.sync_now().await;
        assert_eq!(client.told(), ["one {356} 6", "three {0} 1"]);
        server.remove_id_list("one");
        server.remove_id_list("three");
        client.sync.sync_now().await;
        assert!(client.told().is_empty());
    }
}

#[tokio::test]
async fn requests_ask_for_what_is_missing_only() {
    let server = FakeStatsig::start().unwrap();
    let client = client(&server);
    server.publish_id_list("one", "f1", 1, file("+1 +2"));
    client.sync.sync_now().await;
    server.publish_id_list("one", "f1", 1, file("+1 +2 +3"));
    client.sync.sync_now().await;
    client.sync.sync_now().await;
    let manifests = server.requests_to(Endpoint::IdLists);
    assert_eq!(
        (manifests.len(), &*manifests[0].method, manifests[0].header("statsig-api-key")),
        (3, "POST", Some(KEY))
    );
    assert_eq!(manifests[0].header("content-length"), Some("0"));
    let files = server.requests_to(Endpoint::IdListFile);
    let asked: Vec<_> =
        files.iter().map(|request| (request.header("range"), request.header("statsig-id-list-file-size"))).collect();
    assert_eq!(asked, [(Some("bytes=0-"), Some("20")), (Some("bytes=20-"), Some("30"))]);
    assert!(files.iter().all(|request| request.header("accept-encoding") == Some("identity")));
    assert!(files.iter().all(|request| request.target == "/v1/download_id_list_file/f1?k=1"));
}

#[tokio::test]
async fn files_come_from_another_host_if_so_told() {
    let (server, files) = (FakeStatsig::start().unwrap(), FakeStatsig::start().unwrap());
    server.publish_id_list("one", "f1", 1, file("+1"));
    files.publish_id_list("one", "f1", 1, file("+1"));
    let network = network_with(&server, |options| options.endpoints.id_list_file_api = Some(files.url()));
    let client = client_of(Arc::new(network.id_list_source(false)), IdListOptions::default());
    client.sync.sync_now().await;
    assert_eq!(client.told(), ["one {1} 1"]);
    assert_eq!(server.requests_to(Endpoint::IdListFile).len(), 0);
    assert_eq!(files.requests()[0].target, "/v1/download_id_list_file/f1?k=1");
}

#[tokio::test]
async fn a_host_that_a_manifest_names_gets_no_key() {
    let (server, elsewhere) = (FakeStatsig::start().unwrap(), FakeStatsig::start().unwrap());
    elsewhere.publish_id_list("one", "f1", 1, file("+1"));
    // By another name, since hosts of this machine are all one.
    let url = elsewhere.url().replace("127.0.0.1", "localhost");
    let manifest = format!(r#"{{"one":{{"url":"{url}/v1/download_id_list_file/f1","fileID":"f1","size":10}}}}"#);
    server.fail_always(Endpoint::IdLists, Some(Fault::Body(manifest.into_bytes())));
    let stranger = client(&server);
    stranger.sync.sync_now().await;
    let told = network_with(&server, |options| options.endpoints.id_list_file_api = Some(url.clone()));
    let told = client_of(Arc::new(told.id_list_source(false)), IdListOptions::default());
    told.sync.sync_now().await;
    assert_eq!((stranger.told(), told.told()), (vec!["one {1} 1".to_owned()], vec!["one {1} 1".to_owned()]));
    // Another port of the same host is another server.
    let manifest =
        format!(r#"{{"one":{{"url":"{}/v1/download_id_list_file/f1","fileID":"f1","size":10}}}}"#, elsewhere.url());
    server.fail_always(Endpoint::IdLists, Some(Fault::Body(manifest.into_bytes())));
    let neighbour = client(&server);
    neighbour.sync.sync_now().await;
    assert_eq!(neighbour.told(), ["one {1} 1"]);
    let asked = elsewhere.requests_to(Endpoint::IdListFile);
    let keys: Vec<_> = asked.iter().map(|request| request.header("statsig-api-key")).collect();
    assert_eq!(keys, [None, Some(KEY), None]);
}

#[tokio::test]
async fn so_many_files_are_read_at_a_time() {
    let server = FakeStatsig::start().unwrap();
    for n in 0..9 {
        server.publish_id_list(&format!("list-{n}"), &format!("f{n}"), 1, file("+1"));
    }
    server.fail_always(Endpoint::IdListFile, Some(Fault::Hang));
    let client = Arc::new(client(&server));
    let round = tokio::spawn({
        let client = Arc::clone(&client);
        async move { client.sync.sync_now().await }
    });
    server.wait_for_requests(Endpoint::IdListFile, 3).await;
    for _ in 0..10 {
        settle().await;
    }
    assert_eq!(server.requests_to(Endpoint::IdListFile).len(), 3);
    round.abort();
}

/// Answers nothing, and keeps what was asked.
#[derive(Default)]
struct Noted(std::sync::Mutex<Vec<(String, Option<String>)>>);

#[async_trait::async_trait]
impl statsig_net::transport::HttpTransport for Noted {
    async fn exchange(
        &self,
        request: &statsig_net::transport::HttpRequest,
    ) -> Result<statsig_net::transport::HttpResponse, statsig_net::Error> {
        let range = request.headers.get("range").map(|range| range.to_str().unwrap().to_owned());
        self.0.lock().unwrap().push((format!("{} {}", request.method, request.url), range));
        Err(statsig_net::Error::NetworkDisabled)
    }
}

#[tokio::test]
async fn statsigs_delivery_network_is_asked_in_its_own_way() {
    let noted = Arc::new(Noted::default());
    let transport = statsig_net::transport::HttpClient::new(noted.clone());
    let network = statsig_net::Network::with_client(
        Default::default(),
        crate::common::identity(),
        crate::common::clock(),
        transport,
    )
    .unwrap();
    let source = network.id_list_source(true);
    assert!(source.manifest().await.is_err());
    for url in ["https://api.statsigcdn.com/v1/download_id_list_file/f1?k=1", "https://files.example/f1?k=1"] {
        let entry = statsig_core::IdListEntry::new("one", url, "f1", 40);
        assert!(source.read(&entry, 20).await.is_err());
    }
    let asked = noted.0.lock().unwrap().clone();
    assert_eq!(
        asked,
        [
            (format!("GET https://api.statsigcdn.com/v1/get_id_lists/{KEY}.json"), None),
            ("GET https://api.statsigcdn.com/v1/download_id_list_file/f1?k=1&range=20-".to_owned(), None),
            ("GET https://files.example/f1?k=1".to_owned(), Some("bytes=20-".to_owned())),
        ]
    );
}

#[tokio::test]
async fn trouble_leaves_lists_as_they_are() {
    let server = FakeStatsig::start().unwrap();
    let client = client(&server);
    server.publish_id_list("one", "f1", 1, file("+1 +2"));
    client.sync.sync_now().await;
    for fault in [
        Fault::Status(500, KEY.into()),
        Fault::Status(401, String::new()),
        Fault::Body(b"[]".to_vec()),
        Fault::Body(b"{\"one\":".to_vec()),
        Fault::Close,
        Fault::Cut(5),
        Fault::Garbage,
    ] {
        server.fail_once(Endpoint::IdLists, fault.clone());
        let report = client.sync.sync_now().await;
        assert!(!report.success && !report.error.unwrap().contains("fGhIj"), "{fault:?}");
        assert_eq!(client.told(), ["one {12} 2"]);
    }
    // An entry that cannot be read keeps its list; one that is gone does not.
    server.fail_once(
        Endpoint::IdLists,
        Fault::Body(br#"{"one":{"fileID":7},"other":{"fileID":"x","url":"ftp://x","size":9}}"#.to_vec()),
    );
    let report = client.sync.sync_now().await;
    assert_eq!((client.told(), report.failed.len()), (vec!["one {12} 2".to_owned()], 2));

    server.publish_id_list("one", "f1", 1, file("+1 +2 +3"));
    for fault in [
        Fault::Status(503, String::new()),
        Fault::Body(Vec::new()),
        Fault::Cut(3),
        Fault::Status(416, String::new()),
        Fault::Endless,
    ] {
        server.fail_once(Endpoint::IdListFile, fault.clone());
        client.sync.sync_now().await;
        assert_eq!(client.told(), ["one {12} 2"], "{fault:?}");
    }
    client.sync.sync_now().await;
    assert_eq!(client.told(), ["one {123} 3"]);
    // Shorter than what was read of it: read anew once that has lasted.
    server.publish_id_list("one", "f1", 1, file("+7"));
    for round in 1..=3 {
        client.sync.sync_now().await;
        assert_eq!(client.told(), [if round < 3 { "one {123} 3" } else { "one {7} 1" }]);
    }
}

#[tokio::test]
async fn all_files_together_are_bounded() {
    let server = FakeStatsig::start().unwrap();
    server.publish_id_list("one", "f1", 1, file("+1 +2"));
    server.publish_id_list("two", "f2", 1, file("+1 +2"));
    let mut options = IdListOptions::default();
    options.max_total_bytes = 30;
    options.parallel = 1;
    let client = client_of(Arc::new(network(&server).id_list_source(false)), options);
    let report = client.sync.sync_now().await;
    assert_eq!((report.failed.len(), client.told().len()), (1, 1));
}

#[tokio::test]
async fn the_manifest_comes_from_elsewhere_if_its_server_fails() {
    let (server, fallback) = (FakeStatsig::start().unwrap(), FakeStatsig::start().unwrap());
    server.fail_always(Endpoint::IdLists, Some(Fault::Status(500, String::new())));
    fallback.publish_id_list("one", "f1", 1, file("+1"));
    // Statsig's own servers are out of reach of a test: a store stands in for them.
    let store = Arc::new(InMemoryDataStore::new());
    let shared = |server: &FakeStatsig| -> Arc<dyn IdListSource> {
        let origin = Arc::new(network(server).id_list_source(false));
        Arc::new(StoredIdLists::new(store.clone(), &key(), KeySchema::Hashed, origin, true))
    };
    let writer = client_of(shared(&fallback), IdListOptions::default());
    assert!(writer.sync.sync_now().await.success);
    fallback.publish_id_list("one", "f1", 1, file("+1 +2"));
    assert!(writer.sync.sync_now().await.success);
    fallback.stop();
    // Starts with nothing but the store.
    let reader = client_of(shared(&server), IdListOptions::default());
    assert!(reader.sync.sync_now().await.success);
    assert_eq!(reader.told(), ["one {12} 2"]);
    let stored = store.get(&StoreKey::id_list_file("", "f1").name).await.unwrap();
    assert_eq!(stored.result, Some(file("+1 +2")));
    let alone = client_of(Arc::new(StoredIdLists::alone(store.clone(), &key())), IdListOptions::default());
    assert!(alone.sync.sync_now().await.success);
    assert_eq!(alone.told(), ["one {12} 2"]);
    let nothing = StoredIdLists::alone(Arc::new(InMemoryDataStore::new()), &key());
    assert_eq!(nothing.manifest().await.unwrap_err().kind(), SourceErrorKind::Empty);
}

#[tokio::test]
async fn lists_do_not_go_back_to_what_the_store_has() {
    let server = FakeStatsig::start().unwrap();
    let store = Arc::new(InMemoryDataStore::new());
    let source = |writes| {
        let origin = Arc::new(network(&server).id_list_source(false));
        client_of(
            Arc::new(StoredIdLists::new(store.clone(), &key(), KeySchema::Hashed, origin, writes)),
            IdListOptions::default(),
        )
    };
    server.publish_id_list("one", "f1", 1, file("+1"));
    assert!(source(true).sync.sync_now().await.success);
    // One that does not write sees more, before the server fails.
    server.publish_id_list("two", "f2", 2, file("+2"));
    let reader = source(false);
    assert!(reader.sync.sync_now().await.success);
    let before = reader.told();
    assert_eq!(before.len(), 2);
    server.fail_always(Endpoint::IdLists, Some(Fault::Status(500, String::new())));
    let report = reader.sync.sync_now().await;
    assert!(!report.success && report.error.is_some(), "{report:?}");
    assert_eq!((reader.told(), reader.sync.health().failures), (before, 1));
}

#[tokio::test]
async fn a_store_spares_the_server_the_start_and_helps_when_it_fails() {
    let server = FakeStatsig::start().unwrap();
    let store = Arc::new(InMemoryDataStore::new());
    let shared = || -> Client {
        let origin = Arc::new(network(&server).id_list_source(false));
        let source = StoredIdLists::new(store.clone(), &key(), KeySchema::Hashed, origin, true);
        client_of(Arc::new(source), IdListOptions::default())
    };
    server.publish_id_list("one", "f1", 1, file("+1 +2"));
    let (first, second) = (shared(), shared());
    first.sync.sync_now().await;
    second.sync.sync_now().await;
    assert_eq!((second.told(), server.requests_to(Endpoint::IdListFile).len()), (vec!["one {12} 2".to_owned()], 1));
    // What is new comes from the server, only that; from the store when the server fails.
    server.publish_id_list("one", "f1", 1, file("+1 +2 +3"));
    first.sync.sync_now().await;
    let asked = server.requests_to(Endpoint::IdListFile);
    assert_eq!((asked.len(), asked[1].header("range")), (2, Some("bytes=20-")));
    server.fail_always(Endpoint::IdListFile, Some(Fault::Status(500, String::new())));
    assert!(second.sync.sync_now().await.failed.is_empty());
    assert_eq!(second.told(), ["one {123} 3"]);
    // What the store has is too short.
    server.publish_id_list("one", "f1", 1, file("+1 +2 +3 +4"));
    assert_eq!(second.sync.sync_now().await.failed.len(), 1);
    assert_eq!(second.told(), ["one {123} 3"]);
}

#[tokio::test]
async fn whole_lists_of_other_sdks_give_way_to_the_files_of_the_server() {
    let server = FakeStatsig::start().unwrap();
    let store = Arc::new(InMemoryDataStore::new());
    let keys = StoreKeys::new(KEY);
    let name = |path| keys.key(&path, StoreFormat::PlainText, KeySchema::Prefix).name;
    let put = async |path, value: &str| store.set(&name(path), value, None).await.unwrap();
    put(StorePath::IdList("one".into()), &file("+2 +3")).await;
    put(StorePath::IdListManifest, r#"{"one": {"url": "bootstrap", "fileID": "f1", "size": 40, "creationTime": 7}}"#)
        .await;
    server.fail_always(Endpoint::IdLists, Some(Fault::Status(500, String::new())));
    let origin = Arc::new(network(&server).id_list_source(false));
    let shared = Arc::new(StoredIdLists::new(store.clone(), &key(), KeySchema::Hashed, origin, true));
    let files = id_list_source_contract(&*shared).await;
    assert_eq!((files.len(), &*files[0].1), (1, file("+2 +3").as_bytes()));
    let client = client_of(shared, IdListOptions::default());
    assert!(client.sync.sync_now().await.failed.is_empty());
    assert_eq!((client.told(), client.sync.sync_now().await.changed), (vec!["one {23} 2".to_owned()], 0));
    assert_eq!(server.requests_to(Endpoint::IdListFile), []);
    // The same list, of the same length as was announced: nothing says what the store had left out.
    server.publish_id_list("one", "f1", 7, file("+1 +2 -1 +3"));
    server.fail_always(Endpoint::IdLists, None);
    assert!(client.sync.sync_now().await.failed.is_empty());
    assert_eq!(client.told(), ["one {23} 4"]);
    assert_eq!(server.requests_to(Endpoint::IdListFile)[0].header("range"), Some("bytes=0-"));
    let stored = store.get(&StoreKey::id_list_file("", "f1").name).await.unwrap();
    assert_eq!(stored.result, Some(file("+1 +2 -1 +3")), "what is written is a file");
}

#[tokio::test]
async fn rounds_come_by_themselves_and_end() {
    let time = FrozenTime::start();
    let server = FakeStatsig::start().unwrap();
    server.publish_id_list("one", "f1", 1, file("+1"));
    let (network, mut exchanges) = watched_network(&server, |_| {});
    let client = client_of(Arc::new(network.id_list_source(false)), IdListOptions::default());
    let pause = exchanges.next(&time).await;
    assert!(pause >= 53 * SECOND && pause <= 67 * SECOND, "{pause:?}");
    exchanges.ended(2).await;
    while !client.sync.health().last_round.success {
        tokio::task::spawn_blocking(|| {}).await.unwrap();
    }
    assert_eq!(client.told(), ["one {1} 1"]);
    client.sync.shutdown(SECOND).await;
    time.advance(600 * SECOND).await;
    assert_eq!(exchanges.count(), 2);
    assert_eq!(client.sync.health().last_success, Some(600 * SECOND));
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<(bool, u8)>),
    Rebuild(Vec<(bool, u8)>),
    Fail(u8),
    Sync,
}

fn changes() -> impl Strategy<Value = Vec<(bool, u8)>> {
    prop::collection::vec((prop::bool::weighted(0.7), 0_u8..10), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn whatever_happens_a_good_round_agrees_with_a_simple_model(steps in prop::collection::vec(prop_oneof![
        3 => changes().prop_map(Step::Append),
        1 => changes().prop_map(Step::Rebuild),
        1 => (0_u8..5).prop_map(Step::Fail),
        3 => Just(Step::Sync),
    ], 1..20), ranges in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = FakeStatsig::start().unwrap();
            server.serve_ranges(ranges);
            let client = client(&server);
            let (mut log, mut generation) = (Vec::new(), 1);
            let text = |log: &[(bool, u8)]| -> String {
                log.iter().map(|(add, id)| line(if *add { '+' } else { '-' }, &id.to_string())).collect()
            };
            for step in steps.into_iter().chain([Step::Sync]) {
                match step {
                    Step::Append(more) => log.extend(more),
                    Step::Rebuild(new) => {
                        log = new;
                        generation += 1;
                    }
                    Step::Fail(how) => {
                        let fault = [
                            Fault::Cut(7), Fault::Status(500, String::new()), Fault::Body(b"x".to_vec()),
                            Fault::Close, Fault::Status(416, String::new()),
                        ][how as usize].clone();
                        server.fail_once(Endpoint::IdListFile, fault);
                        client.sync.sync_now().await;
                        // If nothing was read, the fault is still to come.
                        server.fail_always(Endpoint::IdListFile, None);
                        continue;
                    }
                    Step::Sync => {
                        for _ in 0..6 {
                            client.sync.sync_now().await;
                        }
                        let mut model = HashSet::new();
                        for (add, id) in &log {
                            if *add { model.insert(*id); } else { model.remove(id); }
                        }
                        for id in 0..10_u8 {
                            let found = client.lists.contains("l", &id_hash(&id.to_string()));
                            assert_eq!(found, model.contains(&id), "{id} {log:?}");
                        }
                        continue;
                    }
                }
                if !log.is_empty() {
                    server.publish_id_list("l", &format!("f{generation}"), generation, text(&log));
                }
            }
        });
    }
}
