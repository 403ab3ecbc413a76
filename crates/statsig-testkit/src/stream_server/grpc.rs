//! gRPC on bare HTTP/2, since a library would not let it misbehave.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderValue};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use super::fault::StreamFault;
use super::messages::{Request, Response};
use super::state::{Feed, Published, Shared, Step, StreamRequest};

const NO_UPDATE: &str = r#"{"has_updates":false}"#;

/// What a call does to its connection.
enum OnConnection {
    Freeze,
    Close,
    GoAway,
    AbruptGoAway,
}

pub(super) async fn serve(io: impl AsyncRead + AsyncWrite + Unpin, shared: &Arc<Shared>) -> io::Result<()> {
    let mut connection = h2::server::handshake(io).await.map_err(io::Error::other)?;
    let (orders, mut ordered) = mpsc::unbounded_channel();
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(accepted) = accepted else { return Ok(()) };
                let (request, respond) = accepted.map_err(io::Error::other)?;
                tokio::spawn(call(request, respond, Arc::clone(shared), orders.clone()));
            }
            Some(order) = ordered.recv() => match order {
                OnConnection::Freeze => std::future::pending::<()>().await,
                OnConnection::Close => return Ok(()),
                OnConnection::GoAway => connection.graceful_shutdown(),
                OnConnection::AbruptGoAway => connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM),
            },
        }
    }
}

async fn call(
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    shared: Arc<Shared>,
    orders: mpsc::UnboundedSender<OnConnection>,
) -> Option<()> {
    let path = request.uri().path().to_owned();
    let accepts_gzip = request.headers().get("grpc-accept-encoding").is_some_and(|v| v.as_bytes() == b"gzip")
        || request.headers().get("grpc-accept-encoding").is_some_and(|v| v.to_str().is_ok_and(|v| v.contains("gzip")));
    let mut body = request.into_body();
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.data().await {
        let piece = piece.ok()?;
        let _ = body.flow_control().release_capacity(piece.len());
        bytes.extend_from_slice(&piece);
    }
    let message = Request::decode(bytes.get(5..)?).ok()?;
    let since = message.since_time.unwrap_or(0);
    let (fault, is_accepted) = shared.request(StreamRequest {
        target: path.clone(),
        key: message.sdk_key,
        since_time: since,
        checksum: message.checksum,
        version: message.version.unwrap_or(0),
        formats: message.accept_formats.clone(),
        headers: Vec::new(),
    });
    let mut head = http::Response::new(());
    head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    head.headers_mut().insert("x-sfp-hostname", HeaderValue::from_static("test-host"));
    let gzip = shared.state().gzip && accepts_gzip;
    if gzip {
        head.headers_mut().insert("grpc-encoding", HeaderValue::from_static("gzip"));
    }
    let writer = Writer { gzip, formats: if shared.state().additions { message.accept_formats } else { Vec::new() } };
    if !is_accepted {
        head.headers_mut().extend(status(7, "Unauthorized"));
        respond.send_response(head, true).ok()?;
        return None;
    }
    // Orders reach the stream as soon as the client sees it open.
    let mut feed = Feed::open(&shared, since, fault);
    let mut stream = respond.send_response(head, false).ok()?;
    let is_unary = match &*path {
        "/statsig_forward_proxy.StatsigForwardProxy/getConfigSpec" => true,
        "/statsig_forward_proxy.StatsigForwardProxy/StreamConfigSpec" => false,
        _ => return stream.send_trailers(status(12, "")).ok(),
    };
    loop {
        let step = tokio::select! {
            step = feed.next() => step,
            _ = std::future::poll_fn(|context| stream.poll_reset(context)) => return None,
        };
        match step {
            Step::Specs(specs) => stream.send_data(writer.specs(&specs), false).ok()?,
            Step::NoUpdate(time) => stream.send_data(writer.no_update(time), false).ok()?,
            Step::Fault(fault) => {
                if misbehave(&mut stream, &orders, &writer, fault)? {
                    return None;
                }
                continue;
            }
        }
        if is_unary && !matches!(feed.peek(), Some(Step::Fault(_))) {
            return stream.send_trailers(status(0, "")).ok();
        }
    }
}

/// Commits a fault; returns whether the call is over.
fn misbehave(
    stream: &mut SendStream<Bytes>,
    orders: &mpsc::UnboundedSender<OnConnection>,
    writer: &Writer,
    fault: StreamFault,
) -> Option<bool> {
    match fault {
        StreamFault::EndWith(code) => {
            stream.send_trailers(status(code, "ordered secret-AbCdEfGhIjKlMnOpQrStUvWx")).ok()?;
            return Some(true);
        }
        StreamFault::MalformedTrailers => {
            let mut trailers = status(13, "broken");
            trailers.insert("grpc-status-details-bin", HeaderValue::from_static("%%%"));
            stream.send_trailers(trailers).ok()?;
            return Some(true);
        }
        StreamFault::Freeze => orders.send(OnConnection::Freeze).ok()?,
        StreamFault::GoAway => orders.send(OnConnection::GoAway).ok()?,
        StreamFault::AbruptGoAway => orders.send(OnConnection::AbruptGoAway).ok()?,
        StreamFault::Garbage => stream.send_data(framed(b"\xff\xff\xff\xff garbage", false), false).ok()?,
        StreamFault::Oversize(bytes) => {
            let specs = Published { time: 1, payload: vec![b' '; bytes], is_binary: false };
            stream.send_data(writer.specs(&specs), false).ok()?;
        }
        StreamFault::Cut => {
            let whole = framed(&[b'x'; 100], false);
            stream.send_data(whole.slice(..50), false).ok()?;
            stream.send_reset(Reason::INTERNAL_ERROR);
            orders.send(OnConnection::Close).ok()?;
            return Some(true);
        }
        _ => {}
    }
    Some(false)
}

/// Writes messages as the request allows.
struct Writer {
    gzip: bool,
    formats: Vec<String>,
}

impl Writer {
    fn specs(&self, specs: &Published) -> Bytes {
        let accepts = |format: &str| self.formats.iter().any(|accepted| accepted == format);
        let mut response = Response { last_updated: specs.time, ..Response::default() };
        if specs.is_binary && accepts("statsig-br") {
            (response.payload, response.format) = (specs.payload.clone(), "statsig-br".to_owned());
        } else if accepts("json") {
            (response.payload, response.format) = (specs.payload.clone(), "json".to_owned());
        } else {
            response.spec = String::from_utf8_lossy(&specs.payload).into_owned();
        }
        framed(&response.encode_to_vec(), self.gzip)
    }

    fn no_update(&self, time: u64) -> Bytes {
        let response = Response { spec: NO_UPDATE.to_owned(), last_updated: time, ..Response::default() };
        framed(&response.encode_to_vec(), self.gzip)
    }
}

fn framed(message: &[u8], gzip: bool) -> Bytes {
    let body = if gzip {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        match encoder.write_all(message).and_then(|()| encoder.finish()) {
            Ok(compressed) => compressed,
            Err(_) => return Bytes::new(),
        }
    } else {
        message.to_vec()
    };
    let mut frame = BytesMut::with_capacity(body.len() + 5);
    frame.put_u8(gzip.into());
    frame.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    frame.extend_from_slice(&body);
    frame.freeze()
}

fn status(code: u16, message: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("grpc-status", HeaderValue::from(code));
    if let Ok(message) = HeaderValue::from_str(message) {
        headers.insert("grpc-message", message);
    }
    headers
}
