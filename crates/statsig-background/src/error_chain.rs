//! An error and its sources in one line.

use std::error::Error;

/// Longest text that [`error_chain`] returns, in characters.
pub const MAX_ERROR_CHARS: usize = 1_000;

/// Returns an error and its sources in one line, `outer: middle: inner`.
///
/// A source whose text the error before it already ends with is left out. Line breaks and other control
/// characters become spaces, and the text is cut to [`MAX_ERROR_CHARS`] characters. Secrets are not masked.
///
/// ```
/// use statsig_background::error_chain;
///
/// let error = std::io::Error::other("disk\nfull");
/// assert_eq!(error_chain(&error), "disk full");
/// ```
#[must_use]
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    error_chain_with(error, str::to_owned)
}

/// Does the same, and edits the text before it is cut: a secret that is cut in two would no longer be found.
///
/// ```
/// use statsig_background::error_chain_with;
///
/// let error = std::io::Error::other("refused for secret-1");
/// assert_eq!(error_chain_with(&error, |text| text.replace("secret-1", "*****")), "refused for *****");
/// ```
#[must_use]
pub fn error_chain_with(error: &(dyn Error + 'static), edit: impl FnOnce(&str) -> String) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    // A chain that refers to itself must end as well.
    while let Some(error) = source.filter(|_| text.len() <= 4 * MAX_ERROR_CHARS) {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    truncated(&edit(&text), MAX_ERROR_CHARS)
}

/// Returns a text with control characters replaced by spaces, cut to a number of characters.
///
/// A text that is cut ends with `…`, which is not counted.
#[must_use]
pub fn truncated(text: &str, max_chars: usize) -> String {
    let mut out: String = text.chars().take(max_chars).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(max_chars).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Layered(&'static str, Option<Box<Layered>>);

    impl fmt::Display for Layered {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layered {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    fn chain(texts: &[&'static str]) -> Layered {
        let (first, rest) = texts.split_first().unwrap();
        Layered(first, (!rest.is_empty()).then(|| Box::new(chain(rest))))
    }

    #[test]
    fn sources_follow_in_order_and_repeated_ones_are_left_out() {
        for (texts, line) in [
            (&["cannot connect", "tls", "bad certificate"][..], "cannot connect: tls: bad certificate"),
            (&["cannot connect: tls", "tls", "why"], "cannot connect: tls: why"),
            (&["one\r\n\ttwo"], "one   two"),
        ] {
            assert_eq!(error_chain(&chain(texts)), line);
        }
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        assert_eq!(truncated("größer", 3), "grö…");
        assert_eq!(truncated("größer", 6), "größer");
        let long: &'static str = "ä".repeat(5_000).leak();
        assert_eq!(error_chain(&chain(&[long, "inner"])).chars().count(), MAX_ERROR_CHARS + 1);
    }
}
