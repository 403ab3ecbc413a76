//! An update on one line.

use anstyle::Style;
use serde::Serialize;
use statsig_net::{SpecsUpdated, SyncHealth};

use super::changes::{Change, KINDS};
use crate::text::{self, Paint, clean, count, iso_time};

/// Names that are written out for each kind of change; of others only the number is told.
const NAMES: usize = 8;

/// An update as JSON.
#[derive(Serialize)]
struct Row<'a> {
    received_at: u64,
    time: u64,
    previous_time: u64,
    source: String,
    origin: Option<&'a str>,
    bytes: usize,
    problems: usize,
    compile_ms: f64,
    gates: &'a Change,
    configs: &'a Change,
    layers: &'a Change,
    parameter_stores: &'a Change,
}

/// The JSON form, with a line break.
pub(super) fn json(updated: &SpecsUpdated, changes: &[Change; 4]) -> String {
    let [gates, configs, layers, parameter_stores] = changes;
    let update = &updated.update;
    let row = Row {
        received_at: update.received_at_ms,
        time: updated.time,
        previous_time: updated.previous_time,
        source: update.source.to_string(),
        origin: update.origin.as_deref(),
        bytes: update.document.len(),
        problems: updated.problems,
        compile_ms: updated.compile_duration.as_secs_f64() * 1e3,
        gates,
        configs,
        layers,
        parameter_stores,
    };
    // Strings and numbers always serialize.
    let mut line = serde_json::to_string(&row).unwrap_or_default();
    line.push('\n');
    line
}

/// The form for people, with a line break.
pub(super) fn line(updated: &SpecsUpdated, changes: &[Change; 4], is_first: bool, paint: Paint) -> String {
    let update = &updated.update;
    let mut out = String::new();
    paint.push(&mut out, text::HEADING, &iso_time(update.received_at_ms));
    let from = update.origin.as_deref().map_or_else(|| update.source.to_string(), clean);
    let bytes = count(update.document.len() as u64, "byte");
    out.push_str(&format!("  {bytes} of {} from {from}: ", iso_time(updated.time)));
    if is_first {
        let totals = KINDS.iter().zip(changes).map(|(kind, change)| count(change.total as u64, kind));
        out.push_str(&totals.collect::<Vec<_>>().join(", "));
    } else {
        push_changes(&mut out, changes, paint);
    }
    if updated.problems > 0 {
        out.push_str("; ");
        paint.push(&mut out, text::WARNING, &count(updated.problems as u64, "problem"));
    }
    out.push('\n');
    out
}

fn push_changes(out: &mut String, changes: &[Change; 4], paint: Paint) {
    let start = out.len();
    for (kind, change) in KINDS.iter().zip(changes) {
        let parts: [(&[String], &str, Style); 3] = [
            (&change.added, "added", text::ON),
            (&change.removed, "removed", text::OFF),
            (&change.changed, "changed", text::VALUE),
        ];
        for (names, what, style) in parts {
            if names.is_empty() {
                continue;
            }
            out.push_str(if out.len() > start { "; " } else { "" });
            out.push_str(&format!("{} ", count(names.len() as u64, kind)));
            paint.push(out, style, what);
            let shown: Vec<String> = names.iter().take(NAMES).map(|name| clean(name)).collect();
            let rest = if names.len() > NAMES { ", …" } else { "" };
            out.push_str(&format!(" ({}{rest})", shown.join(", ")));
        }
    }
    if out.len() == start {
        paint.push(out, text::FAINT, "no gate, config, layer or parameter store changed");
    }
}

/// How it goes, for a terminal.
pub(super) fn state(health: &SyncHealth, updates: u64, name: &str) -> String {
    let contact = match health.last_contact {
        Some(ago) => format!("{name} last answered {} s ago", ago.as_secs()),
        None => format!("waiting for {name}"),
    };
    format!("{}, {contact}", count(updates, "update"))
}
