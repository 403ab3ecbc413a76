//! Checks of a bootstrap document that need no parser: what people give in its place.

/// Longest text that is taken for a path, an address or a key.
const MOST_BYTES: usize = 4_096;

/// Returns what a document is that cannot be config specs, to be read after the option's name. Repeats nothing of it.
pub(super) fn problem_of_bootstrap(document: &[u8]) -> Option<&'static str> {
    if document.trim_ascii().is_empty() {
        return Some("is empty: give it the text of config specs, or leave it out");
    }
    if document.len() > MOST_BYTES {
        return None;
    }
    let text = std::str::from_utf8(document).ok()?.trim();
    if text.contains(['{', '[', '"', '\n']) || text.contains(char::is_control) {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    if ["secret-", "client-", "console-"].iter().any(|beginning| lower.starts_with(beginning)) {
        return Some("holds an SDK key, not config specs: the key belongs into `sdk_key`");
    }
    if lower.starts_with("http://") || lower.starts_with("https://") {
        return Some("holds an address, not config specs: give it the text, or name the address in `specs_url`");
    }
    let endings = [".json", ".gz", ".br", ".zst", ".pb", ".bin", ".txt", ".lkg"];
    let has_separator = !text.contains(char::is_whitespace) && text.contains(['/', '\\']);
    (has_separator || endings.iter().any(|ending| lower.ends_with(ending)))
        .then_some("holds a path, not config specs: give it the file's text, or name the file in `specs_file`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_in_its_place_is_recognised() {
        for (text, says) in [
            ("", "empty"),
            (" \n", "empty"),
            ("specs.json", "path"),
            ("/etc/statsig/my specs.json\n", "path"),
            ("C:\\specs", "path"),
            ("./specs", "path"),
            ("https://api.statsigcdn.com/v2/download_config_specs/secret-abcdef.json", "address"),
            ("secret-abcdef", "key"),
        ] {
            let problem = problem_of_bootstrap(text.as_bytes()).unwrap_or_default();
            assert!(problem.contains(says) && !problem.contains("abcdef"), "{text}: {problem}");
        }
        for text in ["{", "{}", "[1/2]", "no JSON", "null", "\"a/b\""] {
            assert_eq!(problem_of_bootstrap(text.as_bytes()), None, "{text}");
        }
        assert_eq!(problem_of_bootstrap(&[0xff, 0xfe, b'/']), None);
    }
}
