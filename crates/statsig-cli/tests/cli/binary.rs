//! Config specs in the vendor's binary form: looked at, seeded and evaluated.

use std::io::Write;

use serde_json::{Value, json};
use statsig_core::{KeySchema, StoreFormat, StoreKeys, StorePath};
use statsig_testkit::redis_server::RedisServer;

use crate::redis::{KEY, document_of, list, run_with_key};
use crate::{Ran, SPECS, USERS, file, run};

/// A number as protobuf writes it.
fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

fn number(tag: u64, value: u64) -> Vec<u8> {
    [varint(tag << 3), varint(value)].concat()
}

fn bytes(tag: u64, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [varint(tag << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

fn part(kind: u64, name: &str, data: &[u8]) -> Vec<u8> {
    let message = [number(1, kind), bytes(2, name), bytes(4, data)].concat();
    [varint(message.len() as u64), message].concat()
}

/// A project with one gate that is open for all, as of a time.
fn binary_of(time: u64) -> Vec<u8> {
    let user = bytes(5, number(1, 1));
    let head = [number(1, 1), number(2, time), bytes(3, "co"), bytes(5, format!("of {time}")), bytes(7, "{}")].concat();
    let rule = [bytes(1, "r"), number(2, 100), bytes(3, "everybody"), bytes(5, "all"), bytes(7, number(1, 1))].concat();
    let gate = [bytes(1, "s"), number(2, 1), bytes(3, number(1, 0)), number(4, 1), user, bytes(7, rule)].concat();
    let condition = [number(1, 1), bytes(2, number(1, 1))].concat();
    let parts =
        [part(2, "TOP_LEVEL", &head), part(3, "open", &gate), part(7, "all", &condition), part(1, "", &[])].concat();
    let mut out = Vec::new();
    brotli::CompressorWriter::new(&mut out, 4096, 5, 20).write_all(&parts).unwrap();
    out
}

fn put(url: &str, time: u64, more: &[&str]) -> Ran {
    let path = file(&format!("binary_{time}.bin"), binary_of(time));
    run_with_key(["redis", "put", &path, "--redis", url].into_iter().chain(more.iter().copied()))
}

/// What a store lists: form and time.
fn listed(url: &str) -> Vec<(String, u64)> {
    let row = |row: &Value| (row["format"].as_str().unwrap().to_owned(), row["time"].as_u64().unwrap());
    list(url).iter().map(row).collect()
}

fn got(url: &str, more: &[&str]) -> Vec<u8> {
    let out = file(&format!("got_{}.bin", more.join("_")), "");
    let arguments = ["redis", "get", "--redis", url, "--out", &out, "--quiet"];
    run_with_key(arguments.into_iter().chain(more.iter().copied())).clean();
    std::fs::read(out).unwrap()
}

#[test]
fn a_binary_document_is_stored_as_it_is_and_got_as_json_or_raw() {
    let server = RedisServer::start().unwrap();
    let url = server.url();
    let size = binary_of(1_000).len();
    let line = |schema| {
        format!("/v2/download_config_specs statsig-br {schema}: stored {size} bytes of 1970-01-01 00:00:01 UTC\n")
    };
    assert_eq!(put(&url, 1_000, &[]).clean(), line("hash") + &line("prefix"));
    let key = StoreKeys::new(KEY).key(&StorePath::SpecsV2, StoreFormat::StatsigBr, KeySchema::Hashed);
    let fields = server.command(&["HMGET", &key.name, "lcut", "fmt", "encoding"]).unwrap().text();
    assert_eq!(fields, "1000\npb\nplain_text");
    assert_eq!(listed(&url), [("statsig-br".to_owned(), 1_000), ("statsig-br".to_owned(), 1_000)]);

    assert!(got(&url, &["--raw"]) == binary_of(1_000));
    let document: Value = serde_json::from_slice(&got(&url, &[])).unwrap();
    assert_eq!((&document["time"], &document["checksum"]), (&json!(1_000), &json!("of 1000")));
    assert_eq!(document["feature_gates"]["open"]["rules"][0]["id"], "everybody");
    // And it is evaluated, from the store and from a file.
    let path = file("binary_specs.bin", binary_of(1_000));
    for source in [["--redis", &url], ["--specs", &path]] {
        let what = ["--users", USERS, "--gate", "open", "--format", "jsonl"];
        let rows = run_with_key(["eval"].into_iter().chain(source).chain(what)).json_lines();
        assert!(!rows.is_empty() && rows.iter().all(|row| row["rule_id"] == "everybody"), "{rows:?}");
    }
}

#[test]
fn the_newest_of_both_forms_counts() {
    let server = RedisServer::start().unwrap();
    let url = server.url();
    let hash = ["--schema", "hash"];
    let text = file("text_2000.json", document_of(2_000));
    put(&url, 1_000, &hash).clean();
    run_with_key(["redis", "put", &text, "--redis", &url, "--schema", "hash"]).clean();
    assert_eq!(listed(&url), [("plain_text".to_owned(), 2_000)], "an older binary form would be preferred by SDKs");
    let ran = put(&url, 3_000, &["--as", "both", "--schema", "hash"]).clean();
    assert_eq!(ran.lines().count(), 2, "{ran}");
    let both = |time| [("statsig-br".to_owned(), time), ("plain_text".to_owned(), time)];
    assert_eq!(listed(&url), both(3_000));
    assert_eq!(put(&url, 500, &hash).code, Some(1), "an older one stays away");
    assert_eq!(listed(&url), both(3_000));
    put(&url, 500, &["--as", "both", "--schema", "hash", "--force"]).clean();
    assert_eq!(listed(&url), both(500));
    put(&url, 400, &["--schema", "hash", "--force"]).clean();
    assert_eq!(listed(&url), [("statsig-br".to_owned(), 400)], "newer JSON would hide what was forced");
    put(&url, 4_000, &["--as", "plain_text", "--schema", "hash"]).clean();
    assert_eq!(listed(&url), [("plain_text".to_owned(), 4_000)]);
    assert!(got(&url, &["--raw"]).starts_with(b"{"));
    assert_eq!(put(&url, 3_500, &hash).code, Some(1), "SDKs would prefer an older binary form to newer JSON");
    assert_eq!(listed(&url), [("plain_text".to_owned(), 4_000)]);
}

#[test]
fn what_cannot_be_read_or_made_is_said() {
    let server = RedisServer::start().unwrap();
    let url = server.url();
    let ran = run_with_key(["redis", "put", SPECS, "--redis", &url, "--as", "statsig-br"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""));
    assert!(ran.stderr.contains("no binary form can be made"), "{}", ran.stderr);
    let mut cut = binary_of(1_000);
    cut.truncate(cut.len() / 2);
    let path = file("cut.bin", &cut);
    let ran = run_with_key(["redis", "put", &path, "--redis", &url]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{}", ran.stderr);
    // Somebody else's damage is listed, and can be taken out as it is.
    let key = StoreKeys::new(KEY).key(&StorePath::SpecsV2, StoreFormat::StatsigBr, KeySchema::Hashed);
    server.command(&[b"SET", key.name.as_bytes(), &cut]).unwrap();
    assert_eq!(list(&url)[0]["time"], Value::Null);
    assert!(got(&url, &["--raw"]) == cut);
    let ran = run_with_key(["redis", "get", "--redis", &url, "--out", "-"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""));
    assert!(ran.stderr.contains("--raw gets it as it is"), "{}", ran.stderr);
    assert_eq!(run(["redis", "get", "--redis", &url, "--raw"]).code, Some(2), "only with --out");
}
