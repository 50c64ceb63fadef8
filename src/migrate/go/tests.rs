use super::{Translated, translate};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

fn compiled(pattern: &str) -> Regex {
    let made = translate(pattern, None).unwrap().pattern;
    let config = syntax::Config::new().unicode(false).utf8(false);
    Regex::builder().syntax(config).build(&made).unwrap_or_else(|e| panic!("{pattern} as {made}: {e}"))
}

/// The first match in `text`, or `-`.
fn first<'t>(pattern: &str, text: &'t str) -> &'t str {
    compiled(pattern).find(text).map_or("-", |m| &text[m.range()])
}

#[test]
fn what_go_means_is_matched() {
    for (pattern, text, wanted) in [
        (".{2}x", "\u{e9}\u{e8}x", "\u{e9}\u{e8}x"),
        (".{3}x", "\u{e9}\u{e8}x", "-"),
        ("[^a]{2}x", "\u{e9}\nx", "\u{e9}\nx"),
        ("(?s).x", "\nx", "\nx"),
        (".x", "\nx", "-"),
        ("\\w+", "\u{e9}ab_1", "ab_1"),
        ("\\W", "a\u{e9}", "\u{e9}"),
        ("\\s", "a\u{b}b", "-"),
        ("[\\s]", "a\u{b}b", "-"),
        ("[[:space:]]", "a\u{b}b", "\u{b}"),
        ("\\S", "\u{b}", "\u{b}"),
        ("[^\\S\\n]+", "a \t\nb", " \t"),
        ("[a[b]+", "[ab", "[ab"),
        ("[a&&b]+", "a&b", "a&b"),
        ("[]a]+", "]a", "]a"),
        ("[^]a]+", "]b", "b"),
        ("[\\w.-]+", "a.b-c", "a.b-c"),
        ("[a-]+", "b-a", "-a"),
        ("\\Qa.b*\\E+", "a.b**", "a.b**"),
        ("a{,2}", "a{,2}", "a{,2}"),
        ("a{x", "a{x", "a{x"),
        ("}]", "}]", "}]"),
        ("\\<a\\>", "<a>", "<a>"),
        ("\\x41\\x{42}\\103", "ABC", "ABC"),
        ("\\0", "\0", "\0"),
        ("(?i)straSSe\u{dc}", "STRAsse\u{fc}", "STRAsse\u{fc}"),
        ("(?i)[\u{fc}]", "\u{dc}", "\u{dc}"),
        ("(?i)a(?-i)b", "Ab", "Ab"),
        ("(?i)a(?-i)b", "AB", "-"),
        ("((?i)a)b", "AB", "-"),
        ("(?i:a)b", "Ab", "Ab"),
        ("(?i)[^a]", "Ab", "b"),
        ("(?i)[b-c]+", "xBc", "Bc"),
        ("(?U)a+", "aaa", "a"),
        ("(?m)^b$", "a\nb\nc", "b"),
        ("b$", "b\n", "-"),
        ("\\bb\\b", "\u{e9}b\u{e9}", "b"),
        ("a|ab", "ab", "a"),
        ("(?P<n>a)(?<m>b)", "ab", "ab"),
        ("\u{e9}+", "\u{e9}\u{e9}", "\u{e9}\u{e9}"),
        ("[^\\x00-\\x{10FFFF}]|a", "ba", "a"),
        ("[[:^alpha:]]+", "a\u{e9}1b", "\u{e9}1"),
        ("[\\D]", "1\u{e9}", "\u{e9}"),
        ("# ~&-", "# ~&-", "# ~&-"),
    ] {
        assert_eq!(first(pattern, text), wanted, "{pattern} on {text:?}");
    }
}

#[test]
fn what_go_refuses_or_we_cannot_say_is_an_error() {
    for (pattern, told) in [
        ("(?=a)", "look-around"),
        ("(?<!a)b", "look-around"),
        ("(?>a)", "atomic"),
        ("(a)\\1", "refers back"),
        ("\\pL", "property of Unicode"),
        ("[\\p{Greek}]", "property of Unicode"),
        ("a**", "follows another repetition"),
        ("a{2}{3}", "follows another repetition"),
        ("*a", "repeats nothing"),
        ("a|*", "repeats nothing"),
        ("a{1001}", "counts up to 1000"),
        ("a{3,2}", "counts up to 1000"),
        ("(a", "not closed"),
        ("a)", "closes nothing"),
        ("[a", "not closed"),
        ("[b-a]", "is empty"),
        ("[[:foo:]]", "no class"),
        ("\\y", "no escape"),
        ("a\\", "ends the pattern"),
        ("(?x)a", "no group that Go knows"),
        ("(?P<a-b>c)", "no name"),
        ("(?)a", "flags"),
        ("\\x4", "two digits"),
        ("\\x{110000}", "no character"),
    ] {
        let found = translate(pattern, None).expect_err(pattern);
        assert!(found.contains(told) && found.starts_with("character "), "{pattern}: {found}");
    }
}

#[test]
fn a_group_is_named_by_its_number_and_other_names_are_gone() {
    let Translated { pattern, groups, .. } = translate("(?P<secret>a)(?:b)(c(d))", Some(2)).unwrap();
    assert_eq!((pattern.as_str(), groups), ("(a)(?:b)(?<secret>c(d))", 2 + 1));
    assert!(translate("(?i)a", None).unwrap().leaks);
    assert!(!translate("(?i:a)((?i)b)", None).unwrap().leaks);
}

#[test]
fn readable_patterns_stay_readable() {
    for (from, to) in [
        (
            r#"(?i)key["']?\s*[:=]\s*"([a-z0-9_\-]{20,40})""#,
            r#"(?i)key["']?[\t\n\f\r ]*[:=][\t\n\f\r ]*"([\-0-9A-Z_a-z]{20,40})""#,
        ),
        (r"\bAKIA[0-9A-Z]{16}\b", r"\bAKIA[0-9A-Z]{16}\b"),
        (r"[^a].", r"(?u:[^a])(?u:.)"),
    ] {
        assert_eq!(translate(from, None).unwrap().pattern, to);
    }
}
