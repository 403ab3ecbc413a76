//! Options of single calls.

/// How a check is made.
///
/// ```
/// use statsig::EvaluationOptions;
///
/// let quietly = EvaluationOptions::new().disable_exposure_logging(true);
/// # assert!(quietly.disable_exposure_logging);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EvaluationOptions {
    /// Logs no exposure; that the check was made is counted, and sent as a sum. Default `false`.
    pub disable_exposure_logging: bool,
}

impl EvaluationOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to log no exposure.
    #[must_use]
    pub fn disable_exposure_logging(mut self, disable: bool) -> Self {
        self.disable_exposure_logging = disable;
        self
    }
}

/// Whether and how a result is exposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exposing {
    No,
    Check,
    /// On behalf of a parameter store.
    Lookup,
}

impl Exposing {
    pub(crate) fn unless(disabled: bool) -> Self {
        if disabled { Self::No } else { Self::Check }
    }
}
