//! Telling the application what the client does.

use std::sync::Arc;

use super::Statsig;
use crate::subscriptions::{ClientEvent, EventKind, SubscriptionId};

impl Statsig {
    /// Calls back with every event of a kind, or with all of them ([`EventKind::All`]), until
    /// [`unsubscribe_by_id`](Self::unsubscribe_by_id).
    ///
    /// Evaluations are told on the thread that makes them, whether or not they log an exposure, and
    /// cost more then; updates of the specs on a background thread, which takes in the next document when they
    /// have returned (of [`update_specs`](Self::update_specs), on the caller's). Subscribers to everything are told
    /// first, others in the order in which they subscribed. A callback that panics is logged, and has
    /// no other consequence. What a callback evaluates itself is told to nobody. Reads of a parameter
    /// store tell of what the parameter refers to; exposures by hand, client-initialize responses and
    /// explanations are told to nobody. A callback that holds a handle of the client keeps it alive.
    ///
    /// While nobody listens, this costs a check one byte to read.
    ///
    /// ```
    /// use statsig::{ClientEvent, EventKind, Statsig};
    ///
    /// # fn subscribe(statsig: &Statsig) {
    /// let id = statsig.subscribe(EventKind::GateEvaluated, |event| {
    ///     if let ClientEvent::GateEvaluated(gate) = event {
    ///         println!("{} is {}", gate.name(), gate.value());
    ///     }
    /// });
    /// statsig.unsubscribe_by_id(&id);
    /// # }
    /// ```
    pub fn subscribe(
        &self,
        kind: EventKind,
        callback: impl Fn(&ClientEvent<'_>) + Send + Sync + 'static,
    ) -> SubscriptionId {
        self.inner.subscriptions.subscribe(kind, Arc::new(callback))
    }

    /// Ends all subscriptions to a kind of events; of [`EventKind::All`], those to everything.
    pub fn unsubscribe(&self, kind: EventKind) {
        self.inner.subscriptions.unsubscribe(|id| id.kind() == kind);
    }

    /// Ends a subscription. One that has ended already is no error.
    pub fn unsubscribe_by_id(&self, id: &SubscriptionId) {
        self.inner.subscriptions.unsubscribe(|known| known == id);
    }

    /// Ends all subscriptions; the builder's `evaluation_callback` stays.
    pub fn unsubscribe_all(&self) {
        self.inner.subscriptions.unsubscribe(|_| true);
    }
}
