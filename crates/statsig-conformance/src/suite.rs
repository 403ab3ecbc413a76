//! Comparing many sets at once.

use std::io::BufRead;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::{Comparison, Error, Exception, Kinds, Report, SpecSet};

/// A choice of sets, and how they are to be compared.
///
/// The sets are spread over the machine's cores, the largest ones first.
#[derive(Debug, Clone)]
pub struct Suite<'a> {
    sets: Vec<SpecSet>,
    kinds: Kinds,
    exceptions: &'a [Exception],
    shown: usize,
}

/// How one set came out.
#[derive(Debug)]
pub struct Outcome<E> {
    /// The name of the set.
    pub set: String,
    /// The comparison, or why there was none.
    pub report: Result<Report, E>,
}

impl<'a> Suite<'a> {
    /// Takes these sets, every kind of record, and no exceptions.
    #[must_use]
    pub fn new(sets: Vec<SpecSet>) -> Self {
        Self { sets, kinds: Kinds::ALL, exceptions: &[], shown: 3 }
    }

    /// Compares records of these kinds only.
    #[must_use]
    pub fn kinds(mut self, kinds: Kinds) -> Self {
        self.kinds = kinds;
        self
    }

    /// Excuses differences for which one of these exceptions was written.
    #[must_use]
    pub fn exceptions(mut self, exceptions: &'a [Exception]) -> Self {
        self.exceptions = exceptions;
        self
    }

    /// Keeps at most this many differences of each category and set; all are counted.
    #[must_use]
    pub fn shown(mut self, differences: usize) -> Self {
        self.shown = differences;
        self
    }

    /// Gets the results of every set from `results`, and compares them.
    ///
    /// Both are called from several threads: `results` once a set, and `finished` after each
    /// comparison. The outcomes come in the order of the sets' names.
    pub fn run<R, E>(
        &self,
        results: impl Fn(&SpecSet) -> Result<R, E> + Sync,
        finished: impl Fn(&Outcome<E>) + Sync,
    ) -> Vec<Outcome<E>>
    where
        R: BufRead,
        E: From<Error> + Send,
    {
        let mut queue: Vec<&SpecSet> = self.sets.iter().collect();
        queue.sort_by_key(|set| std::cmp::Reverse(set.size()));
        let next = AtomicUsize::new(0);
        let outcomes = Mutex::new(Vec::new());
        let work = || {
            while let Some(set) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
                let outcome = Outcome { set: set.name().to_owned(), report: self.compare(set, &results) };
                finished(&outcome);
                outcomes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(outcome);
            }
        };
        let workers = thread::available_parallelism().map_or(1, NonZero::get).min(queue.len());
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(work);
            }
        });
        let mut outcomes = outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        outcomes.sort_by(|a, b| a.set.cmp(&b.set));
        outcomes
    }

    fn compare<R: BufRead, E: From<Error>>(
        &self,
        set: &SpecSet,
        results: impl Fn(&SpecSet) -> Result<R, E>,
    ) -> Result<Report, E> {
        let actual = results(set)?;
        let report = Comparison::new(set.name())
            .kinds(self.kinds)
            .exceptions(self.exceptions)
            .shown(self.shown)
            .run(set.expected()?, actual)?;
        Ok(report)
    }
}
