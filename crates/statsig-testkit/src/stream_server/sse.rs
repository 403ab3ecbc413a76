//! Server-sent events on bare HTTP/1.1.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::fault::StreamFault;
use super::state::{Feed, Shared, Step, StreamRequest};

pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut socket: S, shared: &Arc<Shared>) -> io::Result<()> {
    let Some(request) = read_request(&mut socket).await? else { return Ok(()) };
    let since = request.since_time;
    let (fault, is_accepted) = shared.request(request);
    if !is_accepted {
        return refuse(&mut socket, 401, None).await;
    }
    if let Some(StreamFault::Refuse(status, retry_after)) = fault {
        return refuse(&mut socket, status, retry_after).await;
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-sfp-hostname: test-host\r\n\
                transfer-encoding: chunked\r\n\r\n";
    // Orders reach the stream as soon as the client sees it open.
    let mut feed = Feed::open(shared, since, fault);
    socket.write_all(head.as_bytes()).await?;
    let mut first = [0_u8; 1];
    loop {
        let step = tokio::select! {
            step = feed.next() => step,
            // The client sends nothing any more: this is the end of the connection.
            _ = socket.read(&mut first) => return Ok(()),
        };
        let text = match step {
            Step::Specs(specs) => {
                let data = String::from_utf8_lossy(&specs.payload).replace('\n', "\ndata: ");
                format!("event: specs\nid: {}\ndata: {data}\n\n", specs.time)
            }
            Step::NoUpdate(time) => format!(": heartbeat\n\nevent: no_update\nid: {time}\ndata:\n\n"),
            Step::Fault(fault) => match fault {
                StreamFault::EndWith(_) => {
                    socket.write_all(b"0\r\n\r\n").await?;
                    return socket.flush().await;
                }
                StreamFault::Garbage => {
                    // Not a chunk.
                    socket.write_all(b"\xff\xffgarbage\r\n").await?;
                    return socket.flush().await;
                }
                StreamFault::Oversize(bytes) => format!("data: {}\n\n", " ".repeat(bytes)),
                StreamFault::Raw(text) => text,
                StreamFault::Freeze => std::future::pending().await,
                StreamFault::Cut => {
                    socket.write_all(b"20\r\nevent: specs\ndata: half").await?;
                    return socket.flush().await;
                }
                _ => continue,
            },
        };
        let mut chunk = format!("{:x}\r\n", text.len()).into_bytes();
        chunk.extend_from_slice(text.as_bytes());
        chunk.extend_from_slice(b"\r\n");
        socket.write_all(&chunk).await?;
        socket.flush().await?;
    }
}

async fn read_request<S: AsyncRead + Unpin>(socket: &mut S) -> io::Result<Option<StreamRequest>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0_u8; 1];
        if socket.read(&mut byte).await? == 0 || head.len() > 16 << 10 {
            return Ok(None);
        }
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.split("\r\n");
    let target = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    Ok(Some(StreamRequest::from_http(target, headers.collect())))
}

async fn refuse<S: AsyncWrite + Unpin>(socket: &mut S, status: u16, retry_after: Option<u32>) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Refused\r\ncontent-length: 7\r\nconnection: close\r\n");
    if let Some(seconds) = retry_after {
        let _ = write!(head, "retry-after: {seconds}\r\n");
    }
    head.push_str("\r\nrefused");
    socket.write_all(head.as_bytes()).await?;
    socket.flush().await
}
