//! Batches of events, to Statsig's servers or a proxy in their place.
//!
//! What the pipeline hands over is the array of events, already compressed. The endpoint wants it
//! inside of an object, and there are three ways to get it there:
//!
//! - *Members.* The parts of a gzip stream may be members of their own, one after the other: object
//!   head, batch as it is, object tail. That costs nothing, but many servers read the first member
//!   only, the official forward proxy's decoder among them, and would take the head for the whole.
//! - *Blocks.* Within one member, the batch's blocks could follow those of the head. But its last
//!   block is marked as the last, in the middle of a byte that only decoding finds.
//! - *Again.* Decompress, wrap, compress: some 15 ms for a megabyte, on a blocking thread, once for
//!   each attempt.
//!
//! We do the last. Whoever wants to save it lets the pipeline hand over plain arrays
//! (`compression_level: 0`) and keeps them in memory; with a spool on disk, small batches are worth
//! more.

mod answer;
mod body;
mod exchange;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use statsig_core::{Clock, Delivery, EventBatch, EventSink, SdkMetadata, SinkError, SnapshotStore};
use url::Url;

use self::exchange::{ExchangeError, send};
use crate::error::ErrorKind;
use crate::identity::ClientIdentity;
use crate::secret::chain_of;
use crate::transport::{HttpClient, HttpRequest};

/// Largest answer that is read.
const MAX_ANSWER: usize = 1 << 20;
/// Time to read an answer once its status is here.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Description of the SDK in event requests beside its identity, and how they are sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EventSinkOptions {
    /// gzip level, 1 to 9; 0 sends plain JSON. Default 6.
    pub compression_level: u32,
    /// The operating system; `None` leaves it out. Default: that of the build, `linux` for example.
    pub os: Option<String>,
    /// The processor; `None` leaves it out. Default: that of the build, `x86_64` for example.
    pub arch: Option<String>,
    /// The version of the application's language; `None` leaves it out. Default: that of the Rust
    /// compiler that built this crate.
    pub language_version: Option<String>,
    /// Longest time that an event waits for its batch.
    pub flushing_interval: Option<Duration>,
    /// Most events in a batch.
    pub batch_size: Option<usize>,
    /// Most batches that wait.
    pub max_pending_batches: Option<usize>,
    /// The specs in force, whose flag `stop_log_event_compression` counts.
    pub snapshots: Option<Arc<SnapshotStore>>,
}

impl Default for EventSinkOptions {
    fn default() -> Self {
        Self {
            compression_level: 6,
            os: Some(std::env::consts::OS.to_owned()),
            arch: Some(std::env::consts::ARCH.to_owned()),
            language_version: option_env!("STATSIG_RUSTC_VERSION").map(str::to_owned),
            flushing_interval: None,
            batch_size: None,
            max_pending_batches: None,
            snapshots: None,
        }
    }
}

/// Delivers batches of events by HTTP. Made by [`Network::event_sink`](crate::Network::event_sink).
///
/// One attempt a call; the server gets the number of earlier ones. The status of the answer counts
/// before its body:
///
/// | answer | outcome |
/// | --- | --- |
/// | 2xx with a JSON object whose `success` is not `false` | [`Delivered`](Delivery::Delivered) |
/// | 2xx with `"success": false` | [`Retry`](Delivery::Retry) |
/// | 2xx with anything else: no body, HTML, another JSON value, what cannot be decoded, is cut off, late or over 1 MiB | [`Unconfirmed`](Delivery::Unconfirmed) |
/// | 307, 308 to the same scheme, host and port | the same request there, at most 3 times |
/// | any other redirect | [`Retry`](Delivery::Retry), and the error names the address to set |
/// | 400, 401, 403, 405, 501 | [`Refused`](Delivery::Refused) |
/// | 413 | [`TooLarge`](Delivery::TooLarge); for a single event [`Refused`](Delivery::Refused) |
/// | any other status, no answer | [`Retry`](Delivery::Retry) |
///
/// A batch with [metadata](EventBatch::metadata) of another SDK is sent with that in place of this SDK's own: in the
/// headers `statsig-sdk-type`, `statsig-sdk-version`, `statsig-server-session-id` and `x-request-service`, and as
/// `statsigMetadata`. Key, client time and user agent stay those of this SDK.
///
/// `Retry-After` is passed on, up to a day. Errors name the host and the status, never the key or
/// what the server wrote.
pub struct HttpEventSink {
    pub(crate) client: HttpClient,
    pub(crate) identity: ClientIdentity,
    pub(crate) url: Url,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timeout: Duration,
    pub(crate) options: EventSinkOptions,
}

impl std::fmt::Debug for HttpEventSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpEventSink").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

#[async_trait]
impl EventSink for HttpEventSink {
    async fn deliver(&self, batch: &EventBatch) -> Delivery {
        let level = if self.compresses() { self.options.compression_level } else { 0 };
        let tail = match &batch.metadata {
            Some(metadata) => body::forwarded_metadata(metadata),
            None => body::metadata(&self.identity, &self.options, batch.flush_type),
        };
        let whole = batch.clone();
        let wrapped = tokio::task::spawn_blocking(move || body::wrap(&whole, &tail, level)).await;
        let wrapped = match wrapped {
            Ok(Ok(wrapped)) => wrapped,
            Ok(Err(error)) => return Delivery::reject(error),
            // The runtime ends.
            Err(error) => return Delivery::retry(error),
        };
        let mut request = HttpRequest::post(self.url.clone(), wrapped, self.timeout);
        request.max_transferred = MAX_ANSWER;
        request.max_decoded = MAX_ANSWER;
        request.headers = self.identity.headers(&*self.clock);
        let headers = &mut request.headers;
        if let Some(metadata) = &batch.metadata {
            identify_as(headers, metadata);
        }
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(crate::transport::ACCEPTED));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if level > 0 {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        headers.insert(HeaderName::from_static("statsig-event-count"), HeaderValue::from(batch.event_count));
        for name in ["statsig-retry-count", "statsig-retry"] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(batch.attempt));
        }
        match send(&self.client, request).await {
            Ok((host, response)) => answer::outcome(&host, response, batch.event_count).await,
            Err(error) => self.failed(error),
        }
    }
}

/// Replaces the identity of this SDK in headers; a field that is unknown, or that no header can carry, is left out.
fn identify_as(headers: &mut HeaderMap, metadata: &SdkMetadata) {
    for (name, value) in [
        ("statsig-sdk-type", metadata.sdk_type()),
        ("statsig-sdk-version", metadata.sdk_version()),
        ("statsig-server-session-id", metadata.session_id()),
        ("x-request-service", metadata.service_name()),
    ] {
        match value.and_then(|value| HeaderValue::from_str(value).ok()) {
            Some(value) => headers.insert(name, value),
            None => headers.remove(name),
        };
    }
}

impl HttpEventSink {
    fn compresses(&self) -> bool {
        let stopped = self.options.snapshots.as_ref().is_some_and(|snapshots| {
            snapshots.load().ruleset().meta().sdk_flags.get("stop_log_event_compression").copied().unwrap_or(false)
        });
        !stopped
    }

    /// Outcome of an attempt without a usable answer.
    fn failed(&self, error: ExchangeError) -> Delivery {
        let is_final = matches!(&error, ExchangeError::Net(error) if error.kind() == ErrorKind::Misconfigured);
        let reason = self.masked(&error);
        if is_final { Delivery::reject(reason) } else { Delivery::retry(reason) }
    }

    /// The error as one text without secrets: it may repeat what a server wrote.
    fn masked(&self, error: &ExchangeError) -> SinkError {
        let text = chain_of(error);
        let key = self.identity.key().expose();
        if key.is_empty() { text.into() } else { text.replace(key, "*****").into() }
    }
}
