//! Who waits for which events, and what they learn.

use tokio::sync::oneshot;

use super::books::Books;
use super::held::{DiskCopy, Fate, Held};
use crate::ledger::FlushReport;

/// Somebody who waits for events.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) id: u64,
    /// Events with a lower number are waited for, by kind.
    pub(super) before: [u64; 2],
    /// What it counts as spooled is still to be forced to the disk.
    awaits_sync: bool,
    report: FlushReport,
    done: Option<oneshot::Sender<FlushReport>>,
}

impl<E> Books<E> {
    /// Begins to wait for everything that is here.
    pub(super) fn issue_ticket(&mut self) -> (u64, oneshot::Receiver<FlushReport>) {
        let (done, receiver) = oneshot::channel();
        let id = self.next_ticket;
        self.next_ticket += 1;
        let (mut spooled, pending) = (self.shelf.on_disk(), self.pending());
        for held in self.waiting.iter_mut().chain(self.flying.values_mut()).chain(self.shelf.held_mut()) {
            match held.disk_copy {
                // It will be there again if it does not pass this time.
                DiskCopy::Drained => continue,
                DiskCopy::Fresh => spooled -= held.events().min(spooled),
                DiskCopy::None | DiskCopy::Impossible => {}
            }
            held.tickets.push((id, held.batch.event_count));
        }
        let before = [self.staged[0].end(), self.staged[1].end()];
        let report = FlushReport { spooled, pending: pending - spooled, ..FlushReport::default() };
        let awaits_sync = spooled > 0 && !self.shelf.closed;
        self.tickets.push(Ticket { id, before, awaits_sync, report, done: Some(done) });
        self.resolve_tickets();
        (id, receiver)
    }

    /// Ends the waiting with what is known so far; `None` if the ticket was resolved.
    pub(super) fn withdraw_ticket(&mut self, id: u64) -> Option<FlushReport> {
        let at = self.tickets.iter().position(|ticket| ticket.id == id)?;
        let mut ticket = self.tickets.swap_remove(at);
        // What was written ahead is safe, whatever becomes of its first attempt.
        for held in self.held().filter(|held| held.disk_copy == DiskCopy::Fresh) {
            for &(_, events) in held.tickets.iter().filter(|(of, _)| *of == id) {
                ticket.settle(u64::from(events), Fate::Spooled);
            }
        }
        Some(ticket.report)
    }

    /// Whether somebody waits for what is on disk to be forced there.
    pub(super) fn awaits_sync(&self) -> bool {
        self.tickets.iter().any(|ticket| ticket.awaits_sync)
    }

    /// Notes that what is on disk was forced there, as far as that is possible.
    pub(super) fn synced(&mut self) {
        for ticket in &mut self.tickets {
            ticket.awaits_sync = false;
        }
        self.resolve_tickets();
    }

    /// Tells those who wait for a batch what became of it.
    pub(super) fn inform(&mut self, held: &Held, fate: Fate) {
        for &(id, events) in &held.tickets {
            if let Some(ticket) = self.tickets.iter_mut().find(|ticket| ticket.id == id) {
                ticket.settle(u64::from(events), fate);
                ticket.awaits_sync |= fate == Fate::Spooled && !self.shelf.closed;
            }
        }
        self.resolve_tickets();
    }

    /// Notes that the spool gave up events that it held: those who wait learn that they are lost.
    ///
    /// It gives up its oldest batches first, which are those that a ticket counts.
    #[cfg(feature = "spool")]
    pub(super) fn lost_from_disk(&mut self, events: u64) {
        for ticket in &mut self.tickets {
            let lost = events.min(ticket.report.spooled);
            ticket.report.spooled -= lost;
            ticket.report.failed += lost;
        }
    }

    pub(super) fn resolve_tickets(&mut self) {
        self.tickets.retain_mut(|ticket| {
            if ticket.report.pending > 0 || ticket.awaits_sync {
                return true;
            }
            if let Some(done) = ticket.done.take() {
                // Whoever waited may have gone.
                let _ = done.send(ticket.report);
            }
            false
        });
    }
}

impl Ticket {
    pub(super) fn settle(&mut self, events: u64, fate: Fate) {
        self.report.pending = self.report.pending.saturating_sub(events);
        match fate {
            Fate::Delivered => self.report.delivered += events,
            Fate::Failed => self.report.failed += events,
            Fate::Spooled => self.report.spooled += events,
        }
    }
}
