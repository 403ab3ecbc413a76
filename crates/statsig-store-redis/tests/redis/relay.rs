//! A slow way to a server: answers arrive late, each after the one before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use statsig_store_redis::RedisOptions;
use statsig_testkit::redis_server::RedisServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Passes on what both sides say. Ends when dropped.
pub(crate) struct Relay {
    port: u16,
    state: Arc<State>,
    _connections: JoinSet<()>,
}

#[derive(Default)]
struct State {
    /// Microseconds for each answer, or each part of a long one.
    each: AtomicU64,
    /// Microseconds for each KiB of it.
    per_kib: AtomicU64,
    /// Answers that were passed on; those that came together count as one.
    answers: AtomicU64,
}

impl Relay {
    pub(crate) async fn start(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, to) = (listener.local_addr().unwrap().port(), server.port());
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut ways = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let ((questions, client), (answers, mut server)) = (client.into_split(), server.into_split());
                let mut questions = questions;
                ways.spawn(async move { drop(tokio::io::copy(&mut questions, &mut server).await) });
                ways.spawn(pass_on(answers, client, Arc::clone(&shared)));
            }
        });
        Self { port, state, _connections: connections }
    }

    /// How long each answer takes from now on.
    pub(crate) fn delay(&self, each: Duration) {
        self.state.each.store(each.as_micros() as u64, Ordering::Relaxed);
    }

    /// How long a MiB of answers takes from now on.
    #[cfg(feature = "streams")]
    pub(crate) fn throttle(&self, per_mib: Duration) {
        self.state.per_kib.store(per_mib.as_micros() as u64 >> 10, Ordering::Relaxed);
    }

    /// Answers that got through so far.
    pub(crate) fn answers(&self) -> u64 {
        self.state.answers.load(Ordering::Relaxed)
    }

    pub(crate) fn options(&self) -> RedisOptions {
        RedisOptions::host("127.0.0.1", self.port).unwrap().read_only(false)
    }
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: Arc<State>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let size = (state.per_kib.load(Ordering::Relaxed) * read as u64) >> 10;
        let wait = Duration::from_micros(state.each.load(Ordering::Relaxed) + size);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
        state.answers.fetch_add(1, Ordering::Relaxed);
    }
}
