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
        ("[[allow]]\ncommits = []\nreason = \"x\"", "would accept everything"),
        ("[[allow]]\ncommits = [\"abc\"]\nreason = \"x\"", "`abc` is no commit; write all of its 40 digits"),
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
    for (table, at) in [
        ("", ""),
        ("[scan]", "/properties/scan"),
        ("[[allow]]", "/properties/allow/items"),
        ("[organisation]", "/properties/organisation"),
        ("[call]", "/properties/call"),
        ("[endpoint.acme]", "/properties/endpoint/additionalProperties"),
        ("[verify]", "/properties/verify"),
        ("[[verify.ssh]]", "/properties/verify/properties/ssh/items"),
        ("[revoke]", "/properties/revoke"),
    ] {
        let node = schema.pointer(at).unwrap();
        let names: BTreeSet<String> = node["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, fields(table), "{table}");
        assert_eq!(node["additionalProperties"], false, "{table}");
    }
}

#[test]
fn the_schema_names_the_permissions() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../docs/config.schema.json")).unwrap();
    let listed = schema.pointer("/properties/organisation/properties/repository-may/items/enum").unwrap();
    let known: Vec<&str> = May::ALL.iter().map(|m| m.as_str()).collect();
    assert_eq!(*listed, serde_json::json!(known));
    let text = format!("[organisation]\nrepository-may = {known:?}");
    let read = Config::parse(Path::new("x"), &text).unwrap().organisation.unwrap();
    assert_eq!(read.repository_may, May::ALL);
}

/// What an organisation's file makes of a repository's: the keys that were refused, by line.
fn under(organisation: &str, repository: &str) -> (Config, Vec<(usize, &'static str)>) {
    let path = Path::new("keywheel.toml");
    let floor = Config::parse(Path::new("org.toml"), organisation).unwrap();
    let own = Config::parse_repository(path, repository).unwrap();
    let (config, refused) = floor.with_repository(own, path, repository);
    (config, refused.iter().map(|r| (r.line, r.key.as_str())).collect())
}

/// One file that lowers the bar by every key.
const LOWER: &str = "[scan]
exclude = ['src']
gitignore = true
rules = ['rules']
min-confidence = 'high'
min-severity = 'critical'
fail-on = 'active'
baseline = 'base'
max-file-size = 1
archives = false
ranking = false
inline-allow = true
[[allow]]
paths = ['**']
reason = 'x'
";

#[test]
fn a_repository_lowers_nothing_by_itself() {
    let (config, refused) = under("", LOWER);
    let keys: Vec<_> = May::ALL.iter().enumerate().map(|(i, m)| (i + 2, m.as_str())).collect();
    assert_eq!(refused, keys, "each is refused, with its line");
    let scan = config.scan;
    assert!(scan.exclude.is_empty() && scan.rules.is_empty() && config.allow.is_empty());
    assert_eq!((scan.gitignore, scan.min_confidence, scan.min_severity), (None, None, None));
    assert_eq!((scan.fail_on, scan.baseline, scan.max_file_size, scan.archives), (None, None, None, None));
    assert_eq!(scan.ranking, None);
    assert_eq!(scan.inline_allow, Some(false), "a comment is the repository's word too");
}

#[test]
fn a_repository_lowers_what_it_may() {
    for may in May::ALL {
        let organisation = format!("[organisation]\nrepository-may = ['{}']", may.as_str());
        let (_, refused) = under(&organisation, LOWER);
        assert_eq!(refused.len(), May::ALL.len() - 1);
        assert!(refused.iter().all(|(_, key)| *key != may.as_str()), "{may:?}: {refused:?}");
    }
    let all: Vec<&str> = May::ALL.iter().map(|m| m.as_str()).collect();
    let (config, refused) = under(&format!("[organisation]\nrepository-may = {all:?}"), LOWER);
    let alone = Config::parse(Path::new("x"), LOWER).unwrap();
    assert_eq!(refused, []);
    assert_eq!(format!("{:?}", config.scan), format!("{:?}", alone.scan));
    assert_eq!(config.allow.len(), 1);
    // Silence of the repository lets comments count where they may.
    assert_eq!(
        under("[organisation]\nrepository-may = ['inline-allow']", "").0.scan.inline_allow,
        Some(true)
    );
}

#[test]
fn a_repository_raises_the_bar_freely() {
    let organisation = "[scan]
exclude = ['vendor']
gitignore = true
min-confidence = 'high'
min-severity = 'high'
fail-on = 'active'
max-file-size = 10
archives = false
ranking = false
inline-allow = true
";
    let repository = "[scan]
gitignore = false
min-confidence = 'low'
min-severity = 'info'
fail-on = 'any'
max-file-size = 20
archives = true
ranking = true
inline-allow = false
";
    let (config, refused) = under(organisation, repository);
    assert_eq!(refused, []);
    let own = Config::parse(Path::new("x"), repository).unwrap().scan;
    let expected = Scan { exclude: vec!["vendor".to_owned()], ..own };
    assert_eq!(format!("{:?}", config.scan), format!("{expected:?}"));
    // The organisation's own words stand where the repository is silent or asks for less.
    let (config, refused) = under(organisation, "[scan]\nfail-on = 'none'\nmax-file-size = 5\n");
    assert_eq!(refused, [(2, "fail-on"), (3, "max-file-size")]);
    assert_eq!((config.scan.fail_on, config.scan.max_file_size), (Some(FailOn::Active), Some(10)));
}

#[test]
fn a_repository_is_no_organisation() {
    let text = "[scan]\n[organisation]\nrepository-may = ['allow']\n";
    let told = Config::parse_repository(Path::new("keywheel.toml"), text).unwrap_err().to_string();
    assert!(told.starts_with("keywheel.toml:2:2: `organisation` stands only"), "{told}");
    let told = fault("[organisation]\nrepository-may = ['all']");
    assert!(told.contains("unknown variant `all`, expected one of `exclude`"), "{told}");
}

#[test]
fn endpoints_and_listed_rules_are_read() {
    let sum = "0A".repeat(32);
    let text = format!(
        "[call]\nrules = ['{sum}']\n[endpoint.gitlab]\nbase = 'https://git.corp.example/x'\n\
         connect = '127.0.0.1:8443'\nallow = ['*.dev.example']\ninternal = true\n[endpoint.gitea]\n\
         base = 'http://tea.corp.example'\nplain = true"
    );
    let config = Config::parse(Path::new("org.toml"), &text).unwrap();
    assert_eq!(config.call.as_ref().unwrap().rules.first(), Some(&[10; 32]));
    let hosts = config.hosts();
    assert!(hosts.replaces("gitlab") && hosts.replaces("gitea") && !hosts.replaces("github"));
    assert_eq!(hosts.providers().collect::<Vec<_>>(), ["gitea", "gitlab"]);
}

#[test]
fn faults_of_endpoints_name_their_place_and_the_cure() {
    for (text, expected) in [
        ("[call]\nrules = ['00']", "keywheel.toml:2:9: `00` is no SHA-256 sum"),
        ("[call]\nrules = ['é']", "is no SHA-256 sum"),
        ("[call]\nhosts = []", "keywheel.toml:2:1: unknown field `hosts`"),
        (
            "[endpoint.a]\nbase = 'http://a.example'",
            "keywheel.toml:1:1: base = `http://a.example` sends credentials",
        ),
        ("[endpoint.a]\nallow = ['*']", "`*` is no host"),
        ("[endpoint.a]\nallow = ['*.com']", "top-level domain"),
        ("[endpoint.a]", "names no host"),
        ("[endpoint]\nbase = 'https://a.example'", "keywheel.toml:2:8: invalid type"),
    ] {
        assert!(fault(text).contains(expected), "{text:?} gave {}", fault(text));
    }
}

#[test]
fn a_repository_says_nothing_of_where_calls_go() {
    for (text, key) in
        [("\n[endpoint.gitlab]\nbase = 'https://evil.example'", "endpoint"), ("\n[call]\nrules = []", "call")]
    {
        let error = Config::parse_repository(Path::new("keywheel.toml"), text).unwrap_err();
        let expected = format!("`{key}` stands only in the organisation's file");
        assert!(error.message.contains(&expected) && error.line == 2, "{error}");
    }
}

#[test]
fn only_the_organisation_speaks_of_calls() {
    let text = "[verify]\nenabled = true\nnever = ['acme']\nhosts = ['api.acme.example']\nbudget = '90s'\n";
    let verify = Config::parse(Path::new("org.toml"), text).unwrap().verify.unwrap();
    assert!(verify.enabled && !verify.hooks && verify.never == ["acme"]);
    assert_eq!(verify.budget, Some(std::time::Duration::from_secs(90)));
    let told = Config::parse_repository(Path::new("keywheel.toml"), text).unwrap_err().to_string();
    assert!(told.starts_with("keywheel.toml:1:2: `verify` stands only"), "{told}");
    assert!(fault("[verify]\nbudget = 'soon'").contains("`soon` is no time"));
    let at = "[[verify.ssh]]\nuser = 'git'\nhost = 'git.corp.example:2222'\n";
    let pin = format!("host-keys = ['SHA256:{}']\ninternal = true\n", "A".repeat(43));
    let accounts = Config::parse(Path::new("org.toml"), &format!("{at}{pin}")).unwrap().ssh_accounts();
    assert!(accounts.len() == 1 && accounts[0].internal().is_some());
    assert!(fault(at).contains("whoever answers"), "{}", fault(at));
    assert!(Config::parse_repository(Path::new("keywheel.toml"), &format!("{at}{pin}")).is_err());
    // Nothing of a repository's file changes it.
    let (config, _) = under(text, "[scan]\nmin-severity = 'low'");
    assert!(config.verify.unwrap().enabled);
}

#[test]
fn who_may_switch_keys_off_is_the_organisations_word() {
    let text = "[revoke]\nallow = true\naudit-log = '/var/log/revoked'\n";
    let revoke = Config::parse(Path::new("org.toml"), text).unwrap().revoke.unwrap();
    assert!(revoke.allow && !revoke.unowned);
    assert_eq!(revoke.audit_log.as_deref(), Some(Path::new("/var/log/revoked")));
    assert!(fault("[revoke]\naudit-log = 'here'").contains("is not absolute"));
    let told = Config::parse_repository(Path::new("keywheel.toml"), text).unwrap_err().to_string();
    assert!(told.starts_with("keywheel.toml:1:2: `revoke` stands only"), "{told}");
}
