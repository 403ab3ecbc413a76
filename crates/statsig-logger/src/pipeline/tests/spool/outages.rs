//! Outages, and what comes after them.

use std::sync::atomic::AtomicUsize;

use super::*;

/// Takes batches slowly, and notes how many at a time.
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
    up: Switch,
    seen: Mutex<Vec<(i64, Vec<String>)>>,
}

#[async_trait::async_trait]
impl EventSink for Gauge {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        if !self.up.is_on() {
            return Delivery::retry("down");
        }
        let raw = body::decoded(batch).unwrap();
        let events = body::events(&raw).unwrap().iter().map(|event| event.get().to_owned()).collect();
        self.seen.lock().unwrap().push((batch.created_ms, events));
        Delivery::Delivered
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_of_hours_everything_is_delivered_in_the_order_of_age() {
    for mode in [SpoolMode::Overflow, SpoolMode::WriteAhead] {
        let mut machine = Machine::new();
        machine.options.queue_events = 100;
        let sink = Arc::new(Gauge {
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            up: Switch::default(),
            seen: Mutex::default(),
        });
        let spool = Spool::open(machine.spool_options.clone(), Arc::new(machine.disk.process()), machine.clock.clone());
        let clock = Arc::new(SameClock(machine.clock.clone()));
        let pipeline = EventPipeline::start_with_spool(
            machine.options.clone(),
            spool.unwrap(),
            mode,
            sink.clone(),
            clock,
            &Handle::current(),
        );
        // Five hours, an event every ten seconds.
        let many = 5 * 360;
        for number in 0..many {
            pipeline.log(exposure(number));
            tokio::time::sleep(10 * SECOND).await;
            machine.clock.advance(10_000);
        }
        tokio::time::sleep(SECOND).await;
        let stats = pipeline.stats();
        assert!(stats.is_balanced() && dropped(&stats).is_empty(), "{stats:?}");
        assert_eq!((stats.accepted, stats.delivered, stats.pending), (many, 0, many));
        assert!(stats.pending_on_disk >= many - 10, "{stats:?}");
        assert!(stats.retries > 300, "a probe a minute: {stats:?}");
        assert_eq!(sink.most.load(Ordering::SeqCst), 1, "while it fails");

        sink.up.turn(true);
        let begin = Instant::now();
        while pipeline.stats().delivered < many {
            tokio::time::sleep(SECOND).await;
            assert!(begin.elapsed() < 120 * SECOND, "{:?}", pipeline.stats());
        }
        assert_eq!(sink.most.load(Ordering::SeqCst), 2, "while the spool is drained");
        let stats = pipeline.stats();
        assert!(stats.is_balanced() && stats.pending == 0 && stats.delivered == many, "{stats:?}");
        let seen = sink.seen.lock().unwrap();
        let order: Vec<String> = seen.iter().flat_map(|(_, events)| events.clone()).collect();
        let mut sorted = order.clone();
        sorted.sort_by_key(|number| number.parse::<u64>().unwrap());
        assert_eq!(sorted, numbers(0..many), "{mode:?}: each once");
        // Two at a time, so neighbours may change places; new ones may come first.
        let ages: Vec<i64> = seen.iter().map(|&(created_ms, _)| created_ms).collect();
        let inversions = ages.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert!(inversions <= 2, "{mode:?}: {inversions} of {}", ages.len());
    }
}

#[tokio::test(start_paused = true)]
async fn new_batches_do_not_wait_for_those_in_the_spool() {
    let machine = Machine::new();
    let up = Switch::default();
    let switch = up.clone();
    let mut process = machine.start(SpoolMode::Overflow, move |batch| match switch.is_on() {
        false => busy(),
        // Old ones take long.
        true if batch.attempt > 0 => Step::Late(25 * SECOND, Delivery::Delivered),
        true => taken(),
    });
    (0..200).for_each(|number| process.pipeline.log(exposure(number)));
    assert_eq!(process.pipeline.flush(SECOND).await.spooled, 200);
    up.turn(true);
    // Until the destination is known to be up again.
    while process.stats().delivered == 0 {
        tokio::time::sleep(SECOND).await;
    }
    tokio::time::sleep(SECOND).await;
    process.seen();
    let begin = Instant::now();
    (200..300).for_each(|number| process.pipeline.log(exposure(number)));
    let report = process.pipeline.flush(SECOND).await;
    assert_eq!((report.delivered, report.pending), (100, 0), "{report:?}");
    assert!(begin.elapsed() < SECOND);
    assert_eq!(process.seen(), numbers(200..300));
}

#[tokio::test(start_paused = true)]
async fn attempts_are_not_limited_and_the_destination_is_obeyed() {
    let machine = Machine::new();
    let up = Switch::default();
    let switch = up.clone();
    let mut process = machine.start(SpoolMode::Overflow, move |_| match switch.is_on() {
        false => Step::Answer(Delivery::retry_after(30 * SECOND, "later")),
        true => taken(),
    });
    (0..10).for_each(|number| process.pipeline.log(exposure(number)));
    let mut last = process.attempts.recv().await.unwrap();
    for _ in 0..100 {
        let next = process.attempts.recv().await.unwrap();
        let pause = next.at - last.at;
        assert!(pause >= 30 * SECOND && pause <= 60 * SECOND + Duration::from_millis(2), "{pause:?}");
        last = next;
    }
    assert_eq!(process.stats().pending_on_disk, 10);
    up.turn(true);
    process.attempts.recv().await.unwrap();
    process.settle().await;
    assert_eq!(process.stats().delivered, 10);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_never_passes_does_not_hold_up_the_others() {
    let machine = Machine::new();
    let up = Switch::default();
    let switch = up.clone();
    let poison = |batch: &EventBatch| batch.body.starts_with(b"[0,");
    let mut process = machine.start(SpoolMode::Overflow, move |batch| match switch.is_on() && !poison(batch) {
        true => taken(),
        false => busy(),
    });
    (0..500).for_each(|number| process.pipeline.log(exposure(number)));
    assert_eq!(process.pipeline.flush(SECOND).await.spooled, 500);
    up.turn(true);
    tokio::time::sleep(120 * SECOND).await;
    let stats = process.stats();
    assert_eq!((stats.delivered, stats.pending), (490, 10));
    process.seen();
    // It is tried on, but seldom, and at nobody's cost.
    for round in 0..50 {
        (0..10).for_each(|number| process.pipeline.log(exposure(1_000 + round * 10 + number)));
        assert!(process.pipeline.flush(SECOND).await.delivered == 10);
        tokio::time::sleep(60 * SECOND).await;
    }
    let stats = process.stats();
    assert_eq!((stats.delivered, stats.pending), (990, 10));
    let tries = process.seen().iter().filter(|number| *number == "0").count();
    assert!((10..=200).contains(&tries), "{tries}");
}

#[tokio::test(start_paused = true)]
async fn what_the_spool_gives_up_is_counted_with_its_cause() {
    let mut machine = Machine::new();
    machine.spool_options.segment_bytes = 1_024;
    machine.spool_options.max_bytes = 4_096;
    let process = machine.start(SpoolMode::Overflow, |_| busy());
    (0..2_000).for_each(|number| process.pipeline.log(exposure(number)));
    let _ = process.pipeline.flush(10 * SECOND).await;
    let stats = process.stats();
    assert_eq!(stats.dropped.total(), stats.dropped.get(DropCause::SpoolFull));
    assert!(stats.dropped.total() > 1_000 && stats.pending_on_disk > 100, "{stats:?}");
    assert_eq!(stats.pending_on_disk, stats.pending);

    machine.clock.advance(73 * 60 * 60 * 1_000);
    tokio::time::sleep(70 * SECOND).await;
    let stats = process.stats();
    let expired = stats.dropped.get(DropCause::SpoolExpired);
    assert!(expired > 0 && stats.pending <= 20, "{stats:?}");
}
