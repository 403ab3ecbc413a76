//! HTTP/1.1 by hand, since a library would not let us misbehave.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Shared;
use super::fault::Fault;
use super::state::{Answer, Recorded};

/// Longest header of a request.
const MOST_HEADER: usize = 64 << 10;
/// Longest body of a request.
const MOST_BODY: usize = 64 << 20;

/// Serves a connection until the client, or a fault, ends it.
pub(super) async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, shared: &Shared) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer).await? {
        let (fault, answer) = {
            let mut state = shared.state();
            let fault = state.fault_for(request.endpoint);
            // What a fault hides did not arrive as far as the client knows, but events did.
            let proper =
                matches!(fault, None | Some(Fault::Late(_) | Fault::Drip(_) | Fault::Cut(_) | Fault::Stall(_)));
            let base = format!("http://{}", request.header("host").unwrap_or_default());
            let answer = if proper { state.answer(&request, &base) } else { Answer::default() };
            state.requests.push(request);
            (fault, answer)
        };
        shared.seen.send_modify(|seen| *seen += 1);
        if !respond(&mut stream, fault, answer).await? {
            break;
        }
    }
    stream.shutdown().await
}

/// Reads a request; `None` when the client is done.
async fn read_request(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<Option<Recorded>> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "not a request");
    let header_end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if buffer.len() > MOST_HEADER {
            return Err(malformed());
        }
        if stream.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err(malformed()) };
        }
    };
    let header = String::from_utf8_lossy(&buffer[..header_end]).into_owned();
    let mut lines = header.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target)) = (first.next(), first.next()) else { return Err(malformed()) };
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or("0", |(_, value)| value);
    let length = length.parse::<usize>().ok().filter(|length| *length <= MOST_BODY).ok_or_else(malformed)?;
    let body_end = header_end + 4 + length;
    while buffer.len() < body_end {
        if stream.read_buf(buffer).await? == 0 {
            return Err(malformed());
        }
    }
    let request = Recorded::new(method.into(), target.into(), headers, buffer[header_end + 4..body_end].to_vec());
    buffer.drain(..body_end);
    Ok(Some(request))
}

/// Answers, or misbehaves; returns whether the connection goes on.
async fn respond(stream: &mut (impl AsyncWrite + Unpin), fault: Option<Fault>, answer: Answer) -> io::Result<bool> {
    match fault {
        None => write(stream, &answer).await,
        Some(Fault::Status(status, body)) => {
            let headers = vec![("content-type", "text/html".to_owned())];
            write(stream, &Answer { status, headers, body: body.into_bytes() }).await
        }
        Some(Fault::StatusWith(status, name, value)) => {
            write(stream, &Answer { status, headers: vec![(name, value)], body: Vec::new() }).await
        }
        Some(Fault::Body(body)) => write(stream, &Answer::json(200, body)).await,
        Some(Fault::Typed(content_type, body)) => {
            write(stream, &Answer { status: 200, headers: vec![("content-type", content_type.to_owned())], body }).await
        }
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Late(time)) => {
            tokio::time::sleep(time).await;
            write(stream, &answer).await
        }
        Some(Fault::Drip(pause)) => drip(stream, &answer, pause).await,
        Some(Fault::Cut(bytes)) => {
            let whole = bytes_of(&answer, answer.body.len());
            let end = whole.len() - answer.body.len() + bytes.min(answer.body.len());
            stream.write_all(&whole[..end]).await?;
            stream.flush().await?;
            Ok(false)
        }
        Some(Fault::Stall(bytes)) => {
            let whole = bytes_of(&answer, answer.body.len());
            let end = whole.len() - answer.body.len() + bytes.min(answer.body.len());
            stream.write_all(&whole[..end]).await?;
            stream.flush().await?;
            std::future::pending().await
        }
        Some(Fault::Close) => Ok(false),
        Some(Fault::Garbage) => {
            stream.write_all(b"\x00\x01 this is not HTTP \xff\r\n\r\n").await?;
            Ok(false)
        }
        Some(Fault::Bomb(coding, size)) => {
            let mut bomb = Answer::json(200, coding.encode(&vec![b' '; size])?);
            bomb.headers.push(("content-encoding", coding.as_str().into()));
            write(stream, &bomb).await
        }
        Some(Fault::Endless) => {
            stream.write_all(&bytes_of(&Answer::json(200, "{"), 1 << 40)).await?;
            stream.flush().await?;
            std::future::pending().await
        }
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), answer: &Answer) -> io::Result<bool> {
    stream.write_all(&bytes_of(answer, answer.body.len())).await?;
    stream.flush().await?;
    Ok(true)
}

async fn drip(stream: &mut (impl AsyncWrite + Unpin), answer: &Answer, pause: Duration) -> io::Result<bool> {
    for byte in bytes_of(answer, answer.body.len()) {
        stream.write_all(&[byte]).await?;
        stream.flush().await?;
        tokio::time::sleep(pause).await;
    }
    Ok(true)
}

fn bytes_of(answer: &Answer, announced: usize) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status)).into_bytes();
    for (name, value) in &answer.headers {
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    // An answer that must not have a body must not announce one either.
    if !matches!(answer.status, 204 | 304) {
        out.extend_from_slice(format!("content-length: {announced}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&answer.body);
    out
}

fn reason(status: u16) -> &'static str {
    match status {
        200..=299 => "OK",
        300..=399 => "See there",
        400..=499 => "Your fault",
        _ => "Our fault",
    }
}
