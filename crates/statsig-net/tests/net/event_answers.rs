//! Event endpoints that redirect, stop in the middle of an answer, or cannot be decoded.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use statsig_core::{BatchEncoding, Delivery, EventBatch, EventSink};
use statsig_net::{EventSinkOptions, HttpEventSink, Network, NetworkOptions};

use crate::common::{KEY, clock, identity};

/// A request, as the server received it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Received {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Received {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

type Answers = dyn Fn(&Received) -> Vec<u8> + Send + Sync;

/// A server on loopback that writes what a test says, and then closes or holds the connection.
struct RawServer {
    port: u16,
    received: Arc<Mutex<Vec<Received>>>,
}

impl RawServer {
    fn start(holds: bool, answers: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (log, answers): (_, Arc<Answers>) = (Arc::clone(&received), Arc::new(answers));
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&stream) else { continue };
                let answer = answers(&request);
                log.lock().unwrap().push(request);
                let _ = stream.write_all(&answer);
                if holds {
                    held.push(stream);
                }
            }
        });
        Self { port, received }
    }

    fn sink(&self) -> HttpEventSink {
        let mut options = NetworkOptions::default();
        options.endpoints.log_event_url = Some(format!("http://127.0.0.1:{}/v1/log_event", self.port));
        Network::new(options, identity(), clock()).unwrap().event_sink(EventSinkOptions::default())
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some(Received { line: line.trim_end().to_owned(), headers, body })
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn taken() -> Vec<u8> {
    answer("202 Accepted", "", br#"{"success":true}"#)
}

fn batch() -> EventBatch {
    let body = br#"[{"eventName":"a"},{"eventName":"b"}]"#;
    EventBatch::new([7; 16], 0, 2, &body[..], BatchEncoding::Identity, body.len())
}

fn reason(delivery: &Delivery) -> String {
    match delivery {
        Delivery::Retry { reason, .. } | Delivery::Unconfirmed { reason } => reason.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn redirects_on_the_same_host_are_posted_again_as_they_were() {
    for status in ["307 Temporary Redirect", "308 Permanent Redirect"] {
        let server = RawServer::start(false, move |request| match &*request.line {
            "POST /v1/log_event HTTP/1.1" => answer(status, "location: /two?x=1\r\n", b"moved"),
            "POST /two?x=1 HTTP/1.1" => answer(status, "location: three\r\n", b""),
            "POST /three HTTP/1.1" => {
                let host = request.header("host").unwrap();
                answer(status, &format!("location: http://{host}/four\r\n"), b"")
            }
            "POST /four HTTP/1.1" => taken(),
            _ => answer("500 Internal Server Error", "", b""),
        });
        assert!(server.sink().deliver(&batch()).await.is_delivered(), "{status}");
        let received = server.received();
        assert_eq!(received.len(), 4);
        for hop in &received {
            assert_eq!((&hop.headers, &hop.body), (&received[0].headers, &received[0].body));
            assert_eq!(hop.header("statsig-api-key"), Some(KEY));
        }
    }
}

#[tokio::test]
async fn a_fourth_redirect_is_not_followed() {
    let server = RawServer::start(false, |_| answer("307 Temporary Redirect", "location: /again\r\n", b""));
    let outcome = server.sink().deliver(&batch()).await;
    assert!(reason(&outcome).contains("redirects more than 3 times"), "{outcome:?}");
    assert_eq!(server.received().len(), 4);
}

#[tokio::test]
async fn other_hosts_never_see_events_or_the_key() {
    let other = RawServer::start(false, |_| taken());
    for (status, host) in
        [("307 T", "127.0.0.1"), ("308 P", "127.0.0.1"), ("308 P", "localhost"), ("302 F", "127.0.0.1")]
    {
        let to = format!("http://{host}:{}/{KEY}", other.port);
        let server = RawServer::start(false, move |_| answer(status, &format!("location: {to}\r\n"), b""));
        let outcome = server.sink().deliver(&batch()).await;
        let reason = reason(&outcome);
        let target = format!("http://{host}:{}", other.port);
        assert!(reason.contains(&target) && reason.contains("set `log_event_url`"), "{reason}");
        assert!(reason.chars().count() <= 200 && !reason.contains("fGhIjK"), "{reason}");
        assert_eq!(server.received().len(), 1);
    }
    let port = other.port;
    let upgrade = RawServer::start(false, move |_| {
        answer("308 Permanent Redirect", &format!("location: https://127.0.0.1:{port}/v1/log_event\r\n"), b"")
    });
    assert!(reason(&upgrade.sink().deliver(&batch()).await).contains("another scheme, host or port"));
    assert_eq!(other.received(), []);
}

#[tokio::test]
async fn a_redirect_after_301_302_or_303_is_named_and_not_followed() {
    for status in ["301 Moved Permanently", "302 Found", "303 See Other"] {
        let server = RawServer::start(false, move |_| answer(status, "location: /elsewhere\r\n", b""));
        let reason = reason(&server.sink().deliver(&batch()).await);
        assert!(reason.contains(&status[..3]) && reason.contains("only after 307 and 308"), "{reason}");
        assert_eq!(server.received().len(), 1);
    }
}

#[tokio::test]
async fn a_success_counts_whatever_becomes_of_its_body() {
    let success = |headers: &str, body: &[u8]| answer("202 Accepted", headers, body);
    let rows = [
        (success("content-encoding: gzip\r\n", br#"{"success":true}"#), "cannot be decoded"),
        (success("content-encoding: no-such-coding\r\n", br#"{"success":true}"#), "cannot be decoded"),
        (success("", &vec![b' '; 2 << 20]), "too large"),
        (b"HTTP/1.1 202 Accepted\r\ncontent-length: 99\r\n\r\n{\"success\":tr".to_vec(), "cut off"),
        (b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"suc".to_vec(), "cut off"),
        (b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_vec(), "no body"),
        (success("", b"<!doctype html><title>Welcome to the airport</title>"), "HTML"),
    ];
    for (answer, expected) in rows {
        let server = RawServer::start(false, move |_| answer.clone());
        let outcome = server.sink().deliver(&batch()).await;
        assert!(matches!(outcome, Delivery::Unconfirmed { .. }), "{outcome:?}");
        let reason = reason(&outcome);
        assert!(reason.contains(expected) && !reason.contains("airport") && reason.len() <= 200, "{reason}");
        assert_eq!(server.received().len(), 1);
    }
    let confirmed = success("content-encoding: identity\r\ncontent-type: text/html\r\n", br#"{"success":true}"#);
    let server = RawServer::start(false, move |_| confirmed.clone());
    assert!(server.sink().deliver(&batch()).await.is_delivered());
}

#[tokio::test]
async fn a_success_whose_body_never_comes_counts_within_seconds() {
    let server = RawServer::start(true, |_| b"HTTP/1.1 202 Accepted\r\ncontent-length: 16\r\n\r\n{\"suc".to_vec());
    let sink = server.sink();
    let outcome = tokio::time::timeout(Duration::from_secs(8), sink.deliver(&batch())).await.unwrap();
    assert!(matches!(outcome, Delivery::Unconfirmed { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_refusal_counts_whatever_becomes_of_its_body() {
    let broken = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 99\r\ncontent-encoding: gzip\r\n\r\nno".to_vec();
    let server = RawServer::start(false, move |_| broken.clone());
    let outcome = server.sink().deliver(&batch()).await;
    assert!(
        matches!(&outcome, Delivery::Refused { reason, .. } if reason.to_string().ends_with("answers 403 Forbidden"))
    );
}
