//! Streaming forward proxies on loopback, with faults to order.
//!
//! A [`StreamServer`] speaks gRPC, WebSocket or server-sent events on a port of its own, on a thread of its own with a
//! clock of its own. It serves published specs, records requests, and commits the [`StreamFault`]s that a test orders.
//!
//! | file | content |
//! | --- | --- |
//! | `fault` | ways to misbehave |
//! | `state` | published specs, requests, the steps of a stream |
//! | `grpc`, `messages` | gRPC on bare HTTP/2, with messages of its own |
//! | `websocket` | WebSocket |
//! | `sse` | server-sent events on bare HTTP/1.1 |

mod fault;
mod grpc;
mod messages;
mod sse;
mod state;
mod websocket;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

pub use self::fault::StreamFault;
pub use self::state::StreamRequest;
use self::state::{Order, Published, Shared};
use crate::server::Certificates;

/// Protocol of a [`StreamServer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServedProtocol {
    /// gRPC over HTTP/2.
    Grpc,
    /// WebSocket.
    WebSocket,
    /// Server-sent events.
    Sse,
}

/// A streaming forward proxy. Ends with its connections when dropped.
///
/// ```
/// use statsig_testkit::stream_server::{ServedProtocol, StreamServer};
///
/// # fn main() -> std::io::Result<()> {
/// let server = StreamServer::start(ServedProtocol::Grpc)?;
/// server.publish(br#"{"has_updates":true,"time":5,"feature_gates":[],"dynamic_configs":[]}"#);
/// assert!(server.url().starts_with("grpc://127.0.0.1:"));
/// # Ok(())
/// # }
/// ```
pub struct StreamServer {
    address: SocketAddr,
    protocol: ServedProtocol,
    is_tls: bool,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for StreamServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamServer").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl StreamServer {
    /// Starts a server without encryption on 127.0.0.1.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start(protocol: ServedProtocol) -> io::Result<Self> {
        Self::start_at(protocol, "127.0.0.1:0", None)
    }

    /// Starts a server without encryption on an address, for instance `[::1]:0` or that of a stopped server.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub fn start_on(protocol: ServedProtocol, address: &str) -> io::Result<Self> {
        Self::start_at(protocol, address, None)
    }

    /// Starts a server with TLS on 127.0.0.1; it requires a client certificate if `mutual`.
    ///
    /// # Errors
    /// If there is no free port or the certificates cannot be used.
    pub fn start_tls(protocol: ServedProtocol, certificates: &Certificates, mutual: bool) -> io::Result<Self> {
        Self::start_at(protocol, "127.0.0.1:0", Some(acceptor(protocol, certificates, mutual)?))
    }

    fn start_at(protocol: ServedProtocol, address: &str, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let is_tls = tls.is_some();
        let shared = Arc::new(Shared::new(tls));
        let served = Arc::clone(&shared);
        let (stop, thread) = spawn(async move {
            let Ok(listener) = TcpListener::from_std(listener) else { return };
            loop {
                let Ok((socket, _)) = listener.accept().await else { continue };
                let _ = socket.set_nodelay(true);
                tokio::spawn(connection(socket, protocol, Arc::clone(&served)));
            }
        })?;
        Ok(Self { address, protocol, is_tls, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Serves a Unix domain socket, too.
    ///
    /// # Errors
    /// If the socket cannot be bound.
    #[cfg(unix)]
    pub fn serve_unix(&self, path: &std::path::Path) -> io::Result<UnixEndpoint> {
        let listener = std::os::unix::net::UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        let (protocol, served) = (self.protocol, Arc::clone(&self.shared));
        let (stop, thread) = spawn(async move {
            let Ok(listener) = tokio::net::UnixListener::from_std(listener) else { return };
            loop {
                let Ok((socket, _)) = listener.accept().await else { continue };
                tokio::spawn(connection(socket, protocol, Arc::clone(&served)));
            }
        })?;
        Ok(UnixEndpoint { stop: Some(stop), thread: Some(thread) })
    }

    /// Returns the address with its scheme: `grpc://127.0.0.1:1234`. With TLS the host is `localhost`.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = match (self.protocol, self.is_tls) {
            (ServedProtocol::Grpc, false) => "grpc",
            (ServedProtocol::Grpc, true) => "grpcs",
            (ServedProtocol::WebSocket, false) => "ws",
            (ServedProtocol::WebSocket, true) => "wss",
            (ServedProtocol::Sse, false) => "sse+http",
            (ServedProtocol::Sse, true) => "sse+https",
        };
        if self.is_tls {
            format!("{scheme}://localhost:{}", self.address.port())
        } else {
            format!("{scheme}://{}", self.address)
        }
    }

    /// Returns the bound address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Publishes JSON specs to every open and later stream. Their member `time` is their version.
    pub fn publish(&self, payload: &[u8]) {
        self.shared.publish(Published::json(payload));
    }

    /// Publishes specs in binary form.
    pub fn publish_binary(&self, time: u64, payload: &[u8]) {
        self.shared.publish(Published { time, payload: payload.to_vec(), is_binary: true });
    }

    /// Sends each of the payloads on every open stream, without leaving any out.
    pub fn burst(&self, payloads: impl IntoIterator<Item = Vec<u8>>) {
        let all: Vec<_> = payloads.into_iter().map(|payload| Published::json(&payload)).collect();
        let _ = self.shared.orders.send(Order::Burst(Arc::new(all)));
    }

    /// Sends a heartbeat on every open stream.
    pub fn heartbeat(&self) {
        let _ = self.shared.orders.send(Order::Heartbeat);
    }

    /// Orders a fault for the next connection or request that has none yet.
    pub fn order(&self, fault: StreamFault) {
        self.shared.state().faults.push_back(fault);
    }

    /// Commits a fault on every open stream.
    pub fn commit(&self, fault: StreamFault) {
        let _ = self.shared.orders.send(Order::Fault(fault));
    }

    /// Accepts one SDK key only.
    pub fn require_key(&self, key: &str) {
        self.shared.state().key = Some(key.to_owned());
    }

    /// Compresses gRPC frames with gzip, if clients accept it.
    pub fn compress(&self) {
        self.shared.state().gzip = true;
    }

    /// Behaves like the official gRPC server, which knows no additional fields.
    pub fn without_additions(&self) {
        self.shared.state().additions = false;
    }

    /// Uses other certificates for new connections.
    ///
    /// # Errors
    /// If the certificates cannot be used.
    pub fn set_certificates(&self, certificates: &Certificates, mutual: bool) -> io::Result<()> {
        self.shared.state().tls = Some(acceptor(self.protocol, certificates, mutual)?);
        Ok(())
    }

    /// Returns the requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<StreamRequest> {
        self.shared.state().requests.clone()
    }

    /// Returns the number of open streams.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.shared.state().open
    }

    /// Waits until so many requests came. Uses no timer.
    pub async fn wait_for_requests(&self, count: usize) {
        let mut seen = self.shared.seen.subscribe();
        let _ = seen.wait_for(|_| self.shared.state().requests.len() >= count).await;
    }

    /// Waits until so many streams are open. Uses no timer.
    pub async fn wait_for_open(&self, count: usize) {
        let mut seen = self.shared.seen.subscribe();
        let _ = seen.wait_for(|_| self.shared.state().open == count).await;
    }

    /// Stops to listen and cuts all connections.
    pub fn stop(mut self) {
        end(&mut self.stop, &mut self.thread);
    }
}

impl Drop for StreamServer {
    fn drop(&mut self) {
        end(&mut self.stop, &mut self.thread);
    }
}

/// A Unix domain socket of a [`StreamServer`]. Ends with its connections when dropped.
#[cfg(unix)]
#[derive(Debug)]
pub struct UnixEndpoint {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[cfg(unix)]
impl Drop for UnixEndpoint {
    fn drop(&mut self) {
        end(&mut self.stop, &mut self.thread);
    }
}

fn end(stop: &mut Option<oneshot::Sender<()>>, thread: &mut Option<JoinHandle<()>>) {
    if let Some(stop) = stop.take() {
        let _ = stop.send(());
    }
    if let Some(thread) = thread.take() {
        let _ = thread.join();
    }
}

/// Runs a listener on a thread and a clock of its own until it is stopped.
fn spawn(listener: impl Future<Output = ()> + Send + 'static) -> io::Result<(oneshot::Sender<()>, JoinHandle<()>)> {
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("stream-server".into()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                () = listener => {}
                _ = stopped => {}
            }
        });
        // Connections end with the runtime.
        runtime.shutdown_background();
    })?;
    Ok((stop, thread))
}

fn acceptor(protocol: ServedProtocol, certificates: &Certificates, mutual: bool) -> io::Result<TlsAcceptor> {
    let mut config = certificates.server_config(mutual).map_err(io::Error::other)?;
    let alpn: &[u8] = if protocol == ServedProtocol::Grpc { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn connection<S>(mut socket: S, protocol: ServedProtocol, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    match shared.connection_fault() {
        Some(StreamFault::Hang) => std::future::pending().await,
        Some(StreamFault::GarbageConnection) => {
            let _ = socket.write_all(b"\0\xffthis is no protocol\r\n\r\n\r\n").await;
            let _ = socket.flush().await;
            return;
        }
        Some(_) => return,
        None => {}
    }
    let tls = shared.state().tls.clone();
    // A client that goes away in the middle is no failure of the server.
    let _ = match tls {
        None => serve(socket, protocol, &shared).await,
        Some(tls) => match tls.accept(socket).await {
            Ok(stream) => serve(stream, protocol, &shared).await,
            Err(error) => Err(error),
        },
    };
}

async fn serve<S>(socket: S, protocol: ServedProtocol, shared: &Arc<Shared>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    match protocol {
        ServedProtocol::Grpc => grpc::serve(socket, shared).await,
        ServedProtocol::WebSocket => websocket::serve(socket, shared).await,
        ServedProtocol::Sse => sse::serve(socket, shared).await,
    }
}
