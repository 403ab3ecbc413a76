//! Patterns that a DFA decides: one pass over the text.
//!
//! The states of a DFA are built when a text leads to them, and kept. Most patterns have a few dozen; there are some of
//! which each character of a text leads to a new one, and building it takes as long as the pattern is large. New states
//! therefore count towards the budget of a check, but for the first ones: a pattern that is searched for the first time
//! has none.

use std::sync::Arc;

use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::pool::Pool;
use regex_automata::{Anchored, util::start};

use super::budget::PatternBudget;
use super::{MAX_MEMORY, PatternError};

/// Memory of the states that searches keep for the next one, in bytes.
const CACHE: usize = 512 << 10;
/// States that are built free of charge, in bytes for each cache.
const FREE_STATES: usize = 32 << 10;
/// Steps of any search, however short.
pub(super) const STEPS_A_SEARCH: usize = 16;
/// Bytes of text that are read in the time of a step.
pub(super) const BYTES_A_STEP: usize = 8;
/// Bytes of text after which new states are counted.
const BLOCK: usize = 64;

type StatesPool =
    Pool<States, Box<dyn Fn() -> States + Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>>;

/// A lazy DFA with its states, one set for each thread that searches at the same time.
pub(super) struct Linear {
    dfa: Arc<DFA>,
    states: StatesPool,
}

/// States built so far.
struct States {
    cache: Cache,
    /// Bytes of states that may still be built free of charge.
    free: usize,
}

impl Linear {
    /// Compiles a pattern in the syntax of the crate `regex`.
    pub(super) fn compile(pattern: &str) -> Result<Self, PatternError> {
        let invalid = || PatternError::Invalid("not supported".to_owned());
        let limits = thompson::Config::new().nfa_size_limit(Some(MAX_MEMORY)).which_captures(WhichCaptures::None);
        let nfa = NFA::compiler().configure(limits).build(pattern).map_err(|error| match error.size_limit() {
            Some(_) => PatternError::Limit("more than 1 MiB compiled"),
            None => invalid(),
        })?;
        // Of a large pattern the smallest cache is larger.
        let config = Config::new().cache_capacity(CACHE).skip_cache_capacity_check(true);
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa).map_err(|_| invalid())?;
        let dfa = Arc::new(dfa);
        let of_states = Arc::clone(&dfa);
        let create = move || States { cache: of_states.create_cache(), free: FREE_STATES };
        Ok(Self { dfa, states: Pool::new(Box::new(create)) })
    }

    pub(super) fn is_match(&self, text: &str, budget: &mut PatternBudget) -> Option<bool> {
        budget.spend(STEPS_A_SEARCH + text.len() / BYTES_A_STEP)?;
        let mut states = self.states.get();
        let States { cache, free } = &mut *states;
        let start = start::Config::new().anchored(Anchored::No);
        let mut known = (cache.memory_usage(), cache.clear_count());
        let mut state = self.dfa.start_state(cache, &start).ok()?;
        for block in text.as_bytes().chunks(BLOCK) {
            for &byte in block {
                state = self.dfa.next_state(cache, state, byte).ok()?;
                if state.is_tagged() {
                    if state.is_match() {
                        return Some(true);
                    }
                    if state.is_dead() {
                        return Some(false);
                    }
                }
            }
            let now = (cache.memory_usage(), cache.clear_count());
            if now != known {
                let cleared = now.1.saturating_sub(known.1) * CACHE;
                budget.spend_on_states(now.0.saturating_sub(known.0) + cleared, free)?;
                known = now;
            }
        }
        // Matches are known one byte late.
        let end = self.dfa.next_eoi_state(cache, state).ok()?;
        Some(end.is_match())
    }

    pub(super) fn memory_usage(&self) -> usize {
        self.dfa.get_nfa().memory_usage()
    }
}
