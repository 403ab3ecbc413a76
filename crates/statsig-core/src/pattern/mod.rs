//! Regular expressions within limits of memory and time.
//!
//! In: the target of `str_matches`. Out: a [`Pattern`] that answers whether it is found in a text, or that it would
//! cost too much to know ([`Pattern::is_match`] gives `None`). Syntax and meaning are those of the crate
//! `fancy-regex`, as in the official SDKs; its parser is used, but not its engine, for it bounds neither the size of
//! what it compiles nor the time of a search: the work between two of its backtracking steps may scan the whole text.
//!
//! A pattern without any special character is searched as it is. One that is *regular* becomes a lazy DFA of
//! `regex-automata`: a search reads each byte once, and the states that it has to build count towards the limit. Any
//! other pattern (look-around, back-references, word boundaries, atomic groups) becomes a [program](program) for a
//! [machine](machine) that backtracks and counts each step.
//!
//! | what | limit |
//! | --- | --- |
//! | length of a pattern | 1,024 characters |
//! | memory of a compiled pattern | 1 MiB |
//! | memory of all patterns of a payload | 64 MiB |
//! | text searched by backtracking | 8 KiB |
//! | steps of all patterns of one check | 150,000, about 1 ms |

mod budget;
mod class;
mod linear;
mod machine;
mod needs;
mod node;
mod pool;
mod program;
#[cfg(test)]
mod tests;

use std::fmt;

use fancy_regex::Expr;

pub(crate) use budget::PatternBudget;
use linear::{BYTES_A_STEP, Linear, STEPS_A_SEARCH};
use machine::search;
use node::Node;
pub(crate) use pool::PatternPool;
use program::Program;

/// Longest pattern, in characters.
const MAX_LENGTH: usize = 1_024;
/// Largest compiled pattern, in bytes.
const MAX_MEMORY: usize = 1 << 20;
/// Longest text that is searched by backtracking, in bytes.
const MAX_BACKTRACKED_TEXT: usize = 8 << 10;
/// What a pattern costs beside its tables: counted, so that there cannot be millions of small ones.
const OVERHEAD: usize = 2 << 10;

/// A compiled regular expression, compared by its source.
pub(crate) struct Pattern {
    source: Box<str>,
    engine: Engine,
}

enum Engine {
    /// The pattern stands for this text.
    Literal(Box<str>),
    Linear(Linear),
    Backtracking(Program),
}

/// Reason a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PatternError {
    /// Its syntax is wrong, or it uses what no SDK supports.
    Invalid(String),
    /// It exceeds a limit, named here.
    Limit(&'static str),
}

impl Pattern {
    /// Compiles a pattern.
    pub(crate) fn compile(source: &str) -> Result<Self, PatternError> {
        if source.len() > MAX_LENGTH && source.chars().nth(MAX_LENGTH).is_some() {
            return Err(PatternError::Limit("longer than 1,024 characters"));
        }
        let mut tree = Expr::parse_tree(source).map_err(|error| invalid(&error))?;
        node::open_trailing_lookahead(&mut tree.expr);
        let root = Node::of_tree(&tree.expr, &tree.backrefs.iter().collect())?;
        let engine = if let Some(text) = needs::literal(&tree.expr) {
            Engine::Literal(text.into())
        } else if root.needs_backtracking {
            Engine::Backtracking(Program::compile(&root)?)
        } else {
            let mut regular = String::new();
            tree.expr.to_str(&mut regular, 0);
            Engine::Linear(Linear::compile(&regular)?)
        };
        Ok(Self { source: source.into(), engine })
    }

    /// Returns true if the pattern is found in the text; `None` if that would exceed a limit.
    pub(crate) fn is_match(&self, text: &str, budget: &mut PatternBudget) -> Option<bool> {
        match &self.engine {
            Engine::Literal(wanted) => {
                budget.spend(STEPS_A_SEARCH + text.len() / BYTES_A_STEP)?;
                Some(text.contains(&**wanted))
            }
            Engine::Linear(linear) => linear.is_match(text, budget),
            Engine::Backtracking(_) if text.len() > MAX_BACKTRACKED_TEXT => None,
            Engine::Backtracking(program) => search(program, text, budget),
        }
    }

    /// Bytes that the pattern takes; what searches keep for the next one comes on top.
    pub(crate) fn memory_usage(&self) -> usize {
        let tables = match &self.engine {
            Engine::Literal(text) => text.len(),
            Engine::Linear(linear) => linear.memory_usage(),
            Engine::Backtracking(program) => program.memory_usage(),
        };
        OVERHEAD + self.source.len() + tables
    }

    /// Returns the pattern as written.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.source)
    }
}

/// Names a syntax error, without the pattern.
fn invalid(error: &fancy_regex::Error) -> PatternError {
    let text = match error {
        fancy_regex::Error::ParseError(at, error) => format!("{} at byte {at}", kind_of(error)),
        _ => "not supported".to_owned(),
    };
    PatternError::Invalid(text)
}

fn kind_of(error: &fancy_regex::ParseError) -> &'static str {
    use fancy_regex::ParseError as E;
    match error {
        E::UnclosedOpenParen => "unclosed group",
        E::InvalidRepeat => "invalid repetition",
        E::RecursionExceeded => "groups nest too deep",
        E::TrailingBackslash => "trailing backslash",
        E::InvalidEscape(_) => "invalid escape",
        E::UnclosedUnicodeName | E::InvalidHex | E::InvalidCodepointValue => "invalid character code",
        E::InvalidClass => "invalid character class",
        E::UnknownFlag(_) | E::NonUnicodeUnsupported => "unknown flag",
        E::InvalidBackref | E::InvalidGroupName | E::InvalidGroupNameBackref(_) => "invalid group reference",
        E::TargetNotRepeatable => "nothing to repeat",
        _ => "invalid syntax",
    }
}
