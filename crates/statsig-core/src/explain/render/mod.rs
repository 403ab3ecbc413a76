//! The words of an explanation.

use super::lines::{Line, Role};
use super::shown::Shown;
use super::tree::{Cut, OverrideTrace, SpecKind, SpecOutcome, SpecTrace};
use super::verdict::{ExposedGate, Verdict};
use super::{Explanation, NODES};

mod bandit;
mod rule;

/// Exposures and parameters that are listed.
const LISTED: usize = 50;
/// Longest value in the first line, in bytes; the whole of it is in the result.
const HEADLINE: usize = 2_000;

impl Explanation {
    /// The text in lines, for programs that want to colour it.
    ///
    /// ```
    /// use statsig_core::explain::Role;
    /// # use std::sync::Arc;
    /// # use statsig_core::*;
    /// # let snapshot = Arc::new(Snapshot::empty(SpecOrigin::Bootstrap));
    /// # let (user, settings) = (StatsigUser::with_user_id("u-1"), EvaluationSettings::new());
    /// # let context = EvaluationContext::new(&snapshot, &user, &settings, &FixedClock(0));
    /// let explanation = context.explain_gate("dark_mode");
    /// let mut text = String::new();
    /// for line in explanation.lines() {
    ///     text.push_str(&"  ".repeat(line.depth));
    ///     for span in &line.spans {
    ///         match span.role {
    ///             Role::Fail => text.push_str(&format!("\x1b[31m{}\x1b[0m", span.text)),
    ///             _ => text.push_str(&span.text),
    ///         }
    ///     }
    ///     text.push('\n');
    /// }
    /// assert!(text.contains("dark_mode"));
    /// ```
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        lines(self)
    }
}

/// All lines of an explanation.
fn lines(explanation: &Explanation) -> Vec<Line> {
    let mut page = Page { lines: Vec::new() };
    page.headline(explanation);
    if explanation.disagrees {
        page.lines.push(
            Line::new(1)
                .add(Role::Trouble, "the steps below come to another result than the evaluation: please report this"),
        );
    }
    page.spec(&explanation.trace, 1);
    page.exposure(explanation);
    page.lines
}

pub(super) struct Page {
    lines: Vec<Line>,
}

impl Page {
    pub(super) fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    fn headline(&mut self, explanation: &Explanation) {
        let result = &explanation.result;
        let mut value = result.value.view().to_string();
        if value.len() > HEADLINE {
            let end = (0..=HEADLINE).rev().find(|&at| value.is_char_boundary(at)).unwrap_or_default();
            value.truncate(end);
            value.push('…');
        }
        let line = Line::new(0).plain(explanation.kind.as_str()).plain(" ").name(&explanation.name).plain(" = ");
        self.push(match value.as_str() {
            "true" => line.add(Role::Pass, "true"),
            "false" => line.add(Role::Fail, "false"),
            value => line.value(value),
        });
        self.summary(result);
    }

    fn summary(&mut self, result: &Verdict) {
        let mut line = Line::new(1);
        if !result.rule_id.is_empty() {
            line = line.plain("rule ").name(&result.rule_id).plain(", ");
        }
        if let Some(group) = &result.group_name {
            line = line.plain("group ").name(group).plain(", ");
        }
        line = line.plain("reason ").value(&result.reason);
        if let Some(version) = result.version {
            line = line.plain(", version ").value(version.to_string());
        }
        self.push(line);
        let mut line = Line::new(1);
        if !result.id_type.is_empty() {
            line = unit(line, &result.id_type, result.unit_id.as_deref());
        }
        if let Some(experiment) = &result.allocated_experiment {
            line = line.plain("; allocated to ").name(experiment);
        }
        if let (Some(active), Some(inside)) = (result.is_experiment_active, result.is_user_in_experiment) {
            line = line.plain(if active { "; experiment active" } else { "; experiment not active" });
            line = line.plain(if inside { ", user in it" } else { ", user not in it" });
        }
        if let Some(config) = &result.override_config_name {
            line = line.plain("; evaluated as ").name(config);
        }
        if let Some(first) = line.spans.first_mut().filter(|first| first.text.starts_with("; ")) {
            first.text.drain(..2);
        }
        if !line.spans.is_empty() {
            self.push(line);
        }
    }

    /// The line about a spec inside another one, and what is inside it.
    pub(super) fn inner_spec(&mut self, line: Line, trace: &SpecTrace) {
        self.named_spec(line.plain(trace.kind.as_str()).plain(" "), trace);
    }

    /// The same where its kind is plain.
    pub(super) fn named_spec(&mut self, line: Line, trace: &SpecTrace) {
        let depth = line.depth + 1;
        self.push(outcome(line.name(&trace.name).plain(": "), trace));
        self.spec(trace, depth);
    }

    /// How a spec was evaluated.
    pub(super) fn spec(&mut self, trace: &SpecTrace, depth: usize) {
        if let Some(cut) = trace.cut {
            self.push(Line::new(depth).note(match cut {
                Cut::SeenBefore => "explained above".to_owned(),
                Cut::Cycle => "a circle: it is being evaluated already; not shown again".to_owned(),
                Cut::Depth => "… cut: too many specs inside each other".to_owned(),
                Cut::Nodes => format!("… cut after {NODES} nodes"),
            }));
            return;
        }
        if let (Some(entity), Some(salt)) = (trace.entity, &trace.salt) {
            let enabled = if trace.enabled == Some(false) { ", not enabled" } else { "" };
            self.push(Line::new(depth).note(format!("{entity}{enabled}, salt {}", quoted(salt))));
        }
        match &trace.local_override {
            Some(OverrideTrace::Value(value)) => {
                self.push(Line::new(depth).add(Role::Pass, "local override").plain(": ").value(shown(value)));
            }
            Some(OverrideTrace::Group(group)) => {
                self.push(Line::new(depth).add(Role::Pass, "local override").plain(": group ").name(group));
            }
            None => {}
        }
        for candidate in &trace.mappings {
            self.candidate(candidate, depth);
        }
        if let Some(bandit) = &trace.bandit {
            self.bandit(bandit, depth);
        }
        for rule in &trace.rules {
            self.rule(rule, depth);
        }
        if trace.rules_left_out > 0 {
            self.push(Line::new(depth).note(format!("… {} more rules, cut after {NODES} nodes", trace.rules_left_out)));
        }
        match trace.outcome {
            SpecOutcome::Default => self.push(Line::new(depth).plain("no rule decides: ").name(&trace.rule_id)),
            SpecOutcome::Unrecognized if trace.malformed.is_some() => {
                let reason = trace.malformed.as_deref().unwrap_or_default();
                self.push(Line::new(depth).add(Role::Trouble, "malformed").plain(", skipped: ").plain(reason));
            }
            SpecOutcome::Unrecognized => {
                self.push(Line::new(depth).plain("there is no ").plain(trace.kind.as_str()).plain(" of this name"));
            }
            SpecOutcome::Unsupported => {
                self.push(
                    Line::new(depth)
                        .add(Role::Trouble, "unsupported")
                        .plain(": it uses what this version does not know"),
                );
            }
            SpecOutcome::Failed => {
                let trouble = "broken off";
                self.push(Line::new(depth).add(Role::Trouble, trouble).plain(": nested too deep, or too many steps"));
            }
            _ => {}
        }
    }

    fn exposure(&mut self, explanation: &Explanation) {
        let exposure = &explanation.exposure;
        self.gates("secondary exposures", &exposure.secondary_exposures);
        if explanation.kind != SpecKind::Layer {
            return;
        }
        self.gates("secondary exposures of the layer alone", &exposure.undelegated_secondary_exposures);
        if !exposure.parameters.is_empty() {
            self.push(Line::new(1).plain("parameters"));
        }
        for parameter in exposure.parameters.iter().take(LISTED) {
            let line = Line::new(2).name(&parameter.name).plain(": rule ").name(&parameter.rule_id);
            self.push(match (&parameter.allocated_experiment, parameter.is_explicit) {
                (Some(experiment), _) => line.plain(", of experiment ").name(experiment),
                (None, true) => line.plain(", explicit"),
                (None, false) => line.plain(", of the layer"),
            });
        }
        self.more(exposure.parameters.len());
    }

    fn gates(&mut self, title: &str, gates: &[ExposedGate]) {
        if gates.is_empty() {
            self.push(Line::new(1).plain(title).plain(": none"));
            return;
        }
        self.push(Line::new(1).plain(title));
        for gate in gates.iter().take(LISTED) {
            let role = if gate.gate_value == "true" { Role::Pass } else { Role::Fail };
            let line = Line::new(2).name(&gate.gate).plain(" = ").add(role, &gate.gate_value);
            self.push(line.plain(" by ").name(&gate.rule_id));
        }
        self.more(gates.len());
    }

    fn more(&mut self, total: usize) {
        if total > LISTED {
            self.push(Line::new(2).note(format!("… {} more", total - LISTED)));
        }
    }
}

/// Result and rule of a spec inside another one.
fn outcome(line: Line, trace: &SpecTrace) -> Line {
    let line = match trace.outcome {
        SpecOutcome::Unrecognized if trace.malformed.is_some() => return line.add(Role::Trouble, "malformed, skipped"),
        SpecOutcome::Unrecognized => return line.add(Role::Fail, "unknown"),
        SpecOutcome::Unsupported => return line.add(Role::Trouble, "unsupported"),
        SpecOutcome::Failed => return line.add(Role::Trouble, "broken off"),
        _ if trace.kind == SpecKind::Gate && trace.passed => line.add(Role::Pass, "true"),
        _ if trace.kind == SpecKind::Gate => line.add(Role::Fail, "false"),
        _ => line.value(trace.value.as_ref().map_or_else(|| "no value".to_owned(), shown)),
    };
    line.plain(" by ").name(&trace.rule_id)
}

/// A value as compact JSON.
pub(super) fn shown(value: &Shown) -> String {
    match value {
        Shown::Value { value } => value.to_string(),
        Shown::List { items, total } => {
            let mut texts: Vec<String> = items.iter().map(ToString::to_string).collect();
            if *total > items.len() {
                texts.push(format!("… {total} in all"));
            }
            format!("[{}]", texts.join(", "))
        }
    }
}

pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

pub(super) fn unit(line: Line, id_type: &str, id: Option<&str>) -> Line {
    let line = line.plain(id_type).plain(" ");
    match id {
        Some(id) => line.value(quoted(id)),
        None => line.note("missing"),
    }
}
