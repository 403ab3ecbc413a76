//! HTTP/2 connections that carry gRPC calls.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::uri::PathAndQuery;
use http_body_util::BodyExt;
use http_body_util::combinators::MapFrame;
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use statsig_core::{SourceError, SourceErrorKind};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status, Streaming};
use tower_service::Service;

use super::super::connect::Connector;
use super::super::failure::{foreign, source_error};
use super::super::options::ProxyStreamOptions;
use super::codec::SpecsCodec;
use super::status::error_of;
use super::wire::{ConfigSpecRequest, ConfigSpecResponse, GET_CONFIG_SPEC, HOSTNAME_METADATA, STREAM_CONFIG_SPEC};
use crate::error::Error;

/// Flow-control window of a stream in bytes: a payload of a megabyte needs no round trip in between.
const STREAM_WINDOW: u32 = 1 << 20;
/// Flow-control window of a connection in bytes.
const CONNECTION_WINDOW: u32 = 2 << 20;
/// Largest size of the headers of a response in bytes.
const HEADER_LIST: u32 = 16 << 10;
/// Trailer that tonic reads without allowing for errors; not used here.
const DETAILS: &str = "grpc-status-details-bin";

/// A connection to one proxy. Clones share it; it is closed with the last of them.
#[derive(Clone)]
pub(super) struct Connection {
    calls: SendRequest<tonic::body::Body>,
    driver: Arc<Driver>,
}

/// Task that moves the bytes of a connection.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens connections and makes calls on them.
pub(super) struct Caller {
    pub(super) connector: Connector,
    options: ProxyStreamOptions,
    origin: http::Uri,
}

impl Caller {
    pub(super) fn new(connector: Connector, authority: &str, options: &ProxyStreamOptions) -> Result<Self, Error> {
        let scheme = if connector.is_tls() { "https" } else { "http" };
        let origin = format!("{scheme}://{authority}/").parse().map_err(|_| Error::Misconfigured {
            problems: vec!["the stream address has a host that no request can name".to_owned()],
        })?;
        Ok(Self { connector, options: options.clone(), origin })
    }

    /// Opens a connection.
    pub(super) async fn connect(&self) -> Result<Connection, SourceError> {
        let stream = self.connector.connect().await.map_err(source_error)?;
        let handshake = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEADER_LIST)
            .keep_alive_interval(self.options.keepalive_interval)
            .keep_alive_timeout(self.options.keepalive_timeout)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await;
        let (calls, connection) = handshake.map_err(|error| source_error(self.connector.broken(&error)))?;
        let driver = tokio::spawn(async move {
            // The error also reaches the calls.
            if let Err(error) = connection.await {
                tracing::debug!(error = %crate::mask::chain_of(&error), "gRPC connection closed");
            }
        });
        Ok(Connection { calls, driver: Arc::new(Driver(driver)) })
    }

    /// Opens a stream; returns once the head of its response has arrived.
    pub(super) async fn stream(
        &self,
        connection: &Connection,
        request: ConfigSpecRequest,
    ) -> Result<Response<Streaming<ConfigSpecResponse>>, SourceError> {
        let mut client = self.client(connection);
        let path = PathAndQuery::from_static(STREAM_CONFIG_SPEC);
        self.limited(async { client.server_streaming(Request::new(request), path, SpecsCodec).await }).await
    }

    /// Makes a call with one response.
    pub(super) async fn unary(
        &self,
        connection: &Connection,
        request: ConfigSpecRequest,
    ) -> Result<Response<ConfigSpecResponse>, SourceError> {
        let mut client = self.client(connection);
        let path = PathAndQuery::from_static(GET_CONFIG_SPEC);
        self.limited(async { client.unary(Request::new(request), path, SpecsCodec).await }).await
    }

    fn client(&self, connection: &Connection) -> tonic::client::Grpc<Calls> {
        tonic::client::Grpc::with_origin(Calls(connection.calls.clone()), self.origin.clone())
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(self.options.max_specs_bytes)
    }

    async fn limited<T>(&self, call: impl Future<Output = Result<T, Status>>) -> Result<T, SourceError> {
        let limit = self.options.response_timeout;
        match timeout(limit, call).await {
            Ok(response) => response.map_err(|status| error_of(&status, &self.connector)),
            Err(_) => {
                let host = self.connector.host().to_owned();
                Err(SourceError::new(SourceErrorKind::TimedOut, Error::TimedOut { host, limit }))
            }
        }
    }
}

impl Connection {
    /// Returns whether further calls can be made.
    pub(super) fn is_open(&self) -> bool {
        !self.calls.is_closed() && !self.driver.0.is_finished()
    }
}

/// Returns the name that the proxy gives its host.
pub(super) fn hostname<T>(response: &Response<T>) -> Option<Arc<str>> {
    let name = response.metadata().get(HOSTNAME_METADATA)?.to_str().ok()?;
    Some(foreign(name).into())
}

/// Sends the calls of tonic over a connection.
struct Calls(SendRequest<tonic::body::Body>);

type ResponseBody = MapFrame<Incoming, fn(Frame<Bytes>) -> Frame<Bytes>>;

impl Service<http::Request<tonic::body::Body>> for Calls {
    type Response = http::Response<ResponseBody>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let mut calls = self.0.clone();
        Box::pin(async move {
            poll_fn(|context| calls.poll_ready(context)).await?;
            let mut response = calls.send_request(request).await?;
            response.headers_mut().remove(DETAILS);
            Ok(response.map(|body| body.map_frame(without_details as fn(_) -> _)))
        })
    }
}

/// Removes the trailer of details.
fn without_details(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            trailers.remove(DETAILS);
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }
}
