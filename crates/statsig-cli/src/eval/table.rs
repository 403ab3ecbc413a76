//! The table for people: a line for each answer, in columns whose widths are fixed before the first
//! one, so that it can be written as a stream.

use std::fmt::Write;

use anstyle::Style;
use statsig::Statsig;

use super::answer::{Answer, Value};
use crate::input::survey::Survey;
use crate::input::user::parse;
use crate::input::users::Chunk;
use crate::questions::{Kind, Questions};
use crate::text::{self, Paint, columns, push_cell};

/// Columns of the table, in order.
const COLUMNS: usize = 7;
const KIND: usize = 1;
const VALUE: usize = 3;
const RULE: usize = 4;
const GROUP: usize = 5;

/// Least widths of the columns; narrower ones say nothing.
const LEAST: [usize; COLUMNS] = [4, 4, 8, 8, 4, 5, 10];

/// Columns that a narrow table leaves out, the first one first.
const LEFT_OUT: [usize; 3] = [RULE, GROUP, KIND];

/// Widths of the columns, and whether they are coloured.
#[derive(Debug)]
pub(super) struct Layout {
    paint: Paint,
    /// 0: the column is left out.
    widths: [usize; COLUMNS],
    /// Blanks between columns.
    gap: usize,
}

impl Layout {
    /// Fits the columns into `width`: as wide as names, groups and the first users need, the rest to
    /// value and rule. Without enough room all columns get narrower, and then fewer.
    pub(super) fn new(
        width: usize,
        styled: bool,
        questions: &Questions,
        statsig: &Statsig,
        first: Option<&Chunk>,
    ) -> Self {
        let wide = width >= 140;
        let user = user_width(first).clamp(4, if wide { 36 } else { 12 });
        let kind = questions.iter().map(|question| question.kind.short().len()).max().unwrap_or(0).max(4);
        let name = questions.iter().map(|question| columns(&question.name)).max().unwrap_or(0).clamp(4, 32);
        let group = group_width(questions, statsig).min(if wide { 24 } else { 12 });
        let reason = if questions.all_known() { "Recognized" } else { "Unrecognized" }.len();
        let gap = if width < 72 { 1 } else { 2 };
        let gaps = gap * if group > 0 { 6 } else { 5 };
        let rest = width.saturating_sub(user + kind + name + group + reason + gaps);
        // The value comes first; a whole rule ID is a luxury.
        let rule = rest.saturating_sub(40).clamp(8, 24);
        let value = rest.saturating_sub(rule).max(12);
        let mut layout = Self { paint: Paint { styled }, widths: [user, kind, name, value, rule, group, reason], gap };
        layout.shrink(width);
        layout
    }

    /// Makes columns narrower until they fit: the widest first, and where that is not enough, without the
    /// least important ones.
    fn shrink(&mut self, width: usize) {
        let mut left_out = LEFT_OUT.into_iter();
        while self.width() > width {
            let spare = |&column: &usize| self.widths[column].saturating_sub(LEAST[column]);
            match (0..COLUMNS).filter(|column| spare(column) > 0).max_by_key(spare) {
                Some(column) => self.widths[column] -= 1,
                None => match left_out.next() {
                    Some(column) => self.widths[column] = 0,
                    None => return,
                },
            }
        }
        // A column that was left out may have made room.
        let room = width - self.width();
        self.widths[VALUE] += room;
    }

    /// Columns that a line takes.
    fn width(&self) -> usize {
        let shown = self.widths.iter().filter(|width| **width > 0).count();
        self.widths.iter().sum::<usize>() + self.gap * shown.saturating_sub(1)
    }

    /// Names of the columns.
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
        push_value(&mut value, &answer.value, 4 * self.widths[VALUE]);
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

    fn line(&self, cells: [(&str, Style); COLUMNS]) -> String {
        let mut line = String::with_capacity(160);
        for ((cell, style), &width) in cells.into_iter().zip(&self.widths).filter(|&(_, &width)| width > 0) {
            if !line.is_empty() {
                line.extend(std::iter::repeat_n(' ', self.gap));
            }
            push_cell(&mut line, self.paint, style, cell, width);
        }
        line.truncate(line.trim_end_matches(' ').len());
        line.push('\n');
        line
    }
}

/// The name of a user in a table: the user ID, else a custom ID, else the line.
pub(super) fn label(user_id: Option<&str>, custom_id: Option<&str>, number: u64) -> String {
    let id = user_id.filter(|id| !id.is_empty()).or(custom_id).map(str::to_owned);
    id.unwrap_or_else(|| format!("line {number}"))
}

/// The width that the first users need.
fn user_width(first: Option<&Chunk>) -> usize {
    const LOOKED_AT: usize = 100;
    let labels = first.into_iter().flat_map(Chunk::lines).take(LOOKED_AT).map(|(number, line)| {
        let user_id = parse(line).ok().and_then(|user| user.user_id());
        let survey = Survey::of(line);
        columns(&label(survey.numeric_id.as_deref().or(user_id.as_deref()), survey.custom_id.as_deref(), number))
    });
    let (seen, widest) = labels.fold((0, 0), |(seen, widest), label| (seen + 1, label.max(widest)));
    // Of many users the later ones tend to have longer IDs.
    if seen == LOOKED_AT { widest + 3 } else { widest }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_every_width() {
        for width in 36..200 {
            let widths = [36, 10, 32, 40, 24, 24, 12];
            let mut layout = Layout { paint: Paint { styled: false }, widths, gap: 1 };
            layout.shrink(width);
            let cells = ["a_rather_long_text_that_has_to_be_cut"; COLUMNS].map(|cell| (cell, text::PLAIN));
            let line = layout.line(cells);
            assert!(columns(line.trim_end()) <= width, "{width}: {line}");
            assert!([0, 2, VALUE, 6].iter().all(|&column: &usize| layout.widths[column] > 0), "{width}");
        }
    }
}
