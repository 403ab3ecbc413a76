use std::fs;

use statsig_core::testing::event_sink_contract;
use statsig_core::{BatchEncoding, SdkMetadata};
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
        let metadata = batch.metadata.as_ref().map(|metadata| String::from_utf8(metadata.to_json()).unwrap());
        expected.extend(body::events(&raw).unwrap().iter().map(|event| match &metadata {
            Some(metadata) => format!("{},\"sdkMetadata\":{metadata}}}", event.get().strip_suffix('}').unwrap()),
            None => event.get().to_owned(),
        }));
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
async fn metadata_of_another_sdk_is_a_member_of_each_object() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let sink = JsonlFileSink::open(&path).unwrap();
    let metadata = SdkMetadata::new().with_service_name("a\nb").with_statsig_metadata("{\n\"x\": 1}").unwrap();
    let batch = batch(1, r#"[{"a":1},{},{ },2,"{}"]"#).with_metadata(Some(Arc::new(metadata)));
    assert!(sink.deliver(&batch).await.is_delivered());
    let lines = fs::read_to_string(&path).unwrap();
    let metadata = r#""sdkMetadata":{"serviceName":"a\nb","statsigMetadata":{ "x": 1}}"#;
    let expected = [
        format!("{{\"a\":1,{metadata}}}"),
        format!("{{{metadata}}}"),
        format!("{{ {metadata}}}"),
        "2".to_owned(),
        "\"{}\"".to_owned(),
    ];
    assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
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
mod access {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    use super::*;

    fn mode(path: &std::path::Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn new_files_are_private_and_old_ones_keep_their_mode() {
        let folder = tempdir().unwrap();
        let (new, old) = (folder.path().join("new.jsonl"), folder.path().join("old.jsonl"));
        drop(JsonlFileSink::open(&new).unwrap());
        assert_eq!(mode(&new), 0o600);
        fs::write(&old, "").unwrap();
        fs::set_permissions(&old, fs::Permissions::from_mode(0o640)).unwrap();
        drop(JsonlFileSink::open(&old).unwrap());
        assert_eq!(mode(&old), 0o640);
    }

    #[test]
    fn own_links_are_followed_and_create_private_files() {
        let folder = tempdir().unwrap();
        let (link, target) = (folder.path().join("link.jsonl"), folder.path().join("target.jsonl"));
        symlink(&target, &link).unwrap();
        drop(JsonlFileSink::open(&link).unwrap());
        assert_eq!(mode(&target), 0o600);
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 2, "nothing is left behind");
    }

    #[test]
    fn links_of_others_are_not_followed() {
        let folder = tempdir().unwrap();
        let (link, target) = (folder.path().join("link.jsonl"), folder.path().join("target.jsonl"));
        fs::write(&target, "precious").unwrap();
        symlink(&target, &link).unwrap();
        if fs::metadata(folder.path()).unwrap().uid() != 0 {
            // Only root can give a link away; the rule is the same for everyone.
            return;
        }
        std::os::unix::fs::lchown(&link, Some(12_345), Some(12_345)).unwrap();
        let error = JsonlFileSink::open(&link).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(source, "it is a symbolic link of another user");
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
        // In a folder of theirs as well.
        chown(folder.path(), Some(12_345), Some(12_345)).unwrap();
        assert!(JsonlFileSink::open(&link).is_err());
    }
}
