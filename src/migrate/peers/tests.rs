use super::super::{Converted, MigrateError, Options, rules};
use crate::detect::{Detector, Workspace};
use crate::rule::RuleSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn convert(text: &str) -> Result<Converted, MigrateError> {
    let read = |_: &Path| Err(io::ErrorKind::NotFound.into());
    rules(Path::new("acme.yml"), text, &Options { read: &read, defaults: None })
}

fn fault(text: &str) -> String {
    convert(text).map(|_| ()).expect_err(text).to_string()
}

fn values(made: &Converted, hay: &str) -> Vec<String> {
    let mut set = RuleSet::empty();
    set.add_texts(made.rules.iter().map(|(n, t)| (PathBuf::from(n), t.clone())).collect()).unwrap();
    let found = Detector::new(Arc::new(set)).scan(hay.as_bytes(), b"x", &mut Workspace::default());
    found.into_iter().map(|f| String::from_utf8(f.secret.expose().to_vec()).unwrap()).collect()
}

const KINGFISHER: &str = r#"
rules:
  - name: Acme key
    id: kingfisher.acme.1
    pattern: |
      (?xi)
      acme                  (?# the name )
      (?:.|[\n\r]){0,16}?
      \b
      (
        [a-z0-9]{8}
      )
      \b
    min_entropy: 2.0
    confidence: high
    examples:
      - nothing to see
    references:
      - https://acme.example/docs
    depends_on_rule:
      - rule_id: kingfisher.acme.2
        variable: ACME_ID
      - rule_id: kingfisher.else.1
        variable: OTHER
    validation:
      type: Http
      content:
        request:
          method: GET
  - name: Acme id
    id: kingfisher.acme.2
    pattern: 'id-(?P<X>[0-9])(?P<TOKEN>[0-9]{4})'
    visible: false
"#;

#[test]
fn rules_of_kingfisher_find_their_group_above_the_entropy() {
    let made = convert(KINGFISHER).unwrap();
    let (name, text) = &made.rules[0];
    assert_eq!(name, "kingfisher.toml");
    for part in [
        "id = \"kingfisher-acme-1\"",
        "confidence = \"high\"",
        "entropy = 2.0",
        "with = [{ rule = \"kingfisher-acme-2\", as = \"acme_id\", lines = 10, bytes = 2000, required = false }]",
        "class = \"identifier\"",
        "(?<secret>[0-9]{4})",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("nothing to see"));
    assert_eq!(values(&made, "ACME_KEY=ab12cd34 acme: aaaaaaaa id-12345"), ["ab12cd34", "2345"]);
    let told: Vec<String> = made.notes.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2);
    assert!(told[0].starts_with("acme.yml:25:") && told[0].contains("not taken over"), "{told:?}");
    assert!(told[1].starts_with("acme.yml:23:") && told[1].contains("kingfisher.else.1"), "{told:?}");
}

#[test]
fn rules_of_nosey_parker_have_their_own_provider() {
    let text = "rules:\n- id: np.acme.1\n  name: Acme\n  description: x\n  categories: [api]\n  pattern: 'acme_([a-z]{4})'\n";
    let made = convert(text).unwrap();
    assert!(made.rules[0].0 == "noseyparker.toml" && made.rules[0].1.contains("noseyparker-acme-1"));
    assert_eq!(values(&made, "acme_abcd"), ["abcd"]);
}

#[test]
fn what_has_no_counterpart_is_an_error_with_its_line() {
    let with = |line: &str| format!("rules:\n- id: np.a.1\n  name: A\n  pattern: 'abc'\n  {line}\n");
    for (text, told) in [
        (with("colour: red"), "acme.yml:5:1: a rule has no field `colour`"),
        (
            with("pattern_requirements: {min_digits: 2}"),
            "acme.yml:5:1: `pattern_requirements` cannot be said",
        ),
        (with("min_entropy: much"), "acme.yml:5:1: `min_entropy` is no number"),
        (with("confidence: some"), "acme.yml:5:1: "),
        (with("visible: 'false'"), "neither true nor false"),
        (with("references: {a: b}"), "no list of texts"),
        (with("name: B"), "acme.yml:5:1: `name` stands twice"),
        (with("examples: &a [b]"), "anchors, aliases and tags"),
        (with("").replace("abc", "a(?=b)"), "acme.yml:4:1: the pattern has a look-ahead"),
        (with("").replace("abc", "(a"), "acme.yml:4:1: the pattern does not compile"),
        (with("").replace("abc", "a*"), "matches nothing at all"),
        (with("").replace("name: A", "title: A"), "acme.yml:2:1: a rule has no `name`"),
        ("rules: x\n".to_owned(), "`rules` is no list"),
        ("rulesets: []\n".to_owned(), "no `rules`"),
        ("- a\n".to_owned(), "the file is no mapping"),
        ("rules: [\n".to_owned(), "not valid YAML"),
        (String::new(), "holds nothing"),
        ("rules: []\n---\nrules: []\n".to_owned(), "several documents"),
        (format!("{}{}", "[".repeat(70), "]".repeat(70)), "nested too deeply"),
        (with("") + &with("")[7..], "the id `np.a.1` stands twice"),
    ] {
        let found = fault(&text);
        assert!(found.contains(told), "{text}\n{found}");
    }
}
