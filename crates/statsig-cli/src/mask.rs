//! Masks keys and passwords in text that people see.
//!
//! SDK keys get into messages by accident: in the address of a project's specs, in the name of a file
//! that was downloaded from there, or as an argument in the wrong place.

use std::borrow::Cow;

/// Text in place of what is masked.
const MASK: &str = "*****";
/// Beginnings of SDK keys.
const KEY_PREFIXES: [&str; 3] = ["secret-", "client-", "console-"];
/// Length from which letters and digits after a prefix are a key wherever they stand.
const KEY_LENGTH: usize = 16;

/// Masks keys, and the parts of addresses that may hold one.
///
/// In an address: user and password, the query, the last segment of the path before `.json`, and every
/// segment that begins like a key.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    if !text.contains("://") && !has_prefix(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, address, after)) = next_address(rest) {
        push_masked_words(&mut out, before, is_key);
        push_masked_address(&mut out, address);
        rest = after;
    }
    push_masked_words(&mut out, rest, is_key);
    Cow::Owned(out)
}

/// Masks like [`masked`], and also what may be a short key: for arguments and names of files.
pub(crate) fn masked_argument(text: &str) -> String {
    let mut out = String::new();
    push_masked_words(&mut out, &masked(text), may_be_key);
    out
}

/// Returns whether a text begins like an SDK key and goes on like one.
pub(crate) fn looks_like_key(text: &str) -> bool {
    KEY_PREFIXES.iter().any(|prefix| text.strip_prefix(prefix).is_some_and(|rest| may_be_key(prefix, rest)))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn has_prefix(text: &str) -> bool {
    KEY_PREFIXES.iter().any(|prefix| text.contains(prefix))
}

fn is_key(_: &str, rest: &str) -> bool {
    rest.len() >= KEY_LENGTH
}

/// Files are called `client-specs.json` and `secret-santa.json`; keys are longer, or have digits.
fn may_be_key(prefix: &str, rest: &str) -> bool {
    let least = if prefix == "secret-" { 6 } else { 8 };
    let is_odd = prefix == "secret-" || rest.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    rest.len() >= KEY_LENGTH || (rest.len() >= least && is_odd)
}

/// Appends text, with what follows a key's prefix masked where `is_key` says so.
fn push_masked_words(out: &mut String, text: &str, is_key: fn(&str, &str) -> bool) {
    let mut rest = text;
    while let Some((at, prefix)) = next_prefix(rest) {
        let (before, key) = rest.split_at(at + prefix.len());
        let length = key.bytes().take_while(u8::is_ascii_alphanumeric).count();
        out.push_str(before);
        out.push_str(if is_key(prefix, &key[..length]) { MASK } else { &key[..length] });
        rest = &key[length..];
    }
    out.push_str(rest);
}

fn next_prefix(text: &str) -> Option<(usize, &'static str)> {
    KEY_PREFIXES.into_iter().filter_map(|prefix| Some((text.find(prefix)?, prefix))).min()
}

/// Splits a text at its first address, which ends at a blank or a quote.
fn next_address(text: &str) -> Option<(&str, &str, &str)> {
    let colon = text.find("://")?;
    let scheme = text[..colon].bytes().rev().take_while(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(byte));
    let start = colon - scheme.count();
    let ends = |character: char| {
        character.is_whitespace() || character.is_control() || matches!(character, '"' | '\'' | '`' | '<' | '>')
    };
    let end = text[colon..].find(ends).map_or(text.len(), |length| colon + length);
    Some((&text[..start], &text[start..end], &text[end..]))
}

fn push_masked_address(out: &mut String, address: &str) {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let (rest, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    // Without a query, what stands at the end may be punctuation of the sentence.
    let sentence = if query.is_empty() { rest.trim_end_matches([')', ',', ';', ':', '.']).len() } else { rest.len() };
    let (rest, punctuation) = rest.split_at(sentence);
    // A password may hold a slash that somebody forgot to encode.
    let (user, rest) = rest.rsplit_once('@').map_or((None, rest), |(user, rest)| (Some(user), rest));
    out.push_str(scheme);
    out.push_str("://");
    if user.is_some() {
        out.push_str(MASK);
        out.push('@');
    }
    let mut segments = rest.split('/').peekable();
    // The host.
    out.push_str(segments.next().unwrap_or_default());
    while let Some(segment) = segments.next() {
        out.push('/');
        let is_last = segments.peek().is_none();
        match segment.strip_suffix(".json") {
            Some(_) if is_last => {
                out.push_str(MASK);
                out.push_str(".json");
            }
            _ if KEY_PREFIXES.iter().any(|prefix| segment.starts_with(prefix)) => out.push_str(MASK),
            _ => out.push_str(segment),
        }
    }
    if !query.is_empty() {
        out.push(query.chars().next().unwrap_or('?'));
        out.push_str(MASK);
    }
    out.push_str(punctuation);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_what_may_be_secret() {
        for (text, expected) in [
            (
                "GET https://h/v2/download_config_specs/secret-abc.json: 401",
                "GET https://h/v2/download_config_specs/*****.json: 401",
            ),
            ("(https://h:8080/specs/any-thing.json)", "(https://h:8080/specs/*****.json)"),
            ("`redis://:p/w@h:6379/0`", "`redis://*****@h:6379/0`"),
            ("https://h/v1?k=secret-abc&t=1, and", "https://h/v1?***** and"),
            ("https://h/client-abc/x", "https://h/*****/x"),
            ("http://127.0.0.1:80/v2: broken", "http://127.0.0.1:80/v2: broken"),
            ("://", "://"),
            ("no address", "no address"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn keys_are_masked_and_plain_names_are_not() {
        let key = "secret-AbCdEfGhIjKlMnOpQrSt";
        assert_eq!(masked(&format!("is {key}, no")), "is secret-*****, no");
        for kept in ["secret-santa", "client-initialize", "gate `secret-feature`", "console-"] {
            assert_eq!(masked(kept), kept);
        }
        for (text, expected) in [
            ("secret-abcdefgh.json", "secret-*****.json"),
            ("'secret-abcdef'", "'secret-*****'"),
            ("client-4f5a6b7c", "client-*****"),
            ("client-specs.json", "client-specs.json"),
            ("client-initialize.json", "client-initialize.json"),
            ("secret-a and secret-1234567", "secret-a and secret-*****"),
        ] {
            assert_eq!(masked_argument(text), expected);
        }
        assert!(looks_like_key("secret-abcdefgh") && !looks_like_key("secret-abcdefgh.json"));
    }
}
