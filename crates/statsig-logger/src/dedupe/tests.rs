use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;

use proptest::prelude::*;

use super::*;

const WINDOW: Duration = Duration::from_secs(60);

fn key(serial: u64) -> ExposureKey {
    ExposureKey::from_bits(foldhash_of(serial))
}

fn foldhash_of(serial: u64) -> u64 {
    use std::hash::BuildHasher;
    foldhash::quality::FixedState::with_seed(7).hash_one(serial)
}

/// The first moment of the window after the one that `now_ms` is in.
fn next_turn(dedupe: &ExposureDedupe, key: ExposureKey, now_ms: u64) -> u64 {
    let window = dedupe.word(key.bits(), now_ms) & WINDOW_MASK;
    (now_ms..=now_ms + 60_000).find(|&at| dedupe.word(key.bits(), at) & WINDOW_MASK != window).unwrap()
}

#[test]
fn a_key_is_first_once_in_its_window_and_again_at_its_turn() {
    let dedupe = ExposureDedupe::new(1_000, WINDOW);
    for serial in 0..200 {
        let (key, start) = (key(serial), 1_000_000 + serial * 37);
        assert!(dedupe.is_first(key, start));
        let turn = next_turn(&dedupe, key, start);
        assert!(turn > start && turn <= start + 60_000);
        assert!(!dedupe.is_first(key, turn - 1));
        assert!(dedupe.is_first(key, turn));
        assert!(!dedupe.is_first(key, turn + 59_999));
        assert!(dedupe.is_first(key, turn + 60_000));
    }
}

#[test]
fn no_burst_when_windows_turn() {
    let dedupe = ExposureDedupe::new(100_000, WINDOW);
    let active: Vec<ExposureKey> = (0..20_000).map(key).collect();
    for &key in &active {
        let _ = dedupe.is_first(key, 0);
    }
    let mut per_second = Vec::new();
    for second in 1..=180 {
        per_second.push(active.iter().filter(|&&key| dedupe.is_first(key, second * 1_000)).count());
    }
    let (least, most) = (*per_second.iter().min().unwrap(), *per_second.iter().max().unwrap());
    // 20,000 / 60 = 333 a second, with a standard deviation of 18.
    assert!(least > 230 && most < 450, "{least} to {most} a second");
    let passed: usize = per_second.iter().sum();
    assert!((60_000..60_300).contains(&passed), "{passed} in three windows");
}

#[test]
fn holds_as_many_keys_as_it_was_asked_to() {
    let dedupe = ExposureDedupe::new(100_000, WINDOW);
    for serial in 0..100_000 {
        assert!(dedupe.is_first(key(serial), 0));
    }
    let forgotten = (0..100_000).filter(|&serial| dedupe.is_first(key(serial), 0)).count();
    assert!(forgotten < 1_000, "{forgotten} of 100,000 crowded out");
}

#[test]
fn memory_does_not_depend_on_the_number_of_keys() {
    let dedupe = ExposureDedupe::new(100_000, WINDOW);
    let before = dedupe.memory_bytes();
    assert_eq!(before, size_of::<ExposureDedupe>() + (4 << 20) / 2);
    for (serial, now_ms) in (0..10_000_000_u64).zip((0..).step_by(1)) {
        // No first sight is ever suppressed.
        assert!(dedupe.is_first(key(serial), now_ms / 100));
    }
    assert_eq!(dedupe.memory_bytes(), before);
}

#[test]
fn a_new_window_length_expires_everything_once() {
    let dedupe = ExposureDedupe::new(1_000, WINDOW);
    let at = 1_700_000_000_000;
    assert!(dedupe.is_first(key(1), at));
    dedupe.set_window(Duration::from_secs(1));
    assert!(dedupe.is_first(key(1), at));
    assert!(!dedupe.is_first(key(1), at));
    assert!(dedupe.is_first(key(1), at + 1_000));
}

#[test]
fn extreme_options_and_times_are_survived() {
    for (keys, window) in [(0, Duration::ZERO), (1, Duration::MAX), (3, Duration::from_millis(1))] {
        let dedupe = ExposureDedupe::new(keys, window);
        for hash in [0, 1, u64::MAX, 1 << 48] {
            for now_ms in [0, 1, u64::MAX - 1, u64::MAX] {
                let _ = dedupe.is_first(ExposureKey::from_bits(hash), now_ms);
            }
        }
    }
}

#[test]
fn of_threads_that_race_one_is_first() {
    let dedupe = ExposureDedupe::new(100_000, WINDOW);
    let firsts = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mine = (0..20_000).filter(|&serial| dedupe.is_first(key(serial), 5)).count();
                firsts.fetch_add(mine, Ordering::Relaxed);
            });
        }
    });
    let firsts = firsts.into_inner();
    assert!((20_000..20_200).contains(&firsts), "{firsts} of 20,000");
}

proptest! {
    /// Against a map that knows everything: the table never suppresses what the map lets pass, and
    /// lets pass little that the map suppresses.
    #[test]
    fn agrees_with_a_map(
        window_ms in 1_u64..5_000,
        steps in proptest::collection::vec((0_u64..60, 0_u64..400), 1..400),
    ) {
        let dedupe = ExposureDedupe::new(10_000, Duration::from_millis(window_ms));
        let mut seen: HashMap<u64, u64> = HashMap::new();
        let mut now_ms = 0;
        for (serial, later) in steps {
            now_ms += later;
            let hash = foldhash_of(serial);
            let window = (u128::from(now_ms) + ((u128::from(hash as u32) * u128::from(window_ms)) >> 32)) / u128::from(window_ms);
            let window = u64::try_from(window).unwrap();
            let first = seen.insert(hash, window) != Some(window);
            prop_assert_eq!(dedupe.is_first(ExposureKey::from_bits(hash), now_ms), first);
        }
    }
}
