//! Prints the report.

use anstyle::Style;

use super::report::{Problem, Report, Usage};
use crate::text::wrap::Wrapped;
use crate::text::{self, Paint, clean, columns, grouped, iso_time};

/// Column at which the contents of a line start.
const INDENT: usize = 16;

/// The JSON form, indented.
pub(super) fn json(report: &Report) -> String {
    // A report is strings and numbers; it always serializes.
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}

/// The form for people.
pub(super) fn text(report: &Report, paint: Paint, width: usize) -> String {
    let mut page = Page { out: String::new(), paint, width };
    page.wrapped(0, 0, &[(text::HEADING, &report.file)]);
    page.out.push('\n');
    page.facts(report);
    page.specs(report);
    page.usage("Conditions", &report.condition_types);
    page.usage("User fields", &report.user_fields);
    page.list("ID lists", report.id_lists.iter().map(|list| clean(list)));
    page.list(
        "Most rules",
        report
            .largest
            .iter()
            .map(|spec| format!("{} ({}, {})", clean(&spec.name), spec.entity, grouped(spec.rules as u64))),
    );
    page.malformed(report);
    page.problems(&report.problems);
    page.out
}

struct Page {
    out: String,
    paint: Paint,
    /// Columns of a line.
    width: usize,
}

impl Page {
    /// Starts a line with its title.
    fn title(&mut self, title: &str) {
        self.paint.push(&mut self.out, text::HEADING, title);
        self.out.extend(std::iter::repeat_n(' ', INDENT.saturating_sub(title.len())));
    }

    fn line(&mut self, title: &str, content: &str) {
        self.title(title);
        self.wrapped(INDENT, INDENT, &[(text::PLAIN, content)]);
    }

    /// Goes on after `used` columns, and below at `hanging`.
    fn wrapped(&mut self, used: usize, hanging: usize, pieces: &[(Style, &str)]) {
        let mut line = Wrapped::new(&mut self.out, self.paint, Some(self.width), used, hanging);
        pieces.iter().for_each(|(style, piece)| line.push(*style, piece));
        line.finish();
    }

    fn facts(&mut self, report: &Report) {
        let bytes = |bytes: usize| text::count(bytes as u64, "byte");
        let sizes = &report.sizes;
        self.line(
            "Document",
            &format!("{}, {}, last changed {}", report.format, bytes(sizes.document_bytes), iso_time(report.time)),
        );
        if let Some(app) = &report.app_id {
            self.line("App", &clean(&app.as_str().map_or_else(|| app.to_string(), str::to_owned)));
        }
        if let Some(tier) = &report.default_environment {
            self.line("Environment", &format!("{} unless users or SDKs say otherwise", clean(tier)));
        }
        self.line(
            "Compiled",
            &format!(
                "in {:.2} ms to {} of text and {} of values",
                sizes.compile_ms,
                bytes(sizes.text_bytes),
                bytes(sizes.value_bytes)
            ),
        );
    }

    fn specs(&mut self, report: &Report) {
        let specs = report.entities.iter().map(|count| {
            let name = count.entity.replace('_', " ");
            format!("{} ({})", text::count(count.specs as u64, &name), text::count(count.rules as u64, "rule"))
        });
        let others = [(report.parameter_stores, "parameter store"), (report.contextual_bandits, "contextual bandit")];
        let others =
            others.into_iter().filter(|&(number, _)| number > 0).map(|(number, noun)| text::count(number as u64, noun));
        self.list("Specs", specs.chain(others));
    }

    fn usage(&mut self, title: &str, usage: &[Usage]) {
        self.list(
            title,
            usage.iter().map(|usage| format!("{} {}", clean(&usage.name), grouped(usage.conditions as u64))),
        );
    }

    /// Items with commas between them; a line is broken between items where that is possible.
    fn list(&mut self, title: &str, items: impl Iterator<Item = String>) {
        self.title(title);
        let mut column = INDENT;
        let mut items = items.peekable();
        if items.peek().is_none() {
            self.paint.push(&mut self.out, text::FAINT, "none");
            self.out.push('\n');
        }
        while let Some(item) = items.next() {
            let item = if items.peek().is_some() { format!("{item},") } else { item };
            let length = columns(&item);
            if column > INDENT && column + 1 + length > self.width {
                self.out.push('\n');
                self.title("");
                column = INDENT;
            } else if column > INDENT {
                self.out.push(' ');
                column += 1;
            }
            self.wrapped(column, INDENT, &[(text::PLAIN, &item)]);
            // The next item may stand on the same line.
            let last = self.out.trim_end_matches('\n').len();
            if items.peek().is_some() {
                self.out.truncate(last);
            }
            column = if column + length > self.width {
                columns(self.out[..last].rsplit('\n').next().unwrap_or_default())
            } else {
                column + length
            };
        }
    }

    fn malformed(&mut self, report: &Report) {
        if report.malformed.is_empty() {
            return;
        }
        self.line("Malformed", "these specs cannot be used; SDKs treat them as unknown");
        for spec in &report.malformed {
            self.out.push_str("  ");
            let kind = format!("{} ", spec.kind.short());
            self.wrapped(
                2,
                4,
                &[(text::PLAIN, &kind), (text::WARNING, &spec.name), (text::PLAIN, ": "), (text::PLAIN, &spec.reason)],
            );
        }
    }

    fn problems(&mut self, problems: &[Problem]) {
        self.title("Problems");
        if problems.is_empty() {
            self.paint.push(&mut self.out, text::ON, "none");
            self.out.push('\n');
            return;
        }
        self.paint.push(&mut self.out, text::WARNING, &grouped(problems.len() as u64));
        self.out.push('\n');
        for problem in problems {
            self.out.push_str("  ");
            let place = format!(" at {}: {}", problem.path, problem.message);
            self.wrapped(2, 4, &[(text::WARNING, problem.kind), (text::PLAIN, &place)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_broken_into_lines() {
        let mut page = Page { out: String::new(), paint: Paint { styled: false }, width: 100 };
        page.list("ID lists", (0..20).map(|at| format!("list_{at}")));
        assert!(page.out.lines().all(|line| line.len() <= 100 && !line.ends_with(' ')), "{}", page.out);
        assert_eq!(page.out.lines().count(), 3);
        assert!(page.out.lines().skip(1).all(|line| line.starts_with("                list_")));
    }

    #[test]
    fn long_items_are_broken_too() {
        for width in 40..110 {
            let mut page = Page { out: String::new(), paint: Paint { styled: false }, width };
            page.list("Specs", (7..30).map(|at| "name ".repeat(at % 11) + &"x".repeat(at)));
            assert!(page.out.lines().all(|line| line.len() <= width && !line.ends_with(' ')), "{width}: {}", page.out);
        }
    }
}
