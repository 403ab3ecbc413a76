//! What other processes hold, and for how long one waits for it.

use std::collections::BTreeMap;
use std::time::Duration;

use statsig_store_redis::streams::HeldBatches;
use tokio::time::Instant;

/// Since when each batch that holds others up has been seen.
#[derive(Debug, Default)]
pub(super) struct Stuck(BTreeMap<(u16, String), Instant>);

impl Stuck {
    /// Looks at what is held now. Gives those who hold something longer than so long, while nothing can be
    /// claimed from them.
    pub(super) fn longer_than(&mut self, wait: Duration, held: &[HeldBatches]) -> Vec<HeldBatches> {
        let now = Instant::now();
        let place = |held: &HeldBatches| (held.shard, held.oldest.clone());
        let seen = |held: &HeldBatches| (place(held), self.0.get(&place(held)).copied().unwrap_or(now));
        self.0 = held.iter().map(seen).collect();
        let is_stuck = |held: &&HeldBatches| self.0.get(&place(held)).is_some_and(|since| now - *since >= wait);
        held.iter().filter(is_stuck).cloned().collect()
    }
}
