//! The contract of [`EventSink`].

use std::sync::Arc;
use std::time::Duration;

use super::polling::{both, poll_times};
use crate::{BatchEncoding, EventBatch, EventSink, SdkMetadata};

/// Time that the contract gives to `flush` and `close`.
const WITHIN: Duration = Duration::from_secs(10);
/// Most attempts for one batch: a sink may be busy, but not without end.
const ATTEMPTS: u32 = 100;

/// Checks the duties of an [`EventSink`] against a working destination.
///
/// Delivers a few small batches, plain and compressed, one after the other, again under the same
/// id, several at once, with attempts cut short, and with metadata of another SDK; flushes and closes. Returns the batches that
/// must be at the destination now, each at least once and whole: the caller, who knows the
/// destination, compares. Every event has an `eventName` that occurs in no other.
///
/// ```
/// # use statsig_adapters::{NoopSink, testing::event_sink_contract};
/// # let run = async {
/// let delivered = event_sink_contract(&NoopSink).await;
/// assert!(delivered.iter().all(|batch| batch.event_count > 0));
/// # };
/// # let mut run = std::pin::pin!(run);
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert!(std::future::Future::poll(run.as_mut(), &mut context).is_ready());
/// ```
///
/// # Panics
/// Panics if the sink breaks its contract.
pub async fn event_sink_contract(sink: &dyn EventSink) -> Vec<EventBatch> {
    let mut delivered = Vec::new();

    for (serial, events, encoding) in
        [(1, 1, BatchEncoding::Identity), (2, 3, BatchEncoding::Gzip), (3, 40, BatchEncoding::Identity)]
    {
        let batch = batch(serial, events, encoding);
        must_arrive(sink, &batch, "a well-formed batch").await;
        delivered.push(batch);
    }

    let again = delivered[1].clone().with_attempt(1);
    must_arrive(sink, &again, "a batch that comes again under its id").await;

    let pair = [batch(4, 5, BatchEncoding::Gzip), batch(5, 5, BatchEncoding::Identity)];
    both(
        must_arrive(sink, &pair[0], "one of two batches at once"),
        must_arrive(sink, &pair[1], "the other of two batches at once"),
    )
    .await;
    delivered.extend(pair);

    for (serial, polls) in (6..).zip([1, 2, 3]) {
        let cut_short = batch(serial, 4, BatchEncoding::Identity);
        poll_times(sink.deliver(&cut_short), polls).await;
        must_arrive(sink, &cut_short.clone().with_attempt(1), "a batch whose first attempt was cut short").await;
        delivered.push(cut_short);
    }

    let flushed = sink.flush(WITHIN).await;
    assert!(flushed.is_ok(), "`flush` failed: {:?}", flushed.err().map(|error| error.to_string()));
    let metadata = SdkMetadata::new().with_sdk_type("contract-sdk").with_sdk_version("1.2.3");
    let last = batch(9, 2, BatchEncoding::Gzip).with_metadata(Some(Arc::new(metadata)));
    must_arrive(sink, &last, "a batch after `flush`").await;
    delivered.push(last);

    for time in ["first", "second"] {
        let closed = sink.close(WITHIN).await;
        assert!(closed.is_ok(), "the {time} `close` failed: {:?}", closed.err().map(|error| error.to_string()));
    }
    delivered
}

/// Delivers a batch, again while the sink asks for it.
async fn must_arrive(sink: &dyn EventSink, batch: &EventBatch, what: &str) {
    let mut outcome = sink.deliver(batch).await;
    for attempt in 1..ATTEMPTS {
        if !outcome.is_retryable() {
            break;
        }
        outcome = sink.deliver(&batch.clone().with_attempt(batch.attempt + attempt)).await;
    }
    assert!(!outcome.is_retryable(), "{what} was not delivered in {ATTEMPTS} attempts");
    assert!(outcome.is_delivered(), "{what} was refused: {outcome:?}");
}

/// A batch of events that tell their batch and their place in it.
fn batch(serial: u128, events: u32, encoding: BatchEncoding) -> EventBatch {
    let items: Vec<String> = (0..events)
        .map(|place| {
            format!(
                r#"{{"eventName":"contract {serial} {place}","value":"[,]\"}}","time":{place},"user":{{"userID":"Zoë"}}}}"#
            )
        })
        .collect();
    let raw = format!("[{}]", items.join(",")).into_bytes();
    let raw_len = raw.len();
    let body = match encoding {
        BatchEncoding::Identity => raw,
        BatchEncoding::Gzip => stored_gzip(&raw),
    };
    // Version 7, variant 1, and otherwise nothing that a generator would make.
    let id = 0x0190_0000_0000_7000_8000_0000_0000_0000_u128 | serial;
    EventBatch::new(id.to_be_bytes(), 1_700_000_000_000, events, body, encoding, raw_len)
}

/// A gzip member that holds its data as it is.
fn stored_gzip(raw: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = raw.chunks(usize::from(u16::MAX)).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        out.push(u8::from(blocks.peek().is_none()));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    let checksum = !raw.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| sum >> 1 ^ (0xedb8_8320 & (sum & 1).wrapping_neg()))
    });
    out.extend_from_slice(&checksum.to_le_bytes());
    out.extend_from_slice(&(raw.len() as u32).to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::future::poll_fn;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Poll;

    use super::*;
    use crate::testing::polling::run;
    use crate::{Delivery, NoopSink};

    /// Gives way once, so that an attempt can be cut short.
    async fn give_way() {
        let mut polled = false;
        poll_fn(|_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        BusyOnce,
        RefusesAgain,
        NoGzip,
        AlwaysBusy,
        BreaksWhenCutShort,
    }

    struct Memory {
        fault: Fault,
        taken: Mutex<(HashSet<[u8; 16]>, u32)>,
        broken: AtomicBool,
    }

    /// Notes an attempt that does not get to its end.
    struct Attempt<'a>(&'a AtomicBool, bool);

    impl Drop for Attempt<'_> {
        fn drop(&mut self) {
            self.0.fetch_or(!self.1, Ordering::Relaxed);
        }
    }

    #[async_trait::async_trait]
    impl EventSink for Memory {
        async fn deliver(&self, batch: &EventBatch) -> Delivery {
            if self.broken.load(Ordering::Relaxed) && self.fault == Fault::BreaksWhenCutShort {
                return Delivery::reject("broken");
            }
            let mut attempt = Attempt(&self.broken, false);
            give_way().await;
            attempt.1 = true;
            let mut taken = self.taken.lock().unwrap();
            taken.1 += 1;
            match self.fault {
                Fault::BusyOnce if taken.1 % 2 == 1 => return Delivery::retry("busy"),
                Fault::AlwaysBusy => return Delivery::retry_after(Duration::from_secs(1), "busy"),
                Fault::NoGzip if batch.encoding == BatchEncoding::Gzip => return Delivery::reject("gzip"),
                _ => {}
            }
            if !taken.0.insert(batch.id) && self.fault == Fault::RefusesAgain {
                return Delivery::reject("known");
            }
            Delivery::Delivered
        }
    }

    fn contract_with(fault: Fault) -> (Vec<EventBatch>, HashSet<[u8; 16]>) {
        let sink = Memory { fault, taken: Mutex::default(), broken: AtomicBool::default() };
        let delivered = run(event_sink_contract(&sink));
        (delivered, sink.taken.into_inner().unwrap().0)
    }

    #[test]
    fn sound_sinks_pass() {
        assert_eq!(run(event_sink_contract(&NoopSink)).len(), 9);
        for fault in [Fault::None, Fault::BusyOnce] {
            let (delivered, taken) = contract_with(fault);
            assert_eq!(delivered.iter().map(|batch| batch.id).collect::<HashSet<_>>(), taken);
        }
    }

    #[test]
    #[should_panic(expected = "comes again")]
    fn a_sink_that_refuses_a_known_id_fails() {
        contract_with(Fault::RefusesAgain);
    }

    #[test]
    #[should_panic(expected = "well-formed batch was refused")]
    fn a_sink_that_cannot_read_gzip_fails() {
        contract_with(Fault::NoGzip);
    }

    #[test]
    #[should_panic(expected = "not delivered in 100 attempts")]
    fn a_sink_that_never_delivers_fails() {
        contract_with(Fault::AlwaysBusy);
    }

    #[test]
    #[should_panic(expected = "cut short")]
    fn a_sink_that_a_dropped_attempt_breaks_fails() {
        contract_with(Fault::BreaksWhenCutShort);
    }

    #[test]
    fn debug_shows_no_event() {
        let shown = format!("{:?}", batch(7, 2, BatchEncoding::Identity));
        assert!(shown.contains("event_count: 2") && shown.contains("id: 01900000000070008000000000000007"), "{shown}");
        assert!(!shown.contains("91, 123"), "{shown}");
    }
}
