//! Reading, precedence, and what the schema and the documentation promise.

use super::*;
use crate::model::FingerprintKey;
use crate::rule::RuleSet;
use std::collections::BTreeSet;

/// A screen that finds nothing.
pub(crate) fn none(_: &str) -> Option<Looks> {
    None
}

/// A policy of these parts.
pub(crate) fn policy(parts: &[&str]) -> Policy {
    let text = format!("version = 1\n{}", parts.concat());
    Policy::parse(Path::new("org.toml"), &text, &none).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// The fingerprint of a made-up value.
pub(crate) fn fingerprint(value: &str) -> String {
    FingerprintKey::new(b"inventory").fingerprint(value.as_bytes()).to_string()
}

/// A key that says as little as it can.
pub(crate) const KEY: &str = "[[key]]\nid = 'k'\nteam = 'web'\nservice = 'shop'\nenvironment = 'staging'\n\
    provider = 'acme'\nrule = 'acme-key'\naccount = 'main'\n";

/// Made-up providers, one of every kind that the checks tell apart.
pub(crate) fn catalogue() -> Catalogue {
    let rule = |id: &str, rotate: &str| {
        format!(
            "[[rule]]\nid = '{id}'\nname = 'x'\nseverity = 'high'\nconfidence = 'high'\n\
             pattern = '\\b(?<secret>{id}_[a-z]{{20}})\\b'\n{rotate}\n"
        )
    };
    let head = |id: &str| format!("[provider]\nid = '{id}'\nname = 'x'\n");
    let rotate = |text: &str| format!("[rule.rotate]\n{text}\nsource = ['https://docs.acme.example']");
    let acme = [
        head("acme"),
        rule(
            "acme-key",
            &rotate("class = 'D'\nkeys = 2\ncan = ['disable', 'enable', 'delete', 'usage']\nlag = 3600"),
        ),
        rule("acme-single", &rotate("class = 'D'\nkeys = 1\ncan = ['disable', 'usage']")),
        rule("acme-native", &rotate("class = 'G'\nnative_overlap = 86400\ncan = ['disable', 'usage']")),
        rule("acme-slow", &rotate("class = 'B'\npropagation = 172800\ncan = ['disable', 'usage']")),
        rule("acme-late", &rotate("class = 'B'\nlag = 172800\ncan = ['disable', 'usage']")),
        rule("acme-hand", &rotate("class = 'none'\ncan = ['disable', 'usage']")),
        rule("acme-bare", &rotate("class = 'B'\ncan = ['last-used']")),
        rule("acme-off", "[rule.rotate]\nclass = 'B'\noff = 'not confirmed'"),
        rule("acme-plain", ""),
    ]
    .concat();
    let other = [head("other"), rule("other-key", "")].concat();
    let files = [("acme.toml", acme), ("other.toml", other)];
    let mut rules = RuleSet::empty();
    rules.add_texts(files.iter().map(|(name, text)| (PathBuf::from(name), text.clone())).collect()).unwrap();
    Catalogue::new(&rules, files.iter().map(|(name, text)| (Path::new(*name), text.as_str()))).unwrap()
}

fn fault(text: &str) -> String {
    Policy::parse(Path::new("org.toml"), text, &none).expect_err(text).to_string()
}

#[test]
fn faults_name_their_place_and_the_cure() {
    let cases = [
        ("", "org.toml:1:1: missing field `version`"),
        ("version = 2", "org.toml:1:11: version 2 is not known"),
        ("version = 1\nteams = 1", "org.toml:2:1: unknown field `teams`, expected one of"),
        ("version = 1\n[default]\ncadence = '90'", "org.toml:3:11: this is no length of time; write 90d"),
        ("version = 1\n[default]\ncadance = '90d'", "org.toml:3:1: unknown field `cadance`"),
        (
            "version = 1\n[default]\nproof = ['hope']",
            "org.toml:3:10: unknown variant `hope`, expected one of `usage`",
        ),
        ("version = 1\n[team.web]\npaths = ['a{']", "org.toml:3:9: this is no glob"),
        ("version = 1\n[class.'a b']", "org.toml:2:8: this is no name"),
        (
            "version = 1\n[admin.a]\ncredential = 'x'\nprovider = 'acme'",
            "org.toml:3:14: a credential is named",
        ),
        (
            "version = 1\n[hook.a]\nrun = ['sh', '-c', 'x']",
            "org.toml:3:7: the program is not named by its absolute",
        ),
        ("version = 1\n[approver.a]\npublic-key = 'x'", "org.toml:3:14: this is no Ed25519 public key"),
        (
            "version = 1\n[default]\nwindow = [{ from = '9', until = '10:00' }]",
            "org.toml:3:20: this is no time of day",
        ),
        ("version = 1\n[[key]]\nid = 'x'", "org.toml:2:1: missing field `team`"),
        ("version = 1\n[default\n", "org.toml:2:9: "),
    ];
    for (text, expected) in cases {
        let told = fault(text);
        assert!(told.starts_with(expected), "{text:?} gave {told}");
    }
}

#[test]
fn a_value_that_looks_like_a_credential_is_refused_and_not_repeated() {
    let value = "a1B2".repeat(10);
    let text = format!("version = 1\n[default]\nowners = ['{value}']");
    let screen = |text: &str| text.find("a1B2").map(|at| Looks { at, like: "Acme key".to_owned() });
    let told = Policy::parse(Path::new("org.toml"), &text, &screen).unwrap_err().to_string();
    assert!(told.starts_with("org.toml:3:12: this looks like a credential (Acme key)"), "{told}");
    assert!(!told.contains(&value) && told.contains("env:NAME"), "{told}");
    // What no rule knows is not repeated either.
    for text in [
        format!("version = 1\n[default]\ncadence = '{value}'"),
        format!("version = 1\n[default]\nproof = ['{value}']"),
        format!("version = 1\n[default]\n{value} = 1"),
        format!("version = 1\n[default]\nemergency-auto = '{value}'"),
        format!("version = 1\n[store.a]\nkind = '{value}'"),
        format!("version = 1\n[store.a]\nkind = 'file'\naddress = '{value}'"),
        format!("version = 1\n[store.a]\nkind = 'file'\ncredential = '{value}'"),
    ] {
        let told = fault(&text);
        assert!(!told.contains(&value), "{told}");
    }
}

#[test]
fn the_closest_level_wins_setting_by_setting() {
    let levels = [
        ("[default]\ncadence = '60d'\n", "default", "60d"),
        ("[class.critical]\ncadence = '50d'\n", "class critical", "50d"),
        ("[team.web.policy]\ncadence = '40d'\n", "team web", "40d"),
        ("[service.shop.policy]\ncadence = '30d'\n", "service shop", "30d"),
        ("[key.policy]\ncadence = '20d'\n", "key", "20d"),
    ];
    let head = "[default]\n[class.critical]\n[team.web]\n[service.shop]\n";
    // Every set of levels: the closest one that speaks is heard.
    for set in 0..1 << levels.len() {
        let said = |n: usize| set >> n & 1 == 1;
        let mut text = String::new();
        for (n, header) in head.lines().enumerate() {
            text.push_str(if said(n) { levels[n].0 } else { "" });
            text.push_str(&if said(n) { String::new() } else { format!("{header}\n") });
        }
        text.push_str(&format!("{KEY}class = 'critical'\n{}", if said(4) { levels[4].0 } else { "" }));
        let policy = policy(&[&text]);
        let resolved = policy.resolve(policy.key("k").unwrap());
        let closest = (0..levels.len()).rev().find(|n| said(*n));
        let expected = closest.map_or(("built in", "90d"), |n| (levels[n].1, levels[n].2));
        let got = (resolved.cadence.from.to_string(), resolved.cadence.value.to_string());
        assert_eq!((got.0.as_str(), got.1.as_str()), expected, "{text}");
        assert_eq!(resolved.overlap.from, Level::Builtin, "what nobody says stays");
    }
}

#[test]
fn a_level_that_is_not_the_keys_own_is_not_heard() {
    let policy = policy(&[
        "[class.x]\ncadence = '1d'\n[team.x.policy]\ncadence = '2d'\n[service.x.policy]\ncadence = '3d'\n",
        KEY,
    ]);
    assert_eq!(policy.resolve(policy.key("k").unwrap()), Resolved::default());
}

#[test]
fn every_setting_can_be_said_and_is_explained() {
    let text = "cadence = '1d'\njitter = '1m'\nwindow = [{ from = '09:00', until = '10:00' }]\norder = 'revoke-first'\n\
        overlap = '2h'\nmax-overlap = '3h'\ngrace = '4m'\nquiet = '5m'\nsoak = '6m'\nstaging-first = false\n\
        staging-green = '7m'\napprovals = 2\napprovers = ['ann', 'bob']\nproof = ['timer']\nexport-usage = 'required'\n\
        emergency-order = 'revoke-first'\nemergency-overlap = '8m'\nemergency-export = '9m'\nemergency-soak = '10m'\n\
        emergency-approvals = 1\nemergency-daily = 7\npool-low = 2\nemergency-auto = true\nowners = ['@web']\nalerts = ['ops']\n\
        smoke = ['try']\ngateways = ['gw']\nfreeze = [{ from = 2026-12-18, until = 2027-01-03, reason = 'sale' }]\n";
    let policy = policy(&[
        "[default]\n",
        text,
        "[team.web.policy]\nfreeze = [{ from = 2027-03-01, until = 2027-03-02, reason = 'audit' }]\n",
        KEY,
    ]);
    assert_eq!(policy.file.default.said(), Settings::NAMES, "the sample says everything");
    let rows = policy.resolve(policy.key("k").unwrap()).rows();
    assert!(rows.iter().all(|row| row.from == Level::Default || row.name == "freeze"), "{rows:?}");
    let shown = |name: &str| {
        rows.iter().filter(|row| row.name == name).map(|row| row.value.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(shown("window"), ["every day 09:00-10:00 UTC"]);
    assert_eq!(shown("approvers"), ["ann, bob"]);
    assert_eq!(shown("export-usage"), ["required"]);
    assert_eq!(
        shown("freeze"),
        ["2026-12-18 to 2027-01-03 UTC (sale)", "2027-03-01 to 2027-03-02 UTC (audit)"]
    );
    let named: BTreeSet<_> = rows.iter().map(|row| row.name).collect();
    assert_eq!(named, Settings::NAMES.iter().copied().collect());
    for (default, row) in Resolved::default().rows().iter().zip(&rows) {
        assert_ne!(default.value, row.value, "{}: the sample repeats the default", row.name);
    }
}

/// The names that serde lists when it refuses another one.
fn fields(table: &str) -> BTreeSet<String> {
    let message = fault(&format!("version = 1\n{table}\nno-such-name = 1"));
    let (_, list) = message.split_once("expected").expect(table);
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The names of the file's own tables and values.
pub(super) fn tables() -> BTreeSet<String> {
    fields("")
}

fn schema() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../docs/policy.schema.json")).unwrap()
}

#[test]
fn the_schema_names_what_the_reader_takes() {
    let schema = schema();
    let start = KEY.trim_end();
    let stores = format!("{start}\n[[key.stores]]\nstore = 'x'\npath = 'x'");
    let consumers = format!("{start}\n[[key.consumers]]\nname = 'x'");
    for (table, at) in [
        ("", ""),
        ("[default]", "/$defs/settings"),
        ("[[default.window]]\nfrom = '09:00'\nuntil = '10:00'", "/$defs/window"),
        ("[[default.freeze]]\nfrom = 2026-01-01\nreason = 'x'", "/$defs/freeze"),
        ("[team.x]", "/$defs/team"),
        ("[service.x]", "/$defs/service"),
        (start, "/$defs/key"),
        (&stores, "/$defs/target"),
        (&consumers, "/$defs/consumer"),
        ("[store.x]\nkind = 'file'", "/$defs/store"),
        ("[admin.x]\ncredential = 'env:X'\nprovider = 'x'", "/$defs/admin"),
        ("[hook.x]\nrun = ['/x']", "/$defs/hook"),
        ("[route.x]", "/$defs/route"),
        ("[approver.x]", "/$defs/approver"),
        ("[gateway.x]\naddress = 'https://x.example'", "/$defs/gateway"),
        ("[repository]", "/$defs/repository"),
    ] {
        let node = schema.pointer(at).unwrap_or_else(|| panic!("{at}"));
        let names: BTreeSet<String> = node["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, fields(table), "{table}");
        assert_eq!(node["additionalProperties"], false, "{at}");
    }
}

#[test]
fn the_schema_names_the_words() {
    let schema = schema();
    let words = |at: &str| schema.pointer(at).unwrap_or_else(|| panic!("{at}"))["enum"].clone();
    let all = |list: Vec<&str>| serde_json::json!(list);
    assert_eq!(
        words("/$defs/settings/properties/proof/items"),
        all(Proof::ALL.iter().map(|w| w.as_str()).collect())
    );
    assert_eq!(
        words("/$defs/settings/properties/export-usage"),
        all(Export::ALL.iter().map(|w| w.as_str()).collect())
    );
    for name in ["order", "emergency-order"] {
        let at = format!("/$defs/settings/properties/{name}");
        assert_eq!(words(&at), all(Order::ALL.iter().map(|w| w.as_str()).collect()));
    }
    // Defaults that the schema tells are the ones that hold.
    for row in Resolved::default().rows() {
        let told = &schema.pointer("/$defs/settings/properties").unwrap()[row.name]["default"];
        let told = match told {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Array(list) if list.is_empty() => "-".to_owned(),
            serde_json::Value::Array(list) => {
                list.iter().filter_map(|v| v.as_str()).collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        };
        assert_eq!(told, row.value, "{}", row.name);
    }
}

/// The TOML of a documentation page, in order.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_documentations_example_is_sound() {
    let page = include_str!("../../../docs/policy.md");
    let blocks = blocks(page);
    let mut policy = Policy::parse(Path::new("keywheel-policy.toml"), blocks[0], &none).unwrap();
    let catalogue = Catalogue::embedded().unwrap();
    let now = "2026-11-23T00:00:00Z".parse().unwrap();
    let facts = check::Facts { catalogue: &catalogue, now, discovered: None };
    let faults: Vec<_> = check::check(&policy, facts).iter().map(ToString::to_string).collect();
    assert_eq!(faults, Vec::<String>::new());
    let name = "acme/shop".parse().unwrap();
    policy.add_repository(&name, Path::new("repository.toml"), blocks[1], &none).unwrap();
    let key = policy.key("web/shop/production/openai").unwrap();
    assert_eq!(policy.resolve(key).cadence.value, Period::days(30));
    for setting in Settings::NAMES {
        assert!(page.contains(&format!("| `{setting}` ")), "{setting} is not documented");
    }
    for code in check::Code::ALL {
        assert!(page.contains(&format!("`{code}`")), "{code} is not documented");
    }
}

#[test]
fn the_embedded_rules_say_what_can_be_done() {
    let catalogue = Catalogue::embedded().unwrap();
    for rule in [
        "openai-service-account-key",
        "openrouter-api-key",
        "litellm-virtual-key",
        "langfuse-secret-key",
        "azure-openai-key",
        "aws-secret-access-key",
        "aws-bedrock-api-key",
        "google-api-key",
        "xai-api-key",
        "anthropic-api-key",
        "database-url-postgres",
    ] {
        let able = catalogue.capabilities(rule).unwrap_or_else(|| panic!("{rule}"));
        assert_eq!(able.faults(), Vec::<String>::new(), "{rule}");
    }
    assert!(catalogue.capabilities("openai-legacy-key").is_none());
}
