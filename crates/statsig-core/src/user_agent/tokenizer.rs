//! The pass over a user agent's pieces.
//!
//! A user agent is a list of pieces between blanks and semicolons, most of them `name/version`.
//! The pass looks at each piece together with the three that follow it and turns it into a token,
//! a hint, a certain product, or nothing. Tokens are not kept: which of them can matter is known
//! beforehand, so [`Landmarks`] remembers those alone and memory stays constant.

use super::landmarks::{Landmarks, Token};
use super::window::{Window, non_empty, split_once, stripped};

/// What the pass found.
#[derive(Default)]
pub(super) struct Scan<'a> {
    /// The operating system, where a piece names one together with its version.
    pub(super) os: Option<Token<'a>>,
    /// The browser or crawler, where a piece leaves no doubt.
    pub(super) browser: Option<Token<'a>>,
    pub(super) hints: Hints,
    pub(super) landmarks: Landmarks<'a>,
    bot_seen: bool,
}

/// Families that a piece gives away without naming a product.
#[derive(Default)]
pub(super) struct Hints {
    pub(super) ios: bool,
    pub(super) mac: bool,
    pub(super) windows: bool,
    pub(super) linux: bool,
    pub(super) mobile: bool,
    pub(super) safari: bool,
    pub(super) cfnetwork: bool,
    pub(super) crawler: bool,
    pub(super) huawei: bool,
    pub(super) playstation: bool,
}

/// Reads `user_agent` once, from left to right.
pub(super) fn scan(user_agent: &str) -> Scan<'_> {
    let mut scan = Scan::default();
    let mut window = Window::new(user_agent);
    while !window.is_empty() {
        if let Some(piece) = window.piece(0) {
            scan.read(piece, &mut window);
        }
        window.slide(1);
    }
    scan
}

impl<'a> Scan<'a> {
    /// Interprets `piece`, the first of the window; slides over the further pieces it uses up.
    fn read(&mut self, piece: &'a str, window: &mut Window<'a>) {
        match (piece, window.piece(1), window.piece(2)) {
            (_, _, _) if piece.starts_with("AppleTV") => {
                self.tag("ATV OS X", None);
                window.slide(1);
            }
            ("like", Some("Mac"), Some("OS")) => window.slide(3),
            ("Mac", Some("OS"), Some("X")) => {
                self.hints.mac = true;
                let version = window.number(3);
                self.certain_os("Mac OS X", version);
                window.slide(2);
            }
            ("Mac", Some("OS"), _) => {
                self.hints.mac = true;
                let version = window.number(2);
                self.certain_os("Mac OS X", version);
                window.slide(2);
            }
            ("iOS" | "iPadOS", _, _) => {
                self.hints.ios = true;
                let version = window.number(1);
                self.certain_os("iOS", version);
                window.slide(1);
            }
            ("iPhone", Some("OS"), _) => {
                let version = window.number(2);
                self.certain_os("iOS", version);
                window.slide(1);
            }
            ("CPU", Some("OS"), _) => {
                let version = window.number(2);
                self.tag("CPU OS", version);
                window.slide(1);
            }
            ("CrOS", _, _) => {
                let version = window.number(1).or_else(|| {
                    window.slide(1);
                    // What was the piece after the next is the next one now.
                    window.number(1)
                });
                self.certain_os("Chrome OS", version);
            }
            ("CrKey", _, _) => self.certain_os("Chromecast", None),
            ("PlayStation", _, _) => {
                self.hints.playstation = true;
                self.tag(piece, None);
            }
            ("Android", _, _) => {
                let version = window.number(1);
                self.certain_os("Android", version);
            }
            ("Windows", Some("Phone"), _) => {
                let version = window.number(2);
                self.certain_os("Windows Phone", version);
                window.slide(1);
            }
            ("MSIE", _, _) => {
                let version = window.number(1);
                self.certain_browser("IE", version);
            }
            ("Yahoo!", Some("Slurp"), _) => {
                self.tag("Yahoo! Slurp", None);
                window.slide(1);
            }
            ("Red", Some("Hat"), _) => {
                self.certain_os("Red Hat", None);
                window.slide(1);
            }
            ("Ubuntu", _, _) => {
                let version = window.number(1);
                self.certain_os("Ubuntu", version);
            }
            ("Mobile", _, _) => {
                self.hints.mobile = true;
                self.tag(piece, None);
            }
            ("Linux" | "linux", _, _) => {
                self.hints.linux = true;
                self.tag("Linux", None);
            }
            ("Nintendo", Some("3DS"), _) => {
                self.tag("NetFront NX", None);
                window.slide(1);
            }
            ("Better", Some("Uptime"), Some("Bot")) => self.bot("Better Uptime Bot", None),
            // Spelled as the crawler spells itself.
            ("Radius", Some("Compilance"), Some("Bot")) => self.bot("Radius Compilance Bot", None),
            ("Uptime", Some("Monitoring"), Some("Bot")) => self.bot("Uptime Monitoring Bot", None),
            ("AdsBot-Google-Mobile", _, _) => self.bot("AdsBot-Google", None),
            (_, _, _) if piece.starts_with("Windows") => self.windows(window),
            (_, _, _) if self.apple_device(piece) => {}
            (_, _, _) if piece == "like" || piece.len() <= 2 => {}
            _ => self.read_name_and_version(piece),
        }
    }

    /// Reads the release of Windows that follows the name, as `NT 10.0`, `XP` or `98`.
    fn windows(&mut self, window: &mut Window<'a>) {
        self.hints.windows = true;
        let version = match window.piece(1) {
            Some("NT") => {
                let version = window.number(2);
                if version.is_some() {
                    window.slide(1);
                }
                version
            }
            Some(next) if next.starts_with("XP") => {
                window.slide(1);
                Some("XP")
            }
            _ => window.number(1),
        };
        self.certain_os("Windows", version);
    }

    /// Recognises a device of Apple's that is written together with its model, as `iPad7,11`.
    fn apple_device(&mut self, piece: &'a str) -> bool {
        let (tag, model) = if let Some(model) = piece.strip_prefix("iPad") {
            ("iPad", model.split("iPad").next())
        } else if let Some(model) = piece.strip_prefix("iPhone") {
            ("iPhone", model.split("iPhone").next())
        } else if piece.starts_with("Apple-iPhone7C2") {
            ("iPhone", None)
        } else {
            return false;
        };
        self.hints.ios = true;
        self.tag(tag, model.map(stripped).and_then(non_empty));
        true
    }

    /// Reads a piece of the common form, `name/version` or a name alone.
    fn read_name_and_version(&mut self, piece: &'a str) {
        let (name, version) = match split_once(piece, |byte| matches!(byte, b'/' | b';' | b':')) {
            Some((left, right)) => (non_empty(stripped(left)).unwrap_or(piece), non_empty(stripped(right))),
            None => (piece, None),
        };
        match name {
            "Kindle" => {
                if version.is_some() {
                    let token = Token { tag: name, version };
                    self.os.get_or_insert(token);
                    self.browser = Some(token);
                }
                self.tag(name, version);
            }
            "FxiOS" => self.certain_browser("Firefox iOS", version),
            "EdgiOS" => {
                self.mac_is_ios();
                self.certain_browser("Edge Mobile", version);
            }
            "CriOS" => {
                self.hints.ios = true;
                self.mac_is_ios();
                self.certain_browser("Chrome Mobile iOS", version);
            }
            "GSA" => self.certain_browser("Google", version),
            "YisouSpider" | "ChatGPT-User" | "OAI-SearchBot" | "Electron" => {
                self.certain_browser(name, version);
            }
            "Edg" | "Edge" => self.tag("Edge", version),
            "OPR" => self.tag("Opera", version),
            "SamsungBrowser" => self.certain_browser("Samsung Internet", version),
            "HuaweiBrowser" => {
                self.hints.huawei = true;
                self.tag(name, version);
            }
            "NX" => self.certain_browser("NetFront NX", version),
            "IEMobile" => self.certain_browser("IE Mobile", version),
            "Mobile" => {
                self.hints.mobile = true;
                self.tag(name, version);
            }
            "Safari" => {
                self.hints.safari = true;
                self.tag(name, version);
            }
            "CFNetwork" => {
                self.hints.cfnetwork = true;
                self.hints.ios = true;
            }
            _ if names_a_bot(name) => self.bot(name, version),
            _ if version.is_some_and(|version| version.contains("crawler")) => {
                self.hints.crawler = true;
            }
            "OculusBrowser" => {
                self.os = Some(Token { tag: "Android", version: None });
            }
            _ => self.tag(name, version),
        }
    }

    fn tag(&mut self, tag: &'a str, version: Option<&'a str>) {
        self.landmarks.note(Token { tag, version });
    }

    /// Notes an operating system; the first that comes with a version is the answer.
    fn certain_os(&mut self, tag: &'a str, version: Option<&'a str>) {
        if version.is_some() {
            self.os.get_or_insert(Token { tag, version });
        }
        self.tag(tag, version);
    }

    /// Notes a browser; the last that comes with a version is the answer.
    fn certain_browser(&mut self, tag: &'a str, version: Option<&'a str>) {
        if version.is_some() {
            self.browser = Some(Token { tag, version });
        }
        self.tag(tag, version);
    }

    /// Notes a crawler; only the first counts.
    fn bot(&mut self, tag: &'a str, version: Option<&'a str>) {
        if !self.bot_seen {
            self.bot_seen = true;
            self.browser = Some(Token { tag, version });
        }
    }

    /// Sees through an iPhone or iPad that asks for the desktop site and so claims to be a Mac.
    fn mac_is_ios(&mut self) {
        if self.os.is_some_and(|os| os.tag == "Mac OS X") {
            self.os = Some(Token { tag: "iOS", version: None });
        }
    }
}

/// Whether a name holds `bot` or `crawler`, in lower case or with a capital.
fn names_a_bot(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.iter().enumerate().any(|(at, first)| {
        let rest = bytes.get(at + 1..).unwrap_or_default();
        match first {
            b'B' | b'b' => rest.starts_with(b"ot"),
            b'C' | b'c' => rest.starts_with(b"rawler"),
            _ => false,
        }
    })
}
