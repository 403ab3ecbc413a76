//! What others write is read, and what we write can be read by others.

use statsig_core::{
    AppendOutcome, DataStore, DataStoreErrorKind, EntryRequest, KeySchema, PutMode, PutOutcome, SpecVersion,
    StoreEntry, StoreFormat, StoreKey, StoreKeys, StorePath,
};
use statsig_store_redis::{Layout, RedisDataStore};
use statsig_testkit::redis_server::RedisServer;

use crate::{key, open, options, payload, payload_with};

fn version(lcut: u64, checksum: &str) -> Option<SpecVersion> {
    Some(SpecVersion::new(lcut, Some(checksum)))
}

#[tokio::test]
async fn every_known_key_and_layout_is_read() {
    let server = RedisServer::start().unwrap();
    let store = open(&server);
    let keys = StoreKeys::new("secret-AbCdEfGhIjKlMnOpQrStUvWxYz").all_specs_keys();
    let request = EntryRequest::new(keys.clone());
    // From the least preferred to the best, each newer than the last.
    for (lcut, key) in (100..).zip(keys.iter().rev()) {
        let proto = key.format == StoreFormat::StatsigBr;
        let text = String::from_utf8(payload(lcut).bytes.into()).unwrap();
        let lcut_text = lcut.to_string();
        // As the official forward proxy does: `plain_text` even for protobuf.
        server.command(&["HSET", &key.name, "config", &text, "lcut", &lcut_text, "encoding", "plain_text"]).unwrap();
        let entry = store.get_entry(&request).await.unwrap().unwrap();
        assert_eq!(entry.bytes, text.as_bytes(), "{}", key.name);
        assert_eq!((entry.format, entry.version.map(|it| it.time_ms)), (key.format, Some(lcut)), "{proto}");
        assert_eq!(store.get_bytes(&key.name).await.unwrap().result.as_deref(), Some(text.as_bytes()));
    }
    // And as SDKs with a plain GET and SET do.
    server.command(&["FLUSHALL"]).unwrap();
    for (lcut, key) in (200..).zip(keys.iter().rev().filter(|key| key.format == StoreFormat::PlainText)) {
        let text = String::from_utf8(payload(lcut).bytes.into()).unwrap();
        server.command(&["SET", &key.name, &text]).unwrap();
        let entry = store.get_entry(&request).await.unwrap().unwrap();
        assert_eq!((entry.bytes, entry.version), (text.into(), version(lcut, &format!("c{lcut}"))));
    }
}

#[tokio::test]
async fn legacy_json_with_additions_is_read() {
    let server = RedisServer::start().unwrap();
    let text = r#" {"dynamic_configs": [{"rules": [{"conditions": [{"type": "user_bucket", "user_bucket": {"1": true},
        "fast_target_value": {"a": true}}]}]}], "feature_gates": [], "has_updates": true, "time": 1700000000000.0, "hashed_sdk_key_used": "1"} "#;
    server.command(&["SET", "statsig.cache", text]).unwrap();
    let entry = open(&server).get_entry(&EntryRequest::new([StoreKey::legacy_specs()])).await.unwrap().unwrap();
    assert_eq!((entry.bytes, entry.version), (text.into(), Some(SpecVersion::new(1_700_000_000_000, None))));
}

#[tokio::test]
async fn the_official_proxy_can_read_and_overwrite_what_we_write() {
    let server = RedisServer::start().unwrap();
    let store = open(&server);
    let key = key("secret-1");
    let request = EntryRequest::new([key.clone()]);
    store.put_entry(&key.name, &payload(10), PutMode::IfNewer).await.unwrap();
    let field = |name: &str| server.command(&["HGET", &key.name, name]).unwrap().text();
    assert_eq!(field("config").into_bytes(), payload(10).bytes);
    assert_eq!((field("lcut"), field("encoding")), ("10".to_owned(), "plain_text".to_owned()));
    // It knows three fields and leaves ours as they are.
    let newer = String::from_utf8(payload_with(20, "other", 0).bytes.into()).unwrap();
    server.command(&["HSET", &key.name, "config", &newer, "lcut", "20", "encoding", "plain_text"]).unwrap();
    let entry = store.get_entry(&request).await.unwrap().unwrap();
    assert_eq!((entry.version.clone(), entry.stored_at_ms), (version(20, "other"), None), "our fields are void");
    // What was read once is known again without reading it, although nothing beside it tells.
    let read = store.stats().bytes_read;
    assert_eq!(store.get_entry(&request.clone().unless_known(entry.version)).await.unwrap(), None);
    assert_eq!((store.stats().bytes_read, store.stats().unchanged), (read, 1));
    let outcome = store.put_entry(&key.name, &payload(15), PutMode::IfNewer).await.unwrap();
    assert_eq!(outcome, PutOutcome::SkippedOlder { stored_lcut: Some(20) });
    assert_eq!(store.put_entry(&key.name, &payload(25), PutMode::IfNewer).await.unwrap(), PutOutcome::Written);
    assert_eq!(store.get_entry(&request).await.unwrap().unwrap().version, version(25, "c25"));
}

#[tokio::test]
async fn a_value_keeps_its_layout_and_foreign_payloads_count_by_their_own_time() {
    let server = RedisServer::start().unwrap();
    let key = key("secret-1");
    for layout in [Layout::Hash, Layout::String] {
        server.command(&["FLUSHALL"]).unwrap();
        let store = RedisDataStore::open(options(&server).layout(layout)).unwrap();
        // Somebody with a plain SET was there, and is again later.
        server.command(&["SET".as_bytes(), key.name.as_bytes(), &payload(10).bytes]).unwrap();
        let put = async |lcut| store.put_entry(&key.name, &payload(lcut), PutMode::IfNewer).await.unwrap();
        assert_eq!(put(9).await, PutOutcome::SkippedOlder { stored_lcut: Some(10) });
        assert_eq!(put(10).await, PutOutcome::Refreshed);
        assert_eq!(put(11).await, PutOutcome::Written);
        assert_eq!(server.command(&["GET", &key.name]).unwrap().text().into_bytes(), payload(11).bytes);
        server.command(&["SET".as_bytes(), key.name.as_bytes(), &payload(30).bytes]).unwrap();
        assert_eq!(put(20).await, PutOutcome::SkippedOlder { stored_lcut: Some(30) }, "what stands beside it is void");
        // A payload of the same length and time, but another one.
        assert_eq!(put(31).await, PutOutcome::Written);
        server.command(&["SET".as_bytes(), key.name.as_bytes(), b"garbage"]).unwrap();
        assert_eq!(put(5).await, PutOutcome::Written, "garbage is older than everything");
        // A hash of the first proxy, with nothing but the payload.
        server.command(&["DEL", &key.name]).unwrap();
        server.command(&["HSET".as_bytes(), key.name.as_bytes(), b"config", &payload(40).bytes]).unwrap();
        assert_eq!(put(39).await, PutOutcome::SkippedOlder { stored_lcut: Some(40) });
        assert_eq!(put(41).await, PutOutcome::Written);
        assert_eq!(server.command(&["HGET", &key.name, "lcut"]).unwrap().text(), "41");
    }
}

#[tokio::test]
async fn garbage_is_told_apart() {
    let server = RedisServer::start().unwrap();
    let store = open(&server);
    let key = key("secret-1");
    let request = EntryRequest::new([key.clone()]);
    server.command(&["RPUSH", &key.name, "x"]).unwrap();
    for error in [
        store.get_entry(&request).await.unwrap_err(),
        store.get(&key.name).await.unwrap_err(),
        store.put_entry(&key.name, &payload(1), PutMode::Force).await.unwrap_err(),
        store.append(&key.name, 0, b"x").await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.is_retryable()), (DataStoreErrorKind::Malformed, false), "{error}");
        assert!(!error.to_string().contains(&*key.name), "{error}");
    }
    server.command(&["DEL", &key.name]).unwrap();
    server.command(&["SET".as_bytes(), key.name.as_bytes(), b"\xff\xfe"]).unwrap();
    assert_eq!(store.get(&key.name).await.unwrap_err().kind(), DataStoreErrorKind::Malformed);
    let entry = store.get_entry(&request).await.unwrap().unwrap();
    assert_eq!((entry.bytes.as_ref(), entry.version), (&b"\xff\xfe"[..], None), "whoever reads it may judge");
    for lcut in ["", "soon", "-1", "99999999999999999999", "1e3"] {
        server.command(&["DEL", &key.name]).unwrap();
        server
            .command(&["HSET".as_bytes(), key.name.as_bytes(), b"lcut", lcut.as_bytes(), b"config", &payload(7).bytes])
            .unwrap();
        assert_eq!(store.get_entry(&request).await.unwrap().unwrap().version, version(7, "c7"), "{lcut}");
        let older = store.put_entry(&key.name, &payload(6), PutMode::IfNewer).await.unwrap();
        assert_eq!(older, PutOutcome::SkippedOlder { stored_lcut: Some(7) }, "{lcut}");
    }
}

#[tokio::test]
async fn the_newer_of_two_formats_is_read() {
    let server = RedisServer::start().unwrap();
    let store = open(&server);
    let keys = StoreKeys::new("secret-1");
    let [br, json] = [StoreFormat::StatsigBr, StoreFormat::PlainText]
        .map(|format| keys.key(&StorePath::SpecsV2, format, KeySchema::Prefix));
    let request = EntryRequest::new([br.clone(), json.clone()]);
    let proto = |lcut| StoreEntry::new(b"\x0bproto".to_vec(), StoreFormat::StatsigBr, SpecVersion::new(lcut, None));
    for (proto_lcut, json_lcut, format) in
        [(10, 11, StoreFormat::PlainText), (11, 11, StoreFormat::StatsigBr), (12, 11, StoreFormat::StatsigBr)]
    {
        store.put_entry(&br.name, &proto(proto_lcut), PutMode::IfNewer).await.unwrap();
        store.put_entry(&json.name, &payload(json_lcut), PutMode::IfNewer).await.unwrap();
        assert_eq!(store.get_entry(&request).await.unwrap().unwrap().format, format, "{proto_lcut} {json_lcut}");
    }
    // The same with bare strings, where the time of protobuf stands beside it.
    let store = RedisDataStore::open(options(&server).layout(Layout::String).namespace("s:")).unwrap();
    store.put_entry(&br.name, &proto(10), PutMode::IfNewer).await.unwrap();
    store.put_entry(&json.name, &payload(11), PutMode::IfNewer).await.unwrap();
    assert_eq!(store.get_entry(&request).await.unwrap().unwrap().format, StoreFormat::PlainText);
    store.put_entry(&br.name, &proto(12), PutMode::IfNewer).await.unwrap();
    let entry = store.get_entry(&request).await.unwrap().unwrap();
    assert_eq!((entry.format, entry.version), (StoreFormat::StatsigBr, Some(SpecVersion::new(12, None))));
}

#[tokio::test]
async fn older_siblings_are_removed() {
    let server = RedisServer::start().unwrap();
    for layout in [Layout::Hash, Layout::String] {
        let store = RedisDataStore::open(options(&server).layout(layout).namespace(format!("{layout:?}:"))).unwrap();
        let key = key("secret-1");
        assert!(!store.remove(&key, None).await.unwrap());
        store.put_entry(&key.name, &payload(10), PutMode::IfNewer).await.unwrap();
        assert!(!store.remove(&key, Some(10)).await.unwrap());
        assert!(store.remove(&key, Some(11)).await.unwrap());
        store.put_entry(&key.name, &payload(10), PutMode::IfNewer).await.unwrap();
        assert!(store.remove(&key, None).await.unwrap());
        assert_eq!(server.command(&["DBSIZE"]).unwrap().text(), "0", "nothing stays beside it");
        // Stored by somebody who tells no time.
        let name = format!("{layout:?}:{}", key.name);
        server.command(&["SET".as_bytes(), name.as_bytes(), &payload(20).bytes]).unwrap();
        assert!(!store.remove(&key, Some(20)).await.unwrap());
        assert!(store.remove(&key, Some(21)).await.unwrap());
        server.command(&["HSET", &name, "config", "garbage", "lcut", "soon"]).unwrap();
        assert!(store.remove(&key, Some(1)).await.unwrap());
    }
}

#[tokio::test]
async fn values_expire_unless_touched() {
    let server = RedisServer::start().unwrap();
    let hour = std::time::Duration::from_secs(3_600);
    let store = RedisDataStore::open(options(&server).ttl(Some(hour))).unwrap();
    let key = key("secret-1");
    let ttl = || server.command(&["TTL", &key.name]).unwrap().text().parse::<i64>().unwrap();
    store.put_entry(&key.name, &payload(1), PutMode::IfNewer).await.unwrap();
    assert!((3_590..=3_600).contains(&ttl()), "{}", ttl());
    server.command(&["EXPIRE", &key.name, "5"]).unwrap();
    store.touch(std::slice::from_ref(&key)).await.unwrap();
    assert!(ttl() > 3_590);
    server.command(&["EXPIRE", &key.name, "5"]).unwrap();
    store.touch(std::slice::from_ref(&key)).await.unwrap();
    assert!(ttl() <= 5, "touched again only after an eighth of the time");
    store.put_entry(&key.name, &payload(1), PutMode::IfNewer).await.unwrap();
    assert!(ttl() > 3_590, "the same payload refreshes");
    let large = payload_with(2, "large", 100_000);
    for outcome in [PutOutcome::Written, PutOutcome::Refreshed] {
        server.command(&["EXPIRE", &key.name, "5"]).unwrap();
        let written = store.stats().bytes_written;
        assert_eq!(store.put_entry(&key.name, &large, PutMode::IfNewer).await.unwrap(), outcome);
        assert!(ttl() > 3_590, "{outcome:?}");
        assert_eq!(store.stats().bytes_written > written, outcome == PutOutcome::Written);
    }
    assert_eq!((store.stats().touched, store.stats().refreshed), (1, 2));
    // For ever.
    let store = RedisDataStore::open(options(&server).ttl(None)).unwrap();
    store.put_entry(&key.name, &payload(3), PutMode::IfNewer).await.unwrap();
    assert_eq!(ttl(), -1);
}

#[tokio::test]
async fn id_lists_and_their_manifest() {
    let server = RedisServer::start().unwrap();
    let store = open(&server);
    let keys = StoreKeys::new("secret-1");
    let manifest = keys.key(&StorePath::IdListManifest, StoreFormat::PlainText, KeySchema::Hashed);
    let list = keys.key(&StorePath::IdList("vips".into()), StoreFormat::PlainText, KeySchema::Hashed);
    let text = r#"{"vips": {"url": "https://h/v1/download_id_list_file/f1", "fileID": "f1", "size": 9}}"#;
    store.set(&manifest.name, text, None).await.unwrap();
    store.set(&list.name, "+aaaaaaaa\n", None).await.unwrap();
    assert_eq!(store.get(&manifest.name).await.unwrap().result.as_deref(), Some(text));
    assert_eq!(server.command(&["HGET", &list.name, "lcut"]).unwrap().text(), "0", "as the official proxy has it");
    assert_eq!(store.append(&list.name, 10, b"-aaaaaaaa\n").await.unwrap(), AppendOutcome::Appended);
    assert_eq!(store.get(&list.name).await.unwrap().result.as_deref(), Some("+aaaaaaaa\n-aaaaaaaa\n"));
    // A raw file, as SDKs of earlier generations keep it.
    let file = StoreKey::id_list_file("https://h/v1/download_id_list_file/f1", "f1");
    server.command(&["SET", &file.name, "+bbbbbbbb\n"]).unwrap();
    assert_eq!(store.append(&file.name, 10, b"+cccccccc\n").await.unwrap(), AppendOutcome::Appended);
    assert_eq!(server.command(&["GET", &file.name]).unwrap().text(), "+bbbbbbbb\n+cccccccc\n");
    // Under flat keys others look with a plain GET.
    for key in [StoreKey::legacy_specs(), StoreKey::legacy_id_list("vips")] {
        store.set(&key.name, "{}", None).await.unwrap();
        assert_eq!(server.command(&["GET", &key.name]).unwrap().text(), "{}");
    }
    assert_eq!(store.append(&file.name, 10, b"x").await.unwrap(), AppendOutcome::LengthDiffers { len: 20 });
}

#[cfg(feature = "zstd")]
#[tokio::test]
async fn compressed_values_are_small_and_only_in_a_namespace() {
    let server = RedisServer::start().unwrap();
    let key = key("secret-1");
    assert!(RedisDataStore::open(options(&server).compress(true)).is_err());
    let store = RedisDataStore::open(options(&server).compress(true).namespace("own:")).unwrap();
    let large = payload_with(5, "large", 1 << 20);
    store.put_entry(&key.name, &large, PutMode::IfNewer).await.unwrap();
    let stored = server.command(&["HSTRLEN", &format!("own:{}", key.name), "config"]).unwrap().text();
    assert!(stored.parse::<usize>().unwrap() * 10 < large.bytes.len(), "{stored}");
    // A reader need not know.
    let reader = RedisDataStore::open(options(&server).namespace("own:").read_only(true)).unwrap();
    let entry = reader.get_entry(&EntryRequest::new([key.clone()])).await.unwrap().unwrap();
    assert!(entry.bytes == large.bytes && entry.version == large.version);
    let again = store.put_entry(&key.name, &large, PutMode::IfNewer).await.unwrap();
    assert_eq!(again, PutOutcome::Refreshed);
    // A bomb is bounded.
    let reader = RedisDataStore::open(options(&server).namespace("own:").max_value_bytes(1 << 19)).unwrap();
    let error = reader.get_entry(&EntryRequest::new([key])).await.unwrap_err();
    assert_eq!(error.kind(), DataStoreErrorKind::TooLarge, "{error}");
}

/// What the Node adapter makes of a text.
fn as_node_does(text: &[u8]) -> String {
    use std::io::Write;

    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    let compressed = encoder.finish().unwrap();
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in compressed.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(*chunk.get(at).unwrap_or(&0)));
        (0..4).for_each(|at| {
            let letter = letters[(bits >> (18 - 6 * at) & 63) as usize] as char;
            out.push(if at <= chunk.len() { letter } else { '=' });
        });
    }
    out
}

#[tokio::test]
async fn the_hash_of_the_node_adapter_is_read_where_there_is_nothing_else() {
    let server = RedisServer::start().unwrap();
    for namespace in ["", "prod:"] {
        let store = RedisDataStore::open(options(&server).namespace(namespace)).unwrap();
        let hash = format!("{namespace}statsig-redis");
        let keys = [key("secret-1"), StoreKey::legacy_specs()];
        let request = EntryRequest::new(keys.clone());
        for (at, field) in keys.iter().enumerate() {
            for lcut in [5, 6] {
                let lcut = lcut + 10 * at as u64;
                server.command(&["HSET", &hash, &field.name, &as_node_does(&payload(lcut).bytes)]).unwrap();
                let entry = store.get_entry(&request).await.unwrap().unwrap();
                assert!(entry.bytes == payload(lcut).bytes && entry.version == payload(lcut).version);
                assert_eq!(entry.key.as_ref(), Some(&field.name));
                let known = request.clone().unless_known(payload(lcut).version);
                assert_eq!(store.get_entry(&known).await.unwrap(), None);
            }
        }
        // What is not written like that, or too large, is told apart.
        server.command(&["HSET", &hash, &keys[1].name, "garbage!"]).unwrap();
        let entry = store.get_entry(&EntryRequest::new([keys[1].clone()])).await.unwrap().unwrap();
        assert_eq!((entry.bytes.as_ref(), entry.version), (&b"garbage!"[..], None));
        server.command(&["HSET", &hash, &keys[1].name, "garbage"]).unwrap();
        let error = store.get_entry(&EntryRequest::new([keys[1].clone()])).await.unwrap_err();
        assert!(error.kind() == DataStoreErrorKind::Malformed && !error.to_string().contains("garbage"), "{error}");
        let bomb = as_node_does(&vec![b' '; 1 << 20]);
        server.command(&["HSET", &hash, &keys[1].name, &bomb]).unwrap();
        let small = RedisDataStore::open(options(&server).namespace(namespace).max_value_bytes(1 << 19)).unwrap();
        let error = small.get_entry(&EntryRequest::new([keys[1].clone()])).await.unwrap_err();
        assert_eq!(error.kind(), DataStoreErrorKind::TooLarge);
        // It is never written, and what stands in the usual place comes first.
        server.command(&["HDEL", &hash, &keys[1].name]).unwrap();
        store.put_entry(&keys[0].name, &payload(3), PutMode::IfNewer).await.unwrap();
        assert_eq!(store.get_entry(&request).await.unwrap().unwrap().bytes, payload(3).bytes);
        assert_eq!(server.command(&["HLEN", &hash]).unwrap().text(), "1");
        // Something else of that name is no trouble.
        server.command(&["FLUSHALL"]).unwrap();
        server.command(&["SET", &hash, "x"]).unwrap();
        assert_eq!(store.get_entry(&request).await.unwrap(), None);
        server.command(&["FLUSHALL"]).unwrap();
    }
}

#[tokio::test]
async fn gzip_under_a_key_for_text_is_read() {
    use std::io::Write;

    let server = RedisServer::start().unwrap();
    let (store, key) = (open(&server), key("secret-1"));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&payload(7).bytes).unwrap();
    let stored = encoder.finish().unwrap();
    let request = EntryRequest::new([key.clone()]);
    for layout in [Layout::Hash, Layout::String] {
        server.command(&["DEL", &key.name]).unwrap();
        match layout {
            Layout::Hash => server.command(&[b"HSET", key.name.as_bytes(), b"config", &stored]).unwrap(),
            _ => server.command(&[b"SET", key.name.as_bytes(), &stored]).unwrap(),
        };
        let entry = store.get_entry(&request).await.unwrap().unwrap();
        assert!(entry.bytes == payload(7).bytes && entry.version == payload(7).version, "{layout:?}");
        assert_eq!(store.get_bytes(&key.name).await.unwrap().result.as_ref(), Some(&stored), "values are opaque");
        let older = store.put_entry(&key.name, &payload(6), PutMode::IfNewer).await.unwrap();
        assert_eq!(older, PutOutcome::SkippedOlder { stored_lcut: Some(7) });
        // Damaged data, or more than is allowed, is for the reader to judge.
        let small = RedisDataStore::open(options(&server).max_value_bytes(stored.len())).unwrap();
        let entry = small.get_entry(&request).await.unwrap().unwrap();
        assert_eq!((entry.bytes.as_ref(), entry.version), (&*stored, None));
    }
}
