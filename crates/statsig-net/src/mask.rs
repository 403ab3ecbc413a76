//! Removes secrets from texts: SDK keys, passwords in addresses, and what looks like either.
//!
//! Every error, health value and log line of this crate passes through [`chain_of`] or [`mask_with`].

mod encoded;

use std::borrow::Cow;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use statsig_background::error_chain_with;

use self::encoded::Secret;

/// What stands in the place of a secret.
pub(crate) const STARS: &str = "*****";
/// What the server's secret keys begin with.
pub(crate) const PREFIX: &str = "secret-";
/// What other keys that are secret begin with, which are masked if they are long enough.
const OTHER_PREFIX: &str = "console-";
/// Least characters behind [`OTHER_PREFIX`].
const OTHER_LEAST: usize = 16;
/// How many characters of a key with [`PREFIX`] are shown.
const SHOWN: usize = 5;
/// Most characters of an address in a text.
const MAX_ADDRESS: usize = 200;

/// The keys of this process. A text is masked where no client is at hand: an error that a task passes on, say.
static KEYS: Mutex<Vec<Weak<str>>> = Mutex::new(Vec::new());

fn keys() -> MutexGuard<'static, Vec<Weak<str>>> {
    KEYS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Masks a key in all texts from now on, for as long as it is in use.
pub(crate) fn register(key: &Arc<str>) {
    let mut keys = keys();
    keys.retain(|known| known.strong_count() > 0);
    keys.push(Arc::downgrade(key));
}

/// A key for texts: its first characters if it has the usual prefix and is long, otherwise none.
pub(crate) fn shown_key(key: &str) -> String {
    match key.strip_prefix(PREFIX) {
        Some(rest) => format!("{PREFIX}{}{STARS}", first_of(rest)),
        None => STARS.to_owned(),
    }
}

/// The first characters of what follows the prefix; none of a key so short that they would tell it.
fn first_of(rest: &str) -> &str {
    let end = rest.char_indices().nth(SHOWN).map_or(rest.len(), |(at, _)| at);
    if rest.len() > 3 * SHOWN { &rest[..end] } else { "" }
}

/// The text without secrets: the keys of this process, whatever looks like one, and passwords in addresses.
#[must_use]
pub(crate) fn mask(text: &str) -> Cow<'_, str> {
    mask_with(text, &[])
}

/// The text without these secrets, and without those that [`mask`] removes.
///
/// A secret is found as it is, percent-encoded in whole or in part, escaped as in JSON, and within Base64.
#[must_use]
pub(crate) fn mask_with<'a>(text: &'a str, secrets: &[&str]) -> Cow<'a, str> {
    let registered: Vec<Arc<str>> = keys().iter().filter_map(Weak::upgrade).collect();
    let mut out = Cow::Borrowed(text);
    for secret in secrets.iter().copied().chain(registered.iter().map(|key| &**key)) {
        if let Some(masked) = Secret::new(secret).and_then(|found| found.replaced(&out, &shown_key(secret))) {
            out = Cow::Owned(masked);
        }
    }
    if let Some(masked) = without_prefixed(&out) {
        out = Cow::Owned(masked);
    }
    if let Some(masked) = without_passwords(&out) {
        out = Cow::Owned(masked);
    }
    out
}

/// Returns an error and its sources in one bounded line, without secrets.
///
/// Masks before truncating: a secret that is cut in two would not be found.
#[must_use]
pub(crate) fn chain_of(error: &(dyn Error + 'static)) -> String {
    error_chain_with(error, |text| mask(text).into_owned())
}

/// An address of the options, for texts: without what stands before an `@`, which may be a password, without
/// secrets, and not too long.
#[must_use]
pub(crate) fn shown_address(address: &str) -> String {
    let shown = address.rsplit('@').next().unwrap_or_default();
    mask(shown).chars().take(MAX_ADDRESS).collect()
}

/// The text with everything that begins like a key cut; `None` if nothing does.
fn without_prefixed(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < text.len() {
        let found = [PREFIX, OTHER_PREFIX].into_iter().find_map(|prefix| {
            let begin = encoded::match_at(text.as_bytes(), at, prefix.as_bytes())?;
            let key = text.get(begin..encoded::end_of_key(text.as_bytes(), begin))?;
            // What is masked already stays as it is.
            let is_masked = text[begin + key.len()..].starts_with(STARS);
            let is_key = prefix == PREFIX || key.len() >= OTHER_LEAST;
            (is_key && !is_masked).then_some((prefix, key, begin))
        });
        match found {
            Some((prefix, key, begin)) => {
                out.push_str(&text[copied..at]);
                out.push_str(prefix);
                if prefix == PREFIX && !key.contains('%') {
                    out.push_str(first_of(key));
                }
                out.push_str(STARS);
                (copied, at) = (begin + key.len(), begin + key.len());
            }
            None => at += text[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    if copied == 0 {
        return None;
    }
    out.push_str(&text[copied..]);
    Some(out)
}

/// The text without user names and passwords of addresses, and without parameters that are secret by their names;
/// `None` if there are none.
fn without_passwords(text: &str) -> Option<String> {
    const SECRET_NAMES: [&str; 8] = ["key", "token", "secret", "pass", "pwd", "auth", "sig", "credential"];
    if !text.contains("://") && !text.contains(['?', '&']) {
        return None;
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | ')');
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['/', '?', '&']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        rest = from;
        if let Some(address) = rest.strip_prefix("//").filter(|_| before.ends_with(':')) {
            let authority = address.find(|c: char| ends(c) || matches!(c, '/' | '?' | '#')).unwrap_or(address.len());
            out.push_str("//");
            rest = address;
            if let Some(at) = address[..authority].rfind('@') {
                out.push_str(STARS);
                rest = &address[at..];
            }
            continue;
        }
        let (mark, parameter) = rest.split_at(1);
        out.push_str(mark);
        rest = parameter;
        let end = parameter.find(|c: char| ends(c) || matches!(c, '&' | '#' | '/')).unwrap_or(parameter.len());
        if mark != "/"
            && let Some((name, value)) = parameter[..end].split_once('=')
            && !value.is_empty()
            && SECRET_NAMES.iter().any(|secret| name.to_ascii_lowercase().contains(secret))
        {
            out.push_str(name);
            out.push('=');
            out.push_str(STARS);
            rest = &parameter[end..];
        }
    }
    out.push_str(rest);
    (out != text).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_key_is_cut_wherever_it_stands() {
        for (text, masked) in [
            ("no key here", "no key here"),
            ("GET /v2/x/secret-AbCdEfGhIjKlMnOpQrSt.json: 500", "GET /v2/x/secret-AbCdE*****.json: 500"),
            ("secret-short and secret-AbCdEfGhIjKlMnOpQrSt", "secret-***** and secret-AbCdE*****"),
            ("secret-AbCd-EfGh_IjKl-MnOpQrStUv.json", "secret-AbCd-*****.json"),
            ("secret%2DAbCd%2dEfGhIjKlMnOpQrStUv.json", "secret-*****.json"),
            ("%73ecret-AbCdEfGhIjKlMnOpQrStUv", "secret-AbCdE*****"),
            ("console-AbCdEfGhIjKlMnOpQrStUv", "console-*****"),
            ("a console-log", "a console-log"),
            ("secret-", "secret-*****"),
            ("secret-ééé", "secret-*****ééé"),
            ("secret-AbCdE*****", "secret-AbCdE*****"),
        ] {
            assert_eq!(mask(text), masked);
        }
    }

    #[test]
    fn error_chains_are_bounded_and_masked_before_they_are_cut() {
        let text = format!("{} secret-AbCdEfGhIjKlMnOpQrSt and more", "x".repeat(995));
        let line = chain_of(&std::io::Error::other(text));
        assert!(line.ends_with(" secr…"), "{line}");
        let text = format!("{} https://h/?api_key={}", "x".repeat(10), "k".repeat(2_000));
        assert_eq!(chain_of(&std::io::Error::other(text)), "xxxxxxxxxx https://h/?api_key=*****");
    }

    #[test]
    fn the_keys_of_this_process_are_found_in_any_spelling() {
        let key: Arc<str> = "my-proxy_key-0123456789abcdef".into();
        register(&key);
        for text in [
            "Cannot GET /v2/x/my-proxy_key-0123456789abcdef.json",
            "Cannot GET /v2/x/my%2Dproxy%5fkey-0123456789abcde%66.json",
            "Cannot GET /v2/x/my%252Dproxy_key-0123456789abcdef.json",
            "{\"path\":\"my\\u002dproxy_key-0123456789abcdef\"}",
            "Basic bXktcHJveHlfa2V5LTAxMjM0NTY3ODlhYmNkZWY6",
            "{\"key\":..} as eyJrZXkiOiJteS1wcm94eV9rZXktMDEyMzQ1Njc4OWFiY2RlZiJ9",
        ] {
            let masked = mask(text);
            assert!(masked.contains(STARS), "{masked}");
            for part in ["0123456789", "proxy", "cHJveHl", "Jwcm94e", "c3MDEyM", "LTAxMjM0NTY3", "MDEyMzQ1Njc4OW"] {
                assert!(!masked.contains(part), "{masked}");
            }
        }
        drop(key);
        assert_eq!(mask("my-proxy_key-0123456789abcdef"), "my-proxy_key-0123456789abcdef", "nobody has it any more");
    }

    #[test]
    fn short_keys_are_masked_as_words() {
        assert_eq!(
            mask_with("abc is no key, abcd neither, x/abc.json is", &["abc"]),
            "***** is no key, abcd neither, x/*****.json is"
        );
        assert_eq!(mask_with("a b", &["a", ""]), "a b");
        assert_eq!(mask_with("xabcdefghx", &["abcdefgh"]), "x*****x");
    }

    #[test]
    fn addresses_lose_their_passwords() {
        for (text, masked) in [
            ("via http://user:p%40ss@proxy:1/x?a=1 now", "via http://*****@proxy:1/x?a=1 now"),
            ("`redis://:p@ss@h` and https://h/a@b", "`redis://*****@h` and https://h/a@b"),
            ("GET /f?k=1&sig=abc%3D&x=2#t", "GET /f?k=1&sig=*****&x=2#t"),
            ("https://h?api_key=abc", "https://h?api_key=*****"),
            ("why? because & so on: a=b", "why? because & so on: a=b"),
        ] {
            assert_eq!(mask(text), masked);
        }
        assert_eq!(shown_address("http://user:pa/ss@h:1/secret-abc?token=x"), "h:1/secret-*****?token=*****");
        assert_eq!(shown_address(&"x".repeat(10_000)).len(), MAX_ADDRESS);
    }
}
