use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use proptest::prelude::*;
use statsig_core::{Delivery, EventBatch, FixedClock};

use super::*;
use crate::body;

const NOW: i64 = 1_790_000_000_000;
const SECOND: Duration = Duration::from_secs(1);

/// Answers of a destination, taken in turn; it has a batch only if it answers with success.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Take,
    Busy,
    TooLarge,
    Panic,
}

struct Destination {
    answers: Vec<Answer>,
    state: Mutex<Received>,
}

#[derive(Default)]
struct Received {
    attempts: usize,
    batches: Vec<EventBatch>,
}

impl Destination {
    fn new(answers: Vec<Answer>) -> Arc<Self> {
        Arc::new(Self { answers, state: Mutex::default() })
    }

    /// Events by the SDK type of their batch, in order of arrival.
    fn events(&self) -> BTreeMap<String, Vec<String>> {
        let mut events: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for batch in &self.state.lock().unwrap().batches {
            let raw = body::decoded(batch).unwrap();
            let texts = body::events(&raw).unwrap().iter().map(|event| event.get().to_owned()).collect::<Vec<_>>();
            assert_eq!(texts.len(), batch.event_count as usize);
            let sdk = batch.metadata.as_ref().and_then(|metadata| metadata.sdk_type()).unwrap_or_default();
            events.entry(sdk.to_owned()).or_default().extend(texts);
        }
        events
    }
}

#[async_trait::async_trait]
impl EventSink for Destination {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let answer = self.answers.get(state.attempts % self.answers.len().max(1)).copied();
        state.attempts += 1;
        match answer.unwrap_or(Answer::Take) {
            Answer::Take => {
                state.batches.push(batch.clone());
                Delivery::Delivered
            }
            Answer::Busy => Delivery::retry("busy"),
            Answer::TooLarge if batch.event_count > 1 => Delivery::TooLarge,
            Answer::TooLarge => Delivery::retry("busy"),
            Answer::Panic => {
                drop(state);
                std::panic::panic_any("as the test wants it")
            }
        }
    }
}

fn start(options: PipelineOptions, destination: &Arc<Destination>) -> RawEventQueue {
    let sink = Arc::clone(destination) as Arc<dyn EventSink>;
    RawEventQueue::start(options, sink, Arc::new(FixedClock(NOW)), &Handle::current())
}

fn sdk(name: &str) -> Arc<SdkMetadata> {
    Arc::new(SdkMetadata::new().with_sdk_type(name))
}

fn paused_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn events_stay_as_they_were_written() {
    let destination = Destination::new(Vec::new());
    let queue = start(RawEventQueue::default_options(), &destination);
    assert_eq!(queue.log(br#" {"eventName":"a" , "value":1.50} "#, &sdk("js")).unwrap(), 1);
    assert_eq!(queue.log(br#"[ {"x":"\u0041"}, 5 ,null]"#, &sdk("js")).unwrap(), 3);
    assert_eq!(queue.log(b"[]", &sdk("js")).unwrap(), 0);
    assert!(queue.shutdown(SECOND).await.is_complete());
    let expected = [r#"{"eventName":"a" , "value":1.50}"#, r#"{"x":"\u0041"}"#, "5", "null"].map(str::to_owned);
    assert_eq!(destination.events(), BTreeMap::from([("js".to_owned(), expected.to_vec())]));
    assert_eq!(destination.state.lock().unwrap().batches.len(), 1, "equal metadata shares a batch");
}

#[tokio::test(start_paused = true)]
async fn interleaved_events_of_many_sdks_fill_one_batch_each() {
    let destination = Destination::new(Vec::new());
    let queue = start(RawEventQueue::default_options(), &destination);
    for number in 0..3_000 {
        queue.log(format!("{{\"n\":{number}}}").as_bytes(), &sdk(&format!("sdk-{:02}", number % 30))).unwrap();
    }
    assert!(queue.flush(60 * SECOND).await.is_complete());
    let events = destination.events();
    assert_eq!((events.len(), destination.state.lock().unwrap().batches.len()), (30, 30));
    for (at, (name, texts)) in events.iter().enumerate() {
        assert_eq!(*name, format!("sdk-{at:02}"));
        let expected: Vec<_> = (0..100).map(|round| format!("{{\"n\":{}}}", round * 30 + at)).collect();
        assert_eq!(*texts, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_do_not_fit_are_refused_as_a_whole_and_counted() {
    let destination = Destination::new(Vec::new());
    let mut options = RawEventQueue::default_options();
    (options.queue_events, options.queue_bytes) = (5, 10_000);
    let queue = start(options, &destination);
    queue.log(b"[1,2,3]", &sdk("a")).unwrap();
    let refused = |json: &[u8], metadata: &Arc<SdkMetadata>| match queue.log(json, metadata).unwrap_err() {
        RawEventError::Dropped { events, cause } => (events, cause),
        error => panic!("{error}"),
    };
    assert_eq!(refused(b"[4,5,6]", &sdk("b")), (3, DropCause::QueueEvents));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(10_000));
    assert_eq!(refused(long.as_bytes(), &sdk("b")), (1, DropCause::QueueBytes));
    // Metadata takes memory, too.
    let large = Arc::new(SdkMetadata::new().with_sdk_type("y".repeat(10_000)));
    assert_eq!(refused(b"{}", &large), (1, DropCause::QueueBytes));
    queue.log(b"[7,8]", &sdk("b")).unwrap();
    queue.set_disabled(true);
    assert_eq!(refused(b"[1]", &sdk("a")), (1, DropCause::Disabled));
    queue.set_disabled(false);
    assert!(queue.shutdown(SECOND).await.is_complete());
    assert_eq!(refused(b"[1,2]", &sdk("a")), (2, DropCause::Shutdown));
    let stats = queue.stats();
    assert!(stats.is_balanced(), "{stats:?}");
    assert_eq!((stats.accepted, stats.delivered, stats.dropped.total(), stats.queue_bytes), (13, 5, 8, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_json_or_has_too_much_metadata_is_an_error_and_not_counted() {
    let destination = Destination::new(Vec::new());
    let queue = start(RawEventQueue::default_options(), &destination);
    let deep = "[".repeat(100_000);
    for json in [&b""[..], b"5", b"null", b"\"a\"", b"{", b"[1,]", b"{} {}", b"[{}] x", b"[\"\xff\"]", deep.as_bytes()]
    {
        assert!(matches!(queue.log(json, &sdk("a")), Err(RawEventError::Json(_))), "{:.20?}", json);
    }
    let large = Arc::new(SdkMetadata::new().with_session_id("x".repeat(SdkMetadata::MAX_BYTES + 1)));
    assert!(matches!(queue.log(b"{}", &large), Err(RawEventError::Metadata(SdkMetadataError::TooLarge))));
    assert_eq!(queue.stats(), EventStats::default());
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_too_large_costs_no_other() {
    let destination = Destination::new(Vec::new());
    let mut options = RawEventQueue::default_options();
    options.batch_bytes = 2_000;
    let queue = start(options, &destination);
    let json = format!("[1,\"{}\",2]", "x".repeat(2_000));
    queue.log(json.as_bytes(), &sdk("a")).unwrap();
    let report = queue.shutdown(SECOND).await;
    assert_eq!((report.delivered, report.failed), (2, 1));
    assert_eq!(queue.stats().dropped.get(DropCause::TooLarge), 1);
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![4 => Just(Answer::Take), 2 => Just(Answer::Busy), 1 => Just(Answer::TooLarge), 1 => Just(Answer::Panic)]
}

/// Calls: the SDK, and the number of events.
fn calls() -> impl Strategy<Value = Vec<(u8, u8)>> {
    proptest::collection::vec((0..5_u8, 0..20_u8), 1..60)
}

/// Logs numbered events, each with the SDK that logs it; returns those that were accepted.
fn log_all(queue: &RawEventQueue, calls: &[(u8, u8)]) -> BTreeMap<String, Vec<String>> {
    let (mut number, mut accepted) = (0_u32, BTreeMap::new());
    for &(of, count) in calls {
        let texts: Vec<String> = (0..count)
            .map(|_| {
                number += 1;
                format!("{{\"n\":{number},\"of\":{of}}}")
            })
            .collect();
        let json = format!("[{}]", texts.join(","));
        let name = format!("sdk-{of}");
        // A single event may come as an object.
        let json = if count == 1 { texts.concat() } else { json };
        if queue.log(json.as_bytes(), &sdk(&name)).is_ok() && count > 0 {
            accepted.entry(name).or_insert_with(Vec::new).extend(texts);
        }
    }
    accepted
}

fn sorted(mut events: BTreeMap<String, Vec<String>>) -> BTreeMap<String, Vec<String>> {
    events.values_mut().for_each(|texts| texts.sort_unstable());
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_accepted_event_is_delivered_once_under_its_own_metadata(
        calls in calls(),
        answers in proptest::collection::vec(answer(), 0..12),
        (batch_events, batch_bytes, queue_events, level) in (1..30_usize, 1_024..3_000_usize, 10..600_usize, 0..2_u32),
    ) {
        // A destination that never takes a batch would make events fail.
        let answers = [answers, vec![Answer::Take]].concat();
        paused_runtime().block_on(async {
            let destination = Destination::new(answers);
            let mut options = RawEventQueue::default_options();
            (options.batch_events, options.batch_bytes, options.queue_events) = (batch_events, batch_bytes, queue_events);
            (options.compression_level, options.max_attempts, options.jitter_seed) = (level, u32::MAX, Some(1));
            let queue = start(options, &destination);
            let accepted = log_all(&queue, &calls);
            let report = queue.flush(Duration::from_secs(86_400)).await;
            let stats = queue.stats();
            let count: usize = accepted.values().map(Vec::len).sum();
            prop_assert!(stats.is_balanced(), "{:?}", stats);
            prop_assert_eq!((report.delivered, report.failed, report.pending), (count as u64, 0, 0));
            prop_assert_eq!(stats.accepted - stats.dropped.total(), count as u64);
            prop_assert_eq!(stats.dropped.total(), stats.dropped.get(DropCause::QueueEvents));
            prop_assert_eq!(sorted(destination.events()), sorted(accepted));
            prop_assert_eq!((stats.pending, stats.queue_bytes), (0, 0));
            let ids: HashMap<_, _> =
                destination.state.lock().unwrap().batches.iter().map(|batch| (batch.id, ())).collect();
            prop_assert_eq!(ids.len(), destination.state.lock().unwrap().batches.len());
            Ok(())
        })?;
    }
}

#[cfg(feature = "spool")]
mod with_spool {
    use statsig_background::testing::MemoryDisk;

    use super::*;
    use crate::pipeline::SpoolMode;
    use crate::spool::testing::ManualClock;
    use crate::spool::{Spool, SpoolOptions};

    fn start_on(disk: &MemoryDisk, mode: SpoolMode, destination: &Arc<Destination>) -> RawEventQueue {
        let options = SpoolOptions::new("/spool", "0123456789abcdef");
        let clock = Arc::new(ManualClock::new(NOW.unsigned_abs()));
        let spool = Spool::open(options, Arc::new(disk.process()), clock).unwrap();
        let mut options = RawEventQueue::default_options();
        options.jitter_seed = Some(1);
        let (sink, clock) = (Arc::clone(destination) as Arc<dyn EventSink>, Arc::new(FixedClock(NOW)));
        RawEventQueue::start_with_spool(options, spool, mode, sink, clock, &Handle::current())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_one_process_leaves_the_next_delivers_once_under_its_own_metadata(
            calls in calls(),
            answers in proptest::collection::vec(answer(), 0..6),
            ahead: bool,
        ) {
            let mode = if ahead { SpoolMode::WriteAhead } else { SpoolMode::Overflow };
            paused_runtime().block_on(async {
                let disk = MemoryDisk::new();
                let first = Destination::new([answers, vec![Answer::Busy]].concat());
                let queue = start_on(&disk, mode, &first);
                let accepted = log_all(&queue, &calls);
                let report = queue.shutdown(5 * SECOND).await;
                prop_assert!(report.is_safe() && queue.stats().is_balanced(), "{:?}", report);
                let second = Destination::new(Vec::new());
                let queue = start_on(&disk, mode, &second);
                let deadline = tokio::time::Instant::now() + 600 * SECOND;
                while queue.stats().pending > 0 && tokio::time::Instant::now() < deadline {
                    tokio::time::sleep(SECOND / 10).await;
                }
                prop_assert!(queue.shutdown(5 * SECOND).await.is_safe() && queue.stats().is_balanced());
                let mut events = first.events();
                for (name, texts) in second.events() {
                    events.entry(name).or_default().extend(texts);
                }
                prop_assert_eq!(sorted(events), sorted(accepted));
                Ok(())
            })?;
        }
    }
}
