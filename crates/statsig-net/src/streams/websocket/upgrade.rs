//! Opening of a WebSocket: an HTTP/1.1 request with an upgrade.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use statsig_core::{SourceError, SourceErrorKind};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::super::connect::{Connection, Connector};
use super::super::failure::{foreign, source_error};
use crate::error::Error;
use crate::transport::retry_after;

/// Protocols that this side speaks, the best first.
const PROTOCOLS: &str = "statsig-sfp.bin.v1, statsig-sfp.json.v1";
/// Bytes of a refusal that are read.
const REFUSAL_BYTES: usize = 4_096;
/// Bytes by which a message may exceed the limit of specs: fields around them.
const AROUND: usize = 4_096;
/// Size of the buffer for reading, in bytes; it is allocated for each connection.
const READ_BUFFER: usize = 16 << 10;

/// Socket of an open WebSocket.
pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Task that moves the bytes until the upgrade is done.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opened WebSocket.
pub(super) struct Opened {
    pub(super) socket: Socket,
    /// Host name that the proxy reported.
    pub(super) peer: Option<Arc<str>>,
}

/// Sends the upgrade on a connection, and reads the answer.
pub(super) async fn open(
    connector: &Connector,
    connection: Box<dyn Connection>,
    target: &Uri,
    mut headers: HeaderMap,
    max_bytes: usize,
) -> Result<Opened, SourceError> {
    let key = generate_key();
    for (name, value) in [
        (header::CONNECTION, "Upgrade"),
        (header::UPGRADE, "websocket"),
        (header::SEC_WEBSOCKET_VERSION, "13"),
        (header::SEC_WEBSOCKET_PROTOCOL, PROTOCOLS),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let invalid = |what: &str| {
        SourceError::new(SourceErrorKind::Invalid, format!("{} opens no WebSocket: {what}", connector.host()))
    };
    headers.insert(header::SEC_WEBSOCKET_KEY, value(&key)?);
    headers.insert(header::HOST, value(target.authority().map_or("localhost", |authority| authority.as_str()))?);
    // In the form for a server, which is asked directly.
    let path = target.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::get(path).body(Empty::<Bytes>::new()).map_err(|_| invalid("the request has no form"))?;
    *request.headers_mut() = headers;

    let broken = |error: &hyper::Error| source_error(connector.broken(error));
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(connection)).await;
    let (mut sender, exchange) = handshake.map_err(|error| broken(&error))?;
    let _driver = Driver(tokio::spawn(async move {
        // The error also reaches the request.
        let _ = exchange.with_upgrades().await;
    }));
    let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refused(response, connector.host()).await);
    }
    let header =
        |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if header(header::SEC_WEBSOCKET_ACCEPT) != Some(derive_accept_key(key.as_bytes())) {
        return Err(invalid("the answer does not match the request"));
    }
    match header(header::SEC_WEBSOCKET_PROTOCOL).as_deref() {
        Some(protocol) if PROTOCOLS.split(", ").any(|offered| offered == protocol) => {}
        _ => return Err(invalid("no protocol in common")),
    }
    if header(header::SEC_WEBSOCKET_EXTENSIONS).is_some_and(|extensions| !extensions.is_empty()) {
        return Err(invalid("it uses extensions that were not requested"));
    }
    let peer = header(HeaderName::from_static("x-sfp-hostname")).map(|name| foreign(&name).into());
    let upgraded = hyper::upgrade::on(response).await.map_err(|error| broken(&error))?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(max_bytes.saturating_add(AROUND)))
        .max_frame_size(Some(max_bytes.saturating_add(AROUND)));
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(config)).await;
    Ok(Opened { socket, peer })
}

/// Returns the error for an answer that refuses the upgrade.
async fn refused(response: Response<Incoming>, host: &str) -> SourceError {
    let (head, mut body) = response.into_parts();
    let mut sample = BytesMut::new();
    let read = async {
        while let Some(Ok(frame)) = body.frame().await
            && sample.len() < REFUSAL_BYTES
        {
            if let Some(data) = frame.data_ref() {
                sample.extend_from_slice(&data[..data.len().min(REFUSAL_BYTES - sample.len())]);
            }
        }
    };
    // The status counts even if the text is late.
    let _ = timeout(std::time::Duration::from_secs(1), read).await;
    source_error(Error::Status {
        host: host.to_owned(),
        status: head.status.as_u16(),
        sample: foreign(String::from_utf8_lossy(&sample).trim()),
        retry_after: retry_after(&head.headers),
    })
}

fn value(text: &str) -> Result<HeaderValue, SourceError> {
    HeaderValue::from_str(text).map_err(|error| SourceError::new(SourceErrorKind::Misconfigured, error))
}
