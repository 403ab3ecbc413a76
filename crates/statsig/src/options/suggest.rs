//! Suggestions for names that are not those of options.

use std::cmp::Ordering;

use super::client::StatsigOptions;
use super::foreign::FOREIGN_OPTIONS;
use super::group::OptionRow;

/// Most characters of a name that a message repeats.
const SHOWN: usize = 60;
/// Longest name that is compared with others.
const COMPARED: usize = 60;
/// Beginnings of keys: what begins so is not repeated.
const KEYS: [&str; 3] = ["secret-", "client-", "console-"];

/// Returns the message about a name that no option has. `path` is what stands before `key`, with its dot.
pub(super) fn unknown_option(path: &str, key: &str, rows: &[OptionRow]) -> String {
    let Some(shown) = shown(key) else {
        return format!("an option{} has a name that looks like a secret key", inside(path));
    };
    let name = format!("{path}{shown}");
    match suggestion(path, key, rows) {
        Some(suggestion) => format!("there is no option `{name}`: {suggestion}"),
        None => format!("there is no option `{name}`: docs/options.md lists them all"),
    }
}

/// Returns what may have been meant, as the end of a sentence.
pub(super) fn suggestion(path: &str, key: &str, rows: &[OptionRow]) -> Option<String> {
    if key.len() > COMPARED {
        return None;
    }
    let wanted = snake_case(key);
    let meant = |name: String| Some(format!("did you mean `{name}`?"));
    let is_same = |name: &str| plain(name) == plain(&wanted);
    if let Some(row) = rows.iter().find(|row| is_same(row.name)) {
        return meant(format!("{path}{}", row.name));
    }
    if let Some(foreign) = FOREIGN_OPTIONS.iter().find(|foreign| foreign.names.iter().any(|name| is_same(name))) {
        let remark = Some(foreign.remark).filter(|remark| !remark.is_empty());
        return Some(match (foreign.here, remark) {
            (Some(here), Some(remark)) => format!("here it is {here} ({remark})"),
            (Some(here), None) => format!("here it is {here}"),
            (None, remark) => remark.unwrap_or("not there").to_owned(),
        });
    }
    let is_near = |row: &&OptionRow| is_same(row.name.trim_end_matches("_ms")) || is_same(row.builder);
    if let Some(row) = rows.iter().find(is_near) {
        return meant(format!("{path}{}", row.name));
    }
    // In another group, or outside of the group.
    if let Some((group, row)) = everywhere().find(|(_, row)| is_same(row.name)) {
        return meant(format!("{group}{}", row.name));
    }
    closest(&wanted, rows.iter().map(|row| row.name)).and_then(|name| meant(format!("{path}{name}")))
}

/// Returns the name that differs least from a text, if it does not differ by much.
pub(super) fn closest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if text.len() > COMPARED {
        return None;
    }
    let text = snake_case(text);
    let most = (text.chars().count() / 3).clamp(1, 3);
    let distances = names.into_iter().map(|name| (distance(&text, name), name));
    let near = distances.filter(|(distance, _)| *distance <= most);
    near.min_by(|(a, _), (b, _)| if a < b { Ordering::Less } else { a.cmp(b) }).map(|(_, name)| name)
}

/// Every option with the path of its group.
fn everywhere() -> impl Iterator<Item = (String, &'static OptionRow)> {
    let own = StatsigOptions::ALL.iter().map(|row| (String::new(), row));
    let inner =
        StatsigOptions::ALL.iter().flat_map(|group| group.inner.iter().map(|row| (format!("{}.", group.name), row)));
    own.chain(inner)
}

fn inside(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" of `{}`", path.trim_end_matches('.')) }
}

/// Returns the beginning of a name without control characters; `None` if it may be a key.
pub(super) fn shown(name: &str) -> Option<String> {
    if KEYS.iter().any(|beginning| name.to_ascii_lowercase().contains(beginning)) {
        return None;
    }
    let mut shown: String =
        name.chars().take(SHOWN).map(|c| if c.is_control() || c == '`' { '?' } else { c }).collect();
    if name.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    Some(shown)
}

/// Writes a name of any spelling (`localMode`, `local-mode`, `Local Mode`) in snake case.
pub(super) fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut before = '_';
    for letter in name.trim().chars() {
        if letter.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit()) {
            out.push('_');
        }
        if letter.is_alphanumeric() {
            out.extend(letter.to_lowercase());
        } else if before != '_' {
            out.push('_');
        }
        before = if letter.is_alphanumeric() { letter } else { '_' };
    }
    out.trim_matches('_').to_owned()
}

/// A name without what separates its words.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| *letter != '_').collect()
}

/// Counts the letters to be inserted, removed, replaced or swapped with a neighbour to make one text of another.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut next = vec![i];
        for j in 1..=to.len() {
            let is_same = from[i - 1] == to[j - 1];
            let mut best = (row[j] + 1).min(next[j - 1] + 1).min(row[j - 1] + usize::from(!is_same));
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(name: &str) -> String {
        unknown_option("", name, StatsigOptions::ALL)
    }

    #[test]
    fn near_misses_are_named() {
        for (name, meant) in [
            ("Environment", "`environment`"),
            ("enviroment", "`environment`"),
            ("localMode", "`local_mode`"),
            ("local-mode", "`local_mode`"),
            ("LOCAL_MODE", "`local_mode`"),
            ("apiKey", "`sdk_key`"),
            ("sdkKey", "`sdk_key`"),
            ("timeout", "`request_timeout_ms`"),
            ("initTimeoutMs", "`init_timeout_ms`"),
            ("init_timeout", "`init_timeout_ms`"),
            ("specs_sync_interval", "`specs_sync_interval_ms`"),
            ("rulesetsSyncIntervalMs", "`specs_sync_interval_ms`"),
            ("last_known_good", "`snapshot_dir`"),
            ("disableNetwork", "`local_mode`"),
            ("redis_url", "`data_store.redis_url`"),
            ("spool_mod", "`spool_mode`"),
            ("bootstrapValues", "`bootstrap`"),
            ("evnironment", "`environment`"),
            ("disable_diagnostics", "not there"),
            ("colour", "docs/options.md"),
            ("", "docs/options.md"),
        ] {
            assert!(says(name).contains(meant), "{}", says(name));
        }
        let inside = unknown_option("proxy.", "adress", StatsigOptions::ALL);
        assert!(inside.contains("`proxy.adress`"), "{inside}");
    }

    #[test]
    fn messages_are_short_and_show_no_key() {
        let long = says(&"x".repeat(100_000));
        assert!(long.len() < 200 && long.contains('…'), "{long}");
        for name in ["secret-abcdef", "x secret-abcdef", "CLIENT-abcdef"] {
            assert!(!says(name).contains("abcdef"), "{}", says(name));
        }
        assert!(!says("a\nb\u{1b}[31m").contains(|c: char| c.is_control()));
    }

    #[test]
    fn distances() {
        for (from, to, expected) in
            [("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("abc", "abd", 1), ("kitten", "sitting", 3), ("", "abc", 3)]
        {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }
}
