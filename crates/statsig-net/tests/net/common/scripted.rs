//! A stream that a test writes the script of.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use statsig_core::{
    Reach, SourceError, SourceErrorKind, SpecOrigin, SpecRequest, SpecStream, SpecSubscription, SpecUpdate, StreamEvent,
};
use tokio::sync::Notify;

/// A stream that does as the test says: each subscription delivers what is in the script until an
/// error is, then waits.
#[derive(Default)]
pub struct Scripted {
    script: Mutex<VecDeque<Result<StreamEvent, ()>>>,
    filled: Notify,
    pub refuses: AtomicBool,
    /// What ends a subscription is its good end, not an error.
    pub ends: AtomicBool,
    pub cursors: Mutex<Vec<SpecRequest>>,
    pub subscriptions: AtomicU32,
}

impl Scripted {
    pub fn say(&self, event: Result<StreamEvent, ()>) {
        self.script.lock().unwrap().push_back(event);
        self.filled.notify_one();
    }
    pub fn specs(document: String) -> Result<StreamEvent, ()> {
        let kind = SpecOrigin::Adapter("Scripted".into());
        Ok(StreamEvent::Specs(SpecUpdate::new(document.into_bytes(), kind, Reach::Upstream, 0)))
    }
}

struct Subscriber(Arc<Scripted>);
pub struct Stream(pub Arc<Scripted>);

#[async_trait::async_trait]
impl SpecStream for Stream {
    fn name(&self) -> &str {
        "scripted"
    }
    fn origin(&self) -> SpecOrigin {
        SpecOrigin::Adapter("Scripted".into())
    }
    fn reach(&self) -> Reach {
        Reach::Upstream
    }
    async fn subscribe(&self, cursor: &SpecRequest) -> Result<Box<dyn SpecSubscription>, SourceError> {
        self.0.cursors.lock().unwrap().push(cursor.clone());
        self.0.subscriptions.fetch_add(1, Ordering::Relaxed);
        if self.0.refuses.load(Ordering::Relaxed) {
            return Err(SourceError::new(SourceErrorKind::Unreachable, "refused"));
        }
        Ok(Box::new(Subscriber(Arc::clone(&self.0))))
    }
}

#[async_trait::async_trait]
impl SpecSubscription for Subscriber {
    async fn next(&mut self) -> Result<Option<StreamEvent>, SourceError> {
        loop {
            let next = self.0.script.lock().unwrap().pop_front();
            match next {
                Some(Ok(event)) => return Ok(Some(event)),
                Some(Err(())) if self.0.ends.load(Ordering::Relaxed) => return Ok(None),
                Some(Err(())) => return Err(SourceError::new(SourceErrorKind::Unreachable, "cut")),
                None => self.0.filled.notified().await,
            }
        }
    }
}

/// Lets tasks run, without moving the clock, until this is so. Whoever follows an update hears of it
/// before all that comes of it is done.
pub async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        settle().await;
    }
    settle().await;
}

/// Lets tasks run without moving the clock.
pub async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
        tokio::task::spawn_blocking(|| {}).await.unwrap();
    }
}
