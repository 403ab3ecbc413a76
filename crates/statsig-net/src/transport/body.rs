//! Response bodies that are read piece by piece.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::HttpResponse;
use crate::deadline;
use crate::error::Error;

/// Least bytes that must arrive within the time limit of a request, unless the body ends.
const LEAST: usize = 16 << 10;

/// The body of an answer, piece by piece.
#[async_trait]
pub trait HttpBody: Send {
    /// Returns the next piece as transferred; `None` at the end.
    ///
    /// # Errors
    /// When the rest cannot be had.
    async fn next(&mut self) -> Result<Option<Bytes>, Error>;
}

/// An answer whose body has yet to be read.
#[non_exhaustive]
pub struct StreamedResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Box<dyn HttpBody>,
}

impl std::fmt::Debug for StreamedResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamedResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

impl StreamedResponse {
    /// An answer with a body that is read piece by piece.
    #[must_use]
    pub fn new(status: StatusCode, headers: HeaderMap, body: Box<dyn HttpBody>) -> Self {
        Self { status, headers, body }
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// When it has more than `most` bytes, for which `too_large` makes the error, or cannot be had.
    pub(crate) async fn collect(mut self, most: usize, too_large: impl Fn() -> Error) -> Result<HttpResponse, Error> {
        // What a server announces is not yet there: room comes with the bytes.
        let mut whole = BytesMut::new();
        while let Some(piece) = self.body.next().await? {
            if piece.len() > most.saturating_sub(whole.len()) {
                return Err(too_large());
            }
            whole.extend_from_slice(&piece);
        }
        Ok(HttpResponse::new(self.status, self.headers, whole))
    }
}

impl From<HttpResponse> for StreamedResponse {
    fn from(response: HttpResponse) -> Self {
        let HttpResponse { status, headers, body } = response;
        Self { status, headers, body: Box::new(Whole(Some(body))) }
    }
}

/// A body that is there already.
struct Whole(Option<Bytes>);

#[async_trait]
impl HttpBody for Whole {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        Ok(self.0.take().filter(|body| !body.is_empty()))
    }
}

/// A body with a time limit for silence: at least [`LEAST`] bytes must arrive within each `limit`.
pub(super) struct Paced {
    body: Box<dyn HttpBody>,
    host: String,
    limit: Duration,
    since: Instant,
    arrived: usize,
}

impl Paced {
    pub(super) fn new(body: Box<dyn HttpBody>, host: String, limit: Duration) -> Self {
        Self { body, host, limit, since: Instant::now(), arrived: 0 }
    }
}

#[async_trait]
impl HttpBody for Paced {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.arrived >= LEAST {
            (self.since, self.arrived) = (Instant::now(), 0);
        }
        match timeout_at(deadline::after(self.since, self.limit), self.body.next()).await {
            Ok(Ok(Some(piece))) => {
                self.arrived += piece.len();
                Ok(Some(piece))
            }
            Ok(ended) => ended,
            Err(_) => Err(Error::TimedOut { host: self.host.clone(), limit: self.limit }),
        }
    }
}
