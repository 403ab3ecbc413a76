//! What a client asks the network for, by what came of it before.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use statsig_core::{
    FixedClock, PayloadFormat, Reach, Snapshot, SnapshotStore, SourceError, SpecFetch, SpecOrigin, SpecRequest,
    SpecSource, SpecStream, SpecSubscription, SpecUpdate, SpecVersion, StreamEvent,
};

use super::differences::{TIME, difference, gate, gates, top, whole};
use super::{compressed, done};
use crate::sync::SpecsListener;
use crate::{RulesetTarget, SpecSources, SpecSync, SyncOptions};

/// What a source answers.
pub(super) struct Answer {
    after: Duration,
    document: Vec<u8>,
    is_delta: bool,
}

impl Answer {
    pub(super) fn now(document: Vec<u8>, is_delta: bool) -> Self {
        Self { after: Duration::ZERO, document, is_delta }
    }
}

/// A source of binary documents that answers as a test says, by what is held and how often it was asked.
pub(super) struct Answering<F> {
    kind: SpecOrigin,
    answer: F,
    asked: Mutex<Vec<(bool, u64)>>,
}

impl<F: Fn(&SpecRequest, usize) -> Answer> Answering<F> {
    /// Stands for the network.
    pub(super) fn with(answer: F) -> Self {
        Self { kind: SpecOrigin::Network, answer, asked: Mutex::default() }
    }

    /// Of each question whether a difference would do, and since when.
    fn asked(&self) -> Vec<(bool, u64)> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait::async_trait]
impl<F: Fn(&SpecRequest, usize) -> Answer + Send + Sync> SpecSource for Answering<F> {
    fn name(&self) -> &str {
        "answering"
    }

    fn origin(&self) -> SpecOrigin {
        self.kind.clone()
    }
    fn reach(&self) -> Reach {
        if self.kind == SpecOrigin::Network { Reach::Upstream } else { Reach::Shared }
    }

    async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
        let cursor = request;
        let before = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((cursor.accepts_deltas, cursor.since_time_ms()));
            asked.len() - 1
        };
        let answer = (self.answer)(cursor, before);
        tokio::time::sleep(answer.after).await;
        let update =
            SpecUpdate::new(answer.document, self.origin(), self.reach(), 0).with_format(PayloadFormat::Protobuf);
        let base = answer.is_delta.then(|| request.version.clone().unwrap_or_default());
        Ok(SpecFetch::Updated(update.with_delta_base(base)))
    }
}

/// A client that wants differences, and the documents that came into force.
struct Client {
    sync: SpecSync,
    store: Arc<SnapshotStore>,
    told: Arc<Mutex<Vec<Arc<SpecUpdate>>>>,
}

fn start(sources: SpecSources, change: impl FnOnce(&mut SyncOptions)) -> Client {
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener: SpecsListener = {
        let told = Arc::clone(&told);
        Arc::new(move |updated| told.lock().unwrap().push(Arc::clone(&updated.update)))
    };
    let mut options = SyncOptions { deltas: true, on_update: Some(listener), ..SyncOptions::default() };
    change(&mut options);
    let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
    let runtime = tokio::runtime::Handle::current();
    let sync =
        SpecSync::new(options, RulesetTarget::new(Arc::clone(&store)), sources, Arc::new(FixedClock(0)), &runtime);
    Client { sync, store, told }
}

/// Lets time pass until a source was asked so many times.
async fn until_asked<F: Fn(&SpecRequest, usize) -> Answer>(source: &Answering<F>, times: usize) {
    while source.asked().len() < times {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn differences_that_lead_nowhere_end_in_a_whole_document() {
    let all = gates(&[("one", 1, "a")]);
    // A difference to the time that is held, or to an earlier one; then where everything is asked for: once in
    // five minutes, since the clock of this test stands still.
    for (led_to, threshold, expected) in [(TIME, 2, vec![3]), (TIME - 1, 2, vec![3]), (TIME, 0, vec![])] {
        let all = all.clone();
        let server = Arc::new(Answering::with(move |cursor: &SpecRequest, _| match cursor.accepts_deltas {
            true => Answer::now(difference(led_to, &[], &[], &all), true),
            false => Answer::now(whole(TIME, &all), false),
        }));
        let client = start(SpecSources::new().then(server.clone()), |options| {
            options.delta_no_progress_threshold = threshold;
        });
        assert!(client.sync.initialize().await.is_config_spec_ready);
        until_asked(&server, 20).await;
        let asked = server.asked();
        assert_eq!(asked[..3], [(false, 0), (true, TIME), (true, TIME)]);
        let everything: Vec<usize> = (1..asked.len()).filter(|at| asked[*at] == (false, 0)).collect();
        assert_eq!(everything, expected, "{asked:?}");
        client.sync.shutdown(Duration::from_secs(60)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_into_force_does_not_lift_the_suspension() {
    let (before, after) = (gates(&[("one", 1, "a")]), gates(&[("one", 1, "a"), ("two", 2, "b")]));
    // Differences lack a gate: they do not add up.
    let server = Arc::new(Answering::with(move |cursor: &SpecRequest, asked| match asked {
        0 => Answer::now(whole(TIME, &before), false),
        _ if cursor.accepts_deltas => Answer::now(difference(TIME + 1, &[], &[], &after), true),
        _ => Answer::now(whole(TIME + 1, &after), false),
    }));
    let old = Answering::with(|_, _| Answer::now(whole(TIME - 5, &gates(&[("old", 1, "a")])), false));
    let old = Answering { kind: SpecOrigin::Adapter("DataStore".into()), ..old };
    let mut sources = SpecSources::new();
    sources.initial = vec![server.clone()];
    sources.polled = vec![Arc::new(old), server.clone()];
    let client = start(sources, |_| {});
    assert!(client.sync.initialize().await.is_config_spec_ready);
    until_asked(&server, 4).await;
    assert_eq!(server.asked(), [(false, 0), (true, TIME), (false, TIME), (true, TIME + 1)]);
    assert_eq!(client.store.load().ruleset().meta().time, TIME + 1);
}

#[tokio::test(start_paused = true)]
async fn a_difference_counts_for_what_was_held_when_it_was_asked_for() {
    let seconds = Duration::from_secs;
    let slow = Arc::new(Answering::with(move |cursor: &SpecRequest, _| {
        match (cursor.accepts_deltas, cursor.since_time_ms()) {
            (true, TIME) => Answer {
                after: seconds(20),
                document: difference(TIME + 2, &["one"], &[], &gates(&[("one", 2, "b")])),
                is_delta: true,
            },
            (true, _) => Answer::now(difference(TIME + 3, &["one"], &[], &gates(&[("one", 3, "c")])), true),
            _ => Answer::now(whole(TIME, &gates(&[("one", 1, "a")])), false),
        }
    }));
    // Comes into force while that is on its way; the sums of both are the same.
    let late = Answering::with(move |_, _| {
        let head = top(TIME + 1, &json!({"experiment_to_layer": {"x": "l"}}));
        let parts = [head, gate("one", (1, "a"), true), done()].concat();
        Answer { after: seconds(15), document: compressed(&parts), is_delta: false }
    });
    let mut sources = SpecSources::new();
    sources.initial = vec![Arc::new(late), slow.clone()];
    sources.polled = vec![slow.clone()];
    let client = start(sources, |options| options.init_timeout = Some(seconds(1)));
    client.sync.initialize().await;
    client.sync.subscribe().wait_for(|time| *time == TIME + 3).await.unwrap();
    let times: Vec<Value> = client
        .told
        .lock()
        .unwrap()
        .iter()
        .filter_map(|update| {
            let json: Value = serde_json::from_slice(&update.payload).ok()?;
            Some(json["time"].clone())
        })
        .collect();
    // The first two came in binary form. The difference to the first was passed over, that to the second was not.
    assert_eq!(times, [json!(TIME + 3)]);
    assert_eq!(slow.asked()[1..], [(true, TIME), (true, TIME + 1)]);
    let last = client.told.lock().unwrap().last().cloned().unwrap();
    let json: Value = serde_json::from_slice(&last.payload).unwrap();
    assert_eq!(json["experiment_to_layer"], json!({"x": "l"}));
}

/// A stream of binary payloads, the second of which is a delta to a version.
struct DeltaStream {
    payloads: Vec<(Vec<u8>, Option<SpecVersion>)>,
    requests: Mutex<Vec<SpecRequest>>,
}

#[async_trait::async_trait]
impl SpecStream for DeltaStream {
    fn name(&self) -> &str {
        "deltas"
    }
    fn origin(&self) -> SpecOrigin {
        SpecOrigin::Adapter("Deltas".into())
    }
    fn reach(&self) -> Reach {
        Reach::Upstream
    }
    async fn subscribe(&self, request: &SpecRequest) -> Result<Box<dyn SpecSubscription>, SourceError> {
        self.requests.lock().unwrap().push(request.clone());
        let is_first = request.version.is_none();
        let payloads = if is_first { self.payloads.clone() } else { Vec::new() };
        Ok(Box::new(DeltaSubscription { payloads: payloads.into_iter(), is_greeted: is_first }))
    }
}

struct DeltaSubscription {
    payloads: std::vec::IntoIter<(Vec<u8>, Option<SpecVersion>)>,
    is_greeted: bool,
}

#[async_trait::async_trait]
impl SpecSubscription for DeltaSubscription {
    async fn next(&mut self) -> Result<Option<StreamEvent>, SourceError> {
        if !std::mem::replace(&mut self.is_greeted, true) {
            return Ok(Some(StreamEvent::Changed));
        }
        let Some((payload, base)) = self.payloads.next() else { return std::future::pending().await };
        let update = SpecUpdate::new(payload, SpecOrigin::Adapter("Deltas".into()), Reach::Upstream, 0);
        Ok(Some(StreamEvent::Specs(update.with_format(PayloadFormat::Protobuf).with_delta_base(base))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_streamed_delta_counts_for_the_base_that_it_names() {
    let before = gates(&[("one", 1, "a")]);
    let after = gates(&[("one", 1, "a"), ("two", 2, "b")]);
    let base = |time_ms| Some(SpecVersion::new(time_ms, None));
    for (named, applied) in [(base(TIME), TIME + 1), (base(TIME - 1), TIME), (None, TIME)] {
        let delta = difference(TIME + 1, &["two"], &[], &after);
        let payloads = vec![(whole(TIME, &before), None), (delta, named.clone())];
        let stream = Arc::new(DeltaStream { payloads, requests: Mutex::default() });
        let client = start(SpecSources::new().with_stream(stream.clone()), |_| {});
        client.sync.initialize().await;
        // One that fits is followed by silence, and any other by another subscription.
        while stream.requests.lock().unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(client.store.load().ruleset().meta().time, applied, "{named:?}");
        let requests = stream.requests.lock().unwrap().clone();
        assert!(!requests[0].accepts_deltas && requests[0].accepts_protobuf);
        assert_eq!(requests[1].since_time_ms(), applied);
        // A delta that names no base, or does not fit, suspends deltas until a full payload comes.
        assert_eq!(requests[1].accepts_deltas, named.is_some(), "{named:?}");
        client.sync.shutdown(Duration::from_secs(60)).await;
    }
}
