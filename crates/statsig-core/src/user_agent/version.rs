//! How the version of a product is written.

use smol_str::SmolStrBuilder;

use super::FieldText;

/// What stands for a version that the user agent does not give.
const UNKNOWN: &str = "0.0.0";

/// The rule by which a product's version is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Up to four numbers.
    FourParts,
    /// Up to three numbers.
    ThreeParts,
    /// The name under which the release of Windows was sold.
    Windows,
}

impl Scheme {
    /// Returns the rule for the product that the user agent calls `tag`.
    pub(super) fn of(tag: &str) -> Self {
        match tag {
            "Windows" => Self::Windows,
            "YaBrowser" | "Opera" | "NetFront NX" => Self::ThreeParts,
            _ => Self::FourParts,
        }
    }

    /// Writes the version that the user agent spells `raw`.
    pub(super) fn text(self, raw: Option<&str>) -> FieldText<'static> {
        let Some(raw) = raw else {
            return FieldText::Borrowed(UNKNOWN);
        };
        match self {
            Self::FourParts => numbers(raw, 4),
            Self::ThreeParts => numbers(raw, 3),
            Self::Windows => FieldText::Borrowed(windows_release(raw)),
        }
    }
}

fn windows_release(raw: &str) -> &'static str {
    match raw {
        "5.1" | "5.2" => "XP",
        "6.0" => "Vista",
        "6.1" => "7",
        "6.3" => "8.1",
        "10.0" => "10",
        _ => UNKNOWN,
    }
}

/// Joins the first `limit` parts of `raw` by dots.
///
/// Of the second part only the leading digits count (`9.0b2` is 9.0); the others are taken as
/// they are.
fn numbers(raw: &str, limit: usize) -> FieldText<'static> {
    let mut text = SmolStrBuilder::new();
    let parts = raw.split_terminator(['_', ',', '.']).take(limit);
    for (index, part) in parts.enumerate() {
        if index > 0 {
            text.push('.');
        }
        text.push_str(if index == 1 { leading_digits(part) } else { part });
    }
    FieldText::Built(text.finish())
}

fn leading_digits(part: &str) -> &str {
    let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
    part.get(..end).unwrap_or_default()
}
