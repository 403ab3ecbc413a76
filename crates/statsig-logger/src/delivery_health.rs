//! Health of event delivery: the last failure and the next attempt.

use std::error::Error;
use std::time::Duration;

use statsig_background::{error_chain, truncated};
use tokio::time::Instant;

/// Most characters of a failure's text.
const MOST_CHARS: usize = 200;

/// Health of event delivery at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryHealth {
    /// Attempts that failed since the last one that the destination confirmed.
    pub failures: u32,
    /// Description of the last failure: the status and host of the endpoint, or the error; at most
    /// 200 characters. `None` after a success.
    pub last_error: Option<String>,
    /// Time since that failure. `None` after a success.
    pub last_failure: Option<Duration>,
    /// Time until the next attempt; zero if it is due or under way. `None` if no batch waits for one.
    pub next_attempt: Option<Duration>,
}

/// Record of the attempts, from which the health is derived.
#[derive(Debug, Default)]
pub(crate) struct DeliveryRecord {
    failures: u32,
    last: Option<(String, Instant)>,
    warned_unconfirmed: Option<Instant>,
    /// Time of the next attempt, as the sending task plans it.
    pub(crate) next_attempt: Option<Instant>,
}

impl DeliveryRecord {
    pub(crate) fn failed(&mut self, reason: &(dyn Error + 'static)) {
        self.failed_by(describe(reason));
    }

    pub(crate) fn failed_by(&mut self, description: String) {
        self.failures = self.failures.saturating_add(1);
        self.last = Some((description, Instant::now()));
    }

    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.last = None;
    }

    /// Returns whether a warning is due that the destination does not confirm.
    pub(crate) fn may_warn_unconfirmed(&mut self, now: Instant, interval: Duration) -> bool {
        let is_due = self.warned_unconfirmed.is_none_or(|warned| now >= warned + interval);
        if is_due {
            self.warned_unconfirmed = Some(now);
        }
        is_due
    }

    pub(crate) fn health(&self) -> DeliveryHealth {
        let now = Instant::now();
        DeliveryHealth {
            failures: self.failures,
            last_error: self.last.as_ref().map(|(text, _)| text.clone()),
            last_failure: self.last.as_ref().map(|(_, at)| now.saturating_duration_since(*at)),
            next_attempt: self.next_attempt.map(|at| at.saturating_duration_since(now)),
        }
    }
}

/// Returns an error with its sources in one line of at most [`MOST_CHARS`] characters.
pub(crate) fn describe(error: &(dyn Error + 'static)) -> String {
    // The mark of a text that is cut is not counted.
    truncated(error_chain(error).trim(), MOST_CHARS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layered {
        text: String,
        source: Option<Box<Layered>>,
    }

    fn layered(texts: &[&str]) -> Layered {
        let (first, rest) = texts.split_first().unwrap();
        let source = (!rest.is_empty()).then(|| Box::new(layered(rest)));
        Layered { text: (*first).to_owned(), source }
    }

    #[test]
    fn descriptions_hold_the_sources_in_one_bounded_line() {
        assert_eq!(describe(&layered(&["cannot connect\nto x", "refused"])), "cannot connect to x: refused");
        assert_eq!(describe(&layered(&["a: b", "b"])), "a: b");
        let long = describe(&layered(&[&"é".repeat(300)]));
        assert_eq!((long.chars().count(), long.ends_with("é…")), (MOST_CHARS, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_clears_the_failure() {
        let mut record = DeliveryRecord::default();
        assert_eq!(record.health(), DeliveryHealth::default());
        record.failed(&layered(&["one"]));
        record.failed(&layered(&["two"]));
        record.next_attempt = Some(Instant::now() + Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(2)).await;
        let expected = DeliveryHealth {
            failures: 2,
            last_error: Some("two".to_owned()),
            last_failure: Some(Duration::from_secs(2)),
            next_attempt: Some(Duration::from_secs(3)),
        };
        assert_eq!(record.health(), expected);
        record.succeeded();
        record.next_attempt = None;
        assert_eq!(record.health(), DeliveryHealth::default());
    }
}
