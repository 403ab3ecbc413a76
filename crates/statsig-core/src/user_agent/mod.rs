//! Operating system and browser of a `User-Agent` text.
//!
//! Answers the `ua_based` conditions: which operating system and browser, and which versions of
//! them, a user agent names. A single pass over the text collects the few landmarks that decide
//! (`tokenizer`), then a short list of preferences picks the two products (`products`), and only
//! the version that was asked for is written out (`version`).
//!
//! The names and versions are those that Statsig's console offers and its server SDKs report, so
//! rules that were written against them keep matching. This is not a general-purpose detector:
//! a desktop Internet Explorer 11, for one, is `Other`.
//!
//! The text comes from the network. The pass is linear in its length, keeps a fixed number of
//! slices whatever the text holds, and allocates nothing; the only text ever built is a version,
//! on the stack unless it is longer than any that a real browser sends.

mod landmarks;
mod products;
mod tokenizer;
mod version;
mod window;

#[cfg(test)]
mod tests;

use std::ops::Deref;

use smol_str::SmolStr;

use products::Product;

use crate::ruleset::UserAgentPart;

/// Longest user agent that is looked at, in bytes; a longer one counts as missing.
const MAX_BYTES: usize = 1000;

/// Finds the operating system and browser of `user_agent`.
///
/// `None` if the text is longer than 1000 bytes. Any other text has an answer: what is not
/// recognised is called `Other`, with version `0.0.0`.
///
/// Linear in the text's length; does not allocate.
pub(crate) fn parse(user_agent: &str) -> Option<UserAgent<'_>> {
    if user_agent.len() > MAX_BYTES {
        return None;
    }
    let scan = tokenizer::scan(user_agent);
    Some(UserAgent { os: products::operating_system(&scan), browser: products::browser(&scan) })
}

/// Parses `user_agent` and returns one field of it; `None` where [`parse`] has no answer.
///
/// Whoever needs several fields of the same text calls [`parse`] once instead.
pub(crate) fn field(user_agent: &str, field: UserAgentPart) -> Option<FieldText<'_>> {
    parse(user_agent).map(|parsed| parsed.field(field))
}

/// The products that a user agent names. Cheap to copy; borrows from the text it was parsed from.
#[derive(Clone, Copy)]
pub(crate) struct UserAgent<'a> {
    os: Product<'a>,
    browser: Product<'a>,
}

impl<'a> UserAgent<'a> {
    /// Returns the text of one field, never empty for a field that names a product.
    ///
    /// A version has as many of its first four numbers as the user agent gave, joined by dots.
    pub(crate) fn field(&self, field: UserAgentPart) -> FieldText<'a> {
        match field {
            UserAgentPart::OsName => FieldText::Borrowed(self.os.name()),
            UserAgentPart::OsVersion => self.os.version(),
            UserAgentPart::BrowserName => FieldText::Borrowed(self.browser.name()),
            UserAgentPart::BrowserVersion => self.browser.version(),
        }
    }
}

/// The text of a field: a slice of the user agent or of the program, or a version written anew.
///
/// Reads as a `&str`. `Built` stays on the stack up to 23 bytes.
#[derive(Clone, Debug)]
pub(crate) enum FieldText<'a> {
    Borrowed(&'a str),
    Built(SmolStr),
}

impl Deref for FieldText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Built(text) => text,
        }
    }
}
