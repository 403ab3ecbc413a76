//! Lays out what follows the options in a help text: examples, fields, exit codes.
//!
//! Text is broken here, with hanging indents, to the width that clap uses for the rest, so that clap
//! finds nothing to break a second time.

use std::sync::OnceLock;

use crate::text::columns;

/// Widest help text, in columns.
pub(crate) const MAX_WIDTH: usize = 110;

/// Exit codes and their meanings; part of every help text.
const EXIT_CODES: [(&str, &str); 5] = [
    ("0", "all went well; also when the reader of the output closed it early, as `head` does"),
    (
        "1",
        "something was found: problems with --strict, skipped lines with --keep-going, a newer document that stays in \
         the store, events that the server refuses for good",
    ),
    ("2", "the command line is wrong, or names an input as the output"),
    ("3", "an input, a server, a store or an ID list cannot be read, or is not what it should be"),
    ("4", "the output cannot be written"),
];

/// Width that was fixed with [`fix_width`].
static FIXED: OnceLock<usize> = OnceLock::new();

/// Makes help texts the same everywhere, for files that are made of them.
pub(crate) fn fix_width(width: usize) {
    // A second width would come too late for texts that are there already.
    let _ = FIXED.set(width);
}

/// Returns the columns that help texts may take: those of the terminal, else of `COLUMNS`, else 100.
pub(crate) fn width() -> usize {
    if let Some(&width) = FIXED.get() {
        return width;
    }
    let variable = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|&columns| columns > 0);
    let terminal = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    terminal.or_else(variable).unwrap_or(100).min(MAX_WIDTH)
}

/// Returns the list of exit codes.
pub(crate) fn exit_codes() -> String {
    let mut text = "Exit codes:".to_owned();
    for (code, meaning) in EXIT_CODES {
        text.push_str(&format!("\n  {code}  {meaning}"));
    }
    wrap(&text, width())
}

/// Returns examples and lists of fields, followed by the exit codes.
pub(crate) fn after(sections: &str) -> String {
    format!("{}\n\n{}", wrap(sections, width()), exit_codes())
}

/// Breaks lines that are too long.
///
/// A line of a list (`  name  meaning`) goes on below its meaning, a command line below itself after a
/// backslash, and any other line at its own indent.
fn wrap(text: &str, width: usize) -> String {
    let lines: Vec<String> = text.lines().map(|line| wrap_line(line, width)).collect();
    lines.join("\n")
}

fn wrap_line(line: &str, width: usize) -> String {
    if columns(line) <= width {
        return line.to_owned();
    }
    let indent = line.len() - line.trim_start().len();
    let content = &line[indent..];
    if is_command(content) {
        return broken(content, indent, indent + 4, width.saturating_sub(2), " \\");
    }
    let hanging = match content.find("  ") {
        Some(end) if indent > 0 => {
            let gap = content[end..].len() - content[end..].trim_start().len();
            indent + end + gap
        }
        _ => indent,
    };
    // A meaning needs some room of its own.
    let hanging = if hanging + 16 > width { indent + 2 } else { hanging };
    broken(content, indent, hanging, width, "")
}

/// Joins the words of a line again, in lines of at most `width` columns.
fn broken(content: &str, indent: usize, hanging: usize, width: usize, ending: &str) -> String {
    let mut out = " ".repeat(indent);
    let mut used = indent;
    let mut is_first = true;
    for (gap, word) in words(content) {
        let length = columns(word);
        if !is_first && used + gap.len() + length > width {
            out.push_str(ending);
            out.push('\n');
            out.push_str(&" ".repeat(hanging));
            used = hanging;
        } else {
            out.push_str(gap);
            used += gap.len();
        }
        out.push_str(word);
        used += length;
        is_first = false;
    }
    out
}

/// Splits at blanks that stand outside single quotes; each word comes with the blanks before it. An option and its
/// value are one word.
fn words(text: &str) -> Vec<(&str, &str)> {
    let mut words: Vec<(&str, &str)> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let gap = rest.len() - rest.trim_start_matches(' ').len();
        let (before, tail) = rest.split_at(gap);
        let mut quoted = false;
        let end = tail.find(|character| {
            quoted ^= character == '\'';
            character == ' ' && !quoted
        });
        let (word, next) = tail.split_at(end.unwrap_or(tail.len()));
        let is_value = !word.starts_with(['-', '|', '<', '>', '\\', '#']);
        match words.last_mut() {
            Some((_, option)) if is_value && is_option(option) => {
                let start = text.len() - rest.len() - option.len();
                *option = &text[start..text.len() - next.len()];
            }
            _ if !word.is_empty() => words.push((before, word)),
            _ => {}
        }
        rest = next;
    }
    words
}

fn is_option(word: &str) -> bool {
    word.starts_with("--") && !word.contains([' ', '='])
}

fn is_command(content: &str) -> bool {
    ["statsig ", "STATSIG_SECRET_KEY=", "jq ", "curl ", "timeout "].iter().any(|start| content.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_go_on_below_their_meaning() {
        let text = "Codes:\n  0  all is well\n  1  something was found that a script should notice";
        let expected = "Codes:\n  0  all is well\n  1  something was found that\n     a script should notice";
        assert_eq!(wrap(text, 30), expected);
        assert_eq!(wrap(text, 100), text);
    }

    #[test]
    fn command_lines_can_still_be_pasted() {
        let text = "    statsig eval --user '{\"userID\": \"u-1\"}' --gate new_editor";
        let expected = "    statsig eval \\\n        --user '{\"userID\": \"u-1\"}' \\\n        --gate new_editor";
        assert_eq!(wrap(text, 38), expected);
    }

    #[test]
    fn exit_codes_fit_every_width() {
        for width in 30..120 {
            let text = wrap("  1  something was found: problems with --strict, skipped lines with --keep-going", width);
            assert!(text.lines().all(|line| columns(line) <= width), "{width}: {text}");
        }
    }
}
