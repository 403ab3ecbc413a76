//! The report as text.

use crate::text::{self, Paint, clean, columns, grouped, iso_time};

use super::report::{Problem, Report, Usage};

/// Where the second column starts.
const INDENT: usize = 16;

/// Where lines of lists are broken.
const WIDTH: usize = 100;

/// The JSON form, indented.
pub(super) fn json(report: &Report) -> String {
    // A report is strings and numbers; it always serializes.
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}

/// The form for people.
pub(super) fn text(report: &Report, paint: Paint) -> String {
    let mut page = Page { out: String::new(), paint };
    page.paint.push(&mut page.out, text::HEADING, &clean(&report.file));
    page.out.push_str("\n\n");
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
    page.problems(&report.problems);
    page.out
}

struct Page {
    out: String,
    paint: Paint,
}

impl Page {
    /// Starts a line with its title.
    fn title(&mut self, title: &str) {
        self.paint.push(&mut self.out, text::HEADING, title);
        self.out.extend(std::iter::repeat_n(' ', INDENT.saturating_sub(title.len())));
    }

    fn line(&mut self, title: &str, content: &str) {
        self.title(title);
        self.out.push_str(content);
        self.out.push('\n');
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

    /// Items with commas between them, in lines of bounded width.
    fn list(&mut self, title: &str, items: impl Iterator<Item = String>) {
        self.title(title);
        let mut column = INDENT;
        let mut items = items.peekable();
        if items.peek().is_none() {
            self.paint.push(&mut self.out, text::FAINT, "none");
        }
        while let Some(item) = items.next() {
            let item = if items.peek().is_some() { format!("{item}, ") } else { item };
            if column > INDENT && column + columns(item.trim_end()) > WIDTH {
                self.out.truncate(self.out.trim_end_matches(' ').len());
                self.out.push('\n');
                self.title("");
                column = INDENT;
            }
            column += columns(&item);
            self.out.push_str(&item);
        }
        self.out.push('\n');
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
            self.paint.push(&mut self.out, text::WARNING, problem.kind);
            self.out.push_str(&format!(" at {}: {}\n", clean(&problem.path), clean(&problem.message)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_broken_into_lines() {
        let mut page = Page { out: String::new(), paint: Paint { styled: false } };
        page.list("ID lists", (0..20).map(|at| format!("list_{at}")));
        assert!(page.out.lines().all(|line| line.len() <= WIDTH && !line.ends_with(' ')), "{}", page.out);
        assert_eq!(page.out.lines().count(), 3);
        assert!(page.out.lines().skip(1).all(|line| line.starts_with("                list_")));
    }
}
