//! Instructions of a pattern that needs backtracking.

use std::collections::BTreeMap;

use super::class::CharClass;
use super::needs;
use super::node::Node;
use super::{MAX_MEMORY, PatternError};
use fancy_regex::{Assertion, Expr, LookAround};

/// An instruction; `u32` fields are positions of instructions, slots, groups or classes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Found.
    Found,
    /// Any character.
    Any,
    /// Any character but a line feed.
    AnyInLine,
    Char(char),
    Class(u32),
    /// As many of the characters that the next instruction accepts as there are, at most `hi`; gives them back one by one,
    /// down to `lo`. Goes on behind that instruction.
    Run {
        lo: usize,
        hi: usize,
    },
    Assert(Assertion),
    /// Tries the first, and goes on at the second should that fail.
    Split {
        first: u32,
        second: u32,
    },
    Jump(u32),
    /// Stores the position in a slot.
    Save(u32),
    /// Stores 0 in a slot.
    Zero(u32),
    /// Goes back to the position in a slot.
    Restore(u32),
    /// Fails unless the position is the one in a slot.
    Expect(u32),
    /// Goes back so many characters, or fails.
    Back(usize),
    /// Goes back one character, or fails; also if it is `most` characters before the position in the slot `from`.
    BackWithin {
        from: u32,
        most: usize,
    },
    /// Counts the rounds of a loop in the slot `rounds`; leaves it for `exit`.
    Repeat {
        lo: usize,
        hi: usize,
        greedy: bool,
        exit: u32,
        rounds: u32,
    },
    /// The same without an upper limit, for a body that may match nothing: a round that did leaves the loop. The slot
    /// `at` keeps where the round began.
    RepeatEmpty {
        lo: usize,
        greedy: bool,
        exit: u32,
        rounds: u32,
        at: u32,
    },
    /// Stores in a slot how many alternatives are open.
    Mark(u32),
    /// Closes the alternatives opened since the mark in a slot.
    Commit(u32),
    /// Closes them, takes back what was stored since, and fails.
    Reject(u32),
    Backref {
        group: u32,
        ignore_case: bool,
    },
    /// Fails unless a group has matched.
    HasMatched(u32),
    /// Fails unless the position is the beginning of the search.
    AtStart,
}

/// A compiled pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) steps: Box<[Step]>,
    pub(super) classes: Box<[CharClass]>,
    pub(super) slots: usize,
    /// Characters that a text must have.
    pub(super) needed: Box<[char]>,
    /// Position of an instruction behind the program that accepts the first character of what is found; `None` if that
    /// may be any, or none.
    pub(super) first: Option<u32>,
    /// It can be found at the beginning of the text only.
    pub(super) is_anchored: bool,
}

impl Program {
    pub(super) fn compile(root: &Node<'_>) -> Result<Self, PatternError> {
        let mut compiler = Compiler {
            steps: Vec::new(),
            classes: Vec::new(),
            class_ids: BTreeMap::new(),
            // Begin and end of each group; group 0 is the whole.
            slots: 2 * (1 + count_groups(root)),
        };
        compiler.node(root, Mode::Free)?;
        compiler.push(Step::Found);
        let first = match needs::first(root) {
            Some(first) => {
                let at = compiler.here();
                compiler.node(first, Mode::Free)?;
                Some(at)
            }
            None => None,
        };
        let program = Self {
            steps: compiler.steps.into_boxed_slice(),
            classes: compiler.classes.into_boxed_slice(),
            slots: compiler.slots,
            needed: needs::chars(root),
            first,
            is_anchored: begins_at_start(root),
        };
        if program.memory_usage() > MAX_MEMORY {
            return Err(PatternError::Limit("more than 1 MiB compiled"));
        }
        Ok(program)
    }

    pub(super) fn memory_usage(&self) -> usize {
        size_of_val(&*self.steps) + self.classes.iter().map(CharClass::memory_usage).sum::<usize>()
    }
}

fn count_groups(node: &Node<'_>) -> usize {
    node.children.iter().map(count_groups).max().unwrap_or(0).max(node.group)
}

/// Whether a part is a single instruction that accepts one character.
fn is_one_char(node: &Node<'_>) -> bool {
    match node.expr {
        Expr::Any { .. } => true,
        Expr::Delegate { size, .. } => *size == 1,
        Expr::Literal { val, .. } => val.chars().count() == 1,
        _ => false,
    }
}

fn begins_at_start(root: &Node<'_>) -> bool {
    let first = if let Expr::Concat(_) = root.expr { root.children.first() } else { Some(root) };
    first.is_some_and(|first| *first.expr == Expr::Assertion(Assertion::StartText))
}

/// Whether a part that a DFA could match may match in another way should what follows fail.
///
/// The reference hands such a part to a DFA where nothing hard stands around it, which finds one match and no other.
/// That shows inside of look-arounds only; elsewhere nothing follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Free,
    Once,
}

struct Compiler {
    steps: Vec<Step>,
    classes: Vec<CharClass>,
    class_ids: BTreeMap<(String, bool), u32>,
    slots: usize,
}

#[allow(clippy::cast_possible_truncation)] // patterns have at most 1,024 characters
fn id(number: usize) -> u32 {
    number as u32
}

impl Compiler {
    fn here(&self) -> u32 {
        id(self.steps.len())
    }

    fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    fn slot(&mut self) -> u32 {
        self.slots += 1;
        id(self.slots - 1)
    }

    /// Adds an instruction that leads to one that is not there yet; returns its place.
    fn open(&mut self, step: Step) -> usize {
        self.push(step);
        self.steps.len() - 1
    }

    /// Lets an opened instruction lead here.
    fn close(&mut self, at: usize) {
        let here = self.here();
        match self.steps.get_mut(at) {
            Some(Step::Jump(to) | Step::Repeat { exit: to, .. } | Step::RepeatEmpty { exit: to, .. }) => *to = here,
            // The branch that does not simply go on.
            Some(Step::Split { first, .. }) if *first == u32::MAX => *first = here,
            Some(Step::Split { second, .. }) => *second = here,
            _ => {}
        }
    }

    fn node(&mut self, node: &Node<'_>, mode: Mode) -> Result<(), PatternError> {
        if mode == Mode::Once && !node.needs_backtracking {
            return self.once(|compiler| compiler.node(node, Mode::Free));
        }
        match node.expr {
            Expr::Any { newline } => self.push(if *newline { Step::Any } else { Step::AnyInLine }),
            Expr::Assertion(assertion) => self.push(Step::Assert(*assertion)),
            Expr::Literal { val, casei } => {
                for one in val.chars() {
                    if *casei {
                        let class = regex_syntax::escape(one.encode_utf8(&mut [0; 4]));
                        self.class(&class, true)?;
                    } else {
                        self.push(Step::Char(one));
                    }
                }
            }
            // What `\Z` stands for: the only one that is not a set of characters.
            Expr::Delegate { inner, size: 0, .. } if inner == "\\n*$" => self.line_feeds_at_end(),
            Expr::Delegate { inner, casei, .. } => self.class(inner, *casei)?,
            Expr::Concat(_) if mode == Mode::Once => {
                // The part behind the last one that needs backtracking is matched as a whole.
                let last = node.children.iter().rposition(|child| child.needs_backtracking);
                let (head, tail) = node.children.split_at(last.map_or(0, |last| last + 1));
                head.iter().try_for_each(|child| self.node(child, Mode::Free))?;
                self.once(|compiler| tail.iter().try_for_each(|child| compiler.node(child, Mode::Free)))?;
            }
            Expr::Concat(_) => node.children.iter().try_for_each(|child| self.node(child, Mode::Free))?,
            Expr::Alt(_) => self.alternatives(&node.children, |compiler, child| compiler.node(child, mode))?,
            Expr::Group(_) => {
                self.push(Step::Save(id(2 * node.group)));
                self.child(node, 0, mode)?;
                self.push(Step::Save(id(2 * node.group + 1)));
            }
            Expr::Repeat { lo, hi, greedy, .. } => self.repeat(node, (*lo, *hi, *greedy), mode)?,
            Expr::LookAround(_, look) => self.look_around(node, *look)?,
            Expr::AtomicGroup(_) => self.once(|compiler| compiler.child(node, 0, Mode::Free))?,
            Expr::Backref { group, casei } => self.push(Step::Backref { group: id(*group), ignore_case: *casei }),
            Expr::BackrefExistsCondition(group) => self.push(Step::HasMatched(id(*group))),
            Expr::ContinueFromPreviousMatchEnd => self.push(Step::AtStart),
            Expr::Conditional { .. } => {
                let mark = self.slot();
                self.push(Step::Mark(mark));
                let split = self.open_split(true);
                self.child(node, 0, Mode::Free)?;
                self.push(Step::Commit(mark));
                self.child(node, 1, mode)?;
                let end = self.open(Step::Jump(0));
                self.close(split);
                self.child(node, 2, mode)?;
                self.close(end);
            }
            // `\K` moves the beginning of what was found, which nobody asks for.
            _ => {}
        }
        Ok(())
    }

    fn child(&mut self, node: &Node<'_>, at: usize, mode: Mode) -> Result<(), PatternError> {
        node.children.get(at).map_or(Ok(()), |child| self.node(child, mode))
    }

    /// A part that, once it has matched, does not match in another way.
    fn once(&mut self, part: impl FnOnce(&mut Self) -> Result<(), PatternError>) -> Result<(), PatternError> {
        let mark = self.slot();
        self.push(Step::Mark(mark));
        part(self)?;
        self.push(Step::Commit(mark));
        Ok(())
    }

    fn class(&mut self, class: &str, ignore_case: bool) -> Result<(), PatternError> {
        let known = self.class_ids.get(&(class.to_owned(), ignore_case)).copied();
        let at = match known {
            Some(at) => at,
            None => {
                self.classes.push(CharClass::parse(class, ignore_case)?);
                let at = id(self.classes.len() - 1);
                self.class_ids.insert((class.to_owned(), ignore_case), at);
                at
            }
        };
        self.push(Step::Class(at));
        Ok(())
    }

    fn line_feeds_at_end(&mut self) {
        let again = self.here();
        let split = self.open_split(true);
        self.push(Step::Char('\n'));
        self.push(Step::Jump(again));
        self.close(split);
        self.push(Step::Assert(Assertion::EndText));
    }

    /// A split of which one branch goes on here and the other one is closed later.
    fn open_split(&mut self, here_first: bool) -> usize {
        let next = self.here() + 1;
        self.open(if here_first {
            Step::Split { first: next, second: 0 }
        } else {
            Step::Split { first: u32::MAX, second: next }
        })
    }

    fn alternatives(
        &mut self,
        nodes: &[Node<'_>],
        mut compile: impl FnMut(&mut Self, &Node<'_>) -> Result<(), PatternError>,
    ) -> Result<(), PatternError> {
        let mut ends = Vec::new();
        for (at, node) in nodes.iter().enumerate() {
            if at + 1 == nodes.len() {
                compile(self, node)?;
                break;
            }
            let split = self.open_split(true);
            compile(self, node)?;
            ends.push(self.open(Step::Jump(0)));
            self.close(split);
        }
        for end in ends {
            self.close(end);
        }
        Ok(())
    }

    fn repeat(
        &mut self,
        node: &Node<'_>,
        (lo, hi, greedy): (usize, usize, bool),
        mode: Mode,
    ) -> Result<(), PatternError> {
        if greedy && mode == Mode::Free && (lo, hi) != (0, 1) && node.children.first().is_some_and(is_one_char) {
            self.push(Step::Run { lo, hi });
            return self.child(node, 0, Mode::Free);
        }
        let is_empty = node.children.first().is_none_or(|child| child.min_chars == 0);
        match (lo, hi) {
            (0, 1) => {
                let split = self.open_split(greedy);
                self.child(node, 0, mode)?;
                self.close(split);
            }
            (_, usize::MAX) if is_empty => {
                let (rounds, at) = (self.slot(), self.slot());
                self.push(Step::Zero(rounds));
                let again = self.open(Step::RepeatEmpty { lo, greedy, exit: 0, rounds, at });
                self.child(node, 0, Mode::Free)?;
                self.push(Step::Jump(id(again)));
                self.close(again);
            }
            (0, usize::MAX) => {
                let again = self.open_split(greedy);
                self.child(node, 0, Mode::Free)?;
                self.push(Step::Jump(id(again)));
                self.close(again);
            }
            (1, usize::MAX) => {
                let again = self.here();
                self.child(node, 0, Mode::Free)?;
                let next = self.here() + 1;
                let (first, second) = if greedy { (again, next) } else { (next, again) };
                self.push(Step::Split { first, second });
            }
            _ => {
                let rounds = self.slot();
                self.push(Step::Zero(rounds));
                let again = self.open(Step::Repeat { lo, hi, greedy, exit: 0, rounds });
                self.child(node, 0, Mode::Free)?;
                self.push(Step::Jump(id(again)));
                self.close(again);
            }
        }
        Ok(())
    }

    fn look_around(&mut self, node: &Node<'_>, look: LookAround) -> Result<(), PatternError> {
        let Some(inner) = node.children.first() else { return Ok(()) };
        let is_behind = matches!(look, LookAround::LookBehind | LookAround::LookBehindNeg);
        // Alternatives of different sizes are looked behind for one by one.
        let is_split = is_behind && !inner.has_constant_size && matches!(inner.expr, Expr::Alt(_));
        match look {
            LookAround::LookAhead | LookAround::LookBehind if is_split => {
                self.alternatives(&inner.children, |compiler, node| compiler.positive(node, true))
            }
            LookAround::LookAhead | LookAround::LookBehind => self.positive(inner, is_behind),
            LookAround::LookAheadNeg | LookAround::LookBehindNeg if is_split => {
                inner.children.iter().try_for_each(|node| self.negative(node, true))
            }
            LookAround::LookAheadNeg | LookAround::LookBehindNeg => self.negative(inner, is_behind),
        }
    }

    fn positive(&mut self, inner: &Node<'_>, is_behind: bool) -> Result<(), PatternError> {
        let from = self.slot();
        self.push(Step::Save(from));
        self.looked_for(inner, is_behind, from)?;
        self.push(Step::Restore(from));
        Ok(())
    }

    fn negative(&mut self, inner: &Node<'_>, is_behind: bool) -> Result<(), PatternError> {
        let (mark, from) = (self.slot(), self.slot());
        self.push(Step::Mark(mark));
        let split = self.open_split(true);
        self.push(Step::Save(from));
        self.looked_for(inner, is_behind, from)?;
        self.push(Step::Reject(mark));
        self.close(split);
        Ok(())
    }

    /// What a look-around looks for, from the position in the slot `from`.
    fn looked_for(&mut self, inner: &Node<'_>, is_behind: bool, from: u32) -> Result<(), PatternError> {
        if !is_behind {
            return self.node(inner, Mode::Once);
        }
        if inner.has_constant_size {
            self.push(Step::Back(inner.min_chars));
            return self.node(inner, Mode::Once);
        }
        if inner.needs_backtracking {
            return Err(PatternError::Invalid("look-behind of no constant size".to_owned()));
        }
        // Begins ever further in front, until it ends where the look-behind stands.
        self.once(|compiler| {
            let again = compiler.open_split(true);
            compiler.node(inner, Mode::Free)?;
            compiler.push(Step::Expect(from));
            let end = compiler.open(Step::Jump(0));
            compiler.close(again);
            compiler.push(Step::BackWithin { from, most: inner.max_chars });
            compiler.push(Step::Jump(id(again)));
            compiler.close(end);
            Ok(())
        })
    }
}
