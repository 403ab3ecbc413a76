use fancy_regex::Regex;
use proptest::prelude::*;

use super::{MAX_BACKTRACKED_TEXT, MAX_LENGTH, Pattern, PatternBudget, PatternError, PatternPool};

fn found(pattern: &str, text: &str) -> Option<bool> {
    Pattern::compile(pattern).unwrap().is_match(text, &mut PatternBudget::new())
}

/// Steps that a search takes; `None` if it stops at a limit.
fn steps(pattern: &str, text: &str) -> Option<u32> {
    let mut budget = PatternBudget::new();
    Pattern::compile(pattern).unwrap().is_match(text, &mut budget)?;
    Some(PatternBudget::CHECK - budget.left())
}

fn limit(pattern: &str) -> Option<&'static str> {
    match Pattern::compile(pattern) {
        Err(PatternError::Limit(limit)) => Some(limit),
        _ => None,
    }
}

/// Patterns of every kind, with texts; what the reference says of them is looked up.
const PATTERNS: [&str; 92] = [
    "",
    "a",
    "^$",
    "^a$",
    "a|b|",
    "[a-c]+x",
    "(?i)straße",
    "(?i)ẞ",
    "\\d{2,3}$",
    "\\w+@\\w+\\.io",
    ".*",
    "a.c",
    "(?s)a.c",
    "(?m)^b$",
    "(?R)a$",
    "\\bfoo\\b",
    "\\Bo",
    "\\<foo",
    "foo\\>",
    "(?i)\\bFOO\\b",
    "(?<!foo)bar",
    "(?<=v)\\d+$",
    "(?<=v|ver)\\d",
    "(?<=\\d{1,3})px",
    "(?<!\\d{1,2})px",
    "(?<=a+)b",
    "(?<!a+)b",
    "(?<=(a|bb))c",
    "(?<=^a)b",
    "foo(?=bar)",
    "foo(?=bar|baz)",
    "foo(?!bar)",
    "(?=.*\\d)(?=.*[a-z]).{4,}",
    "^(?=.*\\d)(?!.*!).{2,}$",
    "(a)\\1",
    "(ab|a)\\1b",
    "(?<q>['\"]).*?\\k<q>",
    "(?i)(ab)\\1",
    "(?i)(ä)\\1",
    "(a*)\\1b",
    "((a)|b)+\\2",
    "(a)?(?(1)b|c)",
    "(?(a)ab|cd)x",
    "(?>a+)b",
    "(?>a|ab)c",
    "a++b",
    "a*+a",
    "(?:a|ab)(?:c|bcd)d*$",
    "(a|b)*?\\1c",
    "(?:a?)*?b\\b",
    "(?:a*)*\\b!",
    "(?:a*)+\\b!",
    "(?:a?){3}\\b",
    "(?:a|b){2,3}?\\bc",
    "(?:)*\\b",
    "(?:\\b)*x",
    "(?:a{2,3}){2}\\b",
    "x*\\b",
    "\\Kfoo\\b",
    "a\\Kb\\b",
    "\\Ga\\b",
    "b\\G|\\Ga\\b",
    "a\\Z",
    "b\\z",
    "\\Ab\\b",
    "\\h+\\b",
    "\\H\\b",
    "\\p{Greek}\\b",
    "\\P{L}\\b",
    "[^\\W_]\\b",
    "[[:alpha:]]\\b",
    "[a-z&&[^aeiou]]\\b",
    "(?i)[k]\\b",
    "(?i)k\\b",
    "\\x41\\b",
    "\\u{1F389}\\B",
    "\\e|\\t\\b",
    "(?x) a b # c\n \\b",
    "(?:(?=a)a)+$",
    "(?:(?!b).)*$",
    "(?=(a+))a*b\\1",
    "(?=(a|ab))\\1c",
    "(?<=(?=a).)b",
    "(?=a(?=b))ab\\b",
    "(?!a(?!b)).\\b",
    "(?!(a)b)\\1?.\\b",
    "(a)(b)?\\2",
    "(a\\1)",
    "(?:(a)|b)*\\1",
    "(?<n>a)(?P<m>b)(?P=n)\\k<m>",
    "\\(\\d+\\)\\b",
    "(?-i)(?i:a)b\\b",
];

const TEXTS: [&str; 48] = [
    "",
    "a",
    "b",
    "aa",
    "ab",
    "ba",
    "abc",
    "aab",
    "abab",
    "abba",
    "aaaa",
    "aaab",
    "a\nb",
    "b\n",
    "a\n\n",
    "\nb\n",
    "a\r\nb",
    "axc",
    "a\nc",
    "foo",
    "foo bar",
    "foobar",
    "foo-bar",
    "xfoo",
    "barfoo bar",
    "FOO.",
    "v12",
    "version 3",
    "12px",
    "px",
    "x1px !",
    "bbc",
    "ac",
    "abcd",
    "acd",
    "bc",
    "'q'",
    "\"a' b\"",
    "aBAb",
    "ÄäX",
    "straSSe",
    "STRASSE straße",
    "Kelvin \u{212A}",
    "Ωμέγα",
    "🎉 party",
    "A(42)",
    "a1!",
    "abcd1234",
];

#[test]
fn patterns_mean_what_they_mean_to_the_reference() {
    let mut compared = 0;
    for pattern in PATTERNS {
        let (ours, reference) = (Pattern::compile(pattern), Regex::new(pattern));
        assert_eq!(ours.is_ok(), reference.is_ok(), "{pattern}: {ours:?}, {reference:?}");
        let (Ok(ours), Ok(reference)) = (ours, reference) else { continue };
        for text in TEXTS {
            let expected = reference.is_match(text).unwrap();
            assert_eq!(ours.is_match(text, &mut PatternBudget::new()), Some(expected), "/{pattern}/ in {text:?}");
            compared += 1;
        }
    }
    assert!(compared > 80 * TEXTS.len(), "{compared}");
}

#[test]
fn invalid_patterns_are_those_of_the_reference_and_are_not_repeated() {
    for pattern in [
        "(",
        ")",
        "[a",
        "a{2",
        "*",
        "\\",
        "(?<=a+\\b)b",
        "\\1",
        "(a)\\2",
        "(?P<n>a)\\1",
        "(?<n",
        "\\k<x>",
        "(?z)a",
        "[z-a]",
        "\\p{Nothing}",
        "(?<=(a*)\\1)b",
        "\\g<1>(a)",
        "(?-u)\\W",
        "a{3,2}",
        "\\x{110000}",
        "(?:secret.example",
    ] {
        let ours = Pattern::compile(pattern);
        assert_eq!(ours.is_ok(), Regex::new(pattern).is_ok(), "{pattern}: {ours:?}");
        if let Err(error) = ours {
            assert!(
                matches!(&error, PatternError::Invalid(reason) if !reason.contains("secret")),
                "{pattern}: {error:?}"
            );
        }
    }
}

fn atom() -> impl Strategy<Value = String> {
    let atoms = [
        "a", "b", "ab", ".", "[ab]", "[^a]", "\\w", "\\d", "\\b", "\\B", "^", "$", "c", "é", "\\1", "(?i:A)", "\\s", "",
    ];
    prop::sample::select(atoms.to_vec()).prop_map(str::to_owned)
}

fn pattern() -> impl Strategy<Value = String> {
    atom().prop_recursive(4, 24, 4, |inner| {
        let suffix =
            prop::sample::select(vec!["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?", "??", "{1,2}?", "*+"]);
        let open = prop::sample::select(vec!["(", "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            (open, inner.clone()).prop_map(|(open, inner)| format!("{open}{inner})")),
            (inner, suffix).prop_map(|(inner, suffix)| format!("(?:{inner}){suffix}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn any_pattern_means_what_it_means_to_the_reference(pattern in pattern(), text in "[abcAé1 \n]{0,10}") {
        let (ours, reference) = (Pattern::compile(&pattern), Regex::new(&pattern));
        prop_assert_eq!(ours.is_ok(), reference.is_ok(), "/{}/ {:?} {:?}", pattern, ours, reference);
        if let (Ok(ours), Ok(reference)) = (ours, reference)
            && let Some(found) = ours.is_match(&text, &mut PatternBudget::new())
            && let Ok(expected) = reference.is_match(&text)
        {
            prop_assert_eq!(found, expected, "/{}/ in {:?}", pattern, text);
        }
    }
}

#[test]
fn patterns_are_bounded_in_length_and_memory() {
    let longest = "é".repeat(MAX_LENGTH);
    assert_eq!(found(&longest, &longest), Some(true));
    assert_eq!(limit(&format!("{longest}é")), Some("longer than 1,024 characters"));
    assert_eq!(limit(&"a?".repeat(2_000_000)), Some("longer than 1,024 characters"));
    for large in ["\\w{150}", "((a{1000}){1000}){1000}", "(?i)(?:\\w\\W){40}"] {
        assert_eq!(limit(large), Some("more than 1 MiB compiled"), "{large}");
    }
    // Loops are counted, not unrolled, where backtracking is needed.
    assert!(Pattern::compile("\\b\\w{150}").unwrap().memory_usage() < 32 << 10);
    for ordinary in
        ["^\\w{3,20}$", "^[\\w.+-]+@[\\w-]+(\\.[\\w-]+)+$", "(?i)(chrome|firefox|safari|edge)/\\d+", "^\\d{3}-\\d{4}$"]
    {
        let memory = Pattern::compile(ordinary).unwrap().memory_usage();
        assert!(memory < 700 << 10, "{ordinary}: {memory}");
    }
}

#[test]
fn a_payload_has_room_for_so_many_patterns() {
    let mut pool = PatternPool::with_max_memory(2 << 20);
    let large = |at: usize| format!("\\w{{5}}{at}");
    let each = Pattern::compile(&large(0)).unwrap().memory_usage();
    let accepted = (0..1_000).take_while(|&at| pool.compile(&large(at)).is_ok()).count();
    assert!(each > 50 << 10, "{each}");
    assert!(accepted * each >= 2 << 20 && (accepted - 1) * each <= 2 << 20, "{accepted} of {each}");
    assert_eq!(pool.compile("a"), Err(PatternError::Limit("more than 64 MiB compiled for all patterns")));
    assert!(pool.compile(&large(0)).is_ok(), "one that is known costs nothing");

    let mut pool = PatternPool::with_max_memory(2 << 20);
    let refused = (0..1_000).take_while(|at| {
        pool.compile(&format!("\\w{{150}}{at}")) == Err(PatternError::Limit("more than 1 MiB compiled"))
    });
    assert_eq!(refused.count(), 2, "what is refused for its size took time, too");
}

#[test]
fn searches_that_take_too_long_stop() {
    let password = "(?=.*\\d)(?=.*[a-z]).*x$";
    assert_eq!(found(password, "abc1 x"), Some(true));
    for (pattern, text) in [
        (password, format!("x{}", "a1".repeat(1_000))),
        (password, "a1".repeat(50_000)),
        ("^(?=a)(a+)+\\1$", format!("{}b", "a".repeat(60))),
        ("^(?:(?=a)a|aa)+$", format!("{}!", "a".repeat(10_000))),
        // No alternative is left open, and yet the text is read over and over.
        ("^(?:(?=.*)a)*$", "a".repeat(8_000)),
        ("^(?:(?=(?:(?=.*)a)*)a)*$", "a".repeat(1_000)),
        ("^(?:(?>a)(?=.*))*$", "a".repeat(8_000)),
        ("(?i)(é+)\\1\\1!", format!("!{}", "éÉ".repeat(1_000))),
        ("(?:a?){1000000000}\\b", "!".to_owned()),
        ("(?<=b.*)!\\b", "a!".repeat(2_000)),
        ("\\ba", "é".repeat(MAX_BACKTRACKED_TEXT)),
    ] {
        assert_eq!(found(pattern, &text), None, "{pattern}");
    }
    // Each character leads to a state of its own.
    let mut noise = 1_u64;
    let text: String = std::iter::repeat_with(|| {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        if noise & 1 == 0 { 'a' } else { 'b' }
    })
    .take(40_000)
    .collect();
    assert_eq!(found("[ab]*a[ab]{300}c", &text), None);
    assert_eq!(found("[ab]*a[ab]{300}c", "abab"), Some(false), "the next search is not concerned");
}

#[test]
fn texts_that_lack_what_a_pattern_needs_are_not_searched() {
    for (pattern, text) in [
        ("(?=.*\\d)(?=.*[a-z]).*x$", "a1".repeat(1_000)),
        ("(a|aa)+\\1b", "a".repeat(8_000)),
        ("(?>a+)b", "a".repeat(8_000)),
        ("(?<=a+)b", "a".repeat(8_000)),
        ("(?<=a+)[bc]", "a".repeat(8_000)),
        ("\\b[0-9]+(?=px)x", "a x".repeat(2_000)),
    ] {
        assert_eq!(found(pattern, &text), Some(false), "{pattern}");
        assert!(steps(pattern, &text).unwrap() < 10_000, "{pattern}");
    }
    let thousand = "a".repeat(1_000);
    assert_eq!((found("a{1000}", &thousand), found("a{1000}", &thousand[1..])), (Some(true), Some(false)));
}

#[test]
fn ordinary_searches_take_a_small_part_of_what_a_check_may() {
    let agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1";
    for pattern in [
        "\\bSafari\\b",
        "(?i)\\b(googlebot|bingbot)\\b",
        "(?<!Mobile )Chrome",
        "Version/(?=17)",
        "^(?=.*iPhone)(?!.*Android).*$",
        "(?<=OS )\\d+_\\d+",
        "^\\w+/\\d",
        "(?i)safari",
        "(Mobile|Tablet).*\\1",
    ] {
        let taken = steps(pattern, agent).unwrap();
        assert!(taken < PatternBudget::CHECK / 20, "{pattern}: {taken}");
    }
    assert!(steps("\\bfoo\\b", &"x ".repeat(4_000)).is_some(), "8 kB");
    assert!(steps("foo", &"x".repeat(1_000_000)).is_some(), "1 MB");
}

#[test]
fn a_budget_is_shared_and_ends() {
    let pattern = Pattern::compile("\\bfoo\\b").unwrap();
    let (mut budget, text) = (PatternBudget::new(), "x ".repeat(1_000));
    let found = (0..10_000).take_while(|_| pattern.is_match(&text, &mut budget).is_some()).count();
    assert!(found > 2 && found < 200, "{found}");
    assert_eq!(budget.left(), 0);
    assert_eq!(pattern.is_match("", &mut budget), None);
    assert_eq!(PatternBudget::at_most(7).left(), 7);
    assert_eq!(PatternBudget::at_most(u64::MAX).left(), PatternBudget::CHECK);
}
