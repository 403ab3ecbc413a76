//! Durable spool: encoded event batches on disk, until they are delivered.
//!
//! The spool knows nothing of events, users or evaluation. It is handed batches that are already
//! encoded, stores them, gives them back oldest first, and forgets them once the caller says what
//! became of them. Everything is blocking and `Send + Sync`: async code calls it on a blocking
//! thread. It starts no thread and reads no clock but the one it is given.
//!
//! # Constraints
//!
//! - **At least once.** A batch that was accepted is handed out until it is acknowledged. A crash
//!   between delivery and acknowledgement repeats it, under the same id.
//! - **Bounded** in bytes and in age. What has to give way is counted, never silently lost.
//! - **Any file content is survivable.** What is on disk is checked before it is believed; damage
//!   costs the damaged records and is counted, and is never a reason not to start.
//! - **One process, one folder.** No two processes ever write, read or delete the same segment.
//! - **Private.** Folders are `0700`, files `0600`. The SDK key is not on disk, only a hash that
//!   the caller gives. User data is: in the clear, as the batch was encoded.
//!
//! # Invariants
//!
//! 1. `appended + recovered = pending + delivered + dead_lettered + discarded + replaced + dropped`,
//!    in batches and in events, after every call ([`SpoolStats::balance`]).
//! 2. A segment is written by the process that created it, from its creation to its sealing, only
//!    at its end. A sealed or recovered segment is never appended to again.
//! 3. A receipt says [`Durability::Synced`] only if an fsync succeeded after the record had been
//!    written, on the file and, since it was created, on its folder.
//! 4. An fsync that failed is never repeated on the same data: the data moves (see *fsync*).
//! 5. An acknowledgement counts only with an intact checksum, so damage can repeat a batch but
//!    never settle one that was not delivered.
//! 6. The file of a segment is deleted only if each of its records is settled, or counted as
//!    dropped in the same call.
//!
//! # Why an own format
//!
//! The need is a queue: append at the end, read from the front, delete a prefix, keep a byte bound.
//! Embedded stores answer a larger question and charge for it:
//!
//! | candidate | why not |
//! | --- | --- |
//! | `redb` | copy-on-write B-tree: several page writes for each append, and a file that only shrinks by compaction, when a byte bound asks for deletion |
//! | `fjall` | log-structured tree: background threads, and tombstones of data that a queue deletes anyway |
//! | `sled` | unfinished for years, known for its space use |
//! | SQLite | a C build, and slower for each batch; the right choice where processes must *share* one spool |
//! | `yaque`, `okaywal` | near the need, but hardly maintained, and without eviction by bytes |
//!
//! A segment log is one sequential write and at most one fsync for an append, one `unlink` for an
//! eviction of megabytes, two small dependencies, and recovery that can be explained in a
//! paragraph. The price is that we own the crash tests; they are in `tests/logger/spool_*`.
//!
//! # Layout
//!
//! ```text
//! <dir>/<key hash>/
//!     <instance>.lock                 advisory lock, held as long as the process lives
//!     <instance>/                     instance: a UUIDv7
//!         seg-00000000000000000001.log
//!         seg-00000000000000000001.ack
//!         adopted-<other instance>/   what a dead process left, taken over by this one
//!             seg-….log, seg-….ack
//!     dead/                           rejected batches, oldest deleted beyond a byte bound
//!         <created ms>-<batch id>.log
//! ```
//!
//! All integers are little-endian; checksums are CRC-32C.
//!
//! | segment header, 32 bytes | record header, 48 bytes | acknowledgement, 32 bytes |
//! | --- | --- | --- |
//! | 0 magic `SGEV` | 0 `u32` checksum of salt and bytes 4–47 | 0 `u32` checksum of bytes 4–31 |
//! | 4 `u16` format (2) | 4 `u32` checksum of the body | 4 `u32` offset of the record |
//! | 6 `u16` flags (0) | 8 `u32` length of the body | 8 batch id |
//! | 8 `u64` created, epoch ms | 12 `u32` events in the batch | 24 `u8` outcome |
//! | 16 `u32` salt | 16 batch id | 25 zeros |
//! | 20 zeros | 32 `u64` created, epoch ms | |
//! | 28 `u32` checksum of bytes 0–27 | 40 `u16` attempts, 42 `u8` encoding, 43 `u8` kind, 44 zeros | |
//!
//! The body follows its header. With kind 1, the metadata of the SDK that logged the batch stands before it: its
//! length as `u32`, and JSON. Lengths and checksums of the body include it. Segments of format 1 hold records of kind
//! 0 only, and are read like others.
//! The header has a checksum of its own so that recovery can walk a
//! segment from header to header without reading bodies, and so that a damaged body still tells
//! how many events are lost with it. The salt is new in each segment: blocks of a deleted segment
//! that a file system shows again after a power failure do not pass for records of this one.
//! Acknowledgements have a file beside each segment, not one for all: it goes when the segment
//! goes, and needs no compaction.
//!
//! # Procedures
//!
//! **Write.** A record that does not fit the active segment seals it and begins a new one. Oldest
//! segments are deleted while the byte bound would be passed. Header and body go out in one write.
//! If it fails, the segment is cut back to its last good length and sealed, and the caller gets an
//! error that says whether it helps to try again; a batch that was refused is not in the spool.
//! (Should the disk have taken it all the same, it may be handed out after a restart. It has the
//! same id.)
//!
//! **Read.** [`Spool::next_batch`] takes the oldest batch that is not in flight, in the order of
//! writing within one process and by creation time between adopted ones, checks both checksums, and
//! marks it in flight. [`Spool::release`] puts it back in its place. A record whose body fails its
//! checksum is dropped and counted. One that the medium refuses is kept back while others are handed
//! out, and dropped after three failures over two minutes; a read that fails for any other reason
//! says nothing about the record.
//!
//! **Acknowledge.** [`Spool::ack`] appends to the `.ack` file; when no record of a sealed segment
//! is open, its `.log` is deleted, the folder synced, and then the `.ack`, so that a crash between
//! cannot leave records without their acknowledgements. A batch for which the server has no use
//! goes to `dead/` first.
//!
//! **Evict.** Beyond `max_bytes` the oldest segment is deleted, and its open batches are counted as
//! dropped. Those in flight are not: the caller still holds them, and its acknowledgement decides.
//! A batch older than `max_age` is dropped when it is met; a clock that jumps gives up none at once
//! (see `jumps`). What is in a file that somebody else has deleted is counted as damaged.
//!
//! # Recovery
//!
//! A process always begins with a folder and a segment of its own. What others left is *adopted*:
//! an instance whose lock can be taken has no process, so its folder is moved, with one rename,
//! below our own, at [`Spool::open`] and by [`Spool::maintain`] once a minute. Then, for each of
//! its segments in order, record headers are read. Where one does not check out:
//!
//! - a header at the end whose record is longer than the file, or fewer bytes than a header, are a
//!   torn write: the tail is cut off and counted, with its events if the header is there;
//! - anything else is damage, and costs the damaged records only: the walk goes on at the next
//!   header whose checksum fits (it is salted, so nothing else passes for one). If the body of the
//!   record before is damaged too, bytes may be missing, and the search begins in that body. The
//!   damaged bytes are copied to `dead/`, and counted: with their events where a header is intact,
//!   else as one record for each stretch;
//! - with a damaged segment header, the salt follows from any intact record (see `resync`). Without
//!   one, the segment is moved to `dead/`. One of an unknown format is left alone;
//! - bytes that the medium refuses are skipped like damaged ones, but the segment stays until it is
//!   over the age limit: another process may have better luck;
//! - a file that cannot be read for another reason (no descriptors, no permission) is tried again
//!   once a minute.
//!
//! Damage that was counted has a note in the acknowledgements, at its offset (0: the header of the
//! segment), so that the next process does not count it again. Records with an acknowledgement are settled; a batch id that occurs twice counts once.
//!
//! # fsync
//!
//! | policy | `kill -9`, panic, out of memory | power failure, kernel crash | cost |
//! | --- | --- | --- | --- |
//! | [`FsyncPolicy::Never`] | nothing | whatever the kernel had not written back, often 30 s; after an explicit [`Spool::sync`] nothing before it | none |
//! | [`FsyncPolicy::Interval`] | nothing | at most `bytes`, or `every` if [`Spool::maintain`] is called as often | one fsync an interval |
//! | [`FsyncPolicy::EveryBatch`] | nothing | nothing | one fsync a batch, one an acknowledgement |
//!
//! *Nothing* refers to batches for which `append` returned. Acknowledgements follow the same
//! policy; one that is lost repeats a delivery.
//!
//! **A failed fsync** says that some dirty pages did not reach the disk, and most kernels mark them
//! clean all the same: a second fsync succeeds without having written anything. So it is not
//! tried. The spool keeps a copy in memory of what is not yet synced (bounded by the policy's
//! `bytes`); when an fsync fails, the segment is sealed, the copies are written to a new one, and
//! that is synced. If this fails too, the copies stay in memory, are handed out from there, and
//! `append` refuses further batches until they have found a place. Under `EveryBatch` the batch is
//! refused instead; the caller still has it. Under `Never` no copies are kept: `sync` reports the
//! failure, and goes on reporting it until the batches concerned are settled.
//!
//! # Forks
//!
//! A forked child shares the parent's lock and file positions. Every call therefore compares the
//! process id and fails with [`SpoolError::ForeignProcess`] in a child, which has to open its own.

mod acks;
mod adopt;
mod bounds;
mod clock;
mod dead;
mod drain;
mod error;
mod format;
mod index;
mod inner;
mod jumps;
mod limbo;
mod maintain;
mod medium;
mod options;
mod outage;
mod payload;
mod record;
mod recovery;
mod resync;
mod segment;
mod stats;
mod store;
mod sync;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod unreadable;
mod vanished;
mod window;
mod write;

pub use clock::SpoolClock;
pub use error::{SpoolError, SpoolErrorKind};
pub use options::{FsyncPolicy, SpoolOptions};
pub use outage::SpoolOutage;
pub(crate) use outage::text_of;
pub use record::{AckOutcome, Durability, Encoding, Receipt, Settled, SpoolRecord, SpooledBatch};
pub use stats::{DropTallies, SpoolStats, Tally};
pub use store::Spool;
