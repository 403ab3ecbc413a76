//! Framing, and what is wrong with a line.

use serde_json::{Value, json};

use crate::support::{Driver, ada, failure};

#[test]
fn capabilities_tell_what_there_is() {
    let mut driver = Driver::start();
    let answer = driver.result(json!({"op": "capabilities"}));
    assert_eq!(answer["sdk"], "rust-server-oss");
    assert_eq!(answer["version"], env!("CARGO_PKG_VERSION"));
    assert!(answer["features"].as_array().unwrap().contains(&json!("logger")));
    let ops = answer["ops"].as_array().unwrap();
    for op in ["create", "gate", "flush", "exit"] {
        assert!(ops.contains(&json!(op)), "{op}");
    }
}

/// What is listed is there, and what is not is refused.
#[test]
fn the_list_of_operations_is_true() {
    let mut driver = Driver::start();
    let listed = driver.result(json!({"op": "capabilities"}))["ops"].clone();
    let protocol = [
        "capabilities",
        "create",
        "initialize",
        "ready",
        "gate",
        "config",
        "experiment",
        "layer",
        "param",
        "manual_exposure",
        "log_event",
        "client_initialize",
        "override",
        "remove_override",
        "explain",
        "sync_now",
        "wait_for_specs",
        "flush",
        "event_stats",
        "health",
        "shutdown",
    ];
    for op in protocol {
        let answer = driver.ask(json!({"op": op, "client": "nobody", "sdk_key": 1}));
        let is_listed = listed.as_array().unwrap().contains(&json!(op));
        assert_eq!(answer["error"]["kind"] != "unsupported", is_listed, "{op}: {answer}");
    }
    assert_eq!(driver.failure(json!({"op": "no such op"})).0, "unsupported");
    assert_eq!(driver.failure(json!({"op": ""})).0, "unsupported");
}

#[test]
fn ids_come_back_as_they_are() {
    let mut driver = Driver::start();
    for id in [json!(7), json!(-1), json!("text"), json!(null), json!(1.5), json!([1])] {
        driver.write(format!("{}\n", json!({"id": id, "op": "capabilities"})).as_bytes());
        assert_eq!(driver.line()["id"], id);
    }
    driver.write(b"{\"op\": \"capabilities\"}\n");
    assert_eq!(driver.line()["id"], Value::Null);
}

#[test]
fn malformed_lines_are_answered_and_survived() {
    let mut driver = Driver::start();
    for line in [
        &b"no json"[..],
        b"{\"id\": 1, \"op\"",
        b"[]",
        b"7",
        b"\"gate\"",
        b"{} {}",
        b"\xff\xfe",
        b"{\"id\": 1, \"op\": \"\xff\"}",
        "[".repeat(10_000).as_bytes(),
    ] {
        driver.write(line);
        driver.write(b"\n");
        let answer = driver.line();
        assert_eq!(failure(&answer).0, "malformed_request", "{}", String::from_utf8_lossy(line));
        assert_eq!(answer["id"], Value::Null);
    }
    for request in [json!({"id": 3}), json!({"id": 3, "op": 5}), json!({"id": 3, "op": "gate", "client": 5})] {
        driver.write(format!("{request}\n").as_bytes());
        let answer = driver.line();
        assert_eq!((failure(&answer).0.as_str(), &answer["id"]), ("malformed_request", &json!(3)), "{request}");
    }
    driver.result(json!({"op": "capabilities"}));
}

#[test]
fn lines_are_bounded() {
    let mut driver = Driver::start_with(&["--max-line-bytes", "100"]);
    let long = format!("{{\"id\": 1, \"op\": \"capabilities\", \"x\": \"{}\"}}\n", "x".repeat(1 << 20));
    driver.write(long.as_bytes());
    let answer = driver.line();
    assert_eq!((failure(&answer).0.as_str(), &answer["id"]), ("line_too_long", &Value::Null));
    driver.result(json!({"op": "capabilities"}));
}

#[test]
fn empty_lines_and_line_breaks_of_any_kind() {
    let mut driver = Driver::start();
    driver.write(b"\n\r\n  \n{\"id\": 1, \"op\": \"capabilities\"}\r\n");
    assert_eq!(driver.line()["id"], 1);
    // The last line needs no line break.
    driver.write(b"{\"id\": 2, \"op\": \"capabilities\"}");
    let (rest, ok) = driver.end();
    assert_eq!((rest.len(), &rest[0]["id"], ok), (1, &json!(2), true));
}

#[test]
fn answers_keep_the_order_of_the_requests() {
    let mut driver = Driver::on_project(None);
    let sent: Vec<u64> = (0..500).map(|_| driver.send(json!({"op": "gate", "user": ada(), "name": "open"}))).collect();
    for id in sent {
        assert_eq!(driver.line()["id"], id);
    }
}

#[test]
fn exit_ends_without_an_answer() {
    let mut driver = Driver::on_project(None);
    // At once: the program may be gone before a second write.
    driver.write(b"{\"id\": 2, \"op\": \"exit\"}\n{\"id\": 3, \"op\": \"capabilities\"}\n");
    let (rest, ok) = driver.end();
    assert_eq!((rest.as_slice(), ok), (&[][..], true));
}

#[test]
fn the_end_of_the_input_ends_in_order() {
    let (rest, ok) = Driver::start().end();
    assert_eq!((rest.as_slice(), ok), (&[][..], true));
    let (rest, ok) = Driver::on_project(None).end();
    assert_eq!((rest.as_slice(), ok), (&[][..], true));
}

/// What the README shows is what happens.
#[test]
fn the_example_of_the_readme() {
    let readme = include_str!("../../README.md");
    let (_, example) = readme.split_once("<<'END'\n").unwrap();
    let (requests, rest) = example.split_once("END\n").unwrap();
    let (answers, _) = rest.split_once("```").unwrap();
    let mut driver = Driver::start();
    driver.write(requests.as_bytes());
    let (lines, ok) = driver.end();
    let shown: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines, ok), (shown, true));
}
