//! Prints an update on one line.

use std::collections::BTreeMap;

use anstyle::Style;
use serde::Serialize;
use statsig_net::{SpecsUpdated, SyncHealth};

use super::changes::{Change, GROUPS, SPECS};
use crate::mask::masked;
use crate::text::wrap::Wrapped;
use crate::text::{self, Paint, clean, count, iso_time};

/// Names that are printed for each kind of change; of the others only the number is.
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
    #[serde(flatten)]
    groups: BTreeMap<&'static str, &'a Change>,
}

/// The JSON form, with a line break.
pub(super) fn json(updated: &SpecsUpdated, changes: &[Change]) -> String {
    let update = &updated.update;
    let row = Row {
        received_at: update.received_at_ms,
        time: updated.time,
        previous_time: updated.previous_time,
        source: update.origin.to_string(),
        origin: update.address.as_deref(),
        bytes: update.payload.len(),
        problems: updated.problems,
        compile_ms: updated.compile_duration.as_secs_f64() * 1e3,
        groups: GROUPS.iter().map(|(name, _)| *name).zip(changes).collect(),
    };
    // Strings and numbers always serialize.
    let mut line = serde_json::to_string(&row).unwrap_or_default();
    line.push('\n');
    line
}

/// The form for people, with a line break.
pub(super) fn line(
    updated: &SpecsUpdated,
    changes: &[Change],
    is_first: bool,
    paint: Paint,
    width: Option<usize>,
) -> String {
    let update = &updated.update;
    let mut out = String::new();
    let mut line = Wrapped::new(&mut out, paint, width, 0, 2);
    line.push(text::HEADING, &iso_time(update.received_at_ms));
    let from = update.address.as_deref().map_or_else(|| update.origin.to_string(), str::to_owned);
    let bytes = count(update.payload.len() as u64, "byte");
    line.push(text::PLAIN, &format!("  {bytes} of {} from {}: ", iso_time(updated.time), masked(&from)));
    if is_first {
        let totals = GROUPS.iter().zip(changes).take(SPECS);
        let totals = totals.map(|((_, noun), change)| count(change.total as u64, noun));
        line.push(text::PLAIN, &totals.collect::<Vec<_>>().join(", "));
    } else {
        push_changes(&mut line, changes);
    }
    if updated.problems > 0 {
        line.push(text::PLAIN, "; ");
        line.push(text::WARNING, &count(updated.problems as u64, "problem"));
    }
    line.finish();
    out
}

fn push_changes(line: &mut Wrapped<'_>, changes: &[Change]) {
    let mut is_first = true;
    for ((_, noun), change) in GROUPS.iter().zip(changes) {
        let parts: [(&[String], &str, Style); 3] = [
            (&change.added, "added", text::ON),
            (&change.removed, "removed", text::OFF),
            (&change.changed, "changed", text::VALUE),
        ];
        for (names, what, style) in parts {
            if names.is_empty() {
                continue;
            }
            let separator = if std::mem::take(&mut is_first) { "" } else { "; " };
            line.push(text::PLAIN, &format!("{separator}{} ", count(names.len() as u64, noun)));
            line.push(style, what);
            let shown: Vec<String> = names.iter().take(NAMES).map(|name| clean(name)).collect();
            let rest = if names.len() > NAMES { ", …" } else { "" };
            line.push(text::PLAIN, &format!(" ({}{rest})", shown.join(", ")));
        }
    }
    if is_first {
        line.push(
            text::FAINT,
            "the payload changed in parts that no evaluation reads: time, checksum, order or spelling",
        );
    }
}

/// The state of the connection, for a terminal.
pub(super) fn state(health: &SyncHealth, updates: u64, name: &str) -> String {
    let contact = match health.last_contact {
        Some(ago) => format!("{name} last answered {} s ago", ago.as_secs()),
        None => format!("waiting for {name}"),
    };
    format!("{}, {contact}", count(updates, "update"))
}
