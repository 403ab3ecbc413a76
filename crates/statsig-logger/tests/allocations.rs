//! Allocations of an exposure on the application's thread.
//!
//! A binary of its own: the counting allocator replaces the one of the whole process.

use std::sync::Arc;
use std::time::Duration;

use statsig_core::{FixedClock, NoopSink};
use statsig_logger::{
    EventPipeline, ExposureDedupe, ExposureKey, ExposureKind, ExposureParts, ExposureSampler, PipelineOptions,
    QueuedEvent, SamplingInput, SamplingMode, exposure_hash,
};

/// As large as an exposure with handles in place of texts.
struct Event([u64; 6]);

impl QueuedEvent for Event {
    fn is_exposure(&self) -> bool {
        true
    }
    fn cost_bytes(&self) -> usize {
        size_of::<Self>()
    }
    fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0[0].to_string().as_bytes());
    }
}

fn parts(user: u64) -> ExposureParts {
    ExposureParts { kind: ExposureKind::Gate, spec: 1, rule: 2, user: exposure_hash(&user), extra: 1 }
}

#[test]
fn dedupe_and_sampling_allocate_nothing() {
    let dedupe = ExposureDedupe::new(100_000, Duration::from_secs(60));
    let sampler = ExposureSampler::new();
    sampler.set_mode(SamplingMode::Shadow);
    let counted = allocation_counter::measure(|| {
        for user in 0..10_000 {
            let parts = parts(user % 5_000);
            let input = SamplingInput {
                parts: &parts,
                rule_id: "default",
                rule_rate: Some(10),
                forward_all: false,
                analytical: false,
            };
            if dedupe.is_first(ExposureKey::new(&parts), user) {
                assert!(sampler.decide(&input, user).is_some());
            }
        }
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_queued_event_costs_its_own_size_and_far_less_than_one_allocation() {
    const EVENTS: u64 = 50_000;
    // A runtime that never runs: the events stay in the queue.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let clock = Arc::new(FixedClock(0));
    let pipeline = EventPipeline::start(PipelineOptions::default(), Arc::new(NoopSink), clock, runtime.handle());
    let counted = allocation_counter::measure(|| {
        for number in 0..EVENTS {
            pipeline.log(Event([number; 6]));
        }
    });
    assert_eq!(pipeline.stats().pending, EVENTS);
    assert!(counted.count_total < EVENTS / 1_000, "{counted:?}");
    // A growing vector has up to twice the room it needs.
    assert!(counted.bytes_current <= EVENTS as i64 * 2 * size_of::<Event>() as i64, "{counted:?}");
}
