//! Tests of the whole pipeline, with paused time and a sink that does as the test says.

mod accounts;
mod answers;
mod backlog;
mod delivery;
mod endings;
#[cfg(feature = "spool")]
mod spool;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use statsig_core::{Delivery, EventBatch, EventSink, FixedClock};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::{EventPipeline, PipelineOptions, PipelineTuning};
use crate::body;
use crate::event::QueuedEvent;
use crate::ledger::{DropCause, EventStats};

const SECOND: Duration = Duration::from_secs(1);

/// An event that writes its number, quoted if it is a custom event.
#[derive(Debug, Clone, Copy)]
struct Event {
    number: u64,
    exposure: bool,
    bytes: usize,
    panics: bool,
}

fn exposure(number: u64) -> Event {
    Event { number, exposure: true, bytes: 100, panics: false }
}

fn custom(number: u64) -> Event {
    Event { exposure: false, ..exposure(number) }
}

impl QueuedEvent for Event {
    fn is_exposure(&self) -> bool {
        self.exposure
    }
    fn cost_bytes(&self) -> usize {
        self.bytes
    }
    fn compact(&mut self) {
        self.bytes = self.bytes.min(150);
    }
    fn write_json(&self, out: &mut Vec<u8>) {
        let number = self.number;
        let text = if self.exposure { format!("{number}") } else { format!("\"{number}\"") };
        out.extend_from_slice(text.as_bytes());
        assert!(!self.panics, "as the test wants it");
    }
}

/// What the sink does with a batch.
#[derive(Debug)]
enum Step {
    Answer(Delivery),
    /// Answers late.
    Late(Duration, Delivery),
    Panic,
}

fn taken() -> Step {
    Step::Answer(Delivery::Delivered)
}

fn busy() -> Step {
    Step::Answer(Delivery::retry("busy"))
}

/// An attempt, as the sink saw it.
struct Attempt {
    batch: EventBatch,
    at: Instant,
}

impl Attempt {
    fn events(&self) -> Vec<String> {
        let raw = body::decoded(&self.batch).unwrap();
        body::events(&raw).unwrap().iter().map(|event| event.get().to_owned()).collect()
    }
}

type Plan = Box<dyn FnMut(&EventBatch) -> Step + Send>;

struct ScriptedSink {
    plan: Mutex<Plan>,
    attempts: UnboundedSender<Attempt>,
}

#[async_trait::async_trait]
impl EventSink for ScriptedSink {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        let step = (self.plan.lock().unwrap_or_else(std::sync::PoisonError::into_inner))(batch);
        let _ = self.attempts.send(Attempt { batch: batch.clone(), at: Instant::now() });
        match step {
            Step::Answer(outcome) => outcome,
            Step::Late(time, outcome) => {
                tokio::time::sleep(time).await;
                outcome
            }
            Step::Panic => panic!("as the test wants it"),
        }
    }
}

fn options() -> PipelineOptions {
    PipelineOptions { batch_events: 10, backlog_batch_events: 10, jitter_seed: Some(1), ..PipelineOptions::default() }
}

fn start(
    options: PipelineOptions,
    plan: impl FnMut(&EventBatch) -> Step + Send + 'static,
) -> (EventPipeline<Event>, UnboundedReceiver<Attempt>) {
    let (attempts, receiver) = unbounded_channel();
    let sink = Arc::new(ScriptedSink { plan: Mutex::new(Box::new(plan)), attempts });
    let clock = Arc::new(FixedClock(1_700_000_000_000));
    (EventPipeline::start(options, sink, clock, &Handle::current()), receiver)
}

fn dropped(stats: &EventStats) -> Vec<(DropCause, u64)> {
    assert!(stats.is_balanced(), "{stats:?}");
    stats.dropped.iter().collect()
}

fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}
