//! Work that the patterns of one check may take.

/// Steps that are left to the patterns of one check; a step takes 5 to 8 ns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PatternBudget {
    steps: u32,
    /// Bytes of DFA states that may be built free of charge.
    free_states: usize,
}

impl PatternBudget {
    /// Steps of one check.
    pub(crate) const CHECK: u32 = 150_000;
    /// DFA states that one check may build free of charge, in bytes: those of a thousand new patterns.
    const FREE_STATES: usize = 4 << 20;

    /// The budget of one check.
    pub(crate) const fn new() -> Self {
        Self { steps: Self::CHECK, free_states: Self::FREE_STATES }
    }

    /// A budget of so many steps, at most those of one check.
    pub(crate) const fn at_most(steps: u64) -> Self {
        #[allow(clippy::cast_possible_truncation)] // not more than those of a check
        let steps = if steps < Self::CHECK as u64 { steps as u32 } else { Self::CHECK };
        Self { steps, ..Self::new() }
    }

    /// Returns the steps that are left.
    pub(crate) const fn left(self) -> u32 {
        self.steps
    }

    /// Takes steps; `None`, and nothing is left, if there are fewer.
    #[inline]
    pub(super) fn spend(&mut self, steps: usize) -> Option<()> {
        let left = u32::try_from(steps).ok().and_then(|steps| self.steps.checked_sub(steps));
        self.steps = left.unwrap_or(0);
        left.map(|_| ())
    }

    /// Takes a step for each byte of new DFA states, but for those that are `free` and free in this check.
    pub(super) fn spend_on_states(&mut self, bytes: usize, free: &mut usize) -> Option<()> {
        let granted = bytes.min(*free).min(self.free_states);
        *free -= granted;
        self.free_states -= granted;
        self.spend(bytes - granted)
    }
}
