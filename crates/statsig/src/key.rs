//! Checks of SDK keys before anything is asked with them. No message repeats a key.

/// Returns what is wrong with a key, to be read after the option's name.
pub(crate) fn problem_of_key(key: &str) -> Option<&'static str> {
    let is_quotation = |letter: char| matches!(letter, '"' | '\'' | '`' | '\u{2018}'..='\u{201f}');
    if key.trim().is_empty() {
        Some("is blank")
    } else if key.trim() != key {
        Some("begins or ends with white space, such as the line break of a file: remove it")
    } else if key.starts_with(is_quotation) || key.ends_with(is_quotation) {
        Some("stands in quotation marks: remove them")
    } else if key.contains(char::is_whitespace) {
        Some("has white space inside")
    } else if key.contains(char::is_control) {
        Some("has a control character inside")
    } else if !key.is_ascii() {
        Some("has a character that is not ASCII")
    } else {
        None
    }
}

/// Returns the kind of a key that no server is to use, by how it begins.
#[cfg_attr(not(feature = "net"), allow(dead_code, reason = "only the network uses keys"))]
pub(crate) fn foreign_kind(key: &str) -> Option<&'static str> {
    [("client-", "a client key (`client-…`)"), ("console-", "a console key (`console-…`)")]
        .into_iter()
        .find_map(|(beginning, kind)| key.starts_with(beginning).then_some(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_key_has_is_named() {
        for (key, says) in [
            ("", "blank"),
            (" \t\n", "blank"),
            ("secret-abc\n", "white space"),
            ("\u{feff}secret-abc", "not ASCII"),
            (" secret-abc", "begins or ends"),
            ("\u{a0}secret-abc", "begins or ends"),
            ("\"secret-abc\"", "quotation"),
            ("'secret-abc'", "quotation"),
            ("\u{201c}secret-abc\u{201d}", "quotation"),
            ("secret-abc secret-def", "inside"),
            ("secret-a\u{0}b", "control"),
            ("secret-a\u{7f}b", "control"),
            ("secret-…", "ASCII"),
        ] {
            let problem = problem_of_key(key).unwrap_or_default();
            assert!(problem.contains(says) && !problem.contains("abc"), "{key:?}: {problem}");
        }
        for key in ["secret-abc", "my-proxy_key.1", "k"] {
            assert_eq!(problem_of_key(key), None);
        }
        assert!(foreign_kind("client-abc").is_some() && foreign_kind("console-abc").is_some());
        assert_eq!(foreign_kind("secret-client-abc"), None);
    }
}
