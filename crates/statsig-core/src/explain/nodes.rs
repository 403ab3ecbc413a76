//! The bounds of a tree: how much of an evaluation is shown.

use super::NODES;

/// Grants the nodes of a tree, as many as an explanation may have.
#[derive(Debug, Default)]
pub(super) struct NodeBudget {
    nodes: usize,
    /// Open steps inside which nothing is shown.
    hidden: u32,
    is_cut: bool,
}

impl NodeBudget {
    /// Takes one more node; false if it is not shown.
    pub(super) fn take(&mut self) -> bool {
        let has_room = self.nodes < NODES;
        let shown = self.shows() && has_room;
        self.is_cut |= self.shows() && !has_room;
        self.nodes += usize::from(shown);
        shown
    }

    /// Whether anything is shown where the evaluation is now.
    pub(super) fn shows(&self) -> bool {
        self.hidden == 0
    }

    /// Enters a step; nothing inside it is shown unless `shown`.
    pub(super) fn enter(&mut self, shown: bool) {
        self.hidden += u32::from(!shown);
    }

    /// Leaves a step that was entered with `shown`.
    pub(super) fn leave(&mut self, shown: bool) {
        self.hidden -= u32::from(!shown);
    }

    /// Notes that some level is too deep to be shown.
    pub(super) fn cut_level(&mut self) {
        self.is_cut |= self.shows();
    }

    /// Whether something was too much to be shown.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }
}
