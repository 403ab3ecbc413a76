//! Messages of any transport, and the subscription that hands them on.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use bytes::Bytes;
use serde::Deserialize;
use statsig_core::{
    Clock, PayloadFormat, Reach, SourceError, SourceErrorKind, SpecOrigin, SpecRequest, SpecSubscription, SpecUpdate,
    SpecVersion, StreamEvent,
};

use super::address::StreamAddress;
use crate::error::Error;
use crate::transport::{DecodeError, decode};

/// Messages that are looked at before one is handed on; beyond, a peer could keep a reader busy without end.
const MOST_READ_AHEAD: usize = 1_024;
/// Payloads up to this size may say that there is no update.
const NO_UPDATE_BYTES: usize = 4_096;
/// Compressed payloads up to this size are decompressed on the thread of the caller.
const SMALL_PAYLOAD: usize = 16 << 10;

/// Returns the version that a client holds; one of time 0 if it holds none.
#[cfg(any(feature = "websocket", feature = "sse"))]
pub(super) fn held(request: &SpecRequest) -> SpecVersion {
    request.version.clone().unwrap_or_default()
}

/// Encoding of a payload in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PayloadCoding {
    Json,
    #[cfg_attr(not(any(feature = "websocket", all(feature = "grpc", feature = "zstd"))), allow(dead_code))]
    /// JSON in a content coding of HTTP.
    Compressed(&'static str),
    #[cfg_attr(not(any(feature = "grpc", feature = "websocket")), allow(dead_code))]
    /// The vendor's binary form.
    Protobuf,
}

/// Payload of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) bytes: Bytes,
    pub(super) coding: PayloadCoding,
    /// Version that the payload is a delta to.
    pub(super) delta_base: Option<SpecVersion>,
}

/// Message of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    Payload(Payload),
    NoUpdate { time_ms: u64 },
}

impl Message {
    /// Returns the message for a JSON text: a full payload, or the note that nothing is newer than `time_ms`.
    pub(super) fn of_json(json: Bytes, time_ms: u64) -> Self {
        if has_no_updates(&json) {
            return Self::NoUpdate { time_ms };
        }
        Self::Payload(Payload { bytes: json, coding: PayloadCoding::Json, delta_base: None })
    }

    /// Returns whether the message makes every earlier one superfluous.
    fn replaces_earlier(&self) -> bool {
        matches!(self, Self::Payload(Payload { delta_base: None, .. }))
    }
}

/// Returns whether a JSON text says `has_updates: false`.
pub(super) fn has_no_updates(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Envelope {
        has_updates: bool,
    }
    json.len() <= NO_UPDATE_BYTES
        && serde_json::from_slice::<Envelope>(json).is_ok_and(|envelope| !envelope.has_updates)
}

/// Receives the messages of one connection.
#[async_trait]
pub(super) trait Receiver: Send {
    /// Waits for the next message; `None` after the peer ended the stream in good order.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message.
    async fn receive(&mut self) -> Result<Option<Message>, SourceError>;
}

/// Origin and limits of what a subscription delivers.
#[derive(Clone)]
pub(super) struct Delivery {
    pub(super) origin: SpecOrigin,
    /// Address, for reports.
    pub(super) address: Arc<str>,
    pub(super) max_bytes: usize,
    pub(super) clock: Arc<dyn Clock>,
    /// True if the request accepts the vendor's binary form.
    pub(super) accepts_protobuf: bool,
    /// Whether the request accepts deltas.
    pub(super) accepts_deltas: bool,
}

impl Delivery {
    /// Returns the delivery of an address, for requests that accept neither the binary form nor deltas.
    pub(super) fn new(origin: SpecOrigin, address: &StreamAddress, max_bytes: usize, clock: Arc<dyn Clock>) -> Self {
        let address = address.to_string().into();
        Self { origin, address, max_bytes, clock, accepts_protobuf: false, accepts_deltas: false }
    }

    /// Returns the delivery of a request.
    pub(super) fn of(&self, request: &SpecRequest) -> Self {
        let (accepts_protobuf, accepts_deltas) = (request.accepts_protobuf, request.accepts_deltas);
        Self { accepts_protobuf, accepts_deltas, ..self.clone() }
    }

    /// Returns a payload as an update, decompressed.
    ///
    /// # Cancel safety
    /// The payload stays with the caller.
    pub(super) async fn update(&self, payload: Payload) -> Result<SpecUpdate, SourceError> {
        let Payload { bytes, coding, delta_base } = payload;
        let is_accepted = (self.accepts_protobuf || coding != PayloadCoding::Protobuf)
            && (self.accepts_deltas || delta_base.is_none());
        if !is_accepted {
            let reason = format!("{} sent a delta or a binary payload, which was not requested", self.address);
            return Err(SourceError::new(SourceErrorKind::Invalid, reason));
        }
        let (bytes, format) = match coding {
            PayloadCoding::Json => (bytes, PayloadFormat::Json),
            PayloadCoding::Protobuf => (bytes, PayloadFormat::Protobuf),
            PayloadCoding::Compressed(coding) => (self.decompressed(bytes, coding).await?, PayloadFormat::Json),
        };
        if bytes.len() > self.max_bytes {
            return Err(self.too_large(false));
        }
        let now = self.clock.unix_ms();
        let update = SpecUpdate::new(bytes, self.origin.clone(), Reach::Upstream, now);
        let update = update.with_format(format).with_delta_base(delta_base);
        Ok(update.with_max_bytes(Some(self.max_bytes)).with_address(Arc::clone(&self.address)))
    }

    async fn decompressed(&self, bytes: Bytes, coding: &'static str) -> Result<Bytes, SourceError> {
        let limit = self.max_bytes;
        let decoded = if bytes.len() <= SMALL_PAYLOAD {
            decode(bytes, coding, limit)
        } else {
            let task = tokio::task::spawn_blocking(move || decode(bytes, coding, limit));
            task.await.map_err(|error| SourceError::new(SourceErrorKind::Failing, error))?
        };
        decoded.map_err(|error| match error {
            DecodeError::TooLarge => self.too_large(true),
            DecodeError::Broken(source) => {
                let (host, encoding) = (self.address.to_string(), coding.to_owned());
                Error::Decompression { host, encoding, source: source.into() }.into()
            }
        })
    }

    fn too_large(&self, decoded: bool) -> SourceError {
        Error::TooLarge { host: self.address.to_string(), limit: self.max_bytes, decoded }.into()
    }
}

/// An open subscription over any transport.
///
/// Of full payloads that have arrived already only the newest is handed on.
pub(super) struct Subscription<R> {
    receiver: R,
    delivery: Delivery,
    /// Payload that was received and not handed on yet.
    newest: Option<Payload>,
    /// What came after it and must be handed on, too.
    after: Option<Result<Option<Message>, SourceError>>,
}

impl<R: Receiver> Subscription<R> {
    pub(super) fn new(receiver: R, delivery: Delivery) -> Self {
        Self { receiver, delivery, newest: None, after: None }
    }

    /// Replaces `newest` by what has arrived after it.
    fn read_ahead(&mut self) {
        for _ in 0..MOST_READ_AHEAD {
            if self.after.is_some() {
                return;
            }
            match poll_once(self.receiver.receive()) {
                None => return,
                Some(Ok(Some(message))) if message.replaces_earlier() => {
                    if let Message::Payload(payload) = message {
                        self.newest = Some(payload);
                    }
                }
                // The payload itself is the sign of life.
                Some(Ok(Some(Message::NoUpdate { .. }))) => {}
                Some(other) => self.after = Some(other),
            }
        }
    }
}

#[async_trait]
impl<R: Receiver> SpecSubscription for Subscription<R> {
    async fn next(&mut self) -> Result<Option<StreamEvent>, SourceError> {
        if self.newest.is_none() {
            let received = match self.after.take() {
                Some(received) => received?,
                None => self.receiver.receive().await?,
            };
            match received {
                Some(Message::Payload(payload)) => self.newest = Some(payload),
                Some(Message::NoUpdate { time_ms }) => return Ok(Some(StreamEvent::NoUpdate { time_ms })),
                None => return Ok(None),
            }
        }
        self.read_ahead();
        // Stays here until it is decompressed: the wait may be given up.
        let Some(payload) = self.newest.clone() else { return Ok(None) };
        let update = self.delivery.update(payload).await;
        self.newest = None;
        update.map(|update| Some(StreamEvent::Specs(update)))
    }
}

/// Returns the output of a future that is ready at once.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io::Write;

    use statsig_core::FixedClock;

    use super::*;

    /// Receives what is in the queue, and waits after it.
    struct Queue(VecDeque<Result<Option<Message>, SourceError>>);

    #[async_trait]
    impl Receiver for Queue {
        async fn receive(&mut self) -> Result<Option<Message>, SourceError> {
            match self.0.pop_front() {
                Some(received) => received,
                None => std::future::pending().await,
            }
        }
    }

    fn delivery(max_bytes: usize) -> Delivery {
        let address = "grpc://test".parse().unwrap();
        let delivery = Delivery::new(SpecOrigin::Adapter("Test".into()), &address, max_bytes, Arc::new(FixedClock(7)));
        delivery.of(&SpecRequest::default().with_protobuf(true).with_deltas(true))
    }

    fn subscription(messages: Vec<Message>) -> Subscription<Queue> {
        Subscription::new(Queue(messages.into_iter().map(|message| Ok(Some(message))).collect()), delivery(1_000))
    }

    fn full(text: &'static str) -> Message {
        Message::of_json(Bytes::from_static(text.as_bytes()), 1)
    }

    fn delta(text: &'static str) -> Message {
        let delta_base = Some(SpecVersion::new(1, None));
        let bytes = Bytes::from_static(text.as_bytes());
        Message::Payload(Payload { bytes, coding: PayloadCoding::Protobuf, delta_base })
    }

    async fn specs(subscription: &mut Subscription<Queue>) -> SpecUpdate {
        match subscription.next().await.unwrap() {
            Some(StreamEvent::Specs(update)) => update,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn of_full_payloads_the_last_is_handed_on() {
        let mut subscription = subscription(vec![full("1"), full("2"), Message::NoUpdate { time_ms: 2 }, full("3")]);
        assert_eq!(specs(&mut subscription).await.payload, "3");
        assert!(poll_once(subscription.next()).is_none());
    }

    #[tokio::test]
    async fn a_delta_comes_after_the_payload_that_it_refers_to() {
        let mut subscription = subscription(vec![full("1"), full("2"), delta("+3"), delta("+4"), full("5")]);
        let first = specs(&mut subscription).await;
        assert_eq!((&*first.payload, first.delta_base.is_some()), (&b"2"[..], false));
        let second = specs(&mut subscription).await;
        assert_eq!((&*second.payload, second.delta_base.is_some()), (&b"+3"[..], true));
        // The full payload makes the second delta superfluous only once it is the newest.
        let mut rest = vec![specs(&mut subscription).await.payload];
        while let Some(event) = poll_once(subscription.next()) {
            let Ok(Some(StreamEvent::Specs(update))) = event else { panic!("{event:?}") };
            rest.push(update.payload);
        }
        assert_eq!(rest.last().unwrap(), "5");
    }

    #[tokio::test]
    async fn an_error_after_a_payload_comes_after_it() {
        let mut subscription = subscription(vec![full("1")]);
        subscription.receiver.0.push_back(Err(SourceError::new(SourceErrorKind::Unreachable, "cut")));
        assert_eq!(specs(&mut subscription).await.payload, "1");
        assert_eq!(subscription.next().await.unwrap_err().kind(), SourceErrorKind::Unreachable);
    }

    #[tokio::test]
    async fn a_wait_given_up_while_a_payload_is_decompressed_loses_nothing() {
        // Large enough that it is not decompressed before the wait is given up.
        let noise: Vec<u8> = (0..8_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        encoder.write_all(&noise).unwrap();
        let bytes = Bytes::from(encoder.finish().unwrap());
        assert!(bytes.len() > SMALL_PAYLOAD);
        let coding = PayloadCoding::Compressed("gzip");
        let message = Message::Payload(Payload { bytes, coding, delta_base: None });
        let mut subscription = subscription(vec![message]);
        subscription.delivery.max_bytes = noise.len();
        assert!(poll_once(subscription.next()).is_none());
        assert!(specs(&mut subscription).await.payload == noise);
    }

    #[tokio::test]
    async fn payloads_beyond_the_limit_are_errors() {
        let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        bomb.write_all(&vec![b' '; 100_000]).unwrap();
        let bytes = Bytes::from(bomb.finish().unwrap());
        let coding = PayloadCoding::Compressed("gzip");
        for payload in [
            Payload { bytes, coding, delta_base: None },
            Payload { bytes: vec![b' '; 1_001].into(), coding: PayloadCoding::Json, delta_base: None },
        ] {
            let error = subscription(vec![Message::Payload(payload)]).next().await.unwrap_err();
            assert_eq!(error.kind(), SourceErrorKind::Invalid);
        }
    }

    #[tokio::test]
    async fn what_was_not_requested_is_an_error() {
        for message in [
            delta("+1"),
            Message::Payload(Payload { bytes: "x".into(), coding: PayloadCoding::Protobuf, delta_base: None }),
        ] {
            let mut subscription = subscription(vec![message]);
            subscription.delivery = subscription.delivery.of(&SpecRequest::default());
            assert_eq!(subscription.next().await.unwrap_err().kind(), SourceErrorKind::Invalid);
        }
    }

    #[test]
    fn only_a_short_text_says_that_there_is_no_update() {
        assert!(has_no_updates(br#"{"has_updates":false}"#) && has_no_updates(br#"{"has_updates": false, "time": 1}"#));
        assert!(!has_no_updates(br#"{"has_updates":true}"#) && !has_no_updates(b"{}") && !has_no_updates(b"x"));
    }
}
