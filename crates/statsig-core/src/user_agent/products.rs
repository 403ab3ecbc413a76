//! Picks the operating system and the browser from what the scan found.

use super::FieldText;
use super::landmarks::Token;
use super::tokenizer::Scan;
use super::version::Scheme;

/// A product with its version: an operating system or a browser.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product<'a> {
    name: &'a str,
    version: Option<&'a str>,
    scheme: Scheme,
}

impl<'a> Product<'a> {
    /// The product that `token` stands for, under the name it is known by.
    fn named(name: &'a str, token: Token<'a>) -> Self {
        Self { name, version: token.version, scheme: Scheme::of(token.tag) }
    }

    fn unversioned(name: &'a str) -> Self {
        Self { name, version: None, scheme: Scheme::FourParts }
    }

    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    pub(super) fn version(&self) -> FieldText<'a> {
        self.scheme.text(self.version)
    }
}

impl<'a> From<Token<'a>> for Product<'a> {
    fn from(token: Token<'a>) -> Self {
        Self::named(token.tag, token)
    }
}

/// Returns the operating system: a certain one, else the earliest token that implies one, else
/// the family that a hint gives away.
pub(super) fn operating_system<'a>(scan: &Scan<'a>) -> Product<'a> {
    if let Some(token) = scan.os {
        return token.into();
    }
    let hints = &scan.hints;
    let marks = &scan.landmarks;
    let earliest = [
        marks.first_os,
        marks.first_cpu_os.filter(|_| hints.ios),
        marks.first_version.filter(|_| hints.ios && hints.mac),
    ]
    .into_iter()
    .flatten()
    .min_by_key(|(position, _)| *position);
    if let Some((_, token)) = earliest {
        return implied_os(token);
    }
    Product::unversioned(if hints.ios {
        "iOS"
    } else if hints.mac {
        "Mac OS X"
    } else if hints.windows {
        "Windows"
    } else if hints.linux {
        "Linux"
    } else {
        "Other"
    })
}

fn implied_os(token: Token<'_>) -> Product<'_> {
    match token.tag {
        "iOS" | "iPhone OS" | "CPU OS" | "Version" => Product::named("iOS", token),
        "Android" | "Kindle" | "Ubuntu" => token.into(),
        "ATV OS X" | "Chromecast" | "Red Hat" => Product::unversioned(token.tag),
        // Some vendors glue the device to the name, as in `Android-4.0.3`.
        _ => Product::unversioned("Android"),
    }
}

/// Returns the browser: a certain one, else the first token that names one, else what the
/// rendering engine's usual company of tokens suggests.
pub(super) fn browser<'a>(scan: &Scan<'a>) -> Product<'a> {
    if let Some(token) = scan.browser {
        return token.into();
    }
    if let Some(token) = scan.landmarks.first_browser {
        return named_browser(scan, token);
    }
    if let Some(chrome) = scan.landmarks.last_chrome {
        return chrome_family(scan, chrome);
    }
    if let Some(android) = scan.landmarks.last_android {
        return android.into();
    }
    apple_family(scan)
}

fn named_browser<'a>(scan: &Scan<'a>, token: Token<'a>) -> Product<'a> {
    let mobile = scan.hints.mobile;
    match token.tag {
        "Firefox" if mobile => Product::named("Firefox Mobile", token),
        "Edge" if mobile => Product::named("Edge Mobile", token),
        "Opera" if mobile => Product::named("Opera Mobile", token),
        "Silk" if scan.hints.playstation => Product::unversioned("NetFront NX"),
        "Silk" => Product::named("Amazon Silk", token),
        "Yahoo! Slurp" => Product::unversioned(token.tag),
        "YaBrowser" => Product::named("Yandex Browser", token),
        _ => token.into(),
    }
}

fn chrome_family<'a>(scan: &Scan<'a>, chrome: Token<'a>) -> Product<'a> {
    let marks = &scan.landmarks;
    if marks.last_version.is_some() {
        return Product::named("Chrome Mobile WebView", chrome);
    }
    if scan.hints.mobile && chrome.version.is_some() && !scan.hints.huawei {
        return Product::named("Chrome Mobile", chrome);
    }
    match marks.last_android {
        Some(android) if chrome.version.is_none() => android.into(),
        _ => chrome.into(),
    }
}

fn apple_family<'a>(scan: &Scan<'a>) -> Product<'a> {
    let hints = &scan.hints;
    let marks = &scan.landmarks;
    if hints.cfnetwork
        && let Some(app) = marks.first
    {
        return match (app.tag, marks.second) {
            ("NetworkingExtension", Some(engine)) => Product::named("CFNetwork", engine),
            ("NetworkingExtension", None) => Product::unversioned("CFNetwork"),
            _ => app.into(),
        };
    }
    if hints.safari {
        let name = if hints.mobile && !hints.mac { "Mobile Safari" } else { "Safari" };
        return match marks.last_version {
            Some(version) => Product::named(name, version),
            None => Product::unversioned(name),
        };
    }
    Product::unversioned(if hints.ios {
        "Mobile Safari UI/WKWebView"
    } else if hints.crawler {
        "crawler"
    } else {
        "Other"
    })
}
