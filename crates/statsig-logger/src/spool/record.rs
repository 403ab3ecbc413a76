//! Batches as the spool takes and returns them.

use std::sync::Arc;

use statsig_core::SdkMetadata;
use uuid::Uuid;

/// Encoding of the body of a batch. The spool only remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// Not compressed.
    Raw,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Encoding {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Raw => 0,
            Self::Gzip => 1,
            Self::Zstd => 2,
        }
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Raw),
            1 => Some(Self::Gzip),
            2 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// A batch to be stored.
#[derive(Debug, Clone, Copy)]
pub struct SpoolRecord<'a> {
    /// Identity over retries and restarts; must be unique (a UUIDv7, for instance).
    pub id: Uuid,
    /// Time of creation, in ms since the epoch; the age of the batch counts from here.
    pub created_ms: u64,
    /// Events in the body, for the accounts.
    pub event_count: u32,
    /// Encoding of the body.
    pub encoding: Encoding,
    /// Delivery attempts so far.
    pub attempts: u16,
    /// Metadata of the SDK that logged the batch, if it is not the one that delivers it.
    pub metadata: Option<&'a SdkMetadata>,
    /// The encoded batch; with the metadata at most [`max_body_bytes`](super::SpoolOptions::max_body_bytes).
    pub body: &'a [u8],
}

/// A batch handed out for delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpooledBatch {
    /// Identity over retries and restarts.
    pub id: Uuid,
    /// Time of creation, in ms since the epoch.
    pub created_ms: u64,
    /// Events in the body.
    pub event_count: u32,
    /// Encoding of the body.
    pub encoding: Encoding,
    /// Delivery attempts before this one. Attempts of an earlier process since it spooled the batch
    /// are not included.
    pub attempts: u16,
    /// Metadata of the SDK that logged the batch, if it was stored with the batch.
    pub metadata: Option<Arc<SdkMetadata>>,
    /// The encoded batch, byte for byte as it was stored.
    pub body: Vec<u8>,
}

/// Safety of a stored batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Durability {
    /// With the operating system: survives the end of the process, not yet that of the machine.
    Written,
    /// On the disk.
    Synced,
}

/// Proof that a batch was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The batch.
    pub id: Uuid,
    /// Its safety at this moment.
    pub durability: Durability,
}

impl Receipt {
    /// Says whether the batch survives a power failure.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.durability == Durability::Synced
    }
}

/// Outcome of a batch that was in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AckOutcome {
    /// The server has it.
    Delivered,
    /// The server refuses it for good: keep it in `dead/` for inspection.
    Rejected,
    /// Given up without keeping it.
    Discarded,
    /// Other batches, already appended, stand in for it, as when one is split. They are made at
    /// least as durable as this acknowledgement before it is written.
    Replaced,
}

impl AckOutcome {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Delivered => 1,
            Self::Rejected => 2,
            Self::Discarded => 3,
            Self::Replaced => 4,
        }
    }
}

/// State of a batch when it was released or acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Settled {
    /// It was, and what the call says was done.
    Kept,
    /// Its segment had been evicted while it was in flight. Acknowledging it has counted it by its
    /// outcome; releasing it has counted it as dropped.
    Evicted,
}
