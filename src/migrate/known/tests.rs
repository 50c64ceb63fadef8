use super::{Accepted, Told, entries, read};
use crate::detect::Detector;
use crate::model::{Blob, Finding, FingerprintKey, Provenance, RawPath, Sink};
use crate::rule::RuleSet;
use crate::scan::{Collector, Options};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const RULES: &str = "[provider]\nid = 'gitleaks'\nname = 'G'\n[[rule]]\nid = 'gitleaks-acme'\nname = 'A'\nseverity = \
                     'low'\nconfidence = 'medium'\npattern = 'key=(\\w+)'\n[rule.text]\n[[rule]]\nid = \
                     'gitleaks-other'\nname = 'O'\nseverity = 'low'\nconfidence = 'medium'\npattern = \
                     'pin=(\\w+)'\n[rule.text]\n";

fn findings(files: &[(&str, &str)]) -> Vec<Finding> {
    let mut set = RuleSet::empty();
    set.add_texts(vec![(PathBuf::from("gitleaks.toml"), RULES.to_owned())]).unwrap();
    let collector = Collector::new(Detector::new(Arc::new(set)), Options::default());
    for (name, text) in files {
        let provenance = Provenance::file(RawPath::new(name.as_bytes()));
        collector.blob(Blob::whole(text.as_bytes(), Arc::new(provenance)));
    }
    collector.finish().findings
}

fn accepted(name: &str, text: &str) -> Accepted {
    read(Path::new(name), text).unwrap().expect("because it is such a file")
}

fn fault(name: &str, text: &str) -> String {
    read(Path::new(name), text).expect_err(text).to_string()
}

/// The values that are accepted, and how many entries accept nothing.
fn values(of: &Accepted, files: &[(&str, &str)]) -> (Vec<String>, usize) {
    let found = findings(files);
    let (entries, notes) = entries(&of.known, &found, &FingerprintKey::default());
    let of = |f: &&Finding| entries.contains_key(&f.fingerprint);
    let mut values: Vec<String> =
        found.iter().filter(of).map(|f| String::from_utf8(f.secret.expose().to_vec()).unwrap()).collect();
    values.sort();
    (values, notes.len())
}

const TREE: &[(&str, &str)] =
    &[("a/b.txt", "x\nkey=abcd1234 pin=9876\nkey=later555\n"), ("c.txt", "key=abcd1234\n")];

#[test]
fn an_ignored_place_is_the_value_that_stands_there() {
    let file =
        accepted(".gitleaksignore", "# a comment\n\n a/b.txt:acme:2 \na\\b.txt:acme:3\ngone.txt:acme:1\n");
    assert_eq!(values(&file, TREE), (vec!["abcd1234".to_owned(), "later555".to_owned()], 1));
    // Another rule's finding on the same line is not meant.
    let file = accepted(".gitleaksignore", "a/b.txt:other:2\n");
    assert_eq!(values(&file, TREE), (vec!["9876".to_owned()], 0));
    // A rule that finds nothing there may be named otherwise here.
    let file = accepted(".betterleaksignore", "a/b.txt:renamed:3\n");
    assert_eq!(values(&file, TREE), (vec!["later555".to_owned()], 0));
}

#[test]
fn an_ignored_commit_becomes_a_setting() {
    let id = "0a".repeat(20);
    let file = accepted(".gitleaksignore", &format!("{}:a[1].txt:acme:7\n", id.to_uppercase()));
    assert!(file.known.is_empty() && file.notes.len() == 1);
    let wanted =
        format!("[[allow]]\nrule = \"gitleaks-acme\"\ncommits = [\"{id}\"]\npaths = [\"a[[]1[]].txt\"]\n");
    assert!(file.config.starts_with(&wanted), "{}", file.config);
    toml::from_str::<toml::Table>(&file.config).unwrap();
}

#[test]
fn what_ignores_nothing_is_an_error() {
    for (text, told) in [
        ("a.txt:rule\n", ".gitleaksignore:1:1: not `file:rule:line`"),
        ("# x\na:b:c:d:e\n", ".gitleaksignore:2:1: not `file:rule:line`"),
        ("a.txt:rule:one\n", "no line number"),
        ("abc:a.txt:rule:1\n", "all of its 40 digits"),
    ] {
        let found = fault(".gitleaksignore", text);
        assert!(found.contains(told), "{text}: {found}");
    }
}

fn report(secret: &str, line: u64) -> String {
    format!(
        "[\n {{\n  \"RuleID\": \"acme\",\n  \"File\": \"a/b.txt\",\n  \"StartLine\": {line},\n  \"Secret\": \
         \"{secret}\",\n  \"Match\": \"key={secret}\",\n  \"Tags\": []\n }}\n]\n"
    )
}

#[test]
fn a_report_accepts_its_values_or_what_stands_at_their_places() {
    let file = accepted("baseline.json", &report("abcd1234", 2));
    assert_eq!(values(&file, TREE), (vec!["abcd1234".to_owned()], 0));
    // A value that is gone from the tree is accepted all the same, in the history.
    let file = accepted("baseline.json", &report("longgone", 2));
    let (entries, notes) = entries(&file.known, &findings(TREE), &FingerprintKey::default());
    assert_eq!((entries.len(), notes.len()), (1, 0));
    // The value as another rule takes it: here it is a part.
    let file = accepted("baseline.json", &report("abcd", 2));
    assert_eq!(values(&file, TREE).0, ["abcd1234"]);
    for hidden in ["REDACTED", "ab..."] {
        let file = accepted("baseline.json", &report(hidden, 3));
        assert!(matches!(file.known[0].value, Told::Nothing) && file.notes.len() == 2);
        assert_eq!(values(&file, TREE), (vec!["later555".to_owned()], 0));
    }
}

#[test]
fn a_strange_report_is_an_error_that_quotes_no_value() {
    let found = fault("baseline.json", &report("abcd1234", 2).replace("\"Tags\"", "\"Nonsense\""));
    assert!(found.contains("baseline.json:8:") && found.contains("unknown field `Nonsense`"), "{found}");
    for text in ["[{\"RuleID\": \"a\"}]", "[\"topsecretvalue\"]", "[", "{\"results\": \"topsecretvalue\"}"] {
        let found = fault("x.json", text);
        assert!(!found.contains("topsecret") && found.contains("make it anew"), "{found}");
    }
    assert!(read(Path::new("rules.yml"), "rules:\n").unwrap().is_none());
}

fn secrets(value: &str, line: u64, rest: &str) -> String {
    let digest: String = super::sha1(value.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    format!(
        "{{\n \"version\": \"1.5.0\",\n \"plugins_used\": [{{\"name\": \"X\"}}],\n {rest}\n \"results\": {{\n  \
         \"a/b.txt\": [\n   {{\n    \"type\": \"Secret Keyword\",\n    \"filename\": \"a/b.txt\",\n    \
         \"hashed_secret\": \"{digest}\",\n    \"is_verified\": false,\n    \"line_number\": {line}\n   }}\n  ]\n \
         }},\n \"generated_at\": \"2026-01-01T00:00:00Z\"\n}}\n"
    )
}

#[test]
fn digests_are_found_in_their_file() {
    // On another line by now.
    let file = accepted(".secrets.baseline", &secrets("abcd1234", 9, ""));
    assert_eq!(values(&file, TREE), (vec!["abcd1234".to_owned()], 0));
    // A part of a value, on its own line only.
    assert_eq!(values(&accepted(".secrets.baseline", &secrets("1234", 2, "")), TREE).0, ["abcd1234"]);
    assert_eq!(values(&accepted(".secrets.baseline", &secrets("1234", 3, "")), TREE), (Vec::new(), 1));
    assert_eq!(values(&accepted(".secrets.baseline", &secrets("nothing", 2, "")), TREE), (Vec::new(), 1));
}

#[test]
fn filters_that_leave_something_out_are_told() {
    let rest = "\"filters_used\": [{\"path\": \"detect_secrets.filters.regex.should_exclude_file\", \"pattern\": \
                [\"^x\"]}, {\"path\": \"detect_secrets.filters.heuristic.is_sequential_string\"}, {\"path\": \
                \"file://own.py::f\"}],";
    let file = accepted(".secrets.baseline", &secrets("a", 1, rest));
    let told: Vec<&str> = file.notes.iter().map(|n| n.message.as_str()).collect();
    assert_eq!(told.len(), 2);
    assert!(
        told[0].contains("files like [\"^x\"] are not left out") && told[1].contains("is a program"),
        "{told:?}"
    );
    let found = fault(".secrets.baseline", &secrets("a", 1, "\"more\": 1,"));
    assert!(found.contains("unknown field `more`"), "{found}");
}
