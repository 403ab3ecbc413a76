//! What specs reach: cycles, depth, and which of them need care while evaluating.
//!
//! A gate may ask other gates, which ask others. A cycle or a chain of more than 64 levels ends in
//! an error *if an evaluation gets that far*, so neither can simply be refused; but knowing where
//! they are lets all other specs be evaluated without the bookkeeping. The walk keeps its own
//! stack: chains can be as long as the document.

use super::compiler::Compiler;
use crate::evaluate::{MAX_CONDITIONS, MAX_DEPTH, MAX_STEPS};
use crate::ruleset::{GateRef, Input, NO_INDEX, Test};
use crate::specs::ProblemKind;

/// Above this many nested evaluations a spec remembers results.
const MEMO_ABOVE: u64 = 512;

/// What is known of a spec once everything it reaches is known.
#[derive(Debug, Clone, Copy, Default)]
struct Reach {
    /// Levels of nested gates below it.
    gate_depth: u32,
    /// Levels of nested specs of any kind below it.
    depth: u32,
    /// Evaluations that one of this spec may take, itself included.
    cost: u64,
    /// Conditions that these look at.
    conditions: u64,
    /// It is in a cycle, or reaches one.
    cyclic: bool,
    /// Something in reach can make the evaluation unsupported.
    delicate: bool,
    /// Something in reach is looked up by name while evaluating: a mapping, an experiment's group.
    open_ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

/// One step down.
#[derive(Debug, Clone, Copy)]
struct Edge {
    to: u32,
    is_gate: bool,
}

struct Visit {
    spec: u32,
    edges: Vec<Edge>,
    next: usize,
    reach: Reach,
}

impl Compiler<'_> {
    /// Sets `is_plain`, `needs_memo` and `shares_gates` of every spec, and reports cycles and chains that are too deep.
    pub(super) fn analyse(&mut self) {
        let mut marks = vec![Mark::New; self.specs.len()];
        let mut reaches = vec![Reach::default(); self.specs.len()];
        let mut cycles = Vec::new();
        let mut stack: Vec<Visit> = Vec::new();
        for root in 0..crate::ruleset::position(self.specs.len()) {
            if marks[root as usize] != Mark::New {
                continue;
            }
            marks[root as usize] = Mark::Open;
            stack.push(self.visit(root));
            while let Some(visit) = stack.last_mut() {
                let Some(&edge) = visit.edges.get(visit.next) else {
                    let (spec, mut reach) = (visit.spec, visit.reach);
                    reach.cost = reach.cost.saturating_add(1);
                    marks[spec as usize] = Mark::Done;
                    reaches[spec as usize] = reach;
                    stack.pop();
                    continue;
                };
                match marks[edge.to as usize] {
                    Mark::Done => {
                        let below = reaches[edge.to as usize];
                        let reach = &mut visit.reach;
                        reach.gate_depth =
                            reach.gate_depth.max(below.gate_depth.saturating_add(u32::from(edge.is_gate)));
                        reach.depth = reach.depth.max(below.depth.saturating_add(1));
                        reach.cost = reach.cost.saturating_add(below.cost);
                        reach.conditions = reach.conditions.saturating_add(below.conditions);
                        reach.cyclic |= below.cyclic;
                        reach.delicate |= below.delicate;
                        reach.open_ended |= below.open_ended;
                        visit.next += 1;
                    }
                    Mark::Open => {
                        visit.reach.cyclic = true;
                        visit.next += 1;
                        cycles.push(edge.to);
                    }
                    Mark::New => {
                        marks[edge.to as usize] = Mark::Open;
                        let below = self.visit(edge.to);
                        stack.push(below);
                    }
                }
            }
        }
        for (spec, reach) in self.specs.iter_mut().zip(&reaches) {
            let deep = reach.depth > MAX_DEPTH;
            let costly = reach.cost > u64::from(MAX_STEPS) || reach.conditions > u64::from(MAX_CONDITIONS);
            spec.needs_memo = reach.cyclic || deep || reach.open_ended || reach.cost > MEMO_ABOVE;
            spec.shares_gates = !(reach.cyclic || deep || reach.open_ended);
            spec.is_plain = !(spec.needs_memo || costly || reach.delicate);
            spec.stands_alone = spec.is_plain && reach.depth == 0;
        }
        self.report(cycles, &reaches);
    }

    fn report(&mut self, mut cycles: Vec<u32>, reaches: &[Reach]) {
        cycles.sort_unstable();
        cycles.dedup();
        let Self { specs, text, problems, .. } = self;
        for at in cycles {
            let name = text.get(specs[at as usize].name);
            problems.push(
                ProblemKind::Cycle,
                || name.to_owned(),
                "depends on itself; evaluating it that far gives an error",
            );
        }
        for (spec, reach) in specs.iter().zip(reaches) {
            if !reach.cyclic && reach.gate_depth > MAX_DEPTH {
                let name = text.get(spec.name);
                problems.push(
                    ProblemKind::TooDeep,
                    || name.to_owned(),
                    format_args!("nests {} gates; more than {MAX_DEPTH} give an error", reach.gate_depth),
                );
            }
        }
    }

    /// Where a spec leads, and what its own rules say.
    fn visit(&self, at: u32) -> Visit {
        let spec = &self.specs[at as usize];
        let mut reach = Reach { delicate: spec.unsupported, open_ended: spec.mapping != NO_INDEX, ..Reach::default() };
        let mut edges = Vec::new();
        for rule in &self.rules[spec.rules()] {
            self.conditions_lead_to(&self.rule_conditions[rule.conditions()], &mut edges, &mut reach);
            if rule.delegate != NO_INDEX {
                edges.push(Edge { to: rule.delegate, is_gate: false });
            }
        }
        // A bandit of the same name is asked in the spec's stead.
        if let Some(gate) = self.cmabs.get(spec.cmab as usize).and_then(|cmab| cmab.targeting_gate) {
            self.gate_leads_to(gate, &mut edges, &mut reach);
        }
        Visit { spec: at, edges, next: 0, reach }
    }

    fn conditions_lead_to(&self, conditions: &[u32], edges: &mut Vec<Edge>, reach: &mut Reach) {
        for &at in conditions {
            let Some(condition) = self.conditions.get(at as usize) else {
                reach.delicate = true;
                continue;
            };
            // A search that would take too long ends the evaluation like an unknown operator.
            let may_end = matches!(condition.test, Test::Matches(Some(_)));
            reach.delicate |= may_end || condition.is_unsupported();
            reach.open_ended |= matches!(condition.input, Input::ExperimentGroup { .. });
            reach.conditions = reach.conditions.saturating_add(1 + condition.gates().len() as u64);
            for &gate in condition.gates() {
                self.gate_leads_to(gate, edges, reach);
            }
        }
    }

    fn gate_leads_to(&self, gate: GateRef, edges: &mut Vec<Edge>, reach: &mut Reach) {
        if gate.spec != NO_INDEX {
            edges.push(Edge { to: gate.spec, is_gate: true });
            return;
        }
        // Looking for a gate that is not there is a level like any other.
        reach.gate_depth = reach.gate_depth.max(1);
        reach.depth = reach.depth.max(1);
        reach.cost = reach.cost.saturating_add(1);
        // A mapping may serve a name that has no spec.
        reach.open_ended |= !self.mappings.is_empty();
    }
}
