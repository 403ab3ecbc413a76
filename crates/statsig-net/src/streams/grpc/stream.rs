//! The stream of config specs.

use std::sync::Arc;

use async_trait::async_trait;
use statsig_core::{Clock, Reach, SourceError, SpecOrigin, SpecRequest, SpecStream, SpecSubscription};
use tonic::Streaming;

use super::super::address::StreamAddress;
use super::super::event::{Message, Receiver, Subscription};
use super::super::options::ProxyStreamOptions;
use super::connection::{Connection, hostname};
use super::message::message;
use super::status::error_of;
use super::wire::ConfigSpecResponse;
use super::{Proxy, origin};
use crate::error::Error;
use crate::secret::SdkKey;

/// Streams config specs from a forward proxy by gRPC, the official one or another.
///
/// Each subscription has a connection of its own, with TLS files read again. The receive limit is
/// [`max_specs_bytes`](ProxyStreamOptions::max_specs_bytes). HTTP/2 pings notice a peer that is gone; one that answers
/// pings and sends nothing is noticed by the time limit for silence of the user of the stream.
///
/// Errors name the host and the status, never the key. An end with status `OK` is an end in good order.
pub struct GrpcSpecStream {
    proxy: Arc<Proxy>,
}

impl std::fmt::Debug for GrpcSpecStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrpcSpecStream").field("address", &self.proxy.delivery.address).finish_non_exhaustive()
    }
}

impl GrpcSpecStream {
    /// Returns a stream from an address. Opens no connection and reads no file.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] if address and options contradict each other.
    pub fn new(
        address: &StreamAddress,
        key: SdkKey,
        options: ProxyStreamOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        Ok(Self { proxy: Arc::new(Proxy::new(address, key, options, clock)?) })
    }

    /// Returns the host name that the proxy reported (`x-sfp-hostname`), once it has.
    #[must_use]
    pub fn peer(&self) -> Option<Arc<str>> {
        self.proxy.peer.get()
    }
}

#[async_trait]
impl SpecStream for GrpcSpecStream {
    fn name(&self) -> &str {
        "grpc-stream"
    }

    fn origin(&self) -> SpecOrigin {
        origin()
    }

    fn reach(&self) -> Reach {
        Reach::Upstream
    }

    async fn subscribe(&self, request: &SpecRequest) -> Result<Box<dyn SpecSubscription>, SourceError> {
        let proxy = &self.proxy;
        let connection = proxy.caller.connect().await?;
        let response = proxy.caller.stream(&connection, proxy.request(request)).await?;
        proxy.peer.set(hostname(&response));
        let messages = response.into_inner();
        let receiver = GrpcReceiver { messages, proxy: Arc::clone(proxy), _connection: connection };
        Ok(Box::new(Subscription::new(receiver, proxy.delivery.of(request))))
    }
}

/// Receives the messages of one call.
struct GrpcReceiver {
    messages: Streaming<ConfigSpecResponse>,
    proxy: Arc<Proxy>,
    /// Closed with the subscription.
    _connection: Connection,
}

#[async_trait]
impl Receiver for GrpcReceiver {
    async fn receive(&mut self) -> Result<Option<Message>, SourceError> {
        match self.messages.message().await {
            Ok(Some(response)) => message(response).map(Some),
            Ok(None) => Ok(None),
            Err(status) => Err(error_of(&status, &self.proxy.caller.connector)),
        }
    }
}
