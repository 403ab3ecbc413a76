//! Config specs from a forward proxy by server-sent events.

mod parser;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use statsig_background::ForkGuard;
use statsig_core::{
    Clock, Reach, SourceError, SourceErrorKind, SpecOrigin, SpecRequest, SpecStream, SpecSubscription, SpecVersion,
};
use url::Url;

use self::parser::{SseItem, SseParser, TooLarge};
use super::address::{StreamAddress, StreamProtocol};
use super::event::{Delivery, Message, Receiver, Subscription, held};
use super::failure::{foreign, source_error};
use super::options::ProxyStreamOptions;
use super::peer::PeerName;
use super::query::query;
use crate::error::Error;
use crate::identity::ClientIdentity;
use crate::transport::{HttpBody, HttpClient, HttpRequest, ReqwestTransport, StreamedResponse, TransportOptions};

/// Longest pause that a server may ask for with `retry`.
const LONGEST_RETRY: Duration = Duration::from_secs(600);

/// Streams config specs from a forward proxy by server-sent events, for networks that WebSockets do not pass.
///
/// Spoken by the forward proxy of this project only; JSON, in one direction. Each subscription has a connection of its
/// own, with TLS files read again, unless the stream was made [with a client](Self::with_client). The SDK key is sent
/// in a header, never in the address.
pub struct SseSpecStream {
    url: Url,
    identity: ClientIdentity,
    options: ProxyStreamOptions,
    /// Options of a connection; none with a client of the caller.
    transport: Option<TransportOptions>,
    client: Option<HttpClient>,
    delivery: Delivery,
    process: ForkGuard,
    peer: PeerName,
}

impl std::fmt::Debug for SseSpecStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SseSpecStream").field("address", &self.delivery.address).finish_non_exhaustive()
    }
}

fn origin() -> SpecOrigin {
    SpecOrigin::Adapter("SSE".into())
}

impl SseSpecStream {
    /// Returns a stream from an address. Opens no connection and reads no file.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] if address and options contradict each other.
    pub fn new(
        address: &StreamAddress,
        identity: ClientIdentity,
        options: ProxyStreamOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let misconfigured = |problem: String| Error::Misconfigured { problems: vec![problem] };
        address.require(StreamProtocol::Sse)?;
        options.tls.check()?;
        if let Some(proxy) = &options.outbound_proxy {
            proxy.checked_address()?;
        }
        let scheme = if address.is_tls(options.has_tls())? { "https" } else { "http" };
        let url = format!("{scheme}://{}{}/v1/sse_config_specs", address.authority(), address.base_path);
        let url = Url::parse(&url).map_err(|error| misconfigured(format!("`{address}` is not an address: {error}")))?;
        let mut transport = TransportOptions::default().with_tls(options.tls.clone());
        transport.proxy.clone_from(&options.outbound_proxy);
        transport.proxy_from_environment = options.proxy_from_environment;
        transport.connect_timeout = options.connect_timeout;
        #[cfg(unix)]
        if let super::address::Endpoint::Unix(path) = &address.endpoint {
            transport.unix_socket = Some(path.clone());
            // A socket of this machine is not behind a proxy.
            (transport.proxy, transport.proxy_from_environment) = (None, false);
        }
        let delivery = Delivery::new(origin(), address, options.max_specs_bytes, clock);
        Ok(Self {
            url,
            identity,
            options,
            transport: Some(transport),
            client: None,
            delivery,
            process: ForkGuard::new(),
            peer: PeerName::default(),
        })
    }

    /// Uses a client of the caller for every connection: TLS and outbound proxies are its business.
    #[must_use]
    pub fn with_client(mut self, client: HttpClient) -> Self {
        (self.client, self.transport) = (Some(client), None);
        self
    }

    /// Returns the host name that the proxy reported (`x-sfp-hostname`), once it has.
    #[must_use]
    pub fn peer(&self) -> Option<Arc<str>> {
        self.peer.get()
    }

    fn request(&self, held: &SpecVersion) -> HttpRequest {
        let mut url = self.url.clone();
        url.set_query(Some(query(held, self.options.specs_version).trim_start_matches('?')));
        let mut request =
            HttpRequest::get(url, self.options.connect_timeout.saturating_add(self.options.response_timeout));
        // The stream has no end: the parser limits each event.
        request.max_transferred = usize::MAX;
        request.headers = self.identity.headers(&*self.delivery.clock);
        request.headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        request.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        request.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if held.time_ms > 0 {
            request.headers.insert(HeaderName::from_static("last-event-id"), HeaderValue::from(held.time_ms));
        }
        request
    }

    /// Returns the client of one connection.
    async fn client(&self) -> Result<HttpClient, Error> {
        match (&self.client, &self.transport) {
            (Some(client), _) => Ok(client.clone()),
            (None, transport) => {
                let options = transport.clone().unwrap_or_default();
                let built = tokio::task::spawn_blocking(move || ReqwestTransport::new(&options));
                let transport = built.await.map_err(|error| Error::Client(Box::new(error)))??;
                Ok(HttpClient::new(Arc::new(transport)))
            }
        }
    }
}

#[async_trait]
impl SpecStream for SseSpecStream {
    fn name(&self) -> &str {
        "sse"
    }

    fn origin(&self) -> SpecOrigin {
        origin()
    }

    fn reach(&self) -> Reach {
        Reach::Upstream
    }

    async fn subscribe(&self, request: &SpecRequest) -> Result<Box<dyn SpecSubscription>, SourceError> {
        let held = held(request);
        let delivery = self.delivery.of(request);
        let request = self.request(&held);
        let host = request.host();
        if self.process.is_inherited() {
            return Err(Error::Inherited { host }.into());
        }
        let client = self.client().await.map_err(source_error)?;
        let response = client.open_endless(request).await.map_err(source_error)?;
        check(&response, &host)?;
        let peer = response.headers.get("x-sfp-hostname").and_then(|name| name.to_str().ok());
        self.peer.set(peer.map(|name| foreign(name).into()));
        let receiver = SseReceiver {
            body: response.body,
            parser: SseParser::new(self.options.max_specs_bytes),
            host,
            time_ms: None,
            held_ms: held.time_ms,
            retry: None,
            limit: self.options.max_specs_bytes,
        };
        Ok(Box::new(Subscription::new(receiver, delivery)))
    }
}

/// Checks that an answer is a stream of events.
fn check(response: &StreamedResponse, host: &str) -> Result<(), SourceError> {
    let header = |name| response.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let invalid = |what: String| SourceError::new(SourceErrorKind::Invalid, format!("{host} sends no events: {what}"));
    let content_type = header(CONTENT_TYPE).unwrap_or_default();
    if response.status.as_u16() != 200 {
        return Err(invalid(format!("it answers {}", response.status.as_u16())));
    }
    if !content_type.trim_start().to_ascii_lowercase().starts_with("text/event-stream") {
        return Err(invalid(format!("its content type is `{}`", foreign(content_type))));
    }
    match header(CONTENT_ENCODING) {
        None | Some("" | "identity") => Ok(()),
        Some(encoding) => Err(invalid(format!("its content encoding `{}` was not requested", foreign(encoding)))),
    }
}

/// Receives the events of one answer.
struct SseReceiver {
    body: Box<dyn HttpBody>,
    parser: SseParser,
    host: String,
    /// Time that the server named last.
    time_ms: Option<u64>,
    /// Time that the request named.
    held_ms: u64,
    /// Pause that the server asked for.
    retry: Option<Duration>,
    limit: usize,
}

impl SseReceiver {
    fn message(&mut self, item: SseItem) -> Option<Message> {
        match item {
            SseItem::Comment => self.time_ms.map(|time_ms| Message::NoUpdate { time_ms }),
            SseItem::Retry(pause) => {
                self.retry = Some(pause.min(LONGEST_RETRY));
                None
            }
            SseItem::Event { name, id, data } => {
                let time_ms = id.and_then(|id| id.parse().ok());
                let time_ms = time_ms.or(self.time_ms).unwrap_or(self.held_ms);
                match &*name {
                    "specs" if !data.is_empty() => {
                        self.time_ms = Some(time_ms);
                        Some(Message::of_json(data, time_ms))
                    }
                    "no_update" => {
                        self.time_ms = Some(time_ms);
                        Some(Message::NoUpdate { time_ms })
                    }
                    other => {
                        tracing::warn!(host = self.host, event = %foreign(other), "ignored an event of the stream");
                        None
                    }
                }
            }
        }
    }

    fn failed(&self, error: SourceError) -> SourceError {
        let pause = error.retry_after().or(self.retry);
        error.with_retry_after(pause)
    }
}

#[async_trait]
impl Receiver for SseReceiver {
    async fn receive(&mut self) -> Result<Option<Message>, SourceError> {
        loop {
            match self.parser.next() {
                Ok(Some(item)) => {
                    if let Some(message) = self.message(item) {
                        return Ok(Some(message));
                    }
                    continue;
                }
                Ok(None) => {}
                Err(TooLarge) => {
                    return Err(Error::TooLarge { host: self.host.clone(), limit: self.limit, decoded: false }.into());
                }
            }
            match self.body.next().await {
                Ok(Some(chunk)) => self.parser.push(&chunk),
                Ok(None) if self.parser.is_between_events() => return Ok(None),
                Ok(None) => {
                    let text = format!("{} ended the stream within an event", self.host);
                    return Err(self.failed(SourceError::new(SourceErrorKind::Unreachable, text)));
                }
                Err(error) => return Err(self.failed(source_error(error))),
            }
        }
    }
}

/// Parses events at once and in two parts: the items are the same.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_for_fuzzing(bytes: &[u8], cut: usize, limit: usize) {
    let read = |chunks: &[&[u8]]| {
        let (mut parser, mut items) = (SseParser::new(limit), Vec::new());
        for chunk in chunks {
            parser.push(chunk);
            while let Some(item) = parser.next()? {
                items.push(item);
            }
        }
        Ok::<_, TooLarge>(items)
    };
    let (first, second) = bytes.split_at(cut.min(bytes.len()));
    // A limit may be noticed earlier or later.
    if let (Ok(whole), Ok(parts)) = (read(&[bytes]), read(&[first, second])) {
        assert_eq!(whole, parts, "the parts of a stream give other events than the whole");
    }
}
