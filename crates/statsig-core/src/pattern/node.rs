//! The syntax tree of a pattern, with what compiling needs to know of each part.

use std::collections::{BTreeMap, BTreeSet};

use fancy_regex::{Assertion, Expr, LookAround};

use super::PatternError;

/// A part of a pattern.
#[derive(Debug)]
pub(super) struct Node<'e> {
    pub(super) expr: &'e Expr,
    pub(super) children: Vec<Node<'e>>,
    /// Fewest characters that it matches.
    pub(super) min_chars: usize,
    /// Most characters that it matches; `usize::MAX` if there is no bound.
    pub(super) max_chars: usize,
    /// It always matches as many characters.
    pub(super) has_constant_size: bool,
    /// No DFA can match it.
    pub(super) needs_backtracking: bool,
    /// Number of the group that it is.
    pub(super) group: usize,
}

/// Facts about the parts that were met so far.
struct Survey<'t> {
    referred_to: &'t BTreeSet<usize>,
    groups: usize,
    /// Size of each group, and whether it is constant.
    sizes: BTreeMap<usize, (usize, bool)>,
}

impl<'e> Node<'e> {
    /// Looks through a tree whose references lead to the groups `referred_to`.
    pub(super) fn of_tree(tree: &'e Expr, referred_to: &BTreeSet<usize>) -> Result<Self, PatternError> {
        let mut survey = Survey { referred_to, groups: 0, sizes: BTreeMap::new() };
        let root = survey.visit(tree)?;
        if referred_to.iter().any(|&group| group == 0 || group > survey.groups) {
            return Err(PatternError::Invalid("reference to a group that is not there".to_owned()));
        }
        Ok(root)
    }

    /// Fewest and most characters, and whether it is always as many.
    fn size(&self) -> (usize, usize, bool) {
        (self.min_chars, self.max_chars, self.has_constant_size)
    }
}

impl Survey<'_> {
    fn visit<'e>(&mut self, expr: &'e Expr) -> Result<Node<'e>, PatternError> {
        let mut node = Node {
            expr,
            children: Vec::new(),
            min_chars: 0,
            max_chars: 0,
            has_constant_size: true,
            needs_backtracking: false,
            group: 0,
        };
        match expr {
            Expr::Empty => {}
            Expr::Assertion(assertion) => node.needs_backtracking = is_word_boundary(*assertion),
            Expr::Any { .. } => (node.min_chars, node.max_chars) = (1, 1),
            Expr::Literal { val, .. } => {
                node.min_chars = val.chars().count();
                node.max_chars = node.min_chars;
            }
            Expr::Delegate { size, .. } => {
                // Of size 0 is only what stands for the end and line feeds before it.
                (node.min_chars, node.max_chars) = (*size, if *size == 0 { usize::MAX } else { *size });
            }
            Expr::Concat(parts) => {
                for part in parts {
                    let part = self.visit(part)?;
                    node.min_chars = node.min_chars.saturating_add(part.min_chars);
                    node.max_chars = node.max_chars.saturating_add(part.max_chars);
                    node.has_constant_size &= part.has_constant_size;
                    node.needs_backtracking |= part.needs_backtracking;
                    node.children.push(part);
                }
            }
            Expr::Alt(parts) => {
                for part in parts {
                    let part = self.visit(part)?;
                    let is_first = node.children.is_empty();
                    node.has_constant_size &= part.has_constant_size && (is_first || part.min_chars == node.min_chars);
                    node.min_chars = if is_first { part.min_chars } else { node.min_chars.min(part.min_chars) };
                    node.max_chars = node.max_chars.max(part.max_chars);
                    node.needs_backtracking |= part.needs_backtracking;
                    node.children.push(part);
                }
            }
            Expr::Group(part) => {
                self.groups += 1;
                node.group = self.groups;
                let part = self.visit(part)?;
                (node.min_chars, node.max_chars, node.has_constant_size) = part.size();
                self.sizes.insert(node.group, (part.min_chars, part.has_constant_size));
                // What is referred to may have to match in another way.
                node.needs_backtracking = part.needs_backtracking || self.referred_to.contains(&node.group);
                node.children.push(part);
            }
            Expr::Repeat { child, lo, hi, .. } => {
                let part = self.visit(child)?;
                node.min_chars = part.min_chars.saturating_mul(*lo);
                node.max_chars = part.max_chars.saturating_mul(*hi);
                node.has_constant_size = part.has_constant_size && lo == hi;
                node.needs_backtracking = part.needs_backtracking;
                node.children.push(part);
            }
            Expr::LookAround(part, _) => {
                node.needs_backtracking = true;
                let part = self.visit(part)?;
                node.children.push(part);
            }
            Expr::AtomicGroup(part) => {
                node.needs_backtracking = true;
                let part = self.visit(part)?;
                (node.min_chars, node.max_chars, node.has_constant_size) = part.size();
                node.children.push(part);
            }
            Expr::Backref { group, .. } => {
                node.needs_backtracking = true;
                (node.min_chars, node.has_constant_size) = self.sizes.get(group).copied().unwrap_or((0, false));
                node.max_chars = usize::MAX;
            }
            Expr::KeepOut | Expr::ContinueFromPreviousMatchEnd | Expr::BackrefExistsCondition(_) => {
                node.needs_backtracking = true;
            }
            Expr::Conditional { condition, true_branch, false_branch } => {
                node.needs_backtracking = true;
                let [condition, yes, no] =
                    [self.visit(condition)?, self.visit(true_branch)?, self.visit(false_branch)?];
                let min_yes = condition.min_chars.saturating_add(yes.min_chars);
                let are_constant = condition.has_constant_size && yes.has_constant_size && no.has_constant_size;
                node.max_chars = usize::MAX;
                node.has_constant_size = are_constant && min_yes == no.min_chars;
                node.min_chars = condition.min_chars.saturating_add(yes.min_chars.min(no.min_chars));
                node.children.extend([condition, yes, no]);
            }
            Expr::SubroutineCall(_)
            | Expr::UnresolvedNamedSubroutineCall { .. }
            | Expr::BackrefWithRelativeRecursionLevel { .. } => {
                return Err(PatternError::Invalid("subroutine calls are not supported".to_owned()));
            }
        }
        Ok(node)
    }
}

/// Word boundaries follow Unicode, which a DFA of bytes cannot.
fn is_word_boundary(assertion: Assertion) -> bool {
    !matches!(
        assertion,
        Assertion::StartText | Assertion::EndText | Assertion::StartLine { .. } | Assertion::EndLine { .. }
    )
}

/// Puts the content of a look-ahead at the very end of a pattern in its place: whether the pattern is found stays the
/// same, and a DFA can tell.
pub(super) fn open_trailing_lookahead(expr: &mut Expr) {
    let last = match expr {
        Expr::Concat(parts) => match parts.last_mut() {
            Some(last) => last,
            None => return,
        },
        other => other,
    };
    if let Expr::LookAround(inner, LookAround::LookAhead) = last {
        *last = std::mem::replace(&mut **inner, Expr::Empty);
    }
}
