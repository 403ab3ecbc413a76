//! What a text must have for a pattern to be found in it: checked before anything else.

use fancy_regex::Expr;

use super::node::Node;

/// Characters that are looked for before a search.
const MOST_CHARS: usize = 8;
/// Longest text that stands for a pattern, in bytes.
const LONGEST_LITERAL: usize = 4 << 10;

/// Returns the text that a pattern stands for, if that is all there is to it: `abc`, `a{3}`.
pub(super) fn literal(expr: &Expr) -> Option<String> {
    let mut text = String::new();
    append_literal(expr, &mut text).then_some(text)
}

fn append_literal(expr: &Expr, text: &mut String) -> bool {
    match expr {
        Expr::Empty => true,
        Expr::Literal { val, casei: false } => {
            text.push_str(val);
            text.len() <= LONGEST_LITERAL
        }
        Expr::Concat(parts) => parts.iter().all(|part| append_literal(part, text)),
        Expr::Repeat { child, lo, hi, .. } if lo == hi && *lo <= LONGEST_LITERAL => {
            (0..*lo).all(|_| append_literal(child, text))
        }
        _ => false,
    }
}

/// Returns characters without which no text has the pattern.
pub(super) fn chars(root: &Node<'_>) -> Box<[char]> {
    let mut found = Vec::new();
    gather_chars(root, &mut found);
    found.into_boxed_slice()
}

fn gather_chars(node: &Node<'_>, found: &mut Vec<char>) {
    match node.expr {
        Expr::Literal { val, casei: false } => {
            for one in val.chars() {
                if found.len() < MOST_CHARS && !found.contains(&one) {
                    found.push(one);
                }
            }
        }
        Expr::Repeat { lo: 0, .. } => {}
        Expr::Concat(_) | Expr::Group(_) | Expr::AtomicGroup(_) | Expr::Repeat { .. } => {
            node.children.iter().for_each(|child| gather_chars(child, found));
        }
        _ => {}
    }
}

/// Returns the part that matches the first character, if there is just one.
pub(super) fn first<'n, 'e>(node: &'n Node<'e>) -> Option<&'n Node<'e>> {
    match node.expr {
        Expr::Any { .. } | Expr::Literal { .. } | Expr::Delegate { size: 1, .. } => Some(node),
        Expr::Concat(_) => first(node.children.iter().find(|child| !is_look(child))?),
        Expr::Repeat { lo: 0, .. } => None,
        Expr::Group(_) | Expr::AtomicGroup(_) | Expr::Repeat { .. } => first(node.children.first()?),
        _ => None,
    }
}

/// Whether a part looks at a place and takes no character.
fn is_look(node: &Node<'_>) -> bool {
    matches!(node.expr, Expr::Assertion(_) | Expr::LookAround(..) | Expr::Empty | Expr::KeepOut)
}
