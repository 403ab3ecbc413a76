//! `--redis`, and `statsig redis`: against a real server.

use std::process::Stdio;

use serde_json::{Value, json};
use statsig_core::{KeySchema, StoreFormat, StoreKeys, StorePath};
use statsig_testkit::redis_server::RedisServer;

use crate::follow::Running;
use crate::network::{THREE_USERS, line, values, with_lists};
use crate::{NOW, Ran, SPECS, USERS, file, root, run, statsig};

pub(crate) const KEY: &str = "secret-AbCdEfGhIjKlMnOpQrStUvWxYz";

pub(crate) fn run_with_key<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Ran {
    let mut command = statsig(arguments);
    let ran: Ran = command.env("STATSIG_SECRET_KEY", KEY).stdin(Stdio::null()).output().unwrap().into();
    for secret in ["AbCdEfGh", "hunter2"] {
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{} {}", ran.stdout, ran.stderr);
    }
    ran
}

/// The example project as of another time.
pub(crate) fn document_of(time: u64) -> String {
    let mut document: Value = serde_json::from_slice(&std::fs::read(root().join(SPECS)).unwrap()).unwrap();
    document["time"] = json!(time);
    document["checksum"] = json!(format!("of {time}"));
    document.to_string()
}

pub(crate) fn list(url: &str) -> Vec<Value> {
    let text = run_with_key(["redis", "get", "--redis", url, "--format", "json"]).clean();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_store_is_seeded_and_read() {
    let server = RedisServer::start().unwrap();
    let url = server.url();
    let ran = run_with_key(["redis", "put", SPECS, "--redis", &url]);
    let line = |schema| format!("/v2/download_config_specs {schema}: stored 54,985 bytes of 2026-11-22 00:00:00 UTC\n");
    assert_eq!(ran.clean(), line("hash") + &line("prefix"));
    let what = ["--users", USERS, "--all", "--format", "jsonl", "--now", NOW];
    assert_eq!(
        run_with_key(["eval", "--redis", &url].into_iter().chain(what)).clean(),
        run(["eval", "--specs", SPECS].into_iter().chain(what)).clean()
    );
    let out = file("from_redis.json", "");
    let ran = run_with_key(["redis", "get", "--redis", &url, "--out", &out, "--quiet"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(std::fs::read(out).unwrap(), std::fs::read(root().join(SPECS)).unwrap());
    let table = run_with_key(["redis", "get", "--redis", &url]).clean();
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.contains("plain_text  prefix ") && table.contains("2026-11-22 00:00:00  "), "{table}");
}

#[test]
fn what_is_stored_fits_every_width_and_is_not_written_over_an_input() {
    let server = RedisServer::start().unwrap();
    let url = server.url();
    let put = run_with_key(["redis", "put", SPECS, "--redis", &url, "--json"]).json_lines();
    assert_eq!((put.len(), &put[0]["outcome"]), (2, &json!("written")));
    // Somebody else's damage.
    let key = StoreKeys::new(KEY).key(&StorePath::SpecsV2, StoreFormat::StatsigBr, KeySchema::Hashed).name;
    server.command(&["LPUSH", &key, "x"]).unwrap();
    for width in [40, 60, 80, 100, 140] {
        let table = run_with_key(["redis", "get", "--redis", &url, "--width", &width.to_string()]).clean();
        assert!(table.lines().all(|line| line.chars().count() <= width), "{width}: {table}");
        assert_eq!(table.matches("54,985").count(), 2, "{table}");
    }
    let password = file("password.txt", "hunter2");
    let get = ["redis", "get", "--redis", &url, "--redis-password-file", &password, "--out", &password];
    let ran = run_with_key(get);
    assert_eq!(
        (ran.code, std::fs::read_to_string(&password).unwrap().as_str()),
        (Some(2), "hunter2"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("--out ") && ran.stderr.contains("--redis-password-file"), "{}", ran.stderr);
}

#[test]
fn id_lists_come_from_the_store_too() {
    let server = RedisServer::start().unwrap();
    let url = server.url();
    let specs = file("with_lists.json", with_lists());
    run_with_key(["redis", "put", &specs, "--redis", &url]).clean();
    let eval = |more: &[&str]| {
        run_with_key(["eval", "--redis", &url].into_iter().chain(THREE_USERS).chain(more.iter().copied()))
    };
    let ran = eval(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""));
    assert!(ran.stderr.contains("the data store has no manifest of ID lists"), "{}", ran.stderr);
    let ran = eval(&["--allow-missing-id-lists"]);
    assert_eq!((ran.code, values(&ran).as_str()), (Some(0), "false false false"));

    // As SDKs leave them there.
    let entry = |file_id: &str, size: usize| json!({"url": format!("https://cdn.example/{file_id}"), "fileID": file_id, "size": size});
    let (vip, banned) = (line("a") + &line("b"), line("b"));
    for (file_id, content) in [("f1", &vip), ("f2", &banned)] {
        server.command(&["SET", &format!("/v1/download_id_list_file/{file_id}"), content]).unwrap();
    }
    let manifest = json!({"vip": entry("f1", vip.len()), "banned": entry("f2", banned.len())}).to_string();
    let key = StoreKeys::new(KEY).key(&StorePath::IdListManifest, StoreFormat::PlainText, KeySchema::Prefix).name;
    server.command(&["SET", &key, &manifest]).unwrap();
    let ran = eval(&[]);
    assert_eq!((values(&ran).as_str(), ran.clean().lines().count()), ("true false false", 3));
}

#[test]
fn the_newest_stays_unless_forced() {
    let server = RedisServer::start().unwrap();
    let url = server.url();
    let put = |time, more: &[&str]| {
        let path = file(&format!("put_{time}.json"), document_of(time));
        run_with_key(["redis", "put", &path, "--redis", &url].into_iter().chain(more.iter().copied()))
    };
    let times = || list(&url).iter().map(|row| row["time"].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(put(2_000, &["--schema", "hash"]).code, Some(0));
    assert_eq!(times(), [2_000]);
    let ran = put(1_000, &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
    assert!(
        ran.stdout.contains("hash: left 1970-01-01 00:00:02 UTC, which is newer than 1970-01-01 00:00:01"),
        "{}",
        ran.stdout
    );
    assert_eq!(times(), [2_000, 1_000], "newest first");
    assert!(put(2_000, &["--schema", "hash"]).clean().contains("hash: kept 1970-01-01 00:00:02 UTC"));
    // An old value in the binary form would be preferred by SDKs.
    let keys = StoreKeys::new(KEY);
    let binary = keys.key(&StorePath::SpecsV2, StoreFormat::StatsigBr, KeySchema::Hashed).name;
    server.command(&["HSET", &binary, "config", "old", "lcut", "5"]).unwrap();
    assert_eq!(put(500, &["--force"]).code, Some(0));
    assert_eq!(times(), [500, 500]);
}

#[test]
fn every_known_layout_is_listed() {
    let server = RedisServer::start().unwrap();
    let keys = StoreKeys::new(KEY).all_specs_keys();
    for (time, key) in (1_u64..).zip(&keys) {
        // Bare values and hashes in turn.
        if key.format == StoreFormat::PlainText && time % 2 == 0 {
            server.command(&["SET", &key.name, &document_of(time)]).unwrap();
        } else {
            server.command(&["HSET", &key.name, "config", &document_of(time), "lcut", &time.to_string()]).unwrap();
        }
    }
    server.command(&["SET", "statsig.cache", &document_of(9)]).unwrap();
    let rows = list(&server.url());
    assert_eq!(rows.len(), keys.len() + 1);
    assert_eq!((&rows[0]["path"], &rows[0]["time"]), (&json!("statsig.cache"), &json!(9)));
    let times: Vec<_> = rows[1..].iter().filter_map(|row| row["time"].as_u64()).collect();
    assert!(times.is_sorted_by(|a, b| a > b) && times.len() >= 5, "{times:?}");
    let kinds: std::collections::BTreeSet<_> = rows
        .iter()
        .map(|row| (row["path"].to_string(), row["format"].to_string(), row["schema"].to_string()))
        .collect();
    assert_eq!(kinds.len(), rows.len(), "{kinds:?}");
}

#[cfg(unix)]
#[test]
fn a_store_is_followed() {
    let server = RedisServer::start().unwrap();
    let url = server.url();
    let mut notices = Running::start(["redis", "watch", "--redis", &url, "--json"], KEY);
    assert_eq!(notices.json()["event"], "subscribed");
    // The store may be empty at first.
    let mut updates = Running::start(["watch", "--redis", &url, "--json", "--poll", "60"], KEY);
    assert!(updates.complaint().contains("the data store has no entry; will ask again"));
    let put = |time| {
        let path = file(&format!("follow_{time}.json"), document_of(time));
        run_with_key(["redis", "put", &path, "--redis", &url, "--schema", "hash"]).clean();
    };
    put(1_000);
    let notice = notices.json();
    assert_eq!(
        (&notice["event"], &notice["schema"], &notice["time"]),
        (&json!("changed"), &json!("hash"), &json!(1_000))
    );
    let update = updates.json();
    assert_eq!((&update["time"], &update["source"]), (&json!(1_000), &json!("Adapter(DataStore)")));
    put(2_000);
    assert_eq!(notices.json()["time"], 2_000);
    assert_eq!(updates.json()["time"], 2_000);
    for running in [notices, updates] {
        let ran = running.interrupt();
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    }
}

#[test]
fn failures_say_what_to_do_and_no_secret() {
    let server = RedisServer::start_secured(&[("requirepass", "right")], "default", "right").unwrap();
    let with_password = format!("redis://:hunter2@127.0.0.1:{}", server.port());
    let port = server.port();
    let nobody = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    let nobody = format!("redis://:hunter2@127.0.0.1:{nobody}");
    let right = format!("redis://:right@127.0.0.1:{port}");
    let old = file("no_time.json", document_of(0));
    for (arguments, code, message) in [
        (&["redis", "get", "--redis", &with_password][..], 3, "hint: check user and password"),
        (&["redis", "put", SPECS, "--redis", &with_password], 3, "hint: check user and password"),
        (&["redis", "watch", "--redis", &with_password], 3, "hint: check user and password"),
        (&["specs", "--redis", &with_password], 3, "hint: check user and password"),
        (&["watch", "--redis", &with_password], 3, "hint: check user and password"),
        (&["events", "forward", "--redis", &with_password], 3, "hint: check user and password"),
        (&["redis", "get", "--redis", &nobody], 3, "hint: is the server up"),
        (&["specs", "--redis", &nobody], 3, "hint: is the server up"),
        (&["redis", "get", "--redis", &right], 3, "hint: is it the SDK key that the writers use?"),
        (&["specs", "--redis", &right], 3, "`statsig redis put` seeds it"),
        (&["redis", "put", &old, "--redis", &right], 3, "has no `time`"),
        (&["redis", "put", USERS, "--redis", &right], 3, "hint: a config specs document is what"),
        (&["redis", "get", "--redis", "http://:hunter2@host"], 2, "is no Redis URL"),
        (&["redis", "get"], 2, "hint: give --redis URL"),
        (&["specs", "--redis", &right, "--api", "http://h"], 2, "--redis cannot be used together with"),
    ] {
        let ran = run_with_key(arguments.iter().copied());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{arguments:?}: {}", ran.stderr);
    }
    let ran = run(["redis", "get", "--redis", &right]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("hint: set STATSIG_SECRET_KEY"), "{}", ran.stderr);
}
