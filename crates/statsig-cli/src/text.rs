//! Formats text for people: widths, abbreviations, broken lines, colours.
//!
//! What comes from documents and users is untrusted: control characters are made visible, so that
//! no input can steer the terminal.

pub(crate) mod wrap;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use serde_json::Value;
use unicode_width::UnicodeWidthChar;

/// The word before a failure.
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// The word before a warning; a result that needs attention.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Something that is on.
pub(crate) const ON: Style = AnsiColor::Green.on_default();
/// Something that is off.
pub(crate) const OFF: Style = AnsiColor::Red.on_default();
/// A value among words.
pub(crate) const VALUE: Style = AnsiColor::Cyan.on_default();
/// Something that matters less.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// A heading.
pub(crate) const HEADING: Style = Style::new().bold();
/// Like everything else.
pub(crate) const PLAIN: Style = Style::new();

/// Applies a style, or does not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    /// Whether colours are welcome.
    pub(crate) styled: bool,
}

impl Paint {
    /// Appends `text` in a style.
    pub(crate) fn push(self, out: &mut String, style: Style, text: &str) {
        if self.styled && style != PLAIN && !text.is_empty() {
            out.push_str(&format!("{style}{text}{style:#}"));
        } else {
            out.push_str(text);
        }
    }
}

/// Appends `text` in at most `width` columns, filled up with blanks; what does not fit ends in `…`.
pub(crate) fn push_cell(out: &mut String, paint: Paint, style: Style, text: &str, width: usize) {
    let (cell, used) = fit(text, width);
    paint.push(out, style, &cell);
    out.extend(std::iter::repeat_n(' ', width - used));
}

/// Shortens `text` to at most `width` columns, and says how many it takes.
pub(crate) fn fit(text: &str, width: usize) -> (String, usize) {
    let mut cell = String::new();
    // Columns used, and the last place where `…` still fits.
    let (mut used, mut cut, mut cut_used) = (0, 0, 0);
    for character in text.chars() {
        let (piece, piece_width) = visible(character);
        if used + piece_width > width {
            cell.truncate(cut);
            if width > 0 {
                cell.push('…');
                cut_used += 1;
            }
            return (cell, cut_used);
        }
        used += piece_width;
        cell.push_str(&piece);
        if used < width {
            (cut, cut_used) = (cell.len(), used);
        }
    }
    (cell, used)
}

/// Columns that `text` takes when nothing is left out.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(|character| visible(character).1).sum()
}

/// A character as it may be printed, and its columns.
fn visible(character: char) -> (String, usize) {
    // Control characters, and those that turn the direction of writing.
    let steers = character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if steers {
        let escaped = character.escape_default().to_string();
        let columns = escaped.len();
        return (escaped, columns);
    }
    (character.to_string(), character.width().unwrap_or(0))
}

/// Appends a short form of a JSON value: an object as `key: value, …`, strings without quotes unless
/// they are empty. Stops soon after `limit` bytes.
pub(crate) fn push_brief(out: &mut String, value: &Value, limit: usize) {
    if out.len() > limit {
        return;
    }
    match value {
        Value::String(text) if !text.is_empty() => out.extend(text.chars().take(limit)),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().take(limit).enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                push_brief(out, item, limit);
            }
            out.push(']');
        }
        Value::Object(members) if !members.is_empty() => {
            out.push('{');
            push_members(out, members, limit);
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// The same for the members of an object, without its braces.
pub(crate) fn push_members(out: &mut String, members: &serde_json::Map<String, Value>, limit: usize) {
    for (at, (key, value)) in members.iter().take(limit).enumerate() {
        out.push_str(if at == 0 { "" } else { ", " });
        out.push_str(key);
        out.push_str(": ");
        push_brief(out, value, limit);
    }
}

/// A count with its noun: `1 user`, `1,024 users`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A number with its digits in groups of three.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Text as it may be printed on a terminal.
pub(crate) fn clean(text: &str) -> String {
    fit(text, usize::MAX).0
}

/// An argument as a shell takes it.
pub(crate) fn quoted(argument: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "-_./:,+@%".contains(character);
    let argument = clean(argument);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument;
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}

/// A time in milliseconds since 1970 as a date and time in UTC.
pub(crate) fn iso_time(ms: u64) -> String {
    iso_time_signed(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// A time in milliseconds since 1970, or before, as a date and time in UTC.
pub(crate) fn iso_time_signed(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        // Any document may say anything.
        Err(_) => format!("{ms} ms after 1970 UTC"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cell_is_cut_to_its_columns() {
        for (text, width, cell, used) in [
            ("blue", 6, "blue", 4),
            ("blue", 4, "blue", 4),
            ("blue", 3, "bl…", 3),
            ("blue", 1, "…", 1),
            ("blue", 0, "", 0),
            ("", 3, "", 0),
            // Wide characters take two columns, and are never halved.
            ("日本語", 6, "日本語", 6),
            ("日本語", 5, "日本…", 5),
            ("日本語", 4, "日…", 3),
        ] {
            assert_eq!(fit(text, width), (cell.to_owned(), used), "{text:?} in {width}");
        }
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(fit("a\u{1b}[31m\n\u{202e}b", 40).0, "a\\u{1b}[31m\\n\\u{202e}b");
        // An escape is printed as a whole, or not at all.
        assert_eq!(fit("a\u{1b}b", 4), ("a…".to_owned(), 2));
    }

    #[test]
    fn values_are_brief() {
        for (value, brief) in [
            (json!({"Button Color": "green", "n": 1}), "{Button Color: green, n: 1}"),
            (json!({}), "{}"),
            (json!(""), "\"\""),
            (json!(["a", null, [true]]), "[a, null, [true]]"),
        ] {
            let mut out = String::new();
            push_brief(&mut out, &value, 80);
            assert_eq!(out, brief);
        }
        let mut out = String::new();
        push_brief(&mut out, &json!(vec!["x".repeat(1000); 1000]), 80);
        assert!(out.len() < 500, "{}", out.len());
    }

    #[test]
    fn digits_come_in_groups() {
        let texts = [0, 12, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "12", "999", "1,000", "1,234,567"]);
        assert_eq!((count(1, "user"), count(2, "user")), ("1 user".to_owned(), "2 users".to_owned()));
    }

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        for (argument, expected) in
            [("specs.json", "specs.json"), ("my specs.json", "'my specs.json'"), ("it's", "'it'\\''s'"), ("", "''")]
        {
            assert_eq!(quoted(argument), expected);
        }
    }

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
}
