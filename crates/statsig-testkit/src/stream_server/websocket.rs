//! WebSocket.

use std::io;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server as handshake;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::fault::StreamFault;
use super::state::{Feed, Published, Shared, Step, StreamRequest};

const BINARY: &str = "statsig-sfp.bin.v1";
const JSON: &str = "statsig-sfp.json.v1";

/// Answer to the upgrade.
struct Upgraded {
    feed: Feed,
    is_binary: bool,
}

pub(super) async fn serve<S>(socket: S, shared: &Arc<Shared>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut upgraded = None;
    let accepted = tokio_tungstenite::accept_hdr_async(socket, Upgrade { shared, upgraded: &mut upgraded }).await;
    let mut socket = accepted.map_err(io::Error::other)?;
    let Some(Upgraded { mut feed, is_binary }) = upgraded else { return Ok(()) };
    let hello = r#"{"type":"hello","host":"test-host","lcut":0,"heartbeat_ms":30000}"#;
    socket.send(Message::text(hello)).await.map_err(io::Error::other)?;
    loop {
        let step = tokio::select! {
            step = feed.next() => step,
            received = socket.next() => match received {
                Some(Ok(Message::Text(text))) => {
                    shared.request(StreamRequest::from_http(&text, Vec::new()));
                    continue;
                }
                Some(Ok(_)) => continue,
                _ => return Ok(()),
            },
        };
        let message = match step {
            Step::Specs(specs) => self::specs(&specs, is_binary),
            Step::NoUpdate(time) => Message::text(format!(r#"{{"type":"no_update","lcut":{time}}}"#)),
            Step::Fault(fault) => match fault {
                StreamFault::EndWith(code) => {
                    let reason = "ordered secret-AbCdEfGhIjKlMnOpQrStUvWx".into();
                    Message::Close(Some(CloseFrame { code: code.into(), reason }))
                }
                StreamFault::GoAway => Message::text(r#"{"type":"goaway","reconnect_after_ms":200}"#),
                StreamFault::Garbage if is_binary => Message::binary(&b"\x01"[..]),
                StreamFault::Garbage => Message::text("garbage"),
                StreamFault::Oversize(bytes) => {
                    self::specs(&Published { time: 1, payload: vec![b' '; bytes], is_binary: false }, is_binary)
                }
                StreamFault::Raw(text) => Message::text(text),
                StreamFault::RawBinary(bytes) => Message::binary(bytes),
                StreamFault::Freeze => std::future::pending().await,
                StreamFault::Cut => {
                    let inner = socket.get_mut();
                    inner.write_all(b"\x82\x7e\xff\xff half of a frame").await?;
                    return inner.flush().await;
                }
                _ => continue,
            },
        };
        socket.send(message).await.map_err(io::Error::other)?;
    }
}

fn specs(specs: &Published, is_binary: bool) -> Message {
    if !is_binary {
        let text = String::from_utf8_lossy(&specs.payload);
        return Message::text(format!(r#"{{"type":"specs","lcut":{},"checksum":"c","specs":{text}}}"#, specs.time));
    }
    let mut frame = vec![1, if specs.is_binary { 3 } else { 0 }];
    frame.extend_from_slice(&specs.time.to_be_bytes());
    frame.extend_from_slice(&1_u16.to_be_bytes());
    frame.push(b'c');
    frame.extend_from_slice(&specs.payload);
    Message::binary(frame)
}

/// Decides on an upgrade.
fn upgrade(
    request: &handshake::Request,
    mut response: handshake::Response,
    shared: &Arc<Shared>,
) -> Result<(Upgraded, handshake::Response), Box<handshake::ErrorResponse>> {
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap_or("").to_owned()));
    let recorded = StreamRequest::from_http(&request.uri().to_string(), headers.collect());
    let offered = recorded.header("sec-websocket-protocol").unwrap_or_default().to_owned();
    let since = recorded.since_time;
    let (fault, is_accepted) = shared.request(recorded);
    let refuse = |status: u16, retry_after: Option<u32>| {
        let mut refusal = Response::new(Some("refused".to_owned()));
        *refusal.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
        if let Some(seconds) = retry_after {
            refusal.headers_mut().insert("retry-after", HeaderValue::from(seconds));
        }
        Box::new(refusal)
    };
    if !is_accepted {
        return Err(refuse(401, None));
    }
    if let Some(StreamFault::Refuse(status, retry_after)) = fault {
        return Err(refuse(status, retry_after));
    }
    // With additions off the server speaks the textual protocol only.
    let is_binary = offered.contains(BINARY) && shared.state().additions;
    let picked = HeaderValue::from_static(if is_binary { BINARY } else { JSON });
    response.headers_mut().insert("sec-websocket-protocol", picked);
    response.headers_mut().insert("x-sfp-hostname", HeaderValue::from_static("test-host"));
    // Orders reach the stream as soon as the client sees it open.
    Ok((Upgraded { feed: Feed::open(shared, since, fault), is_binary }, response))
}

/// Decision on one upgrade, as the library asks for it.
struct Upgrade<'a> {
    shared: &'a Arc<Shared>,
    upgraded: &'a mut Option<Upgraded>,
}

impl handshake::Callback for Upgrade<'_> {
    fn on_request(
        self,
        request: &handshake::Request,
        response: handshake::Response,
    ) -> Result<handshake::Response, handshake::ErrorResponse> {
        let (upgraded, response) = upgrade(request, response, self.shared).map_err(|refusal| *refusal)?;
        *self.upgraded = Some(upgraded);
        Ok(response)
    }
}
