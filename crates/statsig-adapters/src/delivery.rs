//! Outcomes of attempts to deliver a batch of events.

use std::time::Duration;

/// Reason a batch was not delivered, with its source.
///
/// The text goes to logs and to `health()`: no secret, and no part of an event.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Outcome of one attempt to deliver a batch.
#[derive(Debug)]
pub enum Delivery {
    /// The destination has the batch and says so. Final.
    Delivered,
    /// The destination answered with success, but did not confirm that it has the events: a captive
    /// portal answers like that, and so do some proxies that took the batch.
    ///
    /// The sender tries the same batch twice more within a minute, and then counts it as delivered,
    /// unconfirmed.
    Unconfirmed {
        /// Description of the answer.
        reason: SinkError,
    },
    /// Not now: worth trying again with the same batch.
    Retry {
        /// Pause that the destination asks for, if it does. The sender limits it.
        after: Option<Duration>,
        /// Reason of the failure.
        reason: SinkError,
    },
    /// The destination refuses the batch or the sender: a wrong key, a firewall in between, a rule
    /// that may be corrected.
    ///
    /// The sender keeps and retries the batch for 10 minutes, and then drops it.
    Refused {
        /// Pause that the destination asks for, if it does. The sender limits it.
        after: Option<Duration>,
        /// Reason of the refusal.
        reason: SinkError,
    },
    /// Never: nothing can change the outcome for this batch, so it is dropped at once.
    Reject {
        /// Reason of the rejection.
        reason: SinkError,
    },
    /// Never in one piece: the same events in smaller batches may pass.
    ///
    /// The sender halves the batch at once. A single event is dropped; a sink whose destination may
    /// still change its limit returns [`Refused`](Self::Refused) for it.
    TooLarge,
}

impl Delivery {
    /// An attempt worth repeating.
    #[must_use]
    pub fn retry(reason: impl Into<SinkError>) -> Self {
        Self::Retry { after: None, reason: reason.into() }
    }

    /// An attempt worth repeating once a time has passed.
    #[must_use]
    pub fn retry_after(after: Duration, reason: impl Into<SinkError>) -> Self {
        Self::Retry { after: Some(after), reason: reason.into() }
    }

    /// A success that the destination did not confirm.
    #[must_use]
    pub fn unconfirmed(reason: impl Into<SinkError>) -> Self {
        Self::Unconfirmed { reason: reason.into() }
    }

    /// A refusal that may end.
    #[must_use]
    pub fn refused(reason: impl Into<SinkError>) -> Self {
        Self::Refused { after: None, reason: reason.into() }
    }

    /// A final rejection.
    #[must_use]
    pub fn reject(reason: impl Into<SinkError>) -> Self {
        Self::Reject { reason: reason.into() }
    }

    /// Returns whether the destination has the batch and says so.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        matches!(self, Self::Delivered)
    }

    /// Returns whether the same batch is to be sent again: after [`Retry`](Self::Retry),
    /// [`Refused`](Self::Refused) and [`Unconfirmed`](Self::Unconfirmed).
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Retry { .. } | Self::Refused { .. } | Self::Unconfirmed { .. })
    }
}
