//! Errors of the client, to the vendor (`docs/protocol/events.md#error-reports`).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::{Map, Value};
use statsig_core::{Clock, ErrorReport, ErrorReporter, SinkError};
use url::Url;

use crate::identity::ClientIdentity;
use crate::transport::{HttpClient, HttpRequest};

/// Longest report, and largest answer that is read.
const MAX_ANSWER: usize = 64 << 10;

/// Reports errors of the client to Statsig's servers, or to what stands in their place.
///
/// One attempt for each report. Tells the tag, one line, and counts: no user data, nothing of an
/// event. Made by [`Network::error_reporter`](crate::Network::error_reporter); used only where the
/// application asks for it.
pub struct HttpErrorReporter {
    pub(crate) client: HttpClient,
    pub(crate) identity: ClientIdentity,
    pub(crate) url: Url,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timeout: Duration,
}

impl std::fmt::Debug for HttpErrorReporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpErrorReporter").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    tag: &'a str,
    info: &'a str,
    exception: &'a str,
    /// The vendor drops repetitions of a tag otherwise.
    bypass_dedupe: bool,
    extra: Map<String, Value>,
}

#[async_trait]
impl ErrorReporter for HttpErrorReporter {
    async fn report(&self, report: &ErrorReport) -> Result<(), SinkError> {
        let extra = report.extra.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into()));
        let body = Body {
            tag: report.tag,
            info: &report.message,
            exception: report.tag,
            bypass_dedupe: true,
            extra: extra.collect(),
        };
        let mut request = HttpRequest::post(self.url.clone(), serde_json::to_vec(&body)?, self.timeout);
        request.max_transferred = MAX_ANSWER;
        request.max_decoded = MAX_ANSWER;
        request.headers = self.identity.headers(&*self.clock);
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.client.send(request).await?;
        Ok(())
    }
}
