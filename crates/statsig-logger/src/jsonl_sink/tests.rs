use std::fs;

use statsig_core::BatchEncoding;
use statsig_core::testing::event_sink_contract;
use tempfile::tempdir;

use super::*;

fn batch(id: u8, body: &str) -> EventBatch {
    EventBatch::new([id; 16], 0, 1, body.as_bytes(), BatchEncoding::Identity, body.len())
}

#[tokio::test]
async fn keeps_the_contract_and_writes_every_event_once() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let sink = JsonlFileSink::open(&path).unwrap();
    let delivered = event_sink_contract(&sink).await;
    let mut expected: Vec<String> = Vec::new();
    for batch in &delivered {
        let raw = body::decoded(batch).unwrap();
        expected.extend(body::events(&raw).unwrap().iter().map(|event| event.get().to_owned()));
    }
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn line_breaks_between_tokens_do_not_break_lines() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let sink = JsonlFileSink::open(&path).unwrap();
    assert!(sink.deliver(&batch(1, "[\n{\r\n\"a\":\n\"b\\n\"},\n2]\n")).await.is_delivered());
    assert_eq!(fs::read_to_string(&path).unwrap(), "{  \"a\": \"b\\n\"}\n2\n");
}

#[tokio::test]
async fn a_batch_that_is_no_array_is_rejected_and_leaves_nothing() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let sink = JsonlFileSink::open(&path).unwrap();
    for body in ["{}", "[{},", "[{}] x"] {
        assert!(matches!(sink.deliver(&batch(1, body)).await, Delivery::Reject { .. }), "{body}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
    assert!(sink.deliver(&batch(1, "[{}]")).await.is_delivered());
}

#[tokio::test]
async fn one_sink_a_file_and_torn_lines_are_ended() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    fs::write(&path, "{\"a\":").unwrap();
    let sink = JsonlFileSink::open(&path).unwrap();
    assert!(matches!(JsonlFileSink::open(&path), Err(JsonlError::InUse { .. })));
    assert!(sink.deliver(&batch(1, "[1]")).await.is_delivered());
    drop(sink);
    let sink = JsonlFileSink::open(&path).unwrap();
    assert!(sink.deliver(&batch(2, "[2]")).await.is_delivered());
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":\n1\n2\n");
}

#[tokio::test]
async fn what_a_failed_write_left_is_cut_off() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let sink = JsonlFileSink::open(&path).unwrap();
    assert!(sink.deliver(&batch(1, "[1]")).await.is_delivered());
    // As a write does that fails halfway, with a cut that fails as well.
    {
        let mut lines = sink.lines.lock().unwrap();
        lines.file.write_all(b"{\"half").unwrap();
        lines.torn = true;
    }
    assert!(sink.deliver(&batch(2, "[2]")).await.is_delivered());
    assert_eq!(fs::read_to_string(&path).unwrap(), "1\n2\n");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_worth_another_try() {
    let sink = JsonlFileSink::open("/dev/full").unwrap();
    let outcome = sink.deliver(&batch(1, "[1]")).await;
    assert!(outcome.is_retryable(), "{outcome:?}");
}

#[test]
fn a_folder_is_no_file() {
    let folder = tempdir().unwrap();
    let error = JsonlFileSink::open(folder.path()).unwrap_err();
    assert!(matches!(error, JsonlError::Io { action: "open", .. }) && error.is_retryable(), "{error}");
}

#[cfg(unix)]
#[test]
fn a_new_file_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let _sink = JsonlFileSink::open(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
