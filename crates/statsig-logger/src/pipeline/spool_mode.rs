//! When batches go to the disk, and what that keeps.

#[cfg(doc)]
use crate::spool::FsyncPolicy;

/// When a pipeline writes batches to its spool.
///
/// # What is lost when
///
/// *Nothing* is short for: nothing within the bounds of bytes and age; what those cost is counted.
///
/// | | no spool | [`Overflow`](Self::Overflow) | [`WriteAhead`](Self::WriteAhead) |
/// | --- | --- | --- | --- |
/// | outage | what exceeds the memory | nothing | nothing |
/// | [`shutdown`](crate::EventPipeline::shutdown) | what is not delivered in time | nothing | nothing |
/// | dropped without, or with its runtime | everything pending | nothing, if the disk takes it within 2 seconds | as before |
/// | crash, `kill -9` | everything pending | events not in a batch yet (60 seconds or 500 events), and batches that are younger than a second or are being written | events not in a batch yet: 250 ms, or 256 KiB of events; and batches that were being encoded or written |
/// | power failure | everything pending | as with a crash, and what the fsync policy has not forced to the disk | as before |
///
/// The last: with the [fsync policy](FsyncPolicy) `Never` up to what the kernel keeps, often 30 seconds; with
/// `Interval` one interval; with `EveryBatch` nothing. [`flush`](crate::EventPipeline::flush) forces it
/// with every policy, and returns after that.
///
/// A disk that takes longer than 2 seconds for a call is done without until it answers: batches are then delivered from
/// memory, and a crash loses them.
///
/// Delivery is *at least once*: an attempt that is cut short, by a crash, a shutdown or a time
/// limit, is made again with the same batch id. How often an acknowledgement is forgotten in a
/// power failure follows the fsync policy, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SpoolMode {
    /// When they cannot be delivered: their first attempt failed or has no answer after a second, the
    /// destination is failing, memory is half full, or the pipeline is shut down.
    ///
    /// While the destination takes events within a second, nothing is written.
    #[default]
    Overflow,
    /// Before their first attempt, and batches are cut every 250 ms or 256 KiB of events.
    ///
    /// It costs a write and an acknowledgement on disk for every batch, and more and smaller
    /// requests: with steady traffic four a second, eight if exposures and other events mix.
    WriteAhead,
}
