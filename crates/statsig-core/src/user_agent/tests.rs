use proptest::prelude::*;

use super::{FieldText, UserAgentPart, field, parse};

const FIELDS: [UserAgentPart; 4] =
    [UserAgentPart::OsName, UserAgentPart::OsVersion, UserAgentPart::BrowserName, UserAgentPart::BrowserVersion];

const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) AppleWebKit/605.1.15 \
     (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1";

/// A user agent, then its operating system, browser and their versions.
type Case<'a> = (&'a str, [&'a str; 4]);

/// Shorthand for the products of a text that names none.
const NONE: [&str; 2] = ["Other", "0.0.0"];

#[track_caller]
fn check(cases: &[Case<'_>]) {
    for (user_agent, expected) in cases {
        let parsed = parse(user_agent).unwrap();
        let actual = FIELDS.map(|field| parsed.field(field).to_string());
        assert_eq!(&actual, expected, "{user_agent}");
    }
}

/// Checks the operating system alone: text, name, version.
#[track_caller]
fn check_os(cases: &[(&str, &str, &str)]) {
    for (user_agent, name, version) in cases {
        let parsed = parse(user_agent).unwrap();
        let actual = [UserAgentPart::OsName, UserAgentPart::OsVersion].map(|field| parsed.field(field).to_string());
        assert_eq!(actual, [*name, *version], "{user_agent}");
    }
}

/// Checks the browser alone: text, name, version.
#[track_caller]
fn check_browser(cases: &[(&str, &str, &str)]) {
    for (user_agent, name, version) in cases {
        let parsed = parse(user_agent).unwrap();
        let actual =
            [UserAgentPart::BrowserName, UserAgentPart::BrowserVersion].map(|field| parsed.field(field).to_string());
        assert_eq!(actual, [*name, *version], "{user_agent}");
    }
}

#[test]
fn common_user_agents() {
    check(&[
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/120.0.6099.71 Safari/537.36",
            ["Windows", "10", "Chrome", "120.0.6099.71"],
        ),
        (IPHONE, ["iOS", "17.1.2", "Mobile Safari", "17.1"]),
        (
            "Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/119.0.0.0 Mobile Safari/537.36",
            ["Android", "13", "Chrome Mobile", "119.0.0.0"],
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like \
             Gecko) Version/16.5 Safari/605.1.15",
            ["Mac OS X", "10.15.7", "Safari", "16.5"],
        ),
        (
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
            ["Ubuntu", "0.0.0", "Firefox", "115.0"],
        ),
        ("Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko", ["Windows", "7", "Other", "0.0.0"]),
        ("curl/8.1.2", ["Other", "0.0.0", "Other", "0.0.0"]),
        (
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            ["Other", "0.0.0", "Googlebot", "2.1"],
        ),
        ("", ["Other", "0.0.0", "Other", "0.0.0"]),
        (" ;; (;) ", ["Other", "0.0.0", "Other", "0.0.0"]),
    ]);
}

#[test]
fn pieces_that_name_an_operating_system() {
    check_os(&[
        ("AppleTV6,2 tvOS 15", "ATV OS X", "0.0.0"),
        // The piece after it is passed over, whatever it is.
        ("AppleTV Windows NT 10.0", "ATV OS X", "0.0.0"),
        ("x like Mac OS X 10_4", NONE[0], NONE[1]),
        ("like Mac OS Windows; Windows 6.1", "Windows", "7"),
        ("Mac OS X 10_15_7", "Mac OS X", "10.15.7"),
        ("Mac OS X", "Mac OS X", "0.0.0"),
        ("Mac OS 9.2", "Mac OS X", "9.2"),
        ("iOS 15.2", "iOS", "15.2"),
        ("iPadOS 16.1", "iOS", "16.1"),
        ("iPhone OS 15_1", "iOS", "15.1"),
        ("iPad; CPU OS 16_6 like Mac OS X", "iOS", "16.6"),
        ("CPU OS 16_6", NONE[0], NONE[1]),
        ("X11; CrOS 14541.0.0", "Chrome OS", "14541.0.0"),
        ("X11; CrOS x86_64 14541.0.0", "Chrome OS", "14541.0.0"),
        ("CrOS armv7l x 3 Linux", "Linux", "0.0.0"),
        ("Linux armv7l CrKey/1.54", "Linux", "0.0.0"),
        ("Linux armv7l CrKey 1.54", "Chromecast", "0.0.0"),
        ("Linux; Android 4.4.2; SM-T530", "Android", "4.4.2"),
        ("Linux; Android; Mobile", "Android", "0.0.0"),
        ("Windows Phone 10.0; Android 6.0.1", "Windows Phone", "10.0"),
        ("Windows Phone OS 7.5", "Other", "0.0.0"),
        ("Windows NT 10.0", "Windows", "10"),
        ("Windows NT", "Windows", "0.0.0"),
        ("Windows XP", "Windows", "0.0.0"),
        ("Windows 6.3", "Windows", "8.1"),
        ("Windows10 98", "Windows", "0.0.0"),
        ("Red Hat Enterprise Linux", "Red Hat", "0.0.0"),
        ("Ubuntu 22.04", "Ubuntu", "22.04"),
        ("Ubuntu/10.04 Linux", "Ubuntu", "10.04"),
        ("X11; Linux x86_64", "Linux", "0.0.0"),
        ("linux", "Linux", "0.0.0"),
        ("SmartTV Linux/5.4", "Other", "0.0.0"),
    ]);
}

#[test]
fn pieces_that_name_a_browser() {
    check_browser(&[
        ("compatible; MSIE 9.0; Windows NT 6.1", "IE", "9.0"),
        ("MSIE", NONE[0], NONE[1]),
        ("compatible; Yahoo! Slurp; http://x", "Yahoo! Slurp", "0.0.0"),
        ("Nintendo 3DS; U; ; en", "NetFront NX", "0.0.0"),
        ("FxiOS/120.0", "Firefox iOS", "120.0"),
        ("EdgiOS/119.0.2151.96", "Edge Mobile", "119.0.2151.96"),
        ("CriOS/120.0.6099.119", "Chrome Mobile iOS", "120.0.6099.119"),
        ("CriOS", "Mobile Safari UI/WKWebView", "0.0.0"),
        ("GSA/290.0.575", "Google", "290.0.575"),
        ("YisouSpider/5.0", "YisouSpider", "5.0"),
        ("ChatGPT-User/1.0", "ChatGPT-User", "1.0"),
        ("OAI-SearchBot/1.0;", "OAI-SearchBot", "1.0"),
        ("Chrome/118.0 Electron/28.1.0", "Electron", "28.1.0"),
        ("Chrome/120.0 Edg/120.0.0.0", "Edge", "120.0.0.0"),
        ("Edge/18.17763 Mobile", "Edge Mobile", "18.17763"),
        ("Chrome/120.0 OPR/106.0.1.2", "Opera", "106.0.1"),
        ("Mobile OPR/106.0.1.2", "Opera Mobile", "106.0.1"),
        ("SamsungBrowser/23.0 Chrome/115.0", "Samsung Internet", "23.0"),
        ("Chrome/99.0 HuaweiBrowser/12.1 Mobile", "Chrome", "99.0"),
        ("NX/3.0.1.2", "NetFront NX", "3.0.1"),
        ("IEMobile/11.0", "IE Mobile", "11.0"),
        ("Kindle/3.0", "Kindle", "3.0"),
        ("HeadlessChrome/119.0", "HeadlessChrome", "119.0"),
        ("axios/1.6.2", "axios", "1.6.2"),
        ("Firefox/115.0", "Firefox", "115.0"),
        ("Android 12; Mobile; Firefox/102.0", "Firefox Mobile", "102.0"),
        ("Silk/108.4.6 Chrome/108.0", "Amazon Silk", "108.4.6"),
        ("PlayStation Silk/108.4.6", "NetFront NX", "0.0.0"),
        ("Chrome/118.0 YaBrowser/23.11.0.2419", "Yandex Browser", "23.11.0"),
        // Any separator of name and version will do.
        ("Firefox:9.1", "Firefox", "9.1"),
        ("(Firefox/1) x", "Firefox", "1"),
        // The last certain browser wins, the first of the others.
        ("FxiOS/1 GSA/2", "Google", "2"),
        ("Firefox/1 Opera/2", "Firefox", "1"),
    ]);
}

#[test]
fn crawlers() {
    check_browser(&[
        ("bingbot/2.0", "bingbot", "2.0"),
        ("MyBot", "MyBot", "0.0.0"),
        ("Crawler/1", "Crawler", "1"),
        ("acme-crawler:2", "acme-crawler", "2"),
        ("BOT/1 CRAWLER/1", NONE[0], NONE[1]),
        ("Better Uptime Bot Mozilla/5.0", "Better Uptime Bot", "0.0.0"),
        ("Radius Compilance Bot", "Radius Compilance Bot", "0.0.0"),
        ("Uptime Monitoring Bot/1", "Bot", "1"),
        ("Uptime Monitoring Bot", "Uptime Monitoring Bot", "0.0.0"),
        ("AdsBot-Google-Mobile", "AdsBot-Google", "0.0.0"),
        ("AdsBot-Google-Mobile/1", "AdsBot-Google-Mobile", "1"),
        // Only the first crawler counts, but a certain browser after it does too.
        ("abot/1 bbot/2", "abot", "1"),
        ("abot/1 GSA/2 bbot/3", "Google", "2"),
        ("x/my-crawler", "crawler", "0.0.0"),
        ("x/my-crawler Chrome/9", "Chrome", "9"),
    ]);
}

#[test]
fn browsers_told_by_their_company() {
    check_browser(&[
        ("Version/4.0 Chrome/99.0 Mobile", "Chrome Mobile WebView", "99.0"),
        ("Chrome/99.0 Mobile", "Chrome Mobile", "99.0"),
        ("Android 9; Chrome Mobile", "Android", "9"),
        ("Chrome Mobile", "Chrome", "0.0.0"),
        ("Chrome/1 Chrome/2", "Chrome", "2"),
        ("Android 2.3.6; Version/4.0 Mobile Safari/533.1", "Android", "2.3.6"),
        ("MyApp/42 CFNetwork/1474 Darwin/23.0.0", "MyApp", "42"),
        ("CFNetwork/1474", "Mobile Safari UI/WKWebView", "0.0.0"),
        ("NetworkingExtension/8617.1 Other/2.3 CFNetwork/1", "CFNetwork", "2.3"),
        ("NetworkingExtension/8617.1 CFNetwork/1", "CFNetwork", "0.0.0"),
        ("Version/16.5 Safari/605", "Safari", "16.5"),
        ("Version/16.5 Mobile Safari/605", "Mobile Safari", "16.5"),
        ("Mac OS X; Version/16.5 Mobile Safari/605", "Safari", "16.5"),
        ("Safari/605", "Safari", "0.0.0"),
        ("iPad; U", "Mobile Safari UI/WKWebView", "0.0.0"),
        ("Version/1", NONE[0], NONE[1]),
    ]);
}

#[test]
fn operating_systems_told_by_tokens_and_hints() {
    check_os(&[
        ("iOS/15.2", "iOS", "15.2"),
        ("CPU OS 15_1 iPad", "iOS", "15.1"),
        ("iPad Mac OS X Version/17.2", "iOS", "17.2"),
        ("iPad Version/17.2", "iOS", "0.0.0"),
        ("MyApp/42 CFNetwork/1474", "iOS", "0.0.0"),
        ("Android/13", "Android", "13"),
        ("Android-4.0.3", "Android", "0.0.0"),
        ("AndroidTV/9", "Android", "0.0.0"),
        ("Chromecast/1.2", "Chromecast", "0.0.0"),
        ("Kindle", "Kindle", "0.0.0"),
        ("Android 9 Kindle/3.0", "Android", "9"),
        ("Kindle/3.0 Android 9", "Kindle", "3.0"),
        // The first that is certain wins; so does the earliest of the others.
        ("Android 9 Windows NT 10.0", "Android", "9"),
        ("Ubuntu Android", "Ubuntu", "0.0.0"),
        ("Linux Windows iPad Mac OS", "iOS", "0.0.0"),
        ("Linux Windows Mac OS", "Mac OS X", "0.0.0"),
        ("Linux Windows", "Windows", "0.0.0"),
        // An iPad that asks for the desktop site.
        ("Mac OS X 10_15 CriOS/120", "iOS", "0.0.0"),
        ("Mac OS X 10_15 EdgiOS/120", "iOS", "0.0.0"),
        ("Mac OS X 10_15 FxiOS/120", "Mac OS X", "10.15"),
        ("Windows NT 6.1 OculusBrowser/30.0", "Android", "0.0.0"),
        ("iPhone12,1", "iOS", "0.0.0"),
        ("Apple-iPhone7C2/1202.466", "iOS", "0.0.0"),
    ]);
}

#[test]
fn models_of_apple_devices_are_versions_of_their_tokens() {
    check_browser(&[
        ("iPhone12,1 CFNetwork/1", "iPhone", "12.1"),
        ("iPad7,11/1 CFNetwork/1", "iPad", "7.11"),
        ("iPad_X_iPad9 CFNetwork/1", "iPad", "X"),
        ("iPhoneiPhone3 CFNetwork/1", "iPhone", "0.0.0"),
        ("Apple-iPhone7C2/1202.466 CFNetwork/1", "iPhone", "0.0.0"),
    ]);
}

#[test]
fn short_pieces_and_like_are_passed_over() {
    check_browser(&[("U ab like abc CFNetwork/1", "abc", "0.0.0"), ("é äb CFNetwork/1", "äb", "0.0.0")]);
}

#[test]
fn versions() {
    let table = [
        ("1", "1"),
        ("1.2.3.4.5", "1.2.3.4"),
        ("1_2,3.4", "1.2.3.4"),
        ("9.0b2.3c", "9.0.3c"),
        ("9.b", "9."),
        ("1..2", "1..2"),
        ("1.", "1"),
        ("x.y.z", "x..z"),
        ("é.2é.3", "é.2.3"),
        ("(9)", "9"),
        ("", "0.0.0"),
        ("1/2", "1/2"),
        // Longer than what is built on the stack.
        ("1.2.12345678901234567890.4", "1.2.12345678901234567890.4"),
    ];
    for (written, read) in table {
        check_browser(&[(&format!("Firefox/{written}"), "Firefox", read)]);
    }
}

#[test]
fn releases_of_windows() {
    let table = [
        ("5.1", "XP"),
        ("5.2", "XP"),
        ("6.0", "Vista"),
        ("6.1", "7"),
        ("6.2", "0.0.0"),
        ("6.3", "8.1"),
        ("10.0", "10"),
        ("10", "0.0.0"),
        ("10.0.19041", "0.0.0"),
    ];
    for (written, read) in table {
        check_os(&[(&format!("(Windows NT {written})"), "Windows", read)]);
    }
}

#[test]
fn more_than_a_thousand_bytes_is_missing() {
    let at_limit = format!("Firefox/1 {}", "x".repeat(990));
    assert_eq!(at_limit.len(), 1000);
    check_browser(&[(&at_limit, "Firefox", "1")]);
    for text in [at_limit.clone() + "x", at_limit + &IPHONE.repeat(100)] {
        for name in FIELDS {
            assert!(field(&text, name).is_none());
        }
    }
}

#[test]
fn field_names() {
    let table = [
        ("os_name", Some(UserAgentPart::OsName)),
        ("OSName", Some(UserAgentPart::OsName)),
        ("osVersion", Some(UserAgentPart::OsVersion)),
        ("OS_VERSION", Some(UserAgentPart::OsVersion)),
        ("browser_name", Some(UserAgentPart::BrowserName)),
        ("BrowserName", Some(UserAgentPart::BrowserName)),
        ("browser_Version", Some(UserAgentPart::BrowserVersion)),
        ("browserversion", Some(UserAgentPart::BrowserVersion)),
        ("os", None),
        ("os__name", None),
        ("", None),
        ("browser", None),
    ];
    for (name, expected) in table {
        assert_eq!(UserAgentPart::from_field(&name.to_lowercase()), expected, "{name}");
    }
}

#[test]
fn an_ordinary_version_stays_off_the_heap() {
    let text = field(IPHONE, UserAgentPart::OsVersion).unwrap();
    assert_eq!(&*text, "17.1.2");
    assert!(matches!(text, FieldText::Built(text) if !text.is_heap_allocated()));
    let text = field(IPHONE, UserAgentPart::BrowserName).unwrap();
    assert!(matches!(text, FieldText::Borrowed("Mobile Safari")));
}

/// Texts made of what the tokenizer looks for, to get deeper than random letters would.
fn plausible() -> impl Strategy<Value = String> {
    let words = "Mac OS X like iPhone iPad CPU iOS CrOS Windows Phone NT XP Android Version/ Chrome/ Safari \
                 CFNetwork bot/ crawler ( ) ; / : , _ 1 10_15.2 é";
    let words: Vec<_> = words.split(' ').collect();
    let piece = (prop::sample::select(words), prop::sample::select(vec![" ", ";", ""]));
    prop::collection::vec(piece, 0..40)
        .prop_map(|pieces| pieces.into_iter().flat_map(|(word, gap)| [word, gap]).collect())
}

proptest! {
    #[test]
    fn any_text_up_to_the_limit_has_an_answer(text in prop_oneof![".{0,400}", plausible()]) {
        for name in FIELDS {
            let answer = field(&text, name);
            prop_assert_eq!(answer.is_some(), text.len() <= 1000);
            prop_assert!(answer.is_none_or(|answer| answer.len() <= 1000));
        }
    }

    #[test]
    fn padding_around_the_text_changes_nothing(text in plausible()) {
        let padded = format!(" ;; {text} ; ");
        let (plain, padded) = (parse(&text).unwrap(), parse(&padded).unwrap());
        for name in FIELDS {
            prop_assert_eq!(&*plain.field(name), &*padded.field(name));
        }
    }
}
