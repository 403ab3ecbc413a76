//! Custom events, and what becomes of all events.

use std::time::Duration;

use serde_json::{Map, Value};
use statsig_core::StatsigUser;
use statsig_logger::{CustomEvent, DeliveryHealth, EventStats, ExposureCounts, FlushReport, LogLineLevel};

use super::Statsig;

fn event<K: Into<String>, V: Into<Value>>(
    name: &str,
    metadata: Option<impl IntoIterator<Item = (K, V)>>,
) -> CustomEvent {
    let event = CustomEvent::new(name);
    match metadata {
        Some(metadata) => event.all_metadata(metadata),
        None => event,
    }
}

impl Statsig {
    /// Logs an event of the application's own.
    ///
    /// ```
    /// # use statsig::{CustomEvent, Statsig, StatsigUser};
    /// # fn log(statsig: &Statsig, user: &StatsigUser) {
    /// statsig.log_custom_event(user, &CustomEvent::new("add_to_cart").value(12.5).metadata("sku", "A-17"));
    /// # }
    /// ```
    pub fn log_custom_event(&self, user: &StatsigUser, event: &CustomEvent) {
        if let Some(logger) = self.inner.logging.logger_of_events() {
            logger.log_event(user, event);
        }
    }

    /// Logs an event with a text for a value and texts for metadata.
    pub fn log_event(
        &self,
        user: &StatsigUser,
        name: &str,
        value: Option<&str>,
        metadata: Option<std::collections::HashMap<String, String>>,
    ) {
        self.log_with(user, event(name, metadata), value);
    }

    /// Logs an event with a number for a value and texts for metadata.
    pub fn log_event_with_number(
        &self,
        user: &StatsigUser,
        name: &str,
        value: Option<f64>,
        metadata: Option<std::collections::HashMap<String, String>>,
    ) {
        self.log_with(user, event(name, metadata), value);
    }

    /// Logs an event with a text for a value and any JSON for metadata.
    pub fn log_event_with_typed_metadata(
        &self,
        user: &StatsigUser,
        name: &str,
        value: Option<&str>,
        metadata: Option<Map<String, Value>>,
    ) {
        self.log_with(user, event(name, metadata), value);
    }

    /// Logs an event with a number for a value and any JSON for metadata.
    pub fn log_event_with_number_and_typed_metadata(
        &self,
        user: &StatsigUser,
        name: &str,
        value: Option<f64>,
        metadata: Option<Map<String, Value>>,
    ) {
        self.log_with(user, event(name, metadata), value);
    }

    fn log_with(&self, user: &StatsigUser, event: CustomEvent, value: Option<impl Into<statsig_logger::EventValue>>) {
        let event = match value {
            Some(value) => event.value(value),
            None => event,
        };
        self.log_custom_event(user, &event);
    }

    /// Logs that a user exists, and what is known of it.
    pub fn identify(&self, user: &StatsigUser) {
        if let Some(logger) = self.inner.logging.logger_of_events() {
            logger.identify(user);
        }
    }

    /// Forwards a line of the application's own log as an event.
    pub fn forward_log_line_event(
        &self,
        user: &StatsigUser,
        level: LogLineLevel,
        message: &str,
        metadata: Option<std::collections::HashMap<String, String>>,
    ) {
        if let Some(logger) = self.inner.logging.logger_of_events() {
            logger.forward_log_line(user, level, message, metadata.into_iter().flatten());
        }
    }

    /// Where every event is that was ever accepted: delivered, pending, or dropped and why.
    ///
    /// All zero if the client logs nothing, and in a [forked child](Self::is_inherited). Takes about a
    /// microsecond.
    #[must_use]
    pub fn event_stats(&self) -> EventStats {
        if self.is_inherited() {
            return EventStats::default();
        }
        self.inner.logging.logger().map(|logger| logger.stats()).unwrap_or_default()
    }

    pub(super) fn event_delivery(&self) -> DeliveryHealth {
        if self.is_inherited() {
            return DeliveryHealth::default();
        }
        self.inner.logging.logger().map(|logger| logger.delivery_health()).unwrap_or_default()
    }

    /// How many exposures were not logged because they had just been, or were sampled out.
    #[must_use]
    pub fn exposure_counts(&self) -> ExposureCounts {
        if self.is_inherited() {
            return ExposureCounts::default();
        }
        self.inner.logging.logger().map(|logger| logger.exposure_counts()).unwrap_or_default()
    }

    /// Delivers everything that was logged before this call, and returns when each event of it is
    /// delivered or finally given up, or when the time is up. The report says which.
    ///
    /// Needs no particular runtime. In a [forked child](Self::is_inherited) it returns at once, and reports what
    /// was logged there as failed.
    ///
    /// # Cancel safety
    /// The events are sent all the same.
    pub async fn flush_events(&self, within: Duration) -> FlushReport {
        self.in_background(move |client| async move { client.flush(within).await })
            .await
            .unwrap_or_else(|| self.unflushed())
    }

    /// Like [`flush_events`](Self::flush_events), for threads without a runtime. Blocks the thread.
    ///
    /// If the runtime that the client uses has ended, everything is reported as pending.
    /// Do not call it on a thread that drives the runtime which the client uses.
    pub fn flush_events_blocking(&self, within: Duration) -> FlushReport {
        self.blocking(Some(within), move |client| async move { client.flush(within).await })
            .unwrap_or_else(|| self.unflushed())
    }

    async fn flush(&self, within: Duration) -> FlushReport {
        match self.inner.logging.logger() {
            Some(logger) => logger.flush(within).await,
            None => FlushReport::default(),
        }
    }

    /// The report of work that did not come to its end, because nothing drives the runtime any more.
    pub(super) fn unflushed(&self) -> FlushReport {
        if let Some(process) = self.inner.background.process.as_ref().filter(|process| process.is_left()) {
            return FlushReport { failed: process.lost(), ..FlushReport::default() };
        }
        FlushReport { pending: self.event_stats().pending, ..FlushReport::default() }
    }
}
