//! The patterns of one payload, each compiled once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{MAX_MEMORY, Pattern, PatternError};

/// Largest sum of the compiled patterns of a payload, in bytes.
const MAX_TOTAL_MEMORY: usize = 64 << 20;
/// Longest pattern that is remembered as refused, in bytes; longer ones are refused before they are compiled.
const REMEMBERED: usize = 4 << 10;

/// Compiles the patterns of a payload, as many as fit into 64 MiB.
#[derive(Debug)]
pub(crate) struct PatternPool {
    known: BTreeMap<Box<str>, Result<Arc<Pattern>, PatternError>>,
    memory: usize,
    max_memory: usize,
}

impl Default for PatternPool {
    fn default() -> Self {
        Self { known: BTreeMap::new(), memory: 0, max_memory: MAX_TOTAL_MEMORY }
    }
}

impl PatternPool {
    #[cfg(test)]
    pub(super) fn with_max_memory(max_memory: usize) -> Self {
        Self { max_memory, ..Self::default() }
    }

    /// Compiles a pattern, or returns what it was compiled to before.
    pub(crate) fn compile(&mut self, source: &str) -> Result<Arc<Pattern>, PatternError> {
        if let Some(known) = self.known.get(source) {
            return known.clone();
        }
        if self.memory >= self.max_memory {
            return Err(PatternError::Limit("more than 64 MiB compiled for all patterns"));
        }
        let compiled = Pattern::compile(source).map(Arc::new);
        // One that is too large took as much time as the largest.
        self.memory += match &compiled {
            Ok(pattern) => pattern.memory_usage(),
            Err(PatternError::Limit(_)) if source.len() <= REMEMBERED => MAX_MEMORY,
            Err(_) => 0,
        };
        if source.len() <= REMEMBERED {
            self.known.insert(source.into(), compiled.clone());
        }
        compiled
    }
}
