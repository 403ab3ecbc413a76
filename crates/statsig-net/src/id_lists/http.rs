//! ID lists on Statsig's servers, or on a proxy in their place.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use statsig_core::{
    Clock, IdListChunk, IdListEntry, IdListManifest, IdListReader, IdListSource, SourceError, SourceErrorKind,
};
use tokio::time::Instant;
use url::Url;

use crate::endpoints::{IdListsAddress, is_cdn, is_statsig};
use crate::error::Error;
use crate::identity::ClientIdentity;
use crate::metrics::Metrics;
use crate::transport::{HttpBody, HttpClient, HttpRequest, HttpResponse, StreamedResponse};

/// Largest manifest.
const MAX_MANIFEST: usize = 16 << 20;
/// Manifests up to this size are parsed on the caller's thread.
const SMALL_MANIFEST: usize = 64 << 10;
/// Most bytes of an answer that is read as a whole because its headers do not tell which part it is.
const MAX_UNKNOWN: usize = 64 << 20;
/// The path of files, in metrics.
const FILE_PATH: &str = "/v1/download_id_list_file";

/// Gives ID lists by HTTP: the manifest, and ranges of files. Made by [`Network`](crate::Network).
pub struct HttpIdListSource {
    pub(crate) manifest_client: HttpClient,
    pub(crate) file_client: HttpClient,
    pub(crate) identity: ClientIdentity,
    pub(crate) address: IdListsAddress,
    /// Asked for the manifest when the address fails, by a client that knows nothing of proxies.
    pub(crate) fallback: Option<(HttpClient, IdListsAddress)>,
    /// Takes the place of scheme and host in the addresses of files.
    pub(crate) file_host: Option<Url>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timeout: Duration,
    pub(crate) metrics: Metrics,
}

impl std::fmt::Debug for HttpIdListSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpIdListSource").field("host", &self.address.url.host_str()).finish_non_exhaustive()
    }
}

impl HttpIdListSource {
    async fn manifest_at(&self, client: &HttpClient, address: &IdListsAddress) -> Result<IdListManifest, SourceError> {
        let mut request = if address.is_cdn {
            let mut url = address.url.clone();
            if let Ok(mut segments) = url.path_segments_mut() {
                segments.pop_if_empty().push(&format!("{}.json", self.identity.key().expose()));
            }
            HttpRequest::get(url, self.timeout)
        } else {
            HttpRequest::post(address.url.clone(), "", self.timeout)
        };
        request.headers = self.identity.headers(&*self.clock);
        request.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(crate::transport::ACCEPTED));
        request.max_transferred = MAX_MANIFEST;
        request.max_decoded = MAX_MANIFEST;
        request.expects_json = true;
        let (host, begun) = (request.host(), Instant::now());
        let sent = client.send(request).await;
        let status = sent.as_ref().map(|response| response.status);
        self.metrics.request("/v1/get_id_lists", &host, status, begun.elapsed());
        let body = sent?.body;
        let is_small = body.len() <= SMALL_MANIFEST;
        let parse = move || IdListManifest::parse(&body).map_err(|error| parse_error(&host, error));
        if is_small {
            return parse();
        }
        let ended = |_| SourceError::new(SourceErrorKind::Disabled, "the runtime ended");
        tokio::task::spawn_blocking(parse).await.map_err(ended)?
    }

    /// The request for a file from `start` on.
    fn file_request(&self, entry: &IdListEntry, start: u64) -> Result<(HttpRequest, bool), SourceError> {
        let mut url = self.file_url(entry)?;
        // The network that delivers Statsig's files wants the range in the query.
        let in_query = is_cdn(&url);
        if in_query {
            url.query_pairs_mut().append_pair("range", &format!("{start}-"));
        }
        let may_have_key = self.may_have_key(&url);
        let mut request = HttpRequest::get(url, self.timeout);
        request.headers = self.identity.headers(&*self.clock);
        if !may_have_key {
            request.headers.remove("statsig-api-key");
        }
        // Places in the file are those of the plain bytes.
        request.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if !in_query {
            if let Ok(range) = HeaderValue::from_str(&format!("bytes={start}-")) {
                request.headers.insert(RANGE, range);
            }
            request.headers.insert(HeaderName::from_static("statsig-id-list-file-size"), HeaderValue::from(entry.size));
        }
        // The file may have grown since the manifest was written, but not without limit.
        let most = usize::try_from(entry.size.saturating_mul(2).saturating_add(1 << 20)).unwrap_or(usize::MAX);
        request.max_transferred = most;
        request.max_decoded = most;
        Ok((request, in_query))
    }

    /// Opens a file; `None` if there is nothing behind `start`.
    async fn open_file(&self, entry: &IdListEntry, start: u64) -> Result<Option<HttpFile>, SourceError> {
        let (request, in_query) = self.file_request(entry, start)?;
        let (host, begun) = (request.host(), Instant::now());
        let opened = self.file_client.open(request).await;
        let metrics = self.metrics.clone();
        let answer = match opened {
            Ok(answer) => answer,
            Err(error) => {
                metrics.request(FILE_PATH, &host, Err(&error), begun.elapsed());
                return match error {
                    Error::Status { status: 416, .. } => Ok(None),
                    error => Err(error.into()),
                };
            }
        };
        let status = answer.status;
        let mut file = HttpFile { body: Some(answer.body), next: start, metrics, host, status, begun };
        match first_byte(&answer.headers, in_query || status == StatusCode::PARTIAL_CONTENT, start, entry.size) {
            First::At(first) if first == start || first == 0 => file.next = first,
            First::At(_) => {
                let reason = format!("{} sends another part of the file than the one asked for", file.host);
                return Err(SourceError::new(SourceErrorKind::Invalid, reason));
            }
            First::Unknown => {
                // Only its length tells.
                let mut whole = Vec::new();
                while let Some(piece) = file.next().await? {
                    if whole.len() + piece.bytes.len() > MAX_UNKNOWN {
                        let reason = format!("{} does not say which part of the file it sends", file.host);
                        return Err(SourceError::new(SourceErrorKind::Invalid, reason));
                    }
                    whole.extend(piece.bytes);
                }
                file.next = if whole.len() as u64 >= entry.size { 0 } else { start };
                file.body = Some(StreamedResponse::from(HttpResponse::new(status, answer.headers, whole)).body);
            }
        }
        Ok(Some(file))
    }

    /// Whether a file is where the key may go: same scheme, host and port. A manifest may name any.
    fn may_have_key(&self, file: &Url) -> bool {
        self.file_host.is_some() || file.origin() == self.address.url.origin() || is_statsig(file)
    }

    /// The address of a file, on the host that is to be used.
    fn file_url(&self, entry: &IdListEntry) -> Result<Url, SourceError> {
        let invalid = |reason: &str| SourceError::new(SourceErrorKind::Invalid, reason);
        let mut url = Url::parse(&entry.url).map_err(|_| invalid("the manifest names an address that is none"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("the manifest names an address that is not of HTTP"));
        }
        if let Some(host) = &self.file_host {
            let replaced = url
                .set_scheme(host.scheme())
                .and_then(|()| url.set_host(host.host_str()).map_err(|_| ()))
                .and_then(|()| url.set_port(host.port()));
            replaced.map_err(|()| invalid("the host for files cannot take the place of the manifest's"))?;
        }
        Ok(url)
    }
}

#[async_trait]
impl IdListSource for HttpIdListSource {
    fn name(&self) -> &str {
        "network"
    }

    async fn manifest(&self) -> Result<IdListManifest, SourceError> {
        match (self.manifest_at(&self.manifest_client, &self.address).await, &self.fallback) {
            (Err(error), Some((client, fallback))) if *fallback != self.address => {
                tracing::debug!(error = %crate::secret::chain_of(&error), "asking Statsig's own servers for the manifest");
                self.manifest_at(client, fallback).await.map_err(|_| error)
            }
            (result, _) => result,
        }
    }

    async fn read(&self, entry: &IdListEntry, start: u64) -> Result<IdListChunk, SourceError> {
        let mut whole = IdListChunk::new(start, Vec::new());
        let Some(mut file) = self.open_file(entry, start).await? else { return Ok(whole) };
        whole.start = file.next;
        while let Some(piece) = file.next().await? {
            whole.bytes.extend(piece.bytes);
        }
        Ok(whole)
    }

    async fn open(&self, entry: &IdListEntry, start: u64) -> Result<Box<dyn IdListReader>, SourceError> {
        Ok(match self.open_file(entry, start).await? {
            Some(file) => Box::new(file),
            None => Box::new(Nothing),
        })
    }
}

/// A file that is under way.
struct HttpFile {
    /// `None` once it ended.
    body: Option<Box<dyn HttpBody>>,
    /// Where in the file the next piece begins.
    next: u64,
    metrics: Metrics,
    host: String,
    status: StatusCode,
    begun: Instant,
}

#[async_trait]
impl IdListReader for HttpFile {
    async fn next(&mut self) -> Result<Option<IdListChunk>, SourceError> {
        let Some(body) = &mut self.body else { return Ok(None) };
        let result = body.next().await;
        if let Ok(Some(piece)) = result {
            let start = self.next;
            self.next += piece.len() as u64;
            return Ok(Some(IdListChunk::new(start, piece.into())));
        }
        self.body = None;
        let status = result.as_ref().map(|_| self.status);
        self.metrics.request(FILE_PATH, &self.host, status, self.begun.elapsed());
        result.map(|_| None).map_err(Into::into)
    }
}

/// A file that has nothing behind the place asked for.
struct Nothing;

#[async_trait]
impl IdListReader for Nothing {
    async fn next(&mut self) -> Result<Option<IdListChunk>, SourceError> {
        Ok(None)
    }
}

/// Where in the file an answer begins.
#[derive(Debug, PartialEq, Eq)]
enum First {
    At(u64),
    /// The whole file or the part asked for: the headers do not tell.
    Unknown,
}

/// Works out where an answer to a request from `start` on begins. `may_be_part` if its status allows a part.
fn first_byte(headers: &HeaderMap, may_be_part: bool, start: u64, size: u64) -> First {
    if start == 0 || !may_be_part {
        return First::At(0);
    }
    let text = |name| headers.get(name)?.to_str().ok();
    let range = text(CONTENT_RANGE).and_then(|range| range.trim().strip_prefix("bytes ")?.split('-').next());
    if let Some(first) = range.and_then(|first| first.trim().parse().ok()) {
        return First::At(first);
    }
    match text(CONTENT_LENGTH).and_then(|length| length.trim().parse::<u64>().ok()) {
        // As long as the whole file. If it is a part of a file that has grown, reading it as the whole does no harm:
        // a log may be read again over what was read of it, and only its end is asked for once more.
        Some(length) if length >= size => First::At(0),
        Some(_) => First::At(start),
        None => First::Unknown,
    }
}

fn parse_error(host: &str, error: serde_json::Error) -> SourceError {
    SourceError::new(SourceErrorKind::Invalid, format!("cannot read the manifest of ID lists from {host}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_tell_where_an_answer_begins() {
        let headers = |range: Option<&str>, length: Option<&str>| {
            let mut headers = HeaderMap::new();
            range.map(|range| headers.insert(CONTENT_RANGE, range.parse().unwrap()));
            length.map(|length| headers.insert(CONTENT_LENGTH, length.parse().unwrap()));
            headers
        };
        for (range, length, may_be_part, start, expected) in [
            (None, Some("100"), false, 50, First::At(0)),
            (Some("bytes 50-99/100"), Some("50"), true, 50, First::At(50)),
            (Some("bytes 50-249/250"), Some("200"), true, 50, First::At(50)),
            (Some("bytes 0-99/100"), Some("100"), true, 50, First::At(0)),
            (Some("bytes 10-99/100"), None, true, 50, First::At(10)),
            (Some("bytes */100"), Some("50"), true, 50, First::At(50)),
            (None, Some("100"), true, 50, First::At(0)),
            (None, Some("50"), true, 50, First::At(50)),
            (None, None, true, 50, First::Unknown),
            (None, None, true, 0, First::At(0)),
        ] {
            assert_eq!(first_byte(&headers(range, length), may_be_part, start, 100), expected, "{range:?} {length:?}");
        }
    }
}
