//! Config specs from a forward proxy by gRPC: a stream, and single fetches.
//!
//! | file | content |
//! | --- | --- |
//! | `wire` | messages and paths of the service |
//! | `codec`, `message` | encoding and conversion of messages |
//! | `connection` | HTTP/2 connections and calls |
//! | `status` | typed errors of statuses |
//! | `source`, `stream` | [`GrpcSpecSource`], [`GrpcSpecStream`] |

mod codec;
mod connection;
mod message;
mod source;
mod status;
mod stream;
pub mod wire;

use std::sync::Arc;

use statsig_core::{Clock, SpecOrigin, SpecRequest};

pub use self::source::GrpcSpecSource;
pub use self::stream::GrpcSpecStream;

use self::connection::Caller;
use super::address::{StreamAddress, StreamProtocol};
use super::connect::Connector;
use super::event::Delivery;
use super::options::ProxyStreamOptions;
use super::peer::PeerName;
use crate::error::Error;
use crate::secret::SdkKey;

/// Origin that evaluations report for specs by gRPC.
fn origin() -> SpecOrigin {
    SpecOrigin::Adapter("GRPC".into())
}

/// A proxy that is called by gRPC.
struct Proxy {
    caller: Caller,
    key: SdkKey,
    options: ProxyStreamOptions,
    delivery: Delivery,
    peer: PeerName,
}

impl Proxy {
    fn new(
        address: &StreamAddress,
        key: SdkKey,
        options: ProxyStreamOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        address.require(StreamProtocol::Grpc)?;
        let connector = Connector::new(address, &options, b"h2")?;
        let caller = Caller::new(connector, &address.authority(), &options)?;
        let delivery = Delivery::new(origin(), address, options.max_specs_bytes, clock);
        Ok(Self { caller, key, options, delivery, peer: PeerName::default() })
    }

    fn request(&self, request: &SpecRequest) -> wire::ConfigSpecRequest {
        message::request(self.key.expose(), request, self.options.specs_version)
    }
}

/// Decodes and converts a message as the transport does.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_for_fuzzing(bytes: &[u8]) {
    let bytes = bytes::Bytes::copy_from_slice(bytes);
    if let Ok(response) = <wire::ConfigSpecResponse as prost::Message>::decode(bytes.clone())
        && let Ok(super::event::Message::Payload(payload)) = message::message(response)
    {
        assert!(payload.bytes.len() <= bytes.len(), "a payload is larger than its message");
    }
}
