//! Streams from a forward proxy that misbehaves on order.

mod cases;
#[cfg(feature = "grpc")]
mod grpc;
mod outbound;
#[cfg(feature = "sse")]
mod sse;
#[cfg(feature = "websocket")]
mod websocket;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use statsig_core::{
    SourceError, SpecRequest, SpecStream, SpecSubscription, SpecTrigger, SpecUpdate, SpecVersion, StreamEvent,
};
use statsig_net::streams::{ProxyStreamOptions, StreamAddress};
use statsig_testkit::stream_server::{ServedProtocol, StreamServer};

use crate::common::{KEY, specs};

/// Time limit of a test that waits for a process or a socket.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes the stream of a transport from an address.
type MakeStream = fn(&str, ProxyStreamOptions) -> Result<Arc<dyn SpecStream>, statsig_net::Error>;

/// One transport: its server and its client.
#[derive(Clone, Copy)]
pub(crate) struct Transport {
    pub(crate) protocol: ServedProtocol,
    pub(crate) stream: MakeStream,
}

impl Transport {
    fn server(&self) -> StreamServer {
        let server = StreamServer::start(self.protocol).unwrap();
        server.publish(specs(1, true).as_bytes());
        server
    }

    fn stream(&self, server: &StreamServer) -> Arc<dyn SpecStream> {
        self.stream_with(&server.url(), |_| {})
    }

    fn stream_with(&self, url: &str, change: impl FnOnce(&mut ProxyStreamOptions)) -> Arc<dyn SpecStream> {
        let mut options = ProxyStreamOptions::default();
        options.proxy_from_environment = false;
        change(&mut options);
        (self.stream)(url, options).unwrap()
    }
}

fn address(url: &str) -> StreamAddress {
    url.parse().unwrap()
}

/// Subscribes as a client that holds nothing.
async fn subscribe(stream: &dyn SpecStream) -> Result<Box<dyn SpecSubscription>, SourceError> {
    subscribe_at(stream, 0).await
}

async fn subscribe_at(stream: &dyn SpecStream, time: u64) -> Result<Box<dyn SpecSubscription>, SourceError> {
    let version = (time > 0).then(|| SpecVersion::new(time, Some("held")));
    let request = SpecRequest::new(version, SpecTrigger::Background).with_protobuf(true).with_deltas(true);
    tokio::time::timeout(PATIENCE, stream.subscribe(&request)).await.unwrap()
}

async fn next(subscription: &mut dyn SpecSubscription) -> Result<Option<StreamEvent>, SourceError> {
    tokio::time::timeout(PATIENCE, subscription.next()).await.unwrap()
}

/// Returns the next payload; notes that nothing is newer are skipped.
async fn next_specs(subscription: &mut dyn SpecSubscription) -> SpecUpdate {
    loop {
        match next(subscription).await.unwrap() {
            Some(StreamEvent::Specs(update)) => return update,
            Some(StreamEvent::NoUpdate { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Returns the error of a subscription that breaks, whatever comes before it.
async fn failure(subscription: &mut dyn SpecSubscription) -> SourceError {
    loop {
        match next(subscription).await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended in good order"),
            Err(error) => return error,
        }
    }
}

/// Returns whether a subscription ends in good order, whatever comes before it.
async fn ends(subscription: &mut dyn SpecSubscription) -> bool {
    loop {
        match next(subscription).await {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// Returns the error of a subscription that is not opened, or breaks before its first event.
async fn refusal(stream: &dyn SpecStream) -> SourceError {
    match subscribe(stream).await {
        Err(error) => error,
        Ok(mut subscription) => failure(&mut *subscription).await,
    }
}

/// Returns an error with its sources, and checks that they hold neither the key nor too much.
fn text(error: &SourceError) -> String {
    let mut text = format!("{error:?} {error}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    assert!(!text.contains(&KEY[12..]), "the key shows in: {text}");
    assert!(text.len() < 2_000, "{text}");
    text
}
