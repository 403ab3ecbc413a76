//! The machine that runs programs: it backtracks, and counts every step.

use fancy_regex::Assertion;
use regex_automata::util::look::LookMatcher;

use super::budget::PatternBudget;
use super::program::{Program, Step};

/// Characters that a run reads in the time of a step.
const CHARS_A_STEP: usize = 4;
/// Places to begin at that are passed over in the time of a step.
const STARTS_A_STEP: usize = 4;
/// A slot without a position.
const UNSET: usize = usize::MAX;

/// What is done when an instruction fails, the newest first.
enum Retreat {
    /// Goes on there.
    Branch { step: u32, at: usize },
    /// Goes on there with one character less, as long as the position is behind `least`.
    Shorter { step: u32, at: usize, least: usize },
    /// Puts back what a slot had.
    Slot { slot: u32, value: usize },
}

struct Machine<'p, 't> {
    program: &'p Program,
    text: &'t str,
    slots: Vec<usize>,
    retreats: Vec<Retreat>,
}

/// Where an instruction leads.
enum Next {
    Step,
    To(u32),
    Fail,
    Found,
}

/// Tells whether a program finds something in a text; `None` if the budget is spent before.
pub(super) fn search(program: &Program, text: &str, budget: &mut PatternBudget) -> Option<bool> {
    budget.spend(1 + (1 + program.needed.len()) * text.len() / STARTS_A_STEP)?;
    if !program.needed.iter().all(|&needed| text.contains(needed)) {
        return Some(false);
    }
    let first = program.first.and_then(|first| program.steps.get(first as usize));
    let mut machine = Machine { program, text, slots: vec![UNSET; program.slots], retreats: Vec::with_capacity(16) };
    let ends = std::iter::once((text.len(), None));
    for (start, one) in text.char_indices().map(|(at, one)| (at, Some(one))).chain(ends) {
        let may_begin = first.is_none_or(|first| one.is_some_and(|one| accepts(program, first, one)));
        if may_begin && machine.matches_at(start, budget)? {
            return Some(true);
        }
        if program.is_anchored {
            break;
        }
    }
    Some(false)
}

impl Machine<'_, '_> {
    /// Runs the program from a position. If it finds nothing, all slots are as before.
    fn matches_at(&mut self, start: usize, budget: &mut PatternBudget) -> Option<bool> {
        let (mut step, mut at) = (0_u32, start);
        loop {
            budget.spend(1)?;
            match self.execute(step, &mut at, budget)? {
                Next::Step => step += 1,
                Next::To(to) => step = to,
                Next::Found => return Some(true),
                Next::Fail => match self.retreat(budget)? {
                    Some(branch) => (step, at) = branch,
                    None => return Some(false),
                },
            }
        }
    }

    /// The newest branch that is open, after slots were put back.
    fn retreat(&mut self, budget: &mut PatternBudget) -> Option<Option<(u32, usize)>> {
        while let Some(retreat) = self.retreats.pop() {
            match retreat {
                Retreat::Branch { step, at } => return Some(Some((step, at))),
                Retreat::Shorter { step, mut at, least } => {
                    go_back(self.text, &mut at, 1);
                    if at > least {
                        self.retreats.push(Retreat::Shorter { step, at, least });
                    }
                    return Some(Some((step, at)));
                }
                Retreat::Slot { slot, value } => {
                    budget.spend(1)?;
                    self.put(slot, value);
                }
            }
        }
        Some(None)
    }

    fn get(&self, slot: u32) -> usize {
        self.slots.get(slot as usize).copied().unwrap_or(UNSET)
    }

    fn put(&mut self, slot: u32, value: usize) {
        if let Some(known) = self.slots.get_mut(slot as usize) {
            *known = value;
        }
    }

    /// Stores a value that is taken back on retreat.
    fn store(&mut self, slot: u32, value: usize) {
        self.retreats.push(Retreat::Slot { slot, value: self.get(slot) });
        self.put(slot, value);
    }

    fn branch(&mut self, step: u32, at: usize) {
        self.retreats.push(Retreat::Branch { step, at });
    }

    fn execute(&mut self, number: u32, at: &mut usize, budget: &mut PatternBudget) -> Option<Next> {
        let program = self.program;
        let Some(step) = program.steps.get(number as usize) else { return Some(Next::Fail) };
        let rest = self.text.get(*at..).unwrap_or_default();
        Some(match *step {
            Step::Found => Next::Found,
            Step::Any | Step::AnyInLine | Step::Char(_) | Step::Class(_) => match rest.chars().next() {
                Some(one) if accepts(program, step, one) => {
                    *at += one.len_utf8();
                    Next::Step
                }
                _ => Next::Fail,
            },
            Step::Run { lo, hi } => {
                let Some(accepted) = program.steps.get(number as usize + 1) else { return Some(Next::Fail) };
                let (mut chars, mut end, mut least) = (0, *at, *at);
                for one in rest.chars().take(hi).take_while(|&one| accepts(program, accepted, one)) {
                    chars += 1;
                    end += one.len_utf8();
                    if chars == lo {
                        least = end;
                    }
                }
                budget.spend(chars / CHARS_A_STEP)?;
                if chars < lo {
                    return Some(Next::Fail);
                }
                if end > least {
                    self.retreats.push(Retreat::Shorter { step: number + 2, at: end, least });
                }
                *at = end;
                Next::To(number + 2)
            }
            Step::Assert(assertion) => when(holds(assertion, self.text.as_bytes(), *at)),
            Step::Split { first, second } => {
                self.branch(second, *at);
                Next::To(first)
            }
            Step::Jump(to) => Next::To(to),
            Step::Save(slot) => {
                self.store(slot, *at);
                Next::Step
            }
            Step::Zero(slot) => {
                self.store(slot, 0);
                Next::Step
            }
            Step::Restore(slot) => {
                *at = self.get(slot);
                Next::Step
            }
            Step::Expect(slot) => when(*at == self.get(slot)),
            Step::Back(chars) => {
                budget.spend(chars.min(*at))?;
                go_back(self.text, at, chars)
            }
            Step::BackWithin { from, most } => {
                let gone = self.text.get(*at..self.get(from)).unwrap_or_default();
                // Bounded ones are short, of the others nothing is counted.
                if most < usize::MAX && gone.chars().take(most).count() >= most {
                    return Some(Next::Fail);
                }
                budget.spend(most.min(gone.len()) / 4)?;
                go_back(self.text, at, 1)
            }
            Step::Repeat { lo, hi, greedy, exit, rounds } => {
                let done = self.get(rounds);
                if done >= hi {
                    return Some(Next::To(exit));
                }
                self.store(rounds, done + 1);
                self.enter_or_leave(done >= lo, greedy, number + 1, exit, *at)
            }
            Step::RepeatEmpty { lo, greedy, exit, rounds, at: began } => {
                let done = self.get(rounds);
                if done > 0 && self.get(began) == *at {
                    return Some(Next::To(exit));
                }
                self.store(rounds, done + 1);
                if done >= lo {
                    self.store(began, *at);
                }
                self.enter_or_leave(done >= lo, greedy, number + 1, exit, *at)
            }
            Step::Mark(slot) => {
                let open = self.retreats.len();
                self.store(slot, open);
                Next::Step
            }
            Step::Commit(slot) => {
                self.commit(self.get(slot), budget)?;
                Next::Step
            }
            Step::Reject(slot) => {
                let open = self.get(slot);
                budget.spend(self.retreats.len().saturating_sub(open))?;
                while self.retreats.len() > open {
                    if let Some(Retreat::Slot { slot, value }) = self.retreats.pop() {
                        self.put(slot, value);
                    }
                }
                Next::Fail
            }
            Step::Backref { group, ignore_case } => {
                let found = self.text.get(self.get(2 * group)..self.get(2 * group + 1));
                let Some(found) = found.filter(|_| self.get(2 * group + 1) != UNSET) else { return Some(Next::Fail) };
                budget.spend(found.len() / 8)?;
                let there = rest.get(..found.len());
                if there.is_some_and(|there| there == found || ignore_case && same_but_for_case(there, found)) {
                    *at += found.len();
                    Next::Step
                } else {
                    Next::Fail
                }
            }
            Step::HasMatched(group) => when(self.get(2 * group) != UNSET),
            Step::AtStart => when(*at == 0),
        })
    }

    /// Goes on with the body of a loop at `body` or behind the loop; the other way is open if `may_leave`.
    fn enter_or_leave(&mut self, may_leave: bool, greedy: bool, body: u32, exit: u32, at: usize) -> Next {
        match (may_leave, greedy) {
            (false, _) => Next::Step,
            (true, true) => {
                self.branch(exit, at);
                Next::Step
            }
            (true, false) => {
                self.branch(body, at);
                Next::To(exit)
            }
        }
    }

    /// Closes branches opened since; what slots had before is kept.
    fn commit(&mut self, open: usize, budget: &mut PatternBudget) -> Option<()> {
        budget.spend(self.retreats.len().saturating_sub(open))?;
        let mut kept = open;
        for at in open..self.retreats.len() {
            if let Retreat::Slot { .. } = self.retreats[at] {
                self.retreats.swap(kept, at);
                kept += 1;
            }
        }
        self.retreats.truncate(kept);
        Some(())
    }
}

fn when(holds: bool) -> Next {
    if holds { Next::Step } else { Next::Fail }
}

/// Whether an instruction for one character accepts it.
#[inline]
fn accepts(program: &Program, step: &Step, one: char) -> bool {
    match *step {
        Step::Any => true,
        Step::AnyInLine => one != '\n',
        Step::Char(wanted) => one == wanted,
        Step::Class(class) => program.classes.get(class as usize).is_some_and(|class| class.contains(one)),
        _ => false,
    }
}

fn go_back(text: &str, at: &mut usize, chars: usize) -> Next {
    let before = text.get(..*at).unwrap_or_default();
    if chars == 0 {
        return Next::Step;
    }
    match before.char_indices().rev().nth(chars - 1) {
        Some((to, _)) => {
            *at = to;
            Next::Step
        }
        None => Next::Fail,
    }
}

fn holds(assertion: Assertion, text: &[u8], at: usize) -> bool {
    let look = LookMatcher::new();
    // The tables of words are compiled in: the checks cannot fail.
    match assertion {
        Assertion::StartText => look.is_start(text, at),
        Assertion::EndText => look.is_end(text, at),
        Assertion::StartLine { crlf: false } => look.is_start_lf(text, at),
        Assertion::StartLine { crlf: true } => look.is_start_crlf(text, at),
        Assertion::EndLine { crlf: false } => look.is_end_lf(text, at),
        Assertion::EndLine { crlf: true } => look.is_end_crlf(text, at),
        Assertion::LeftWordBoundary => look.is_word_start_unicode(text, at).unwrap_or(false),
        Assertion::RightWordBoundary => look.is_word_end_unicode(text, at).unwrap_or(false),
        Assertion::LeftWordHalfBoundary => look.is_word_start_half_unicode(text, at).unwrap_or(false),
        Assertion::RightWordHalfBoundary => look.is_word_end_half_unicode(text, at).unwrap_or(false),
        Assertion::WordBoundary => look.is_word_unicode(text, at).unwrap_or(false),
        Assertion::NotWordBoundary => look.is_word_unicode_negate(text, at).unwrap_or(false),
    }
}

fn same_but_for_case(there: &str, found: &str) -> bool {
    if there.is_ascii() {
        return there.eq_ignore_ascii_case(found);
    }
    let is_same = |(one, other): (char, char)| {
        one.to_lowercase().eq(other.to_lowercase()) || one.to_uppercase().eq(other.to_uppercase())
    };
    there.chars().count() == found.chars().count() && there.chars().zip(found.chars()).all(is_same)
}
