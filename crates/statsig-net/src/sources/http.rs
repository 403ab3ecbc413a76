//! Statsig's servers, or a proxy in their place, as a source.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue, header};
use serde::Deserialize;
use statsig_core::{
    AcceptedEncodings, Clock, PayloadFormat, Reach, SourceError, SourceErrorKind, SpecFetch, SpecOrigin, SpecRequest,
    SpecSource, SpecTrigger, SpecUpdate,
};
use tokio::time::{Instant, sleep};

use crate::deadline;
use crate::endpoints::{SpecsAddress, SpecsVersion};
use crate::error::Error;
use crate::identity::ClientIdentity;
use crate::metrics::Metrics;
use crate::transport::{HttpClient, HttpRequest, HttpResponse};
use statsig_background::UniformRandom;

/// Attempts of a regular poll; at start and on demand there is one, and then the next source.
const BACKGROUND_ATTEMPTS: u32 = 4;
/// Pause before the second attempt; doubles, and varies by a fifth.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Time for all attempts of a poll together.
const ALL_ATTEMPTS: Duration = Duration::from_secs(30);
/// Answers up to this size may be a mere "nothing new".
const SHORT_ANSWER: usize = 4_096;

/// Source of the config specs of an address, by HTTP.
///
/// Made by [`Network`](crate::Network). Sends the time and checksum held. A regular poll makes up
/// to 4 attempts within 30 seconds while the failure is one that seconds may heal, but only one at a server
/// that asks for a pause or does not answer in time: the next poll is soon enough. An address for
/// which we chose version 2 is asked for version 1 from the first 404 on.
pub struct HttpSpecSource {
    pub(crate) name: &'static str,
    pub(crate) client: HttpClient,
    pub(crate) identity: ClientIdentity,
    pub(crate) address: SpecsAddress,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) initial_timeout: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_bytes: usize,
    pub(crate) random: UniformRandom,
    pub(crate) metrics: Metrics,
    /// The server turned out to know version 1 only.
    pub(crate) knows_v1_only: AtomicBool,
}

impl std::fmt::Debug for HttpSpecSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpSpecSource").field("origin", &self.address.origin()).finish_non_exhaustive()
    }
}

#[async_trait]
impl SpecSource for HttpSpecSource {
    fn name(&self) -> &str {
        self.name
    }

    fn origin(&self) -> SpecOrigin {
        SpecOrigin::Network
    }

    fn reach(&self) -> Reach {
        Reach::Upstream
    }

    async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
        let (attempts, limit) = match request.trigger {
            SpecTrigger::Initial => (1, self.initial_timeout),
            SpecTrigger::Background => (BACKGROUND_ATTEMPTS, self.timeout),
            _ => (1, self.timeout),
        };
        let deadline = deadline::from_now(ALL_ATTEMPTS.max(limit));
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let error = match self.request(request, limit).await {
                Ok(SpecFetch::Unchanged) if request.since_time_ms() == 0 => {
                    return Err(SourceError::new(SourceErrorKind::Empty, "no specs, only word that nothing is new"));
                }
                Ok(fetched) => return Ok(fetched),
                Err(error) => error,
            };
            let wait = self.random.around(pause, 0.2);
            // A server that asks for a pause gets it: the poller waits.
            if attempt >= attempts || !is_worth_another_attempt(&error, wait) || deadline::from_now(wait) >= deadline {
                return Err(error);
            }
            tracing::debug!(source = self.name, attempt, error = %crate::secret::chain_of(&error), "will ask again");
            sleep(wait).await;
            pause *= 2;
        }
        // The loop has no other end.
        Err(SourceError::new(SourceErrorKind::Failing, "no attempt was made"))
    }
}

impl HttpSpecSource {
    async fn request(&self, request: &SpecRequest, limit: Duration) -> Result<SpecFetch, SourceError> {
        let fallback = self.address.version == SpecsVersion::V2OrV1;
        if fallback && self.knows_v1_only.load(Ordering::Relaxed) {
            return self.request_at(&self.address.as_v1(), request, limit).await.map_err(Into::into);
        }
        match self.request_at(&self.address, request, limit).await {
            Err(Error::Status { status: 404, .. }) if fallback => {
                let answer = self.request_at(&self.address.as_v1(), request, limit).await?;
                self.knows_v1_only.store(true, Ordering::Relaxed);
                tracing::info!(origin = self.address.origin(), "the server does not know version 2, using version 1");
                Ok(answer)
            }
            other => other.map_err(Into::into),
        }
    }

    async fn request_at(
        &self,
        address: &SpecsAddress,
        wanted: &SpecRequest,
        limit: Duration,
    ) -> Result<SpecFetch, Error> {
        let mut request = HttpRequest::get(address.request_url(self.identity.key(), wanted), limit);
        request.max_transferred = self.max_bytes;
        request.max_decoded = self.max_bytes;
        request.expects_json = true;
        request.headers = self.identity.headers(&*self.clock);
        request.headers.insert(header::ACCEPT_ENCODING, accepted(wanted));
        if wanted.accepts_protobuf {
            let name = HeaderName::from_static("statsig-supports-proto");
            request.headers.insert(name, HeaderValue::from_static("true"));
        }
        let (host, begun) = (request.host(), Instant::now());
        let sent = self.client.send(request).await;
        let status = sent.as_ref().map(|response| response.status);
        self.metrics.request(address.version.path(), &host, status, begun.elapsed());
        Ok(self.read(sent?, address, wanted))
    }

    fn read(&self, response: HttpResponse, address: &SpecsAddress, wanted: &SpecRequest) -> SpecFetch {
        let empty = response.status.as_u16() == 304 || response.body.is_empty();
        if empty || (response.body.len() <= SHORT_ANSWER && has_no_updates(&response.body)) {
            return SpecFetch::Unchanged;
        }
        let contains = |name, part| response.header(name).is_some_and(|text: &str| text.contains(part));
        let binary = contains("content-encoding", "statsig-br");
        let format = if binary { PayloadFormat::Protobuf } else { PayloadFormat::Json };
        let is_delta = response.headers.contains_key("x-deltas-used");
        let base = is_delta.then(|| wanted.version.clone().unwrap_or_default());
        let update = SpecUpdate::new(response.body, self.origin(), self.reach(), self.clock.unix_ms());
        let update = update.with_format(format).with_delta_base(base).with_max_bytes(Some(self.max_bytes));
        SpecFetch::Updated(update.with_address(address.origin()))
    }
}

/// Returns whether the same request may succeed after `wait`. A server that asks for a longer pause gets it; one that
/// does not answer in time is reported at once, rather than after several time limits.
fn is_worth_another_attempt(error: &SourceError, wait: Duration) -> bool {
    let is_asked_to_wait = error.retry_after().is_some_and(|after| after > wait);
    error.is_retryable() && !is_asked_to_wait && error.kind() != SourceErrorKind::TimedOut
}

/// Returns the value of `Accept-Encoding`: what the request accepts and this build decodes.
fn accepted(request: &SpecRequest) -> HeaderValue {
    let AcceptedEncodings { gzip, deflate, brotli, zstd, .. } = request.encodings;
    let codings = [
        (request.accepts_protobuf, "statsig-br"),
        (gzip, "gzip"),
        (deflate, "deflate"),
        (brotli, "br"),
        (zstd && cfg!(feature = "zstd"), "zstd"),
    ];
    let names: Vec<&str> = codings.into_iter().filter(|(is_accepted, _)| *is_accepted).map(|(_, name)| name).collect();
    HeaderValue::from_str(&names.join(", "))
        .ok()
        .filter(|value| !value.is_empty())
        .unwrap_or_else(|| HeaderValue::from_static("identity"))
}

fn has_no_updates(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Head {
        has_updates: bool,
    }
    serde_json::from_slice::<Head>(body).is_ok_and(|head| !head.has_updates)
}
