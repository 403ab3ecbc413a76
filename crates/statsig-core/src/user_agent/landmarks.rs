//! The few tokens of a user agent that can decide what it stands for.

/// A name in the user agent, with the version beside it if there is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) tag: &'a str,
    pub(super) version: Option<&'a str>,
}

/// The tokens that can decide, out of all that were seen; the numbers are their positions.
#[derive(Default)]
pub(super) struct Landmarks<'a> {
    seen: usize,
    pub(super) first: Option<Token<'a>>,
    pub(super) second: Option<Token<'a>>,
    /// First token that implies an operating system whatever the hints say.
    pub(super) first_os: Option<(usize, Token<'a>)>,
    pub(super) first_cpu_os: Option<(usize, Token<'a>)>,
    pub(super) first_version: Option<(usize, Token<'a>)>,
    /// First token that names a browser whatever else is there.
    pub(super) first_browser: Option<Token<'a>>,
    pub(super) last_android: Option<Token<'a>>,
    pub(super) last_version: Option<Token<'a>>,
    pub(super) last_chrome: Option<Token<'a>>,
}

impl<'a> Landmarks<'a> {
    /// Takes the next token, in the order of the text.
    pub(super) fn note(&mut self, token: Token<'a>) {
        let position = self.seen;
        self.seen += 1;
        match position {
            0 => self.first = Some(token),
            1 => self.second = Some(token),
            _ => {}
        }
        match token.tag {
            "Version" => {
                self.first_version.get_or_insert((position, token));
                self.last_version = Some(token);
            }
            "CPU OS" => {
                self.first_cpu_os.get_or_insert((position, token));
            }
            "Chrome" => self.last_chrome = Some(token),
            "Firefox" | "Yahoo! Slurp" | "Silk" | "NetFront NX" | "YaBrowser" | "Edge" | "Opera" | "axios"
            | "HeadlessChrome" => {
                self.first_browser.get_or_insert(token);
            }
            "ATV OS X" | "iOS" | "iPhone OS" | "Chromecast" | "Red Hat" | "Kindle" | "Ubuntu" => {
                self.first_os.get_or_insert((position, token));
            }
            tag if tag.starts_with("Android") => {
                self.first_os.get_or_insert((position, token));
                if tag == "Android" {
                    self.last_android = Some(token);
                }
            }
            _ => {}
        }
    }
}
