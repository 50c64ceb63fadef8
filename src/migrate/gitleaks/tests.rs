use super::super::{Converted, MigrateError, Options, rules};
use crate::rule::RuleSet;
use std::io;
use std::path::{Path, PathBuf};

fn none(path: &Path) -> io::Result<String> {
    Err(io::Error::new(io::ErrorKind::NotFound, path.display().to_string()))
}

fn with(text: &str, files: &[(&str, &str)], defaults: Option<&str>) -> Result<Converted, MigrateError> {
    let read = |path: &Path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, text)| (*text).to_owned()).ok_or(none(path).unwrap_err())
    };
    rules(Path::new("dir/.gitleaks.toml"), text, &Options { read: &read, defaults: defaults.map(Path::new) })
}

fn fault(text: &str) -> String {
    with(text, &[], None).map(|_| ()).expect_err(text).to_string()
}

/// Ids of the rules, and each one's keywords.
fn loaded(made: &Converted) -> Vec<(String, Vec<String>)> {
    let mut set = RuleSet::empty();
    let files = made.rules.iter().map(|(name, text)| (PathBuf::from(name), text.clone()));
    set.add_texts(files.collect()).unwrap();
    set.kinds().iter().map(|k| (k.id.clone(), k.text.as_ref().unwrap().keywords.clone())).collect()
}

const RULE: &str = "[[rules]]\nid = 'A b.C'\nregex = 'key=(\\w+)'\n";

#[test]
fn every_field_has_its_counterpart() {
    let text = "title = 't'\nminVersion = 'v8.25.0'\n[[rules]]\nID = 'acme-key'\ndescription = 'Acme key'\n\
                regex = '''(k)(e)y\\s*=\\s*(\\w+)'''\nsecretGroup = 3\nentropy = 3\npath = '''\\.env$'''\n\
                keywords = ['KEY']\n[[rules.allowlists]]\ncondition = 'AND'\nregexTarget = 'line'\n\
                regexes = ['^a', '(?i)b']\nstopwords = ['Test']\npaths = ['x']\n[allowlist]\npaths = ['vendor/']\n";
    let made = with(text, &[], None).unwrap();
    let (name, file) = &made.rules[0];
    assert_eq!(name, "gitleaks.toml");
    for part in [
        "id = \"gitleaks-acme-key\"",
        "name = \"Acme key\"",
        "pattern = '(k)(e)y[\\t\\n\\f\\r ]*=[\\t\\n\\f\\r ]*(?<secret>\\w+)'",
        "entropy = 3.0",
        "keywords = [\"KEY\"]",
        "path = '\\.env$'",
        "all = true",
        "on = \"line\"",
        "patterns = [\"^a\", \"(?i)b\"]",
        "words = [\"Test\"]",
        "[[allow]]\npaths = [\"vendor/\"]",
    ] {
        assert!(file.contains(part), "{part}\n{file}");
    }
    assert!(made.notes.is_empty() && made.config.is_empty(), "{:?}", made.notes);
}

#[test]
fn what_is_wrong_is_named_with_place_and_cure() {
    for (text, told) in [
        (
            "[[rules]]\nid = 'a'\nregexp = 'b'\n",
            "dir/.gitleaks.toml:3:1: a rule has no field `regexp`: remove it",
        ),
        ("[[rules]]\nregex = 'b'\n", ":1:1: the rule has no `id`"),
        ("[[rules]]\nid = 'a'\n", ":2:6: the rule has neither `regex` nor `path`"),
        ("[[rules]]\nid = 'a'\nregex = '(?=b)'\n", ":3:9: character 1 of the pattern: a look-around"),
        (
            "[[rules]]\nid = 'a'\nregex = 'b'\nsecretGroup = 1\n",
            ":4:15: `secretGroup` is 1, but the pattern has 0",
        ),
        (
            "[[rules]]\nid = 'a'\nregex = 'b'\nsecretGroup = -1\n",
            ":4:15: `secretGroup` in a rule is not a whole number",
        ),
        ("[[rules]]\nid = 'a'\nregex = 'b'\nkeywords = 'x'\n", ":4:12: `keywords` in a rule is not a list"),
        ("[[rules]]\nid = 'a'\nregex = 'b'\nId = 'x'\n", ":4:1: `Id` stands twice"),
        ("[allowlist]\ndescription = 'a'\n", "names no commits"),
        ("[allowlist]\npaths = ['a']\ncondition = 'xor'\n", "`xor` is no condition"),
        ("[allowlist]\nregexes = ['a']\nregexTarget = 'file'\n", "`file` is no target"),
        ("[allowlist]\ncommits = ['abc']\n", "all of its 40 digits"),
        ("[[allowlists]]\npaths = ['a']\ntargetRules = ['z']\n", "`targetRules` names `z`"),
        ("[allowlist]\npaths = ['a']\n[[allowlists]]\npaths = ['a']\n", "do not stand together"),
        ("[extend]\npath = 'a'\nuseDefault = true\n", "do not stand together"),
        ("[extend]\nurl = 'https://x.example'\n", "reads nothing from `url`"),
        ("[[rules]]\nid = 'a'\nregex = 'b'\n[[rules.required]]\nid = 'z'\n", "`required` names `z`"),
        (
            "[[rules]]\nid = 'a'\nregex = 'b'\n[[rules.required]]\nid = 'a'\nwithinColumns = 3\n",
            ":6:17: a distance in columns",
        ),
        ("[[rules]\n", "dir/.gitleaks.toml:1:"),
    ] {
        let found = fault(text);
        assert!(found.contains(told), "{text}\n{found}");
    }
}

#[test]
fn betterleaks_says_more_which_is_told_or_refused() {
    let text = format!(
        "betterleaksMinVersion = '1'\n{RULE}validate = 'x'\nspecificity = 3\ntokenEfficiency = true\n"
    );
    let told: Vec<usize> = with(&text, &[], None).unwrap().notes.iter().map(|n| n.line).collect();
    assert_eq!(told, [5, 6, 2]);
    for text in [format!("filter = 'true'\n{RULE}"), format!("{RULE}filter = 'true'\n")] {
        assert!(fault(&text).contains("`filter` is an expression"));
    }
    assert!(with(&format!("prefilter = ''\n{RULE}"), &[], None).is_ok());
}

#[test]
fn ids_are_ours_and_distinct() {
    let two = format!("{RULE}[[rules]]\nid = 'a-b-c'\nregex = 'x\\d'\n");
    let ids: Vec<String> = loaded(&with(&two, &[], None).unwrap()).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["gitleaks-a-b-c", "gitleaks-a-b-c-x"]);
    // A rule that stands twice is the later one.
    let twice = format!("{RULE}{RULE}keywords = ['w']\n");
    assert_eq!(
        loaded(&with(&twice, &[], None).unwrap()),
        [("gitleaks-a-b-c".to_owned(), vec!["w".to_owned()])]
    );
}

#[test]
fn what_is_extended_is_put_together_as_gitleaks_does() {
    let base = "[[rules]]\nid = 'one'\nregex = 'one=(\\w+)'\nkeywords = ['a']\n[[rules]]\nid = 'two'\n\
                regex = 'two'\n[[rules]]\nid = 'three'\nregex = 'three'\n[allowlist]\nstopwords = ['w']\n";
    let own = "[extend]\npath = 'base.toml'\ndisabledRules = ['two', 'none']\n[[rules]]\nid = 'one'\nentropy = 2.5\n\
               keywords = ['b']\n";
    let made = with(own, &[("dir/base.toml", base)], None).unwrap();
    assert_eq!(
        loaded(&made),
        [
            ("gitleaks-one".to_owned(), vec!["a".to_owned(), "b".to_owned()]),
            ("gitleaks-three".to_owned(), Vec::new())
        ]
    );
    assert!(made.rules[0].1.contains("entropy = 2.5") && made.rules[0].1.contains("words = [\"w\"]"));
    assert_eq!(made.notes.len(), 1);
    assert!(made.notes[0].to_string().contains(":3: `none` is no rule of what is extended"));
    // A fault of the file below is told of that file.
    let found = with(own, &[("dir/base.toml", "x = 1")], None).unwrap_err().to_string();
    assert!(found.starts_with("dir/base.toml:1:1: the file has no field `x`"), "{found}");
    assert!(with(own, &[], None).unwrap_err().to_string().starts_with("dir/base.toml: "));
}

#[test]
fn extension_ends_where_gitleaks_ends() {
    let next = |n: usize| format!("[extend]\npath = '{n}.toml'\n[[rules]]\nid = 'r{n}'\nregex = 'r{n}'\n");
    let files = [("dir/1.toml", next(2)), ("dir/2.toml", next(3)), ("dir/3.toml", next(4))];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let made = with(&next(1), &files, None).unwrap();
    assert_eq!(loaded(&made).len(), 3);
    assert!(made.notes[0].message.contains("no deeper"));
}

#[test]
fn the_default_rules_are_given_or_stand_for_ours() {
    let text = format!("[extend]\nuseDefault = true\n{RULE}");
    let made = with(&text, &[], None).unwrap();
    assert!(made.notes[0].message.contains("Keywheel's own rules stand for Gitleaks' default ones"));
    let made =
        with(&text, &[("default.toml", "[[rules]]\nid = 'd'\nregex = 'd'\n")], Some("default.toml")).unwrap();
    assert_eq!((loaded(&made).len(), made.notes.len()), (2, 0));
    let part = "[extend]\nuseDefault = true\n[[rules]]\nid = 'generic-api-key'\nentropy = 4\n";
    assert!(fault(part).contains("--gitleaks-defaults FILE"));
}

#[test]
fn commits_become_settings() {
    let id = "a".repeat(40);
    let text = format!(
        "{RULE}[[rules.allowlists]]\ncommits = ['{}']\nstopwords = ['x']\n[[allowlists]]\ncommits = ['{id}']\n\
         [[allowlists]]\ncondition = 'and'\ncommits = ['{id}']\npaths = ['x']\n",
        id.to_uppercase()
    );
    let made = with(&text, &[], None).unwrap();
    let entry = |rule: &str| {
        format!(
            "[[allow]]\nrule = \"{rule}\"\ncommits = [\"{id}\"]\nreason = \"allowed by Gitleaks' configuration\"\n"
        )
    };
    assert_eq!(made.config, format!("{}\n{}\n", entry("gitleaks-a-b-c"), entry("gitleaks")));
    assert!(made.rules[0].1.contains("words = [\"x\"]"));
    assert!(made.notes.iter().any(|n| n.message.contains("only in some commits")));
}

#[test]
fn flags_reach_into_later_patterns_of_a_list_as_they_do_there() {
    let text = format!("{RULE}[allowlist]\nregexes = ['(?i)abc', 'def']\n");
    assert!(with(&text, &[], None).unwrap().rules[0].1.contains("patterns = [\"(?i)abc|def\"]"));
    let text = format!("{RULE}[allowlist]\nregexes = ['abc', '(?i)def']\n");
    assert!(with(&text, &[], None).unwrap().rules[0].1.contains("patterns = [\"abc\", \"(?i)def\"]"));
}
