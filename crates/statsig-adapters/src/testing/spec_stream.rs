//! The contract of [`SpecStream`].

use super::polling::{both, poll_times};
use crate::{SpecRequest, SpecStream, SpecSubscription, SpecUpdate, StreamEvent};

/// Checks the duties of a [`SpecStream`] whose source works.
///
/// `publish` puts a newer document at the source each time it is called, without waiting for the
/// stream. Subscribes, publishes, drops subscriptions and waits cut short, and subscribes twice at
/// once. Returns the last update received, if the stream delivers documents and not just hints.
///
/// The example is that of [`spec_source_contract`](super::spec_source_contract), in spirit:
///
/// ```no_run
/// # use statsig_adapters::{SpecStream, testing::spec_stream_contract};
/// # async fn check(stream: &dyn SpecStream, server: &mut Vec<u64>) {
/// let last = spec_stream_contract(stream, || server.push(1)).await;
/// assert!(last.is_none_or(|update| !update.payload.is_empty()));
/// # }
/// ```
///
/// # Panics
/// Where the stream breaks its contract.
pub async fn spec_stream_contract(stream: &dyn SpecStream, mut publish: impl FnMut()) -> Option<SpecUpdate> {
    assert!(!stream.name().is_empty(), "the stream has no name");
    let mut last = None;

    let mut subscription = subscribe(stream, "the first subscription").await;
    note(&mut last, next(&mut *subscription, "the first event, without a change").await);

    for _ in 0..3 {
        publish();
        note(&mut last, next_change(&mut *subscription).await);
    }

    // A wait that is given up loses nothing.
    for polls in [1, 2, 3] {
        poll_times(subscription.next(), polls).await;
        publish();
        poll_times(subscription.next(), polls).await;
        drop(subscription);
        subscription = subscribe(stream, "a subscription after one that was dropped").await;
        note(&mut last, next(&mut *subscription, "the first event of a later subscription").await);
    }

    both(one_event(stream), one_event(stream)).await;
    last
}

async fn one_event(stream: &dyn SpecStream) {
    let mut subscription = subscribe(stream, "one of two subscriptions at once").await;
    next(&mut *subscription, "the first event of one of two subscriptions").await;
}

async fn subscribe(stream: &dyn SpecStream, what: &str) -> Box<dyn SpecSubscription> {
    match stream.subscribe(&SpecRequest::default()).await {
        Ok(subscription) => subscription,
        Err(error) => panic!("{what}: {error:?}"),
    }
}

async fn next(subscription: &mut dyn SpecSubscription, what: &str) -> StreamEvent {
    match subscription.next().await {
        Ok(Some(event)) => event,
        Ok(None) => panic!("{what}: the subscription ended"),
        Err(error) => panic!("{what}: {error:?}"),
    }
}

/// The next event that is no sign of life.
async fn next_change(subscription: &mut dyn SpecSubscription) -> StreamEvent {
    loop {
        let event = next(subscription, "an event after a change").await;
        if !matches!(event, StreamEvent::NoUpdate { .. }) {
            return event;
        }
    }
}

fn note(last: &mut Option<SpecUpdate>, event: StreamEvent) {
    if let StreamEvent::Specs(update) = event {
        assert!(!update.payload.is_empty(), "the stream delivers an empty document");
        *last = Some(update);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::Poll;

    use super::*;
    use crate::testing::polling::run;
    use crate::{Reach, SourceError, SourceErrorKind, SpecOrigin};

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        EndsAtOnce,
        OneSubscriber,
        EmptyDocuments,
    }

    struct Memory {
        fault: Fault,
        time: Arc<AtomicU64>,
        subscribers: AtomicU64,
    }

    struct Subscription {
        fault: Fault,
        time: Arc<AtomicU64>,
        told: Option<u64>,
    }

    #[async_trait::async_trait]
    impl SpecStream for Memory {
        fn name(&self) -> &str {
            "memory"
        }
        fn origin(&self) -> SpecOrigin {
            SpecOrigin::Bootstrap
        }
        fn reach(&self) -> Reach {
            Reach::Local
        }
        async fn subscribe(&self, _: &SpecRequest) -> Result<Box<dyn SpecSubscription>, SourceError> {
            if self.subscribers.fetch_add(1, Ordering::Relaxed) > 0 && self.fault == Fault::OneSubscriber {
                return Err(SourceError::new(SourceErrorKind::Refused, "one is enough"));
            }
            Ok(Box::new(Subscription { fault: self.fault, time: Arc::clone(&self.time), told: None }))
        }
    }

    #[async_trait::async_trait]
    impl SpecSubscription for Subscription {
        async fn next(&mut self) -> Result<Option<StreamEvent>, SourceError> {
            if self.fault == Fault::EndsAtOnce {
                return Ok(None);
            }
            let time = poll_fn(|_| {
                let time = self.time.load(Ordering::Relaxed);
                if self.told == Some(time) { Poll::Pending } else { Poll::Ready(time) }
            })
            .await;
            self.told = Some(time);
            if time == 0 {
                return Ok(Some(StreamEvent::NoUpdate { time_ms: time }));
            }
            let document = if self.fault == Fault::EmptyDocuments { Vec::new() } else { time.to_string().into_bytes() };
            Ok(Some(StreamEvent::Specs(SpecUpdate::new(document, SpecOrigin::Bootstrap, Reach::Local, 0))))
        }
    }

    fn contract_with(fault: Fault) -> Option<SpecUpdate> {
        let time = Arc::new(AtomicU64::new(0));
        let stream = Memory { fault, time: Arc::clone(&time), subscribers: AtomicU64::new(0) };
        run(spec_stream_contract(&stream, || {
            time.fetch_add(1, Ordering::Relaxed);
        }))
    }

    #[test]
    fn a_sound_stream_passes() {
        assert_eq!(contract_with(Fault::None).unwrap().payload, b"6"[..]);
    }

    #[test]
    #[should_panic(expected = "the subscription ended")]
    fn a_stream_that_says_nothing_fails() {
        contract_with(Fault::EndsAtOnce);
    }

    #[test]
    #[should_panic(expected = "one is enough")]
    fn a_stream_that_cannot_be_subscribed_again_fails() {
        contract_with(Fault::OneSubscriber);
    }

    #[test]
    #[should_panic(expected = "empty document")]
    fn a_stream_of_empty_documents_fails() {
        contract_with(Fault::EmptyDocuments);
    }
}
