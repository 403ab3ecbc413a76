//! The data store itself.

mod judge;
mod memory;
mod node;
mod read;
mod write;

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use redis::{Cmd, FromRedisValue, cmd};
use statsig_adapters::{
    AppendOutcome, ChangeFeed, Clock, DataStore, DataStoreError, DataStoreErrorKind, EntryRequest, PutMode, PutOutcome,
    StoreEntry, StoreHealth, StoreKey, StorePath, StoreResponse, TouchOutcome,
};
use statsig_background::{SystemClock, new_uuid_v7};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::{OptionsError, malformed};
use crate::feed::RedisChangeFeed;
use crate::link::{Deadline, Link};
use crate::metrics::Metrics;
use crate::names::Names;
use crate::op::Op;
use crate::options::{Layout, RedisOptions};
use crate::script::Script;
use crate::stats::{Counters, RedisStoreStats};
pub(crate) use memory::Memory;

/// Config specs and ID lists in Redis, shared by a fleet.
///
/// Opening connects to nothing: a Redis that is down, now or later, costs errors of bounded length
/// until it is back, and never a restart. Clones share connection and counters.
///
/// | question | answer |
/// | --- | --- |
/// | who may write | any number of writers; the payload's own time decides, in one script call |
/// | how others hear of it | a notice from within the same call; [`watch`](DataStore::watch) |
/// | how long a call takes | at most twice the timeout of the options, with all its commands and attempts; so do [`initialize`](DataStore::initialize) and the first read together |
/// | what is read | both layouts under every key of [`StoreKeys`](statsig_adapters::StoreKeys) |
/// | what is written | the layout that the value has, or else that of the options |
///
/// ```no_run
/// use statsig_adapters::{DataStore, EntryRequest, StoreKeys};
/// use statsig_store_redis::{RedisDataStore, RedisOptions};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = RedisDataStore::open(RedisOptions::single("redis://redis.internal")?)?;
/// let request = EntryRequest::new(StoreKeys::new("secret-key").all_specs_keys());
/// if let Some(entry) = store.get_entry(&request).await? {
///     println!("{} bytes of {:?}", entry.bytes.len(), entry.version);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisDataStore {
    inner: Arc<Inner>,
}

struct Inner {
    link: Arc<Link>,
    names: Names,
    counters: Arc<Counters>,
    metrics: Metrics,
    memory: Arc<Memory>,
    put: Script,
    append: Script,
    remove: Script,
    touch: Script,
    /// How long the greeting took, until the first read, which gets so much less.
    greeted: Mutex<Duration>,
    /// What the last write ran into, if it was the server's state.
    problem: Mutex<Option<String>>,
    /// Whether the store was shut down.
    closed: watch::Sender<bool>,
    writer: String,
    layout: Layout,
    ttl: Option<Duration>,
    keepalive: Duration,
    read_only: bool,
    follow_updates: bool,
    compress: bool,
    max_value_bytes: usize,
}

/// One call on the store: all its commands have one deadline.
#[derive(Clone, Copy)]
struct Call<'s> {
    inner: &'s Inner,
    deadline: Deadline,
}

impl Deref for Call<'_> {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        self.inner
    }
}

impl Call<'_> {
    /// Runs a command in what is left of the time.
    async fn query<T: FromRedisValue>(&self, op: Op, command: &Cmd) -> Result<T, DataStoreError> {
        self.link.query(op, command, self.deadline).await
    }

    /// Calls a script in what is left of the time.
    async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        op: Op,
        keys: &[&str],
        arguments: &[&[u8]],
    ) -> Result<T, DataStoreError> {
        script.call(&self.link, op, keys, arguments, self.deadline).await
    }
}

impl RedisDataStore {
    /// Opens a store, without connecting.
    ///
    /// With the feature `tls`, makes ring the cryptography of rustls in this process if none was
    /// chosen yet.
    ///
    /// # Errors
    /// If the options cannot work.
    pub fn open(options: RedisOptions) -> Result<Self, OptionsError> {
        options.check()?;
        let counters = Arc::new(Counters::default());
        let metrics = Metrics::new(options.observer.as_ref(), "store");
        let inner = Inner {
            link: Arc::new(Link::new(&options, Arc::clone(&counters), metrics.clone())?),
            names: Names::new(&options.namespace),
            counters,
            metrics,
            memory: Arc::default(),
            put: Script::new(include_str!("scripts/put.lua")),
            append: Script::new(include_str!("scripts/append.lua")),
            remove: Script::new(include_str!("scripts/remove.lua")),
            touch: Script::new(include_str!("scripts/touch.lua")),
            greeted: Mutex::default(),
            problem: Mutex::new(None),
            closed: watch::Sender::new(false),
            writer: new_uuid_v7(SystemClock.now_ms()).simple().to_string(),
            layout: options.layout,
            ttl: options.ttl,
            keepalive: options.keepalive,
            read_only: options.read_only,
            follow_updates: options.follow_updates,
            compress: options.compress,
            max_value_bytes: options.max_value_bytes,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What the store did so far.
    #[must_use]
    pub fn stats(&self) -> RedisStoreStats {
        self.inner.counters.snapshot()
    }

    /// Removes a value; says whether there was one.
    ///
    /// With a time, removes only a payload that is older, or whose time cannot be told. So whoever
    /// writes one format clears the other: SDKs that prefer `statsig-br` to JSON, however old it is,
    /// would be held back by it. Nobody is notified.
    ///
    /// # Errors
    /// If the value may still be there.
    pub async fn remove(&self, key: &StoreKey, older_than: Option<u64>) -> Result<bool, DataStoreError> {
        let result = self.begin(Op::Remove).remove_value(&key.name, key.format, older_than).await;
        self.inner.note_write(&result);
        self.noted("remove", result, |removed| if *removed { "removed" } else { "kept" })
    }

    /// Begins a call: its time runs from now on.
    fn begin(&self, op: Op) -> Call<'_> {
        Call { inner: &self.inner, deadline: self.inner.link.deadline(op) }
    }

    /// Begins a read. With the greeting before it, the first one takes no longer than others: whoever starts
    /// goes on to the next source within the time of one operation.
    fn begin_read(&self) -> Call<'_> {
        let spent = std::mem::take(&mut *self.inner.greeted.lock().unwrap_or_else(PoisonError::into_inner));
        Call { inner: &self.inner, deadline: self.inner.link.deadline(Op::Get).after(spent) }
    }

    /// Keeps the books of a call.
    fn noted<T>(
        &self,
        op: &str,
        result: Result<T, DataStoreError>,
        outcome: impl FnOnce(&T) -> &'static str,
    ) -> Result<T, DataStoreError> {
        match &result {
            Ok(answer) => self.inner.metrics.operation(op, outcome(answer)),
            Err(error) => {
                self.inner.counters.errors.add(1);
                self.inner.metrics.failed(op, error);
            }
        }
        result
    }
}

/// Shows neither address nor login.
impl fmt::Debug for RedisDataStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisDataStore").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Inner {
    fn may_write(&self, key: &str) -> Result<(), DataStoreError> {
        if self.read_only {
            let error = DataStoreError::new(DataStoreErrorKind::ReadOnly, "Redis: the store was opened for reading");
            return Err(error.with_retryable(false));
        }
        if self.link.is_cluster() && !self.names.is_cluster_safe(key) {
            return Err(DataStoreError::new(
                DataStoreErrorKind::Invalid,
                "Redis: a key with a closing brace needs a namespace with a hash tag in a cluster",
            ));
        }
        Ok(())
    }

    /// Remembers what a write ran into, for [`health`](DataStore::health).
    fn note_write<T>(&self, result: &Result<T, DataStoreError>) {
        if self.read_only {
            return;
        }
        let problem = match result {
            Ok(_) => None,
            Err(error) => match error.kind() {
                DataStoreErrorKind::ReadOnly | DataStoreErrorKind::Full | DataStoreErrorKind::Denied => {
                    Some(error.to_string())
                }
                _ => return,
            },
        };
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    /// How a value is laid out that is not there yet. The flat keys of earlier generations are read
    /// by SDKs with a plain GET only.
    fn layout_of_new(&self, key: &str) -> Layout {
        if key.starts_with("statsig|") || key.starts_with("statsig::") { self.layout } else { Layout::String }
    }

    fn ttl_seconds(&self) -> u64 {
        self.ttl.map_or(0, |ttl| ttl.as_secs())
    }
}

#[async_trait]
impl DataStore for RedisDataStore {
    async fn initialize(&self) -> Result<(), DataStoreError> {
        let begun = Instant::now();
        let pong = self.begin(Op::Ping).query::<redis::Value>(Op::Ping, &cmd("PING")).await;
        // Whoever goes on in spite of a failure does not start: a read has its own time then.
        let spent = if pong.is_ok() { begun.elapsed() } else { Duration::ZERO };
        *self.inner.greeted.lock().unwrap_or_else(PoisonError::into_inner) = spent;
        self.noted("initialize", pong, |_| "ok").map(drop)
    }

    fn max_value_bytes(&self) -> Option<usize> {
        Some(self.inner.max_value_bytes)
    }

    async fn shutdown(&self) -> Result<(), DataStoreError> {
        self.inner.closed.send_replace(true);
        self.inner.link.close().await;
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<StoreResponse<String>, DataStoreError> {
        let found = self.get_bytes(key).await?;
        let text = match found.result.map(String::from_utf8).transpose() {
            Ok(text) => text,
            Err(_) => return self.noted("get", Err(malformed("the value is not text")), |_| ""),
        };
        Ok(StoreResponse { result: text, time: found.time })
    }

    async fn set(&self, key: &str, value: &str, time: Option<u64>) -> Result<(), DataStoreError> {
        self.set_bytes(key, value.as_bytes(), time).await
    }

    async fn get_bytes(&self, key: &str) -> Result<StoreResponse<Vec<u8>>, DataStoreError> {
        let result = self.begin_read().read_value(key).await;
        self.noted("get", result, |found| if found.result.is_some() { "hit" } else { "miss" })
    }

    async fn set_bytes(&self, key: &str, value: &[u8], _time: Option<u64>) -> Result<(), DataStoreError> {
        let result = self.begin(Op::Put).set_value(key, value).await;
        self.inner.note_write(&result);
        self.noted("set", result, |()| "written")
    }

    async fn append(&self, key: &str, at: u64, tail: &[u8]) -> Result<AppendOutcome, DataStoreError> {
        let result = self.begin(Op::Append).append_value(key, at, tail).await;
        self.inner.note_write(&result);
        self.noted("append", result, |outcome| match outcome {
            AppendOutcome::Appended => "appended",
            _ => "length_differs",
        })
    }

    async fn support_polling_updates_for(&self, _path: &StorePath) -> bool {
        self.inner.follow_updates
    }

    async fn get_entry(&self, request: &EntryRequest) -> Result<Option<StoreEntry>, DataStoreError> {
        let result = self.begin_read().newest(request).await;
        let absent = if request.known.is_some() { "unchanged" } else { "miss" };
        self.noted("get_entry", result, |entry| if entry.is_some() { "hit" } else { absent })
    }

    async fn put_entry(&self, key: &str, entry: &StoreEntry, mode: PutMode) -> Result<PutOutcome, DataStoreError> {
        let result = self.begin(Op::Put).put_payload(key, entry, mode).await;
        self.inner.note_write(&result);
        self.noted("put_entry", result, |outcome| match outcome {
            PutOutcome::Written => "written",
            PutOutcome::Refreshed => "refreshed",
            PutOutcome::SkippedOlder { .. } => "older",
            _ => "delta",
        })
    }

    async fn touch(&self, keys: &[StoreKey]) -> Result<TouchOutcome, DataStoreError> {
        let result = self.begin(Op::Touch).touch_values(keys).await;
        self.noted("touch", result, |outcome| if *outcome == TouchOutcome::Absent { "miss" } else { "ok" })
    }

    fn is_read_only(&self) -> bool {
        self.inner.read_only
    }

    async fn watch(&self, keys: &[StoreKey]) -> Result<Option<Box<dyn ChangeFeed>>, DataStoreError> {
        let inner = &self.inner;
        let channels = keys.iter().map(|key| (inner.names.channel(&key.name), Arc::clone(&key.name))).collect();
        let feed = RedisChangeFeed::start(
            Arc::clone(&inner.link),
            Arc::clone(&inner.counters),
            inner.metrics.clone(),
            Arc::clone(&inner.memory),
            channels,
            inner.keepalive,
            inner.closed.subscribe(),
        );
        Ok(Some(Box::new(feed)))
    }

    async fn health(&self) -> StoreHealth {
        if let Some(reason) = self.inner.link.paused() {
            return StoreHealth::Down { reason: reason.into() };
        }
        let asked = Instant::now();
        let deadline = self.inner.link.deadline(Op::Ping);
        if let Err(failure) = self.inner.link.attempt::<redis::Value>(Op::Ping, &cmd("PING"), deadline).await {
            return StoreHealth::Down { reason: failure.to_string() };
        }
        match &*self.inner.problem.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(problem) => StoreHealth::Degraded { reason: problem.clone() },
            None => StoreHealth::Up { rtt: asked.elapsed() },
        }
    }
}

/// The time of day.
fn now_ms() -> u64 {
    SystemClock.unix_ms()
}
