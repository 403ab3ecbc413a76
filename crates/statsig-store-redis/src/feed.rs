//! Notices of changes, from Redis to whoever watches.
//!
//! Every write announces itself from within the script that stores it: atomic with the write,
//! nothing to configure in the server, a few bytes. The alternatives lose against that: keyspace
//! notifications have to be switched on in the server, often cannot be, and come once per command;
//! client-side caching costs the server memory for each key and reader, and says no more than "look
//! again". In a cluster a notice passes through all nodes; at one per change of the project that is
//! cheaper than being connected to the right node.
//!
//! Notices are lost while a subscription is broken. So a feed says `Subscribed` after each
//! subscription, on which its owner reads once, and `Interrupted` in between.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use redis::Msg;
use statsig_adapters::{ChangeFeed, ChangeHint};
use statsig_background::{TaskSupervisor, UniformRandom};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use crate::error::Failure;
use crate::link::{Link, jittered};
use crate::metrics::Metrics;
use crate::stats::Counters;
use crate::store::Memory;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The longest wait where the last attempt did subscribe.
const LONGEST_AFTER_SUCCESS: Duration = Duration::from_millis(200);
/// A subscription that lived so long counts as having worked.
const WORKED: Duration = Duration::from_secs(10);

/// The feed of one watcher, with a connection of its own.
pub(crate) struct RedisChangeFeed {
    pending: Arc<Pending>,
    closed: watch::Receiver<bool>,
    tasks: TaskSupervisor,
}

/// Hints that wait, at most one of a kind for each key.
#[derive(Default)]
struct Pending {
    hints: Mutex<VecDeque<ChangeHint>>,
    news: Notify,
}

/// What the task needs.
struct Subscription {
    link: Arc<Link>,
    counters: Arc<Counters>,
    metrics: Metrics,
    /// Keeps what was noticed until it is read.
    memory: Arc<Memory>,
    channels: HashMap<String, Arc<str>>,
    keepalive: Duration,
    pending: Arc<Pending>,
    /// Whether the subscription stands.
    stands: bool,
    /// Whether one stood before.
    stood_before: bool,
}

impl RedisChangeFeed {
    /// Subscribes to channels, each the channel of a key, for as long as the feed lives.
    pub(crate) fn start(
        link: Arc<Link>,
        counters: Arc<Counters>,
        metrics: Metrics,
        memory: Arc<Memory>,
        channels: HashMap<String, Arc<str>>,
        keepalive: Duration,
        closed: watch::Receiver<bool>,
    ) -> Self {
        let pending = Arc::new(Pending::default());
        let shared = Arc::clone(&pending);
        let tasks = TaskSupervisor::new(&Handle::current(), metrics.observer(), UniformRandom::new(None));
        tasks.spawn_worker("redis-feed", move |_| {
            let subscription = Subscription {
                link: Arc::clone(&link),
                counters: Arc::clone(&counters),
                metrics: metrics.clone(),
                memory: Arc::clone(&memory),
                channels: channels.clone(),
                keepalive,
                pending: Arc::clone(&shared),
                stands: false,
                stood_before: false,
            };
            subscription.run()
        });
        Self { pending, closed, tasks }
    }
}

/// The subscription ends with the feed.
impl Drop for RedisChangeFeed {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

#[async_trait]
impl ChangeFeed for RedisChangeFeed {
    async fn next(&mut self) -> Option<ChangeHint> {
        loop {
            if *self.closed.borrow() {
                return None;
            }
            if let Some(hint) = self.pending.lock().pop_front() {
                return Some(hint);
            }
            tokio::select! {
                () = self.pending.news.notified() => {}
                changed = self.closed.changed() => if changed.is_err() { return None; },
            }
        }
    }
}

impl Pending {
    fn push(&self, hint: ChangeHint) {
        let mut hints = self.lock();
        match &hint {
            // What was noticed before is covered by the reading that follows.
            ChangeHint::Subscribed => hints.clear(),
            ChangeHint::Changed { key, .. } => {
                hints.retain(|waiting| !matches!(waiting, ChangeHint::Changed { key: other, .. } if other == key));
            }
            _ => {}
        }
        hints.push_back(hint);
        drop(hints);
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<ChangeHint>> {
        self.hints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = tokio::time::Instant::now();
            let failure = self.once().await;
            if self.fell() {
                self.counters.interruptions.add(1);
                self.metrics.increment("redis.feed.interruptions_count", 1, &[]);
                self.pending.push(ChangeHint::Interrupted);
                tracing::info!(reason = %failure, "Redis: changes are not noticed for now");
                pause = if begun.elapsed() >= WORKED { FIRST_PAUSE } else { pause.min(LONGEST_AFTER_SUCCESS) };
            } else {
                tracing::debug!(reason = %failure, "Redis: cannot subscribe to changes");
            }
            if matches!(failure, Failure::Closed) {
                return;
            }
            sleep(jittered(pause)).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Subscribes and listens until that fails.
    async fn once(&mut self) -> Failure {
        let patience = self.link.read_timeout();
        let pubsub = match self.link.subscriber().await {
            Ok(pubsub) => pubsub,
            Err(failure) => return failure,
        };
        let (mut sink, mut messages) = pubsub.split();
        let names: Vec<&str> = self.channels.keys().map(String::as_str).collect();
        if names.is_empty() {
            return Failure::Closed;
        }
        match timeout(patience, sink.subscribe(&names)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.into(),
            Err(_) => return Failure::Timeout("subscription"),
        }
        self.rose();
        loop {
            match timeout(self.keepalive, messages.next()).await {
                Ok(Some(message)) => self.note(&message),
                Ok(None) => return Failure::Redis(closed_by_server()),
                Err(_) => match timeout(patience, sink.ping::<redis::Value>()).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => return error.into(),
                    Err(_) => return Failure::Timeout("subscription"),
                },
            }
        }
    }

    fn note(&self, message: &Msg) {
        let Some(key) = self.channels.get(message.get_channel_name()) else { return };
        let text = std::str::from_utf8(message.get_payload_bytes()).unwrap_or_default();
        let lcut = text.split('|').next().and_then(|lcut| lcut.parse().ok()).filter(|&lcut| lcut > 0);
        self.counters.hints.add(1);
        self.metrics.increment("redis.feed.notices_count", 1, &[]);
        self.memory.note_notice(key, lcut.unwrap_or(0));
        self.pending.push(ChangeHint::Changed { key: Arc::clone(key), lcut });
    }

    fn rose(&mut self) {
        self.stands = true;
        // Whoever hears of it reads next.
        self.link.answered();
        self.metrics.gauge("redis.feed.subscriptions", self.counters.subscriptions.add(1), &[]);
        if std::mem::replace(&mut self.stood_before, true) {
            self.metrics.increment("redis.feed.resubscriptions_count", 1, &[]);
        }
        self.pending.push(ChangeHint::Subscribed);
    }

    /// Whether it stood until now.
    fn fell(&mut self) -> bool {
        let stood = std::mem::take(&mut self.stands);
        if stood {
            self.metrics.gauge("redis.feed.subscriptions", self.counters.subscriptions.sub(1), &[]);
        }
        stood
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.fell();
    }
}

fn closed_by_server() -> redis::RedisError {
    std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the server closed the connection").into()
}
