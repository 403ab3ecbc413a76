//! Adapts the number of parallel deliveries to the latency of the sink.

/// Use of the parallel deliveries when the last ones were started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeliveryLoad {
    /// No further events wait.
    Light,
    /// Further events wait, and fewer deliveries run than may.
    Partial,
    /// Further events wait for a delivery to end.
    Saturated,
}

/// Number of deliveries that may run in parallel.
///
/// Each success under saturation adds one: the number doubles with each round trip, up to the
/// maximum. A failure halves it; failures of deliveries that ran at the same time count once. Each
/// success without a backlog moves it by one towards the initial number.
#[derive(Debug)]
pub(super) struct DeliveryConcurrency {
    limit: usize,
    initial: usize,
    max: usize,
    load: DeliveryLoad,
}

impl DeliveryConcurrency {
    pub(super) fn new(initial: usize, max: usize) -> Self {
        Self { limit: initial, initial, max: max.max(initial), load: DeliveryLoad::Light }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the number of deliveries by which the limit has grown beyond the initial one.
    pub(super) fn growth(&self) -> usize {
        self.limit.saturating_sub(self.initial)
    }

    /// Records the number of running deliveries after new ones were started.
    pub(super) fn started(&mut self, running: usize, has_backlog: bool) {
        self.load = match has_backlog {
            false => DeliveryLoad::Light,
            true if running < self.limit => DeliveryLoad::Partial,
            true => DeliveryLoad::Saturated,
        };
    }

    /// Adapts the limit to a success.
    pub(super) fn succeeded(&mut self) {
        match self.load {
            DeliveryLoad::Saturated => self.limit = (self.limit + 1).min(self.max),
            DeliveryLoad::Light if self.limit > self.initial => self.limit -= 1,
            DeliveryLoad::Light if self.limit < self.initial => self.limit += 1,
            DeliveryLoad::Light | DeliveryLoad::Partial => {}
        }
    }

    /// Halves the limit, to at least one. It stays there until deliveries are started again.
    pub(super) fn failed(&mut self) {
        self.limit = (self.limit / 2).max(1);
        self.load = DeliveryLoad::Partial;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown() -> DeliveryConcurrency {
        let mut concurrency = DeliveryConcurrency::new(4, 16);
        concurrency.started(4, true);
        (0..100).for_each(|_| concurrency.succeeded());
        concurrency
    }

    #[test]
    fn the_limit_doubles_with_each_saturated_round_trip_up_to_the_maximum() {
        let mut concurrency = DeliveryConcurrency::new(4, 16);
        concurrency.started(4, true);
        (0..4).for_each(|_| concurrency.succeeded());
        assert_eq!((concurrency.limit(), concurrency.growth()), (8, 4));
        assert_eq!((grown().limit(), grown().growth()), (16, 12));
    }

    #[test]
    fn deliveries_that_may_start_do_not_grow_the_limit() {
        let mut concurrency = DeliveryConcurrency::new(4, 16);
        concurrency.started(3, true);
        (0..100).for_each(|_| concurrency.succeeded());
        assert_eq!(concurrency.limit(), 4);
    }

    #[test]
    fn a_failure_halves_the_limit_and_successes_restore_it() {
        let mut concurrency = grown();
        let halved = [8, 4, 2, 1, 1].map(|_| {
            concurrency.failed();
            // Deliveries that had started before the failure.
            concurrency.succeeded();
            concurrency.limit()
        });
        assert_eq!((halved, concurrency.growth()), ([8, 4, 2, 1, 1], 0));
        concurrency.started(1, false);
        (0..100).for_each(|_| concurrency.succeeded());
        assert_eq!(concurrency.limit(), 4);
    }

    #[test]
    fn the_limit_returns_to_the_initial_number_after_the_backlog() {
        let mut concurrency = grown();
        concurrency.started(1, false);
        (0..12).for_each(|_| concurrency.succeeded());
        assert_eq!(concurrency.limit(), 4);
        concurrency.succeeded();
        assert_eq!(concurrency.limit(), 4);
    }

    #[test]
    fn a_maximum_below_the_initial_number_fixes_the_number() {
        let mut concurrency = DeliveryConcurrency::new(4, 1);
        concurrency.started(4, true);
        (0..100).for_each(|_| concurrency.succeeded());
        assert_eq!(concurrency.limit(), 4);
    }
}
