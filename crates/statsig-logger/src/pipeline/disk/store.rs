//! Writing batches to the spool, and finding them when the write is over.

use statsig_core::EventBatch;
use tokio::time::Instant;

use super::counts::warn;
use super::{Books, Disk, DiskCopy, Fate, Queue, id, record};
use crate::event::QueuedEvent;
use crate::spool::{AckOutcome, Receipt, SpoolError, SpoolStats};

impl Disk {
    pub(super) fn store<E: QueuedEvent>(
        &self,
        queue: &Queue<E>,
        known: &mut SpoolStats,
        batch: &EventBatch,
        send: bool,
    ) {
        // In flight, since the batch may be on its way from memory by the time the disk has it.
        let result = self.spool.append_in_flight(&record(batch));
        {
            let mut books = queue.books();
            // The call is over: from here on, nobody takes the batch back.
            books.shelf.began = None;
            if books.shelf.doing.is_none() {
                drop(books);
                return self.end_copy(queue, known, batch, result);
            }
        }
        if !send && result.is_ok() {
            // In flight a moment ago, so it cannot fail.
            let _ = self.spool.put_back(id(batch));
        }
        let mut books = queue.books();
        self.enter(&mut books, known);
        let Some(mut held) = books.done() else { return };
        match result {
            Ok(_) => {
                books.shelf.works();
                books.shelf.note_state(Instant::now());
                if send {
                    held.disk_copy = DiskCopy::Fresh;
                    books.waiting.push_back(held);
                } else {
                    books.inform(&held, Fate::Spooled);
                }
            }
            Err(SpoolError::TooLarge { .. }) => {
                held.disk_copy = DiskCopy::Impossible;
                books.waiting.push_back(held);
            }
            Err(error) => {
                note_failure(&mut books, &error);
                books.waiting.push_back(held);
                books.unstore();
            }
        }
    }

    /// Notes what became of the write of a batch that stayed in memory.
    pub(super) fn end_copy<E: QueuedEvent>(
        &self,
        queue: &Queue<E>,
        known: &mut SpoolStats,
        batch: &EventBatch,
        result: Result<Receipt, SpoolError>,
    ) {
        let mut books = queue.books();
        books.shelf.began = None;
        books.shelf.copying = None;
        match result {
            Ok(_) => {
                books.shelf.works();
                books.shelf.note_state(Instant::now());
                if !books.has_copy(batch.id, DiskCopy::Fresh) {
                    match books.shelf.given_up.take() {
                        // It was given up for want of time; the next process delivers it.
                        Some((given_up, events, cause)) if given_up == batch.id => {
                            books.dropped.take_back(cause, events);
                        }
                        _ => {
                            drop(books);
                            // Delivered or given up meanwhile, and counted then.
                            let _ = self.spool.ack(id(batch), AckOutcome::Discarded);
                            books = queue.books();
                        }
                    }
                }
                self.enter(&mut books, known);
            }
            Err(SpoolError::TooLarge { .. }) => {
                books.has_copy(batch.id, DiskCopy::Impossible);
                self.enter(&mut books, known);
            }
            Err(error) => {
                self.enter(&mut books, known);
                note_failure(&mut books, &error);
                books.unstore();
            }
        }
    }
}

/// Notes that a batch could not be written.
pub(super) fn note_failure<E>(books: &mut Books<E>, error: &SpoolError) {
    let now = Instant::now();
    let asked = match error {
        SpoolError::Unavailable { retry_after, .. } => Some(*retry_after),
        _ => None,
    };
    books.shelf.failed(now, asked);
    warn(books, now, error);
}
