//! Options of the streams from a forward proxy.

use std::time::Duration;

use crate::transport::{HttpRequest, OutboundProxy, TlsOptions};

/// Form of config specs that a stream requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum StreamSpecsVersion {
    /// Lists of specs with inline conditions.
    V1,
    /// Maps of specs and a map of conditions.
    #[default]
    V2,
}

/// Options of a stream from a forward proxy, and of single fetches by gRPC.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProxyStreamOptions {
    /// Certificate authorities, client certificate and name of the proxy. The files are read again for each connection, so that renewed
    /// ones are used. TLS options on an address without encryption are an error.
    pub tls: TlsOptions,
    /// Outbound proxy of every connection.
    pub outbound_proxy: Option<OutboundProxy>,
    /// Whether `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` of the environment count without an
    /// `outbound_proxy`. Default: yes.
    pub proxy_from_environment: bool,
    /// Time limit for a connection: name resolution, outbound proxy and TLS handshake included. Default 5 seconds.
    pub connect_timeout: Duration,
    /// Time limit from the connection to the head of the answer. Default 10 seconds.
    pub response_timeout: Duration,
    /// Pause between HTTP/2 pings, also while nothing is under way; gRPC only. Default 30 seconds.
    pub keepalive_interval: Duration,
    /// Time limit for the answer to a ping; the connection counts as broken after it. Default 20 seconds.
    pub keepalive_timeout: Duration,
    /// Largest size of config specs in bytes, compressed or not. Default 256 MiB.
    pub max_specs_bytes: usize,
    /// Form of config specs. Default: version 2.
    pub specs_version: StreamSpecsVersion,
}

impl Default for ProxyStreamOptions {
    fn default() -> Self {
        Self {
            tls: TlsOptions::default(),
            outbound_proxy: None,
            proxy_from_environment: true,
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(10),
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(20),
            max_specs_bytes: HttpRequest::MAX_BYTES,
            specs_version: StreamSpecsVersion::V2,
        }
    }
}

impl ProxyStreamOptions {
    /// Returns whether any option of TLS is given.
    #[cfg_attr(
        not(any(feature = "grpc", feature = "websocket", feature = "sse")),
        allow(dead_code, reason = "for the transports")
    )]
    pub(super) fn has_tls(&self) -> bool {
        self.tls != TlsOptions::default()
    }
}
