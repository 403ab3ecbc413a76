//! Messages of an open WebSocket.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use statsig_core::{SourceError, SourceErrorKind, SpecVersion};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite;

use super::super::event::{Message, Payload, PayloadCoding, Receiver};
use super::super::failure::foreign;
use super::close;
use super::control::{self, Control};
use super::frame;
use super::upgrade::Socket;
use crate::deadline;

/// Least time between two messages that ask for the specs again.
const SYNC_INTERVAL: Duration = Duration::from_secs(5);
/// Longest time for which a connection is read after the peer announced its end.
const LONGEST_GOAWAY: Duration = Duration::from_secs(60);

/// Receives the messages of one WebSocket.
pub(super) struct WebSocketReceiver {
    socket: Socket,
    host: String,
    /// Version handed on last: base of the next delta.
    held: SpecVersion,
    /// Moment at which reading ends, once the peer has announced the end.
    ends_at: Option<Instant>,
    /// Whether the specs must be asked for again.
    sync_is_due: bool,
    /// Whether a message was queued and not sent yet.
    flush_is_due: bool,
    synced_at: Option<Instant>,
}

impl WebSocketReceiver {
    pub(super) fn new(socket: Socket, host: &str, held: SpecVersion) -> Self {
        let host = host.to_owned();
        Self { socket, host, held, ends_at: None, sync_is_due: false, flush_is_due: false, synced_at: None }
    }

    /// Sends what is due.
    ///
    /// # Cancel safety
    /// What was not sent remains due.
    async fn send_due(&mut self) -> Result<(), SourceError> {
        if self.sync_is_due && self.synced_at.is_none_or(|at| at.elapsed() >= SYNC_INTERVAL) {
            let message = tungstenite::Message::text(control::sync(&self.held));
            self.socket.feed(message).await.map_err(|error| self.failed(error))?;
            (self.sync_is_due, self.flush_is_due, self.synced_at) = (false, true, Some(Instant::now()));
        }
        if self.flush_is_due {
            self.socket.flush().await.map_err(|error| self.failed(error))?;
            self.flush_is_due = false;
        }
        Ok(())
    }

    /// Notes that a message is ignored, and asks for the specs again.
    fn ignore(&mut self, reason: &str) {
        tracing::warn!(host = self.host, reason, "ignored a message of the stream, requesting the specs again");
        self.sync_is_due = true;
    }

    fn binary(&mut self, bytes: &Bytes) -> Result<Option<Message>, SourceError> {
        let frame = match frame::parse(bytes) {
            Ok(frame) => frame,
            Err(error) if error.is_ignored() => {
                self.ignore(&error.to_string());
                return Ok(None);
            }
            Err(error) => return Err(SourceError::new(SourceErrorKind::Invalid, error)),
        };
        if frame.coding == PayloadCoding::Json && !frame.is_delta {
            return Ok(Some(self.full(Message::of_json(frame.payload, frame.time_ms), frame.time_ms, frame.checksum)));
        }
        let delta_base = frame.is_delta.then(|| self.held.clone());
        let payload = Payload { bytes: frame.payload, coding: frame.coding, delta_base };
        Ok(Some(self.full(Message::Payload(payload), frame.time_ms, frame.checksum)))
    }

    /// Notes the version of a payload that is handed on.
    fn full(&mut self, message: Message, time_ms: u64, checksum: Option<std::sync::Arc<str>>) -> Message {
        if matches!(message, Message::Payload(_)) {
            self.held = SpecVersion::new(time_ms, checksum.as_deref());
        }
        message
    }

    fn text(&mut self, text: &Bytes) -> Result<Option<Message>, SourceError> {
        Ok(match control::parse(text)? {
            Control::Hello => None,
            Control::Specs { time_ms, checksum, json } => {
                Some(self.full(Message::of_json(json, time_ms), time_ms, checksum))
            }
            Control::NoUpdate { time_ms } => Some(Message::NoUpdate { time_ms }),
            Control::Error { code, is_retryable, retry_after } => {
                let kind = if is_retryable { SourceErrorKind::Failing } else { SourceErrorKind::Refused };
                let text = format!("{} ended the stream: {code}", self.host);
                return Err(SourceError::new(kind, text).with_retry_after(retry_after));
            }
            Control::GoAway { reconnect_after } => {
                let ends_at = deadline::from_now(reconnect_after.min(LONGEST_GOAWAY));
                self.ends_at = Some(self.ends_at.map_or(ends_at, |earlier| earlier.min(ends_at)));
                None
            }
            Control::Unknown(name) => {
                self.ignore(&format!("unknown type {name}"));
                None
            }
        })
    }

    fn failed(&self, error: tungstenite::Error) -> SourceError {
        use tungstenite::Error as Failure;
        let (host, text) = (&self.host, foreign(&error.to_string()));
        let kind = match error {
            Failure::Capacity(_) | Failure::Utf8(_) => SourceErrorKind::Invalid,
            Failure::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
                SourceErrorKind::Unreachable
            }
            Failure::Protocol(_) => SourceErrorKind::Invalid,
            _ => SourceErrorKind::Unreachable,
        };
        SourceError::new(kind, format!("the stream from {host} broke: {text}"))
    }
}

#[async_trait]
impl Receiver for WebSocketReceiver {
    async fn receive(&mut self) -> Result<Option<Message>, SourceError> {
        loop {
            self.send_due().await?;
            let received = match self.ends_at {
                None => self.socket.next().await,
                Some(ends_at) => match timeout_at(ends_at, self.socket.next()).await {
                    Ok(received) => received,
                    Err(_) => return Ok(None),
                },
            };
            let message = match received {
                Some(Ok(tungstenite::Message::Binary(bytes))) => self.binary(&bytes)?,
                Some(Ok(tungstenite::Message::Text(text))) => self.text(&text.into())?,
                Some(Ok(tungstenite::Message::Close(frame))) => {
                    let (code, reason) = frame.map_or((None, String::new()), |frame| {
                        (Some(frame.code.into()), frame.reason.as_str().to_owned())
                    });
                    return close::result(code, &reason, &self.host).map(|()| None);
                }
                // Pings are answered by the next read.
                Some(Ok(_)) => None,
                Some(Err(error)) => return Err(self.failed(error)),
                None => return Ok(None),
            };
            if message.is_some() {
                return Ok(message);
            }
        }
    }
}
