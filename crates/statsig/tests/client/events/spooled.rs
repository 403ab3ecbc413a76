//! Events on disk: there after an outage, and without private attributes.

use std::sync::Arc;
use std::time::Duration;

use statsig::{Delivery, EventBatch, EventSink, SpoolMode, SpoolOptions, Statsig, StatsigUser};
use statsig_testkit::MemorySink;

use super::support::specs;

const LONG: Duration = Duration::from_secs(60);

struct Down;

#[async_trait::async_trait]
impl EventSink for Down {
    async fn deliver(&self, _: &EventBatch) -> Delivery {
        Delivery::retry("down")
    }
}

fn client(folder: &std::path::Path, sink: Arc<dyn EventSink>, mode: SpoolMode) -> Statsig {
    let spool = SpoolOptions::for_sdk_key(folder, "secret-key");
    Statsig::builder().bootstrap(specs(|_| ())).event_sink(sink).event_spool(spool, mode).build().unwrap()
}

/// All bytes of all files under a folder.
fn bytes_under(folder: &std::path::Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => bytes.extend(bytes_under(&entry.path())),
            false => bytes.extend(std::fs::read(entry.path()).unwrap()),
        }
    }
    bytes
}

#[test]
fn events_of_an_outage_are_delivered_by_the_next_process() {
    for mode in [SpoolMode::Overflow, SpoolMode::WriteAhead] {
        let folder = tempfile::tempdir().unwrap();
        let user = StatsigUser::builder().user_id("u1").private_attribute("plan", "s3cr3t").build();
        let before = client(folder.path(), Arc::new(Down), mode);
        assert!(before.check_gate(&user, "by_plan"));
        before.identify(&user);
        let report = before.shutdown_blocking(Duration::from_secs(5)).events;
        assert!(report.is_safe() && report.spooled == 2, "{report:?}");
        assert!(before.event_stats().is_balanced());

        let stored = bytes_under(folder.path());
        let decoded = stored
            .windows(3)
            .enumerate()
            .filter(|(_, bytes)| *bytes == [0x1f, 0x8b, 0x08])
            .map(|(at, _)| {
                let mut text = Vec::new();
                // What follows the member is not gzip.
                let _ = std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&stored[at..]), &mut text);
                String::from_utf8_lossy(&text).into_owned()
            })
            .collect::<String>();
        assert!(decoded.contains("statsig::identify") && decoded.contains("statsig::gate_exposure"), "{decoded}");
        for text in [decoded.as_bytes(), &stored] {
            assert!(!text.windows(6).any(|bytes| bytes == b"s3cr3t" || bytes == b"secret"));
        }

        let sink = Arc::new(MemorySink::default());
        let after = client(folder.path(), sink.clone(), mode);
        let report = after.flush_events_blocking(LONG);
        assert!(report.is_safe(), "{report:?}");
        assert_eq!(after.event_stats().recovered, 2);
        let _ = after.shutdown_blocking(LONG);
        // What rests in the spool is delivered in the background; a later process takes what is left.
        let rest = Arc::new(MemorySink::default());
        let mut names: Vec<_> = sink.take().iter().map(|event| event["eventName"].to_string()).collect();
        let last = client(folder.path(), rest.clone(), mode);
        let stats = loop {
            let stats = last.event_stats();
            if stats.pending == 0 {
                break stats;
            }
            std::thread::yield_now();
        };
        assert!(stats.is_balanced());
        names.extend(rest.take().iter().map(|event| event["eventName"].to_string()));
        names.sort();
        assert_eq!(names, ["\"statsig::gate_exposure\"", "\"statsig::identify\""]);
    }
}

#[test]
fn a_folder_that_cannot_be_used_prevents_no_client_and_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "not a folder").unwrap();
    let sink = Arc::new(MemorySink::default());
    let client = client(&file, sink.clone(), SpoolMode::WriteAhead);
    let user = StatsigUser::builder().user_id("u1").build();
    assert!(!client.check_gate(&user, "by_plan"));
    let spool = client.health().spool.unwrap();
    assert_eq!(spool.state, statsig::SpoolState::Unavailable);
    let error = spool.last_error.unwrap();
    assert!(error.starts_with("cannot create") && error.contains("a-file"), "{error}");
    assert!(spool.next_retry.is_some_and(|retry| retry <= Duration::from_secs(60)), "{:?}", spool.next_retry);
    let report = client.flush_events_blocking(LONG);
    assert!(report.is_complete() && report.delivered == 1, "{report:?}");
    assert_eq!(sink.take().len(), 1);
    let _ = client.shutdown_blocking(LONG);
    assert_eq!(client.health().spool.unwrap().state, statsig::SpoolState::Closed);
}

#[test]
fn options_that_are_wrong_in_themselves_are_refused() {
    let mut spool = SpoolOptions::for_sdk_key("spool", "secret-key");
    spool.segment_bytes = 1;
    let builder = Statsig::builder().bootstrap(specs(|_| ())).event_sink(Arc::new(Down));
    let built = builder.event_spool(spool, SpoolMode::Overflow).build();
    let error = built.err().unwrap();
    assert!(matches!(error, statsig::Error::Spool(_)) && !error.is_retryable(), "{error:?}");
}
