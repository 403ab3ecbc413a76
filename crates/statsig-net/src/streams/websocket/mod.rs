//! Config specs from a forward proxy by WebSocket.
//!
//! | file | content |
//! | --- | --- |
//! | `upgrade` | the request that opens a WebSocket, and refusals |
//! | `frame` | binary frames |
//! | `control` | text frames |
//! | `close` | close codes as typed results |
//! | `receive` | messages of an open WebSocket |

mod close;
mod control;
mod frame;
mod receive;
mod upgrade;

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue, Uri};
use statsig_core::{
    Clock, Reach, SourceError, SourceErrorKind, SpecOrigin, SpecRequest, SpecStream, SpecSubscription, SpecVersion,
};
use tokio::time::timeout;

use self::receive::WebSocketReceiver;
use super::address::{StreamAddress, StreamProtocol};
use super::connect::Connector;
use super::event::{Delivery, Subscription, held};
use super::failure::source_error;
use super::options::ProxyStreamOptions;
use super::peer::PeerName;
use super::query::query;
use crate::error::Error;
use crate::identity::ClientIdentity;

/// Streams config specs from a forward proxy by WebSocket, for networks that HTTP/2 does not pass.
///
/// Spoken by the forward proxy of this project only. Each subscription has a connection of its own, with TLS files read
/// again. The SDK key is sent in a header, never in the address. Pings of the proxy are answered.
pub struct WebSocketSpecStream {
    connector: Connector,
    identity: ClientIdentity,
    /// Address of requests, without a query.
    target: String,
    options: ProxyStreamOptions,
    delivery: Delivery,
    peer: PeerName,
}

impl std::fmt::Debug for WebSocketSpecStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebSocketSpecStream").field("address", &self.delivery.address).finish_non_exhaustive()
    }
}

fn origin() -> SpecOrigin {
    SpecOrigin::Adapter("WebSocket".into())
}

impl WebSocketSpecStream {
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
        address.require(StreamProtocol::WebSocket)?;
        let connector = Connector::new(address, &options, b"http/1.1")?;
        let target = format!("http://{}{}/v1/stream_config_specs", address.authority(), address.base_path);
        let delivery = Delivery::new(origin(), address, options.max_specs_bytes, clock);
        Ok(Self { connector, identity, target, options, delivery, peer: PeerName::default() })
    }

    /// Returns the host name that the proxy reported (`x-sfp-hostname`), once it has.
    #[must_use]
    pub fn peer(&self) -> Option<Arc<str>> {
        self.peer.get()
    }

    fn target(&self, held: &SpecVersion, accepts_deltas: bool) -> Result<Uri, SourceError> {
        let mut target = format!("{}{}", self.target, query(held, self.options.specs_version));
        if accepts_deltas {
            target.push_str("&accept_deltas=true");
        }
        target.parse().map_err(|error: http::uri::InvalidUri| SourceError::new(SourceErrorKind::Misconfigured, error))
    }
}

#[async_trait]
impl SpecStream for WebSocketSpecStream {
    fn name(&self) -> &str {
        "websocket"
    }

    fn origin(&self) -> SpecOrigin {
        origin()
    }

    fn reach(&self) -> Reach {
        Reach::Upstream
    }

    async fn subscribe(&self, request: &SpecRequest) -> Result<Box<dyn SpecSubscription>, SourceError> {
        let held = held(request);
        let target = self.target(&held, request.accepts_deltas)?;
        let mut headers = self.identity.headers(&*self.delivery.clock);
        if request.accepts_protobuf {
            headers.insert(HeaderName::from_static("statsig-supports-proto"), HeaderValue::from_static("true"));
        }
        let connection = self.connector.connect().await.map_err(source_error)?;
        let limit = self.options.response_timeout;
        let opening = upgrade::open(&self.connector, connection, &target, headers, self.options.max_specs_bytes);
        let opened = timeout(limit, opening)
            .await
            .map_err(|_| SourceError::from(Error::TimedOut { host: self.connector.host().to_owned(), limit }))??;
        self.peer.set(opened.peer);
        let receiver = WebSocketReceiver::new(opened.socket, self.connector.host(), held);
        Ok(Box::new(Subscription::new(receiver, self.delivery.of(request))))
    }
}

/// Parses a text frame and a binary frame as the transport does.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_for_fuzzing(bytes: &[u8]) {
    let bytes = bytes::Bytes::copy_from_slice(bytes);
    if let Ok(frame) = frame::parse(&bytes) {
        assert!(frame.payload.len() <= bytes.len(), "a payload is larger than its frame");
    }
    if let Ok(control::Control::Specs { json, .. }) = control::parse(&bytes) {
        assert!(json.len() <= bytes.len(), "a payload is larger than its message");
    }
}
