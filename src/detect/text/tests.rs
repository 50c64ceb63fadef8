use super::super::{Detector, Found, Workspace};
use crate::rule::RuleSet;
use std::path::PathBuf;
use std::sync::Arc;

fn detector(rules: &str) -> Detector {
    let mut set = RuleSet::empty();
    let text = format!("[provider]\nid = 'peer'\nname = 'Peer'\n{rules}");
    set.add_texts(vec![(PathBuf::from("peer.toml"), text)]).unwrap();
    Detector::new(Arc::new(set))
}

fn rule(id: &str, rest: &str) -> String {
    format!("[[rule]]\nid = '{id}'\nname = 'x'\nseverity = 'low'\nconfidence = 'medium'\n{rest}\n")
}

fn scan(rules: &str, hay: &[u8], path: &str) -> Vec<Found> {
    detector(rules).scan(hay, path.as_bytes(), &mut Workspace::default())
}

fn values(rules: &str, hay: &str, path: &str) -> Vec<String> {
    let text = |f: Found| String::from_utf8_lossy(f.secret.expose()).into_owned();
    scan(rules, hay.as_bytes(), path).into_iter().map(text).collect()
}

#[test]
fn the_secret_is_the_named_group_else_the_first_that_holds_something_else_all() {
    let hay = "tok:ab12 tok=cd34";
    for (pattern, wanted) in [
        (r"tok[:=]\w+", ["tok:ab12", "tok=cd34"]),
        (r"tok(?::(\w+)|=(\w+))", ["ab12", "cd34"]),
        (r"(tok)[:=](?<secret>\w+)", ["ab12", "cd34"]),
        // A group that holds nothing leaves the whole match.
        (r"tok[:=](?<secret>z?)\w+", ["tok:ab12", "tok=cd34"]),
    ] {
        let rules = rule("peer-a", &format!("pattern = '{pattern}'\n[rule.text]"));
        assert_eq!(values(&rules, hay, "x"), wanted, "{pattern}");
    }
}

#[test]
fn groups_are_those_of_the_match_by_itself() {
    // The line break before the match is not there when its groups are looked for.
    let rules = rule("peer-a", "pattern = '(?m)\\n(\\w+)=\\w+'\n[rule.text]");
    assert_eq!(values(&rules, "x\nkey=one", "x"), ["key=one"]);
}

#[test]
fn a_keyword_may_stand_anywhere_and_in_any_case() {
    let rules = rule("peer-a", "pattern = 'k[0-9]{4}'\n[rule.text]\nkeywords = ['aCme', '\u{dc}ber']");
    assert_eq!(values(&rules, "k1234 and far away ACME", "x"), ["k1234"]);
    assert_eq!(values(&rules, "k1234 \u{fc}BER", "x"), ["k1234"]);
    assert!(values(&rules, "k1234 acne", "x").is_empty());
}

#[test]
fn matches_follow_each_other_without_overlap_and_without_a_bound() {
    let rules = rule("peer-a", "pattern = 'a+b'\n[rule.text]");
    let long = format!("{}b aab", "a".repeat(5000));
    let found: Vec<usize> = values(&rules, &long, "x").iter().map(String::len).collect();
    assert_eq!(found, [5001, 3]);
    // The same pattern twice over the same bytes would give the inner one as well.
    let rules = rule("peer-a", "pattern = '[ab]{4}'\n[rule.text]");
    assert_eq!(values(&rules, "ababab", "x"), ["abab"]);
}

#[test]
fn entropy_is_of_the_whole_secret_and_must_be_above_the_threshold() {
    let at = |least: &str| rule("peer-a", &format!("pattern = 'k=(\\w+)'\nentropy = {least}\n[rule.text]"));
    assert_eq!(values(&at("2.9"), "k=abcdefgh", "x"), ["abcdefgh"]);
    assert!(values(&at("3.0"), "k=abcdefgh", "x").is_empty());
    assert!((super::entropy("\u{e9}\u{e8}".as_bytes()) - 1.0).abs() < 1e-12);
}

#[test]
fn lists_allow_by_path_word_and_pattern() {
    let with = |list: &str| {
        rule("peer-a", &format!("pattern = 'key = \"(\\w+)\"'\n[rule.text]\n[[rule.text.allow]]\n{list}"))
    };
    let hay = "first\nkey = \"abcEXAMPLE\" # note\n";
    for (list, allowed) in [
        ("words = ['example']", true),
        ("words = ['note']", false),
        ("paths = ['^tests?/']", true),
        ("paths = ['^src/']", false),
        ("patterns = ['^abc']", true),
        ("patterns = ['^key']", false),
        ("patterns = ['^key']\non = 'match'", true),
        ("patterns = ['note']\non = 'match'", false),
        ("patterns = ['note']\non = 'line'", true),
        ("patterns = ['^key']\non = 'line'", false),
        ("patterns = ['^\\nkey']\non = 'line'", true),
        ("paths = ['^src/']\nwords = ['example']", true),
        ("all = true\npaths = ['^src/']\nwords = ['example']", false),
        ("all = true\npaths = ['^test/']\nwords = ['example']", true),
        ("all = true\npaths = ['^test/']\npatterns = ['zzz']", false),
        ("all = true\npaths = ['^test/']", true),
    ] {
        assert_eq!(values(&with(list), hay, "test/a.py").is_empty(), allowed, "{list}");
    }
}

#[test]
fn lists_of_the_file_are_for_all_rules_or_for_those_they_name() {
    let both =
        rule("peer-a", "pattern = 'a\\d+'\n[rule.text]") + &rule("peer-b", "pattern = 'b\\d+'\n[rule.text]");
    let hay = "a1 b1";
    assert_eq!(values(&both, hay, "x"), ["a1", "b1"]);
    assert!(values(&format!("{both}[[allow]]\nwords = ['1']\n"), hay, "x").is_empty());
    assert_eq!(values(&format!("{both}[[allow]]\nrules = ['peer-a']\nwords = ['1']\n"), hay, "x"), ["b1"]);
}

#[test]
fn a_rule_of_paths_finds_files() {
    let rules = rule("peer-a", "pattern = ''\n[rule.text]\npath = '\\.p12$'");
    let found = scan(&rules, b"\x30\x82\x01", "a/b.p12");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].span, 0..3);
    assert!(found[0].secret.expose().starts_with(b"sha256:"));
    assert!(scan(&rules, b"\x30\x82\x01", "a/b.txt").is_empty());
    assert!(scan(&rules, b"", "a/b.p12").is_empty());
}

#[test]
fn a_match_that_begins_on_an_earlier_line_stands_there() {
    let rules = rule("peer-a", "pattern = 'key:\\n +(\\w+)'\n[rule.text]");
    let hay = b"x\nkey:\n  abcd\n";
    let found = scan(&rules, hay, "x");
    assert_eq!((&hay[found[0].span.clone()], found[0].secret.expose()), (&b"key:\n  abcd"[..], &b"abcd"[..]));
    // A line break at the start of the match is the end of the line before.
    let rules = rule("peer-a", "pattern = '\\nkey=(\\w+)'\n[rule.text]");
    assert_eq!(scan(&rules, b"x\nkey=abcd", "x")[0].span, 2..10);
}

#[test]
fn characters_are_counted_and_bytes_that_are_none_are_no_character() {
    let rules = rule("peer-a", "pattern = 'k(?u:.){2}=(\\w+)'\n[rule.text]");
    assert_eq!(scan(&rules, "k\u{e9}\u{e8}=abcd".as_bytes(), "x").len(), 1);
    assert!(scan(&rules, "k\u{e9}=abcd".as_bytes(), "x").is_empty());
    assert!(scan(&rules, b"k\xe9\xe8=abcd", "x").is_empty());
    let found = scan(&rules, b"\xe9 kab=abcd \xe8", "x");
    assert_eq!((found[0].span.clone(), found[0].secret.expose()), (6..10, &b"abcd"[..]));
}

#[test]
fn a_generic_rule_gives_way_on_its_line_only() {
    let both = rule("peer-generic", "class = 'generic'\npattern = '=(\\w+)'\n[rule.text]")
        + &rule("peer-b", "pattern = '(ab\\w+)'\n[rule.text]");
    let found = scan(&both, b"k=abcd\nk=efgh", "x");
    let kinds: Vec<_> = found.iter().map(|f| (f.kind, f.secret.expose())).collect();
    assert_eq!(kinds, [(1, &b"abcd"[..]), (0, &b"efgh"[..])]);
}

#[test]
fn different_values_at_one_place_are_two_findings_and_the_same_one() {
    let two = |other: &str| {
        rule("peer-a", "pattern = 'k=(\\w+)'\n[rule.text]")
            + &rule("peer-b", &format!("pattern = '{other}'\n[rule.text]"))
    };
    assert_eq!(values(&two("k=\\w+"), "k=abcd", "x"), ["k=abcd", "abcd"]);
    let found = scan(&two("(abcd)"), b"k=abcd", "x");
    assert_eq!((found.len(), &found[0].also), (1, &vec![1]));
}

#[test]
fn layers_are_searched_and_the_same_value_counts_once() {
    let rules = rule("peer-a", "pattern = 'tok_[a-z]{8}'\n[rule.text]");
    let inner = crate::rule::checksum::bytes::base64_encode(
        b"the token is tok_abcdefgh, no more",
        crate::rule::checksum::bytes::BASE64,
        true,
    );
    let hay = [b"data: ".to_vec(), inner].concat();
    let found = scan(&rules, &hay, "x.yaml");
    assert_eq!((found.len(), found[0].via.len(), found[0].secret.expose()), (1, 1, &b"tok_abcdefgh"[..]));
    let found = scan(&rules, b"x = \"a\\tb tok_abcdefgh\\n\"", "x.py");
    assert_eq!((found.len(), found[0].via.len()), (1, 0));
}

#[test]
fn a_required_partner_must_be_near() {
    let rules = rule(
        "peer-a",
        "pattern = 'a\\d{4}'\nwith = [{ rule = 'peer-b', as = 'b', lines = 2, bytes = 1000, required = true }]\n[rule.text]",
    ) + &rule("peer-b", "class = 'identifier'\npattern = 'b\\d{4}'\n[rule.text]");
    let found = |hay: &str| scan(&rules, hay.as_bytes(), "x").iter().filter(|f| f.kind == 0).count();
    assert_eq!(found("a1234\n\nb1234"), 1);
    assert_eq!(found("a1234\n\n\nb1234"), 0);
    assert_eq!(found("a1234"), 0);
}

#[test]
fn a_first_look_is_not_taken_with_text_rules() {
    assert!(detector(&rule("peer-a", "pattern = 'a'\n[rule.text]")).needs_whole_texts());
    assert!(!Detector::new(Arc::new(RuleSet::embedded())).needs_whole_texts());
}

#[test]
fn a_finding_that_is_not_reported_hides_none() {
    for (first, second) in [("identifier", "generic"), ("generic", "identifier")] {
        let both = rule("peer-a", &format!("class = '{first}'\npattern = '(ab\\d+)'\n[rule.text]"))
            + &rule("peer-b", &format!("class = '{second}'\npattern = 'ab\\d+'\n[rule.text]"));
        let set = detector(&both);
        let found = set.scan(b"ab12", b"x", &mut Workspace::default());
        let reported = |f: &&Found| set.rules().kinds()[f.kind].class == crate::model::Class::Generic;
        assert_eq!(found.iter().filter(reported).count(), 1, "{first}");
    }
}

#[test]
fn a_search_that_is_stopped_says_so() {
    let set = detector(&rule("peer-a", "pattern = 'a'\n[rule.text]"));
    let mut work = Workspace::default();
    let asked = std::cell::Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > 20
    };
    let found = set.scan_until(&b"a ".repeat(100), b"x", &stop, &mut work);
    assert!(work.cut && found.len() < 100, "{}", found.len());
}
