//! Refusals and answers that confirm nothing, with a spool.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn refusal() -> Step {
    Step::Answer(Delivery::refused("the host answers 403"))
}

fn unconfirmed() -> Step {
    Step::Answer(Delivery::unconfirmed("the host answers 200 without confirming"))
}

#[tokio::test(start_paused = true)]
async fn a_refused_batch_outlasts_the_disk_for_ten_minutes_and_is_set_aside() {
    for mode in [SpoolMode::Overflow, SpoolMode::WriteAhead] {
        let machine = Machine::new();
        let mut process = machine.start(mode, |_| refusal());
        (0..10).for_each(|number| process.pipeline.log(exposure(number)));
        tokio::time::sleep(9 * MINUTE).await;
        let stats = process.stats();
        assert_eq!((stats.pending_on_disk, stats.dropped.total()), (10, 0), "{mode:?}");
        tokio::time::sleep(3 * MINUTE).await;
        let stats = process.stats();
        assert_eq!(dropped(&stats), [(DropCause::Refused, 10)], "{mode:?}");
        assert_eq!((stats.pending, stats.delivered), (0, 0));
        assert!(machine.disk.files().iter().any(|path| path.contains("dead")), "{:?}", machine.disk.files());
        let tries = process.seen().len() / 10;
        assert!((10..=60).contains(&tries), "{tries}");
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_of_everything_lose_little_of_a_backlog() {
    let machine = Machine::new();
    let up = Switch::default();
    let switch = up.clone();
    let process = machine.start(SpoolMode::Overflow, move |_| if switch.is_on() { taken() } else { refusal() });
    (0..1_000).for_each(|number| process.pipeline.log(exposure(number)));
    assert_eq!(process.pipeline.flush(SECOND).await.spooled, 1_000);
    tokio::time::sleep(60 * MINUTE).await;
    let stats = process.stats();
    let refused = stats.dropped.get(DropCause::Refused);
    assert_eq!(stats.dropped.total(), refused);
    assert!(refused <= 140, "an hour with a wrong key: {stats:?}");
    up.turn(true);
    tokio::time::sleep(3 * MINUTE).await;
    let stats = process.stats();
    assert_eq!((stats.delivered + refused, stats.pending), (1_000, 0), "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_at_the_end_is_spooled_and_delivered_later() {
    let machine = Machine::new();
    let process = machine.start(SpoolMode::Overflow, |_| refusal());
    (0..10).for_each(|number| process.pipeline.log(exposure(number)));
    let report = process.pipeline.shutdown(3 * SECOND).await;
    assert_eq!((report.spooled, report.failed, report.pending), (10, 0, 0));
    assert!(dropped(&process.stats()).is_empty());
    let later = machine.start(SpoolMode::Overflow, |_| taken());
    tokio::time::sleep(MINUTE).await;
    let stats = later.stats();
    assert_eq!((stats.recovered, stats.delivered), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn an_unconfirmed_batch_is_sent_three_times_in_either_mode() {
    for mode in [SpoolMode::Overflow, SpoolMode::WriteAhead] {
        let machine = Machine::new();
        let mut process = machine.start(mode, |_| unconfirmed());
        (0..10).for_each(|number| process.pipeline.log(exposure(number)));
        let first = process.attempts.recv().await.unwrap();
        let mut last = first.at;
        for _ in 0..2 {
            let next = process.attempts.recv().await.unwrap();
            assert_eq!(next.batch.id, first.batch.id);
            assert!(next.at - last >= 15 * SECOND, "{mode:?}: {:?}", next.at - last);
            last = next.at;
        }
        assert!(last - first.at <= MINUTE, "{mode:?}: {:?}", last - first.at);
        tokio::time::sleep(60 * MINUTE).await;
        let stats = process.stats();
        assert_eq!((stats.delivered, stats.unconfirmed, stats.pending), (10, 10, 0), "{mode:?}");
        assert!(process.attempts.try_recv().is_err(), "{mode:?}: no fourth attempt");
    }
}

#[tokio::test(start_paused = true)]
async fn a_backlog_against_a_proxy_that_never_confirms_is_drained() {
    let mut machine = Machine::new();
    machine.spool_options.max_bytes = 4 << 20;
    let answers = Switch::default();
    let switch = answers.clone();
    let mut process =
        machine.start(SpoolMode::WriteAhead, move |_| if switch.is_on() { unconfirmed() } else { busy() });
    for number in 0..2_000 {
        process.pipeline.log(exposure(number));
        if number % 10 == 9 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    tokio::time::sleep(MINUTE).await;
    process.seen();
    answers.turn(true);
    tokio::time::sleep(15 * MINUTE).await;
    let stats = process.stats();
    assert_eq!((stats.delivered, stats.unconfirmed, stats.pending), (2_000, 2_000, 0), "{stats:?}");
    let sent = process.seen().len();
    assert!((6_000..=6_020).contains(&sent), "three times each: {sent}");
}

#[tokio::test(start_paused = true)]
async fn what_is_unconfirmed_at_the_end_is_spooled() {
    for mode in [SpoolMode::Overflow, SpoolMode::WriteAhead] {
        let machine = Machine::new();
        let mut process = machine.start(mode, |_| unconfirmed());
        (0..10).for_each(|number| process.pipeline.log(exposure(number)));
        process.attempts.recv().await.unwrap();
        process.settle().await;
        let report = process.pipeline.shutdown(3 * SECOND).await;
        assert_eq!((report.spooled, report.failed, report.pending), (10, 0, 0), "{mode:?} {report:?}");
        let stats = process.stats();
        assert_eq!((stats.unconfirmed, stats.pending_on_disk), (0, 10));
    }
}
