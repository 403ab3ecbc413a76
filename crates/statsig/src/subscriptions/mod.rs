//! Who listens to what the client does.
//!
//! A list that readers load without a lock, and one byte that says for which kinds of events there is
//! anybody to tell: a check for which nobody listens reads that byte, and nothing else.

mod event;

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arc_swap::ArcSwap;
use uuid::Uuid;

use crate::callbacks::CallbackLog;

pub use self::event::{ClientEvent, EventKind, UnknownEventKind};

/// Names a subscription, to end it. As text: `<uuid>@<kind of events>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubscriptionId {
    uuid: Uuid,
    kind: EventKind,
}

impl SubscriptionId {
    /// What was subscribed to.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        self.kind
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.uuid, self.kind)
    }
}

/// What is called with events.
type Callback = dyn Fn(&ClientEvent<'_>) + Send + Sync;

#[derive(Clone)]
struct Subscriber {
    /// `None` for one that was there from the beginning, and stays.
    id: Option<SubscriptionId>,
    mask: u8,
    callback: Arc<Callback>,
}

impl Subscriber {
    fn hears_all(&self) -> bool {
        self.id.is_some_and(|id| id.kind == EventKind::All)
    }
}

/// The subscribers of a client.
#[derive(Default)]
pub(crate) struct Subscriptions {
    subscribers: ArcSwap<Vec<Subscriber>>,
    /// All masks in one.
    wanted: AtomicU8,
    /// Calls that panicked, also those of other callbacks of the client.
    log: Arc<CallbackLog>,
}

thread_local! {
    /// The clients in whose callbacks this thread is: what is evaluated there on the same client is told to
    /// nobody, for it would never end.
    static TELLING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// This thread is inside a callback of a client.
struct Telling;

impl Telling {
    /// `None` if it is already.
    fn begin(client: usize) -> Option<Self> {
        TELLING.with_borrow_mut(|clients| {
            if clients.contains(&client) {
                return None;
            }
            clients.push(client);
            Some(Self)
        })
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        TELLING.with_borrow_mut(Vec::pop);
    }
}

impl Subscriptions {
    /// Subscribes a callback to all evaluations for as long as the client lives, in place of one that was there.
    pub(crate) fn set_evaluation_callback(&self, callback: Arc<Callback>) {
        let mask = EventKind::All.mask() & !EventKind::SpecsUpdated.mask();
        self.change(|all| {
            all.retain(|subscriber| subscriber.id.is_some());
            all.push(Subscriber { id: None, mask, callback: Arc::clone(&callback) });
        });
    }

    /// Returns the notes about calls that panicked.
    #[cfg(any(feature = "net", feature = "logger"))]
    pub(crate) fn log(&self) -> &Arc<CallbackLog> {
        &self.log
    }

    pub(crate) fn subscribe(&self, kind: EventKind, callback: Arc<Callback>) -> SubscriptionId {
        let id = SubscriptionId { uuid: Uuid::new_v4(), kind };
        self.change(|all| {
            all.push(Subscriber { id: Some(id), mask: kind.mask(), callback: Arc::clone(&callback) });
            all.sort_by_key(|subscriber| !subscriber.hears_all());
        });
        id
    }

    /// Ends the subscriptions that `ends` is true for.
    pub(crate) fn unsubscribe(&self, ends: impl Fn(&SubscriptionId) -> bool) {
        self.change(|all| all.retain(|subscriber| !subscriber.id.as_ref().is_some_and(&ends)));
    }

    fn change(&self, change: impl Fn(&mut Vec<Subscriber>)) {
        self.subscribers.rcu(|all| {
            let mut all = Vec::clone(all);
            change(&mut all);
            all
        });
        // Of two changes at once, each computes the mask from the list with both or is followed by one that does.
        loop {
            let all = self.subscribers.load_full();
            self.wanted.store(all.iter().fold(0, |mask, subscriber| mask | subscriber.mask), Ordering::SeqCst);
            if Arc::ptr_eq(&all, &self.subscribers.load_full()) {
                return;
            }
        }
    }

    /// Whether anybody is to be told of events of this kind.
    #[inline]
    pub(crate) fn wants(&self, kind: EventKind) -> bool {
        self.wanted.load(Ordering::Relaxed) & kind.mask() != 0
    }

    /// Tells everybody who wants to hear of it, those first who want to hear of everything.
    #[inline]
    pub(crate) fn tell(&self, event: ClientEvent<'_>) {
        if self.wants(event.kind()) {
            self.tell_all(event);
        }
    }

    #[cold]
    fn tell_all(&self, event: ClientEvent<'_>) {
        let Some(_telling) = Telling::begin(std::ptr::from_ref(self).addr()) else { return };
        let mask = event.kind().mask();
        for subscriber in self.subscribers.load_full().iter().filter(|subscriber| subscriber.mask & mask != 0) {
            let callee = || format!("a callback for `{}`", event.kind().name());
            if !self.log.contain(&callee, || (subscriber.callback)(&event)) {
                tracing::error!(event = event.kind().name(), "a callback of the application panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_names_of_the_protocol() {
        for name in [
            "*",
            "gate_evaluated",
            "dynamic_config_evaluated",
            "experiment_evaluated",
            "layer_evaluated",
            "specs_updated",
        ] {
            assert_eq!(name.parse::<EventKind>().unwrap().name(), name);
        }
        let error = "gates".parse::<EventKind>().unwrap_err();
        assert!(error.to_string().contains("`gates`") && error.to_string().contains("gate_evaluated"), "{error}");
    }

    #[test]
    fn the_mask_follows_the_list() {
        let subscriptions = Subscriptions::default();
        let nothing = || Arc::new(|_: &ClientEvent<'_>| ()) as Arc<Callback>;
        assert!(!subscriptions.wants(EventKind::GateEvaluated));
        let gates = subscriptions.subscribe(EventKind::GateEvaluated, nothing());
        let all = subscriptions.subscribe(EventKind::All, nothing());
        assert!(subscriptions.wants(EventKind::SpecsUpdated));
        assert!(all.to_string().ends_with("@*") && gates.to_string().ends_with("@gate_evaluated"));
        subscriptions.unsubscribe(|id| *id == all);
        assert!(!subscriptions.wants(EventKind::SpecsUpdated) && subscriptions.wants(EventKind::GateEvaluated));
        subscriptions.unsubscribe(|_| true);
        assert!(!subscriptions.wants(EventKind::GateEvaluated));
        let always = Subscriptions::default();
        always.set_evaluation_callback(nothing());
        always.unsubscribe(|_| true);
        assert!(always.wants(EventKind::LayerEvaluated) && !always.wants(EventKind::SpecsUpdated));
    }
}
