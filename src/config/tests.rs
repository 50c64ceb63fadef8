use super::*;
use std::collections::BTreeSet;

fn fault(text: &str) -> String {
    Config::parse(Path::new("keywheel.toml"), text).expect_err(text).to_string()
}

#[test]
fn a_full_file_is_read() {
    let text = r#"
        [scan]
        exclude = ["vendor"]
        gitignore = true
        rules = ["rules"]
        min-confidence = "low"
        min-severity = "high"
        fail-on = "any"
        baseline = ".keywheel-baseline"
        max-file-size = "10M"
        archives = false
        inline-allow = false
        [[allow]]
        rule = "acme-key"
        paths = ["tests/**"]
        reason = "made up"
        owner = "ops"
        until = "2027-01-01"
    "#;
    let c = Config::parse(Path::new("x"), text).unwrap();
    assert_eq!((c.scan.max_file_size, c.scan.fail_on), (Some(10 << 20), Some(FailOn::Any)));
    assert_eq!((c.scan.min_confidence, c.scan.archives), (Some(Confidence::Low), Some(false)));
    assert_eq!(c.allow[0].0.rule.as_deref(), Some("acme-key"));
    let empty = Config::parse(Path::new("x"), "").unwrap();
    assert!(empty.allow.is_empty() && empty.scan.max_file_size.is_none());
}

#[test]
fn faults_name_their_place_and_the_cure() {
    let cases = [
        ("[scan]\nexcludes = []", "keywheel.toml:2:1: unknown field `excludes`, expected one of"),
        ("[scan]\n\nfail-on = \"old\"", "keywheel.toml:3:11: `old` is not one of"),
        ("[scan]\nmin-severity = \"bad\"", "keywheel.toml:2:16: `bad` is not one of info"),
        ("[scan]\nmax-file-size = \"ten\"", "keywheel.toml:2:17: `ten` is no size"),
        ("[scan]\nexclude = [\"a{b\"]", "keywheel.toml:2:11: `a{b` is not a glob"),
        ("[scan\n", "keywheel.toml:1:6: "),
        ("[[allow]]\nreason = \"x\"", "keywheel.toml:1:1: the entry would accept everything"),
        ("\n[[allow]]\nrule = \"a\"", "keywheel.toml:2:1: missing field `reason`"),
        ("[[allow]]\nrule = \"a\"\nreason = \" \"", "keywheel.toml:1:1: `reason` is empty"),
        ("[[allow]]\npaths = []\nreason = \"x\"", "would accept everything"),
        ("[[allow]]\nrule=\"a\"\nreason=\"x\"\nuntil=\"2027-13-01\"", "is no date; write it as YYYY-MM-DD"),
        ("[[allow]]\nreason=\"x\"\nfingerprint=\"kw1:1\"", "is no fingerprint"),
    ];
    for (text, expected) in cases {
        assert!(fault(text).contains(expected), "{text:?} gave {}", fault(text));
    }
}

/// The names that serde lists when it refuses another one.
fn fields(table: &str) -> BTreeSet<String> {
    let message = fault(&format!("{table}\nno-such-name = 1"));
    let (_, list) = message.split_once("expected").unwrap();
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_schema_names_what_the_reader_takes() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../docs/config.schema.json")).unwrap();
    for (table, at) in [("", ""), ("[scan]", "/properties/scan"), ("[[allow]]", "/properties/allow/items")] {
        let node = schema.pointer(at).unwrap();
        let names: BTreeSet<String> = node["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, fields(table), "{table}");
        assert_eq!(node["additionalProperties"], false, "{table}");
    }
}
