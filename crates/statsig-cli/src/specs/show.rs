//! The report as text.

use crate::text::{self, Paint, columns, fit, grouped};

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

/// Text as it may be printed on a terminal.
fn clean(text: &str) -> String {
    fit(text, usize::MAX).0
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

/// A time in milliseconds since 1970 as a date and time in UTC.
fn iso_time(ms: u64) -> String {
    let (days, seconds) = (ms / 86_400_000, ms / 1_000 % 86_400);
    // Eras of 400 years, counted from a first of March, so that the leap day comes last.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        for (ms, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399_999, "2000-02-28 23:59:59 UTC"),
            (951_868_799_000, "2000-02-29 23:59:59 UTC"),
            (1_709_164_800_000, "2024-02-29 00:00:00 UTC"),
            (1_795_305_600_000, "2026-11-22 00:00:00 UTC"),
            (4_102_444_800_000, "2100-01-01 00:00:00 UTC"),
        ] {
            assert_eq!(iso_time(ms), text);
        }
        // Any document may say anything.
        assert!(iso_time(u64::MAX).ends_with("UTC"));
    }

    #[test]
    fn lists_are_broken_into_lines() {
        let mut page = Page { out: String::new(), paint: Paint { styled: false } };
        page.list("ID lists", (0..20).map(|at| format!("list_{at}")));
        assert!(page.out.lines().all(|line| line.len() <= WIDTH && !line.ends_with(' ')), "{}", page.out);
        assert_eq!(page.out.lines().count(), 3);
        assert!(page.out.lines().skip(1).all(|line| line.starts_with("                list_")));
    }
}
