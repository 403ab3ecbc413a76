//! The table for people: a line for each answer, in columns whose widths are fixed before the first
//! one, so that it can be written as a stream.

use std::fmt::Write;

use anstyle::Style;
use statsig::Statsig;

use super::answer::{Answer, Value};
use crate::input::users::{self, Chunk};
use crate::questions::{Kind, Questions};
use crate::text::{self, Paint, columns, push_cell};

/// Blanks between columns.
const GAP: usize = 2;

/// Widths of the columns, and whether they are coloured.
#[derive(Debug)]
pub(super) struct Layout {
    paint: Paint,
    user: usize,
    kind: usize,
    name: usize,
    value: usize,
    rule: usize,
    /// 0: there is no such column, as nothing that is asked has groups.
    group: usize,
}

impl Layout {
    /// Fits the columns into `width`: as wide as names, groups and the first users need, the rest to
    /// value and rule.
    pub(super) fn new(
        width: usize,
        styled: bool,
        questions: &Questions,
        statsig: &Statsig,
        first: Option<&Chunk>,
    ) -> Self {
        const LOOKED_AT: usize = 100;
        let labels = first.into_iter().flat_map(Chunk::lines).take(LOOKED_AT).map(|(number, line)| {
            let user_id = users::parse(line).ok().and_then(|user| user.user_id());
            columns(&label(user_id.as_deref(), number, line))
        });
        let (seen, user) = labels.fold((0, 0), |(seen, widest), label| (seen + 1, label.max(widest)));
        // Of many users the later ones tend to have longer IDs.
        let user = if seen == LOOKED_AT { user + 3 } else { user };
        let wide = width >= 140;
        let user = user.clamp(4, if wide { 36 } else { 12 });
        let kind = questions.iter().map(|question| question.kind.short().len()).max().unwrap_or(0).max(4);
        let name = questions.iter().map(|question| columns(&question.name)).max().unwrap_or(0).clamp(4, 32);
        let group = group_width(questions, statsig).min(if wide { 24 } else { 12 });
        let reason = if questions.all_known() { "Recognized" } else { "Unrecognized" }.len();
        let gaps = GAP * if group > 0 { 6 } else { 5 };
        let rest = width.saturating_sub(user + kind + name + group + reason + gaps);
        // The value comes first; a whole rule ID is a luxury.
        let rule = rest.saturating_sub(40).clamp(8, 24);
        let value = rest.saturating_sub(rule).max(12);
        Self { paint: Paint { styled }, user, kind, name, value, rule, group }
    }

    /// The names of the columns.
    pub(super) fn header(&self) -> String {
        let heading = text::HEADING;
        self.line([
            ("USER", heading),
            ("KIND", heading),
            ("NAME", heading),
            ("VALUE", heading),
            ("RULE", heading),
            ("GROUP", heading),
            ("REASON", heading),
        ])
    }

    /// Appends the line of an answer.
    pub(super) fn push(&self, out: &mut Vec<u8>, answer: &Answer<'_>) {
        let mut value = String::new();
        push_value(&mut value, &answer.value, 4 * self.value);
        let value_style = match answer.value {
            Value::Bool(true) => text::ON,
            Value::Bool(false) => text::FAINT,
            _ => text::PLAIN,
        };
        let reason_style = if answer.reason == "Recognized" { text::FAINT } else { text::WARNING };
        let line = self.line([
            (answer.label, text::PLAIN),
            (answer.kind.short(), text::FAINT),
            (answer.name, text::PLAIN),
            (&value, value_style),
            (or_dash(answer.rule_id), text::FAINT),
            (or_dash(answer.group_name.unwrap_or_default()), text::PLAIN),
            (&answer.reason, reason_style),
        ]);
        out.extend_from_slice(line.as_bytes());
    }

    fn line(&self, cells: [(&str, Style); 7]) -> String {
        // Nothing comes after the reason, so that it is never cut.
        let widths = [self.user, self.kind, self.name, self.value, self.rule, self.group, columns(cells[6].0)];
        let mut line = String::with_capacity(160);
        for ((cell, style), width) in cells.into_iter().zip(widths).filter(|&(_, width)| width > 0) {
            if !line.is_empty() {
                line.extend(std::iter::repeat_n(' ', GAP));
            }
            push_cell(&mut line, self.paint, style, cell, width);
        }
        line.truncate(line.trim_end_matches(' ').len());
        line.push('\n');
        line
    }
}

/// What a table calls a user.
pub(super) fn label(user_id: Option<&str>, number: u64, line: &[u8]) -> String {
    users::label(user_id, line).unwrap_or_else(|| format!("line {number}"))
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn push_value(out: &mut String, value: &Value<'_>, limit: usize) {
    match value {
        Value::Bool(on) => out.push_str(if *on { "true" } else { "false" }),
        Value::Parameters(members) => text::push_members(out, members, limit),
        Value::Json(json) => match json.to_json() {
            serde_json::Value::Object(members) if !members.is_empty() => text::push_members(out, &members, limit),
            other => {
                // Writing to a string does not fail.
                let _ = write!(out, "{other}");
            }
        },
    }
}

/// The width that group names need; 0 if nothing is asked that has groups.
fn group_width(questions: &Questions, statsig: &Statsig) -> usize {
    let groups_of = |experiment: &str| {
        let groups = statsig.get_experiment_groups(experiment).groups;
        groups.iter().map(|group| columns(&group.group_name)).max().unwrap_or(0)
    };
    let widths = questions.iter().filter_map(|question| match question.kind {
        Kind::Experiment => Some(groups_of(&question.name)),
        // Whatever experiment a user is in.
        Kind::Layer => statsig.get_experiment_list().iter().map(|experiment| groups_of(experiment)).max(),
        Kind::Gate | Kind::DynamicConfig | Kind::ParameterStore => None,
    });
    widths.max().map_or(0, |widest| widest.max("GROUP".len()))
}
