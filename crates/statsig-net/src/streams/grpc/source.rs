//! Single fetches of config specs.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use statsig_core::{
    Clock, Reach, SourceError, SourceErrorKind, SpecFetch, SpecOrigin, SpecRequest, SpecSource, SpecUpdate,
};

use super::super::address::StreamAddress;
use super::super::event::Message;
use super::super::options::ProxyStreamOptions;
use super::connection::{Connection, hostname};
use super::message::message;
use super::wire::ConfigSpecResponse;
use super::{Proxy, origin};
use crate::error::Error;
use crate::secret::SdkKey;

/// Fetches config specs from a forward proxy by gRPC.
///
/// Fetches share one connection, which is opened again when it breaks; TLS files are read again then. A fetch that an
/// older connection breaks is made once more on a new one.
pub struct GrpcSpecSource {
    proxy: Proxy,
    connection: Mutex<Option<Connection>>,
}

impl std::fmt::Debug for GrpcSpecSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrpcSpecSource").field("address", &self.proxy.delivery.address).finish_non_exhaustive()
    }
}

impl GrpcSpecSource {
    /// Returns a source at an address. Opens no connection and reads no file.
    ///
    /// # Errors
    /// [`Error::Misconfigured`] if address and options contradict each other.
    pub fn new(
        address: &StreamAddress,
        key: SdkKey,
        options: ProxyStreamOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        Ok(Self { proxy: Proxy::new(address, key, options, clock)?, connection: Mutex::new(None) })
    }

    /// Returns the host name that the proxy reported (`x-sfp-hostname`), once it has.
    #[must_use]
    pub fn peer(&self) -> Option<Arc<str>> {
        self.proxy.peer.get()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call(&self, request: &SpecRequest) -> Result<ConfigSpecResponse, SourceError> {
        let kept = self.kept().clone().filter(Connection::is_open);
        if let Some(connection) = kept {
            match self.call_on(connection, request).await {
                // The connection may have been closed for its age.
                Err(error) if error.kind() == SourceErrorKind::Unreachable => {}
                result => return result,
            }
        }
        self.call_on(self.proxy.caller.connect().await?, request).await
    }

    async fn call_on(&self, connection: Connection, request: &SpecRequest) -> Result<ConfigSpecResponse, SourceError> {
        // Others may call meanwhile.
        *self.kept() = Some(connection.clone());
        let response = self.proxy.caller.unary(&connection, self.proxy.request(request)).await;
        match &response {
            Ok(response) => self.proxy.peer.set(hostname(response)),
            Err(error) if matches!(error.kind(), SourceErrorKind::Unreachable | SourceErrorKind::TimedOut) => {
                // A connection that does not answer may be half open.
                self.kept().take();
            }
            Err(_) => {}
        }
        response.map(tonic::Response::into_inner)
    }

    async fn update(&self, message: Message, request: &SpecRequest) -> Result<Fetched, SourceError> {
        let held_ms = request.since_time_ms();
        match message {
            Message::Payload(payload) => Ok(Fetched::Specs(self.proxy.delivery.of(request).update(payload).await?)),
            Message::NoUpdate { .. } if held_ms == 0 => {
                Err(SourceError::new(SourceErrorKind::Empty, "no specs, only the note that nothing is newer"))
            }
            Message::NoUpdate { time_ms } if time_ms > held_ms => {
                Err(SourceError::new(SourceErrorKind::Invalid, "the proxy holds newer specs and does not send them"))
            }
            Message::NoUpdate { time_ms } => Ok(Fetched::NoUpdate { is_behind: time_ms < held_ms }),
        }
    }
}

/// Answer of a fetch.
enum Fetched {
    Specs(SpecUpdate),
    NoUpdate { is_behind: bool },
}

#[async_trait]
impl SpecSource for GrpcSpecSource {
    fn name(&self) -> &str {
        "grpc"
    }

    fn origin(&self) -> SpecOrigin {
        origin()
    }

    fn reach(&self) -> Reach {
        Reach::Upstream
    }

    async fn fetch(&self, request: &SpecRequest) -> Result<SpecFetch, SourceError> {
        let response = self.call(request).await?;
        Ok(match self.update(message(response)?, request).await? {
            Fetched::Specs(update) => SpecFetch::Updated(update),
            Fetched::NoUpdate { is_behind: true } => SpecFetch::Behind,
            Fetched::NoUpdate { is_behind: false } => SpecFetch::Unchanged,
        })
    }

    async fn close(&self) {
        self.kept().take();
    }
}
