//! Streams of config specs from a forward proxy.
//!
//! | stream | feature | address |
//! | --- | --- | --- |
//! | `GrpcSpecStream` | `grpc` | `grpc://host:50051`, `grpcs://host:50052` |
//! | `WebSocketSpecStream` | `websocket` | `ws://host:8000`, `wss://host:8443` |
//! | `SseSpecStream` | `sse` | `sse+http://host:8000`, `sse+https://host:8443` |
//!
//! Each opens one connection per subscription and delivers what arrives; reconnecting and failover are the business of
//! [`SpecSync`](crate::SpecSync). The protocols are described in `docs/protocol/network.md`.
//!
//! | file | content |
//! | --- | --- |
//! | `address` | [`StreamAddress`] |
//! | `options` | [`ProxyStreamOptions`] |
//! | `connect`, `outbound` | connections: TCP, Unix domain sockets, outbound proxies, TLS |
//! | `event` | the subscription over any transport: newest payload first, decompression, limits |
//! | `failure` | typed errors |
//! | `peer` | the host name that a proxy reports |
//! | `grpc`, `websocket`, `sse` | the transports |

mod address;
#[cfg(any(feature = "grpc", feature = "websocket"))]
mod connect;
#[cfg(any(feature = "grpc", feature = "websocket", feature = "sse"))]
mod event;
#[cfg(any(feature = "grpc", feature = "websocket", feature = "sse"))]
mod failure;
#[cfg(feature = "grpc")]
pub mod grpc;
mod options;
#[cfg(any(feature = "grpc", feature = "websocket"))]
mod outbound;
#[cfg(any(feature = "grpc", feature = "websocket", feature = "sse"))]
mod peer;
#[cfg(any(feature = "websocket", feature = "sse"))]
mod query;
#[cfg(feature = "sse")]
mod sse;
#[cfg(feature = "websocket")]
mod websocket;

pub use self::address::{StreamAddress, StreamProtocol};
#[cfg(feature = "grpc")]
pub use self::grpc::{GrpcSpecSource, GrpcSpecStream};
pub use self::options::{ProxyStreamOptions, StreamSpecsVersion};
#[cfg(feature = "sse")]
pub use self::sse::SseSpecStream;
#[cfg(feature = "websocket")]
pub use self::websocket::WebSocketSpecStream;

/// Entry points of the fuzz targets.
#[cfg(feature = "fuzzing")]
pub(crate) mod for_fuzzing {
    #[cfg(feature = "grpc")]
    pub(crate) use super::grpc::read_for_fuzzing as grpc_message;
    #[cfg(feature = "sse")]
    pub(crate) use super::sse::read_for_fuzzing as server_sent_events;
    #[cfg(feature = "websocket")]
    pub(crate) use super::websocket::read_for_fuzzing as websocket_frame;
}
