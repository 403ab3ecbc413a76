//! ID lists on Statsig's servers, or on a proxy in their place.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{ACCEPT_ENCODING, RANGE};
use http::{HeaderName, HeaderValue};
use statsig_core::{Clock, IdListChunk, IdListEntry, IdListManifest, IdListSource, SourceError, SourceErrorKind};
use tokio::time::Instant;
use url::Url;

use crate::endpoints::{IdListsAddress, is_cdn, is_statsig};
use crate::error::Error;
use crate::identity::ClientIdentity;
use crate::metrics::Metrics;
use crate::transport::{HttpClient, HttpRequest, HttpResponse};

/// Largest manifest.
const MAX_MANIFEST: usize = 16 << 20;

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
        let response = self.send(client, request, "/v1/get_id_lists").await?;
        IdListManifest::parse(&response.body).map_err(|error| SourceError::new(SourceErrorKind::Invalid, error))
    }

    async fn send(&self, client: &HttpClient, request: HttpRequest, path: &str) -> Result<HttpResponse, Error> {
        let (host, begun) = (request.host(), Instant::now());
        let sent = client.send(request).await;
        self.metrics.request(path, &host, &sent, begun.elapsed());
        sent
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
        // The file may have grown since the manifest was written, but not beyond all measure.
        let most = usize::try_from(entry.size.saturating_mul(2).saturating_add(1 << 20)).unwrap_or(usize::MAX);
        request.max_transferred = most;
        request.max_decoded = most;
        match self.send(&self.file_client, request, "/v1/download_id_list_file").await {
            Ok(response) => {
                let partial = in_query || response.status.as_u16() == 206;
                let is_whole = !partial || (start > 0 && response.body.len() as u64 >= entry.size);
                Ok(IdListChunk::new(if is_whole { 0 } else { start }, response.body.into()))
            }
            // Nothing behind what was read.
            Err(Error::Status { status: 416, .. }) => Ok(IdListChunk::new(start, Vec::new())),
            Err(error) => Err(error.into()),
        }
    }
}
