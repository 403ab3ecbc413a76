//! The way to Redis: one shared connection that is made when needed, and made anew when it fails.
//!
//! Every command has a time limit, a bounded number of attempts, and a breaker in front: after
//! repeated failures commands fail at once, while one in a while probes. Above that stands the
//! [`Deadline`] of the operation, which all its commands share. There is no task and no state machine:
//! whoever finds the connection broken makes the next one, under a lock.
//!
//! The `redis` crate has a `ConnectionManager` for a single server. It is not used, because sentinels
//! and clusters need the same care, and because it hides for how long a command may wait.

mod bounded;
mod breaker;
mod conn;
mod connect;
mod socket;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionLike, PubSub};
use redis::{Cmd, FromRedisValue};
use statsig_adapters::{DataStoreError, DataStoreErrorKind};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::error::{Failure, OptionsError};
use crate::metrics::Metrics;
use crate::op::Op;
use crate::options::RedisOptions;
use crate::stats::Counters;
#[cfg(feature = "fuzzing")]
pub(crate) use bounded::replies_agree;
use breaker::Breaker;
pub(crate) use breaker::jittered;
pub(crate) use conn::Conn;
use connect::Connector;

/// First wait between attempts; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// When an operation ends, with all its commands, their attempts and the pauses in between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The same, sooner by a time that was spent before.
    pub(crate) fn after(self, spent: Duration) -> Self {
        Self(self.0.checked_sub(spent).unwrap_or(self.0))
    }

    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// The way to Redis.
pub(crate) struct Link {
    connector: Connector,
    current: Mutex<Option<(u64, Conn)>>,
    /// The last of the connections that are of no use any more.
    given_up: AtomicU64,
    breaker: Breaker,
    closed: AtomicBool,
    read_timeout: Duration,
    write_timeout: Duration,
    attempts: u32,
    counters: Arc<Counters>,
    metrics: Metrics,
}

impl Link {
    pub(crate) fn new(options: &RedisOptions, counters: Arc<Counters>, metrics: Metrics) -> Result<Self, OptionsError> {
        Ok(Self {
            connector: Connector::new(options)?,
            current: Mutex::new(None),
            given_up: AtomicU64::new(0),
            breaker: Breaker::default(),
            closed: AtomicBool::new(false),
            read_timeout: options.read_timeout,
            write_timeout: options.write_timeout,
            attempts: options.attempts,
            counters,
            metrics,
        })
    }

    /// Whether keys of different slots cannot meet in one command.
    pub(crate) fn is_cluster(&self) -> bool {
        self.connector.is_cluster()
    }

    /// When an operation ends that begins now, by what it is for: twice the timeout of one attempt.
    pub(crate) fn deadline(&self, op: Op) -> Deadline {
        Deadline(Instant::now() + 2 * self.limit(op))
    }

    fn limit(&self, op: Op) -> Duration {
        if op.is_write() { self.write_timeout } else { self.read_timeout }
    }

    /// Runs a command and reads its answer.
    pub(crate) async fn query<T: FromRedisValue>(
        &self,
        op: Op,
        command: &Cmd,
        deadline: Deadline,
    ) -> Result<T, DataStoreError> {
        self.attempt(op, command, deadline).await.map_err(|failure| failure.into_error(op))
    }

    /// As [`query`](Self::query), with the failure as it is.
    pub(crate) async fn attempt<T: FromRedisValue>(
        &self,
        op: Op,
        command: &Cmd,
        deadline: Deadline,
    ) -> Result<T, Failure> {
        let limit = self.limit(op);
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let begun = Instant::now();
            let late = attempt == 1 && deadline.left() < limit;
            let result = self.once(limit, deadline, late, command).await;
            self.measure(op, begun, result.as_ref().err());
            let failure = match result {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if matches!(failure.kind(), DataStoreErrorKind::Timeout) {
                self.counters.timeouts.add(1);
            }
            let helps = match failure.kind() {
                DataStoreErrorKind::Timeout | DataStoreErrorKind::Unavailable => !matches!(failure, Failure::Paused(_)),
                // The next connection may be to the new master.
                DataStoreErrorKind::ReadOnly => self.connector.may_find_another_master(),
                _ => false,
            };
            let wait = jittered(pause);
            if !helps || attempt >= self.attempts || wait >= deadline.left() {
                return Err(failure);
            }
            tokio::time::sleep(wait).await;
            self.metrics.retry(op);
            pause *= 2;
            attempt += 1;
        }
    }

    /// One attempt, with the books of connection and breaker kept. A `late` one gets less than its time
    /// because of the commands before it: that it has no answer speaks neither against the connection
    /// nor against the server.
    async fn once<T: FromRedisValue>(
        &self,
        limit: Duration,
        deadline: Deadline,
        late: bool,
        command: &Cmd,
    ) -> Result<T, Failure> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Failure::Closed);
        }
        if deadline.left().is_zero() {
            return Err(Failure::Late);
        }
        self.breaker.admit().map_err(Failure::Paused)?;
        // If the caller gives up on the way, its turn to probe is given back.
        let turn = self.breaker.turn();
        let result = match timeout(deadline.left(), self.connection()).await {
            Ok(Ok((serial, mut conn))) => {
                let result = match timeout(limit.min(deadline.left()), conn.req_packed_command(command)).await {
                    Ok(answer) => answer
                        .and_then(|value| value.extract_error())
                        .and_then(|value| Ok(T::from_redis_value(value)?))
                        .map_err(Failure::from),
                    Err(_) if late => Err(Failure::Late),
                    Err(_) => Err(Failure::Timeout("answer")),
                };
                if result.as_ref().is_err_and(Failure::taints_connection) {
                    self.give_up(serial);
                }
                result
            }
            Ok(Err(failure)) => Err(failure),
            Err(_) if late => Err(Failure::Late),
            Err(_) => Err(Failure::Timeout("connection")),
        };
        match &result {
            Err(Failure::Late) => {}
            Err(failure) if failure.is_outage() => {
                if turn.failed(failure.to_string()) {
                    self.metrics.breaker(true);
                }
            }
            _ => {
                if turn.succeeded() {
                    self.metrics.breaker(false);
                }
            }
        }
        result
    }

    fn measure(&self, op: Op, begun: Instant, failure: Option<&Failure>) {
        match failure {
            Some(Failure::Paused(_) | Failure::Closed) => self.metrics.refused(op),
            failure => self.metrics.command(op, begun.elapsed(), failure.map(Failure::kind)),
        }
    }

    /// The shared connection, or a new one.
    async fn connection(&self) -> Result<(u64, Conn), Failure> {
        let mut current = self.current.lock().await;
        if let Some((serial, conn)) = &*current
            && *serial > self.given_up.load(Ordering::Acquire)
        {
            return Ok((*serial, conn.clone()));
        }
        // It may have been closed while this waited for its turn.
        if self.closed.load(Ordering::Acquire) {
            return Err(Failure::Closed);
        }
        let conn = self.connector.connect().await?;
        let serial = self.counters.connections.add(1);
        if serial > 1 {
            self.metrics.reconnected();
        }
        *current = Some((serial, conn.clone()));
        Ok((serial, conn))
    }

    /// Forgets a connection, unless somebody did already. Does not wait for whoever connects anew: the
    /// time of the operation may be over.
    fn give_up(&self, serial: u64) {
        self.given_up.fetch_max(serial, Ordering::AcqRel);
        if let Ok(mut current) = self.current.try_lock()
            && current.as_ref().is_some_and(|(at, _)| *at == serial)
        {
            // The sooner its socket is closed the better.
            *current = None;
        }
    }

    /// A connection for subscriptions, of its own.
    pub(crate) async fn subscriber(&self) -> Result<PubSub, Failure> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Failure::Closed);
        }
        self.connector.subscribe().await
    }

    /// That the server was seen to answer: nobody has to wait for a probe.
    pub(crate) fn answered(&self) {
        if self.breaker.reset() {
            self.metrics.breaker(false);
        }
    }

    /// Why commands fail at once, if they do.
    pub(crate) fn paused(&self) -> Option<Box<str>> {
        self.breaker.is_open()
    }

    pub(crate) fn read_timeout(&self) -> Duration {
        self.read_timeout
    }

    /// Ends it: open commands fail, and later ones too.
    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        *self.current.lock().await = None;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.breaker.is_open().is_some() {
            self.metrics.breaker(false);
        }
    }
}
