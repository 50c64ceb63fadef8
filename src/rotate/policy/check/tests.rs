//! One sound policy, and for every code a change that breaks it in that way alone.

use super::*;
use crate::rotate::policy::tests::{catalogue, fingerprint, policy};
use std::collections::BTreeSet;

const NOW: &str = "2026-11-23T00:00:00Z";

const SOUND: &str = "[default]
cadence = '90d'
owners = ['@web']
alerts = ['ops']
approvers = ['ann']
approvals = 1
smoke = ['try']
window = [{ days = ['tue'], from = '09:00', until = '16:00', zone = 'Europe/Berlin' }]
freeze = [{ from = 2026-12-18, until = 2027-01-03, reason = 'sale' }]
[class.critical]
[team.web]
[team.ops]
[service.shop]
team = 'web'
[store.bao]
kind = 'openbao'
address = 'https://bao.acme.example'
credential = 'file:/run/secrets/bao'
[store.env]
kind = 'file'
[store.try]
kind = 'hook'
hook = 'try'
[admin.acme]
credential = 'openbao:kv/admin/acme#key'
provider = 'acme'
key = 'root'
[hook.try]
run = ['/usr/bin/true']
[route.ops]
kind = 'pagerduty'
credential = 'env:PAGER'
[route.chat]
kind = 'slack'
address = 'env:CHAT'
[approver.ann]
public-key = 'PUBLIC'
[[key]]
id = 'prod'
team = 'web'
service = 'shop'
environment = 'production'
provider = 'acme'
rule = 'acme-key'
account = 'one'
class = 'critical'
fingerprints = ['PRINT-p']
rotated = 2026-11-01
staging = 'stage'
admin = 'acme'
stores = [{ store = 'bao', path = 'kv/shop', field = 'key' }]
consumers = [{ name = 'app', owner = 'ann' }]
[[key]]
id = 'stage'
team = 'web'
service = 'shop'
environment = 'staging'
provider = 'acme'
rule = 'acme-key'
account = 'two'
fingerprints = ['PRINT-s']
created = 2026-11-01
admin = 'acme'
stores = [{ store = 'env', path = '/srv/shop/.env', field = 'ACME_KEY' }]
[[key]]
id = 'root'
team = 'ops'
service = 'keys'
environment = 'staging'
provider = 'other'
rule = 'other-key'
account = 'root'
owner = 'byok'
fingerprints = ['PRINT-r']
created = 2026-11-01
stores = [{ store = 'try', path = 'root' }]
";

fn faults(text: &str, discovered: Option<&Discovered>) -> Vec<Fault> {
    let public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI".to_owned() + &"A".repeat(43);
    let mut text = text.replace("PUBLIC", &public);
    for value in ["p", "s", "r", "old"] {
        text = text.replace(&format!("PRINT-{value}'"), &format!("{}'", fingerprint(value)));
    }
    let policy = policy(&[&text]);
    let catalogue = catalogue();
    check(&policy, Facts { catalogue: &catalogue, now: NOW.parse().unwrap(), discovered })
}

fn told(text: &str) -> Vec<String> {
    faults(text, None).iter().map(ToString::to_string).collect()
}

#[test]
fn a_sound_policy_passes() {
    assert_eq!(told(SOUND), Vec::<String>::new());
}

/// A change of the sound policy: the first text for the second. The last part is what is told, with its line
/// in the changed file.
type Case = (Code, &'static [(&'static str, &'static str)], &'static str);

const PROD: &str = "id = 'prod'\n";
const RULE: &str = "rule = 'acme-key'\naccount = 'one'";

const CASES: &[Case] = &[
    (
        Code::DuplicateKey,
        &[("id = 'stage'", "id = 'prod'"), ("staging = 'stage'\n", ""), ("'production'", "'test'")],
        "54:1: error[duplicate-key]: the id `prod` stands twice",
    ),
    (
        Code::Unfilled,
        &[("service = 'keys'", "service = 'fill-in'")],
        "error[unfilled]: key root: `service` is a draft's `fill-in`",
    ),
    (
        Code::UnknownProvider,
        &[("provider = 'other'\n", "provider = 'acmee'\n")],
        "no rule is of the provider `acmee`",
    ),
    (
        Code::UnknownRule,
        &[(RULE, "rule = 'acme-keys'\naccount = 'one'"), ("'try']", "'try']\nproof = ['smoke']")],
        "there is no rule `acme-keys`",
    ),
    (
        Code::RuleOfOther,
        &[("rule = 'other-key'", "rule = 'acme-plain'")],
        "is of the provider acme, the key of other",
    ),
    (
        Code::UnknownName,
        &[("team = 'ops'\n", "team = 'opps'\n")],
        "`opps` is named, and there is no [team.opps]",
    ),
    (Code::UnknownName, &[("class = 'critical'", "class = 'kritical'")], "no [class.kritical]"),
    (
        Code::UnknownName,
        &[("alerts = ['ops']", "alerts = ['oops']")],
        "5:1: error[unknown-name]: key prod and 2 more: `alerts` names `oops`",
    ),
    (Code::UnknownName, &[("smoke = ['try']", "smoke = ['trie']")], "no [hook.trie]"),
    (Code::UnknownName, &[("approvers = ['ann']", "approvers = ['bob']")], "no [approver.bob]"),
    (Code::UnknownName, &[("smoke = ['try']", "gateways = ['gw']\nsmoke = ['try']")], "no [gateway.gw]"),
    (
        Code::UnknownName,
        &[
            ("team = 'web'\n[store.bao]", "team = 'wob'\n[store.bao]"),
            ("team = 'web'\nservice", "team = 'wob'\nservice"),
            ("[team.web]", "[team.wob]"),
            ("team = 'wob'\n[store.bao]", "team = 'web'\n[store.bao]"),
            ("[service.shop]", "[service.spare]"),
        ],
        "no [team.web]",
    ),
    (Code::UnknownName, &[("store = 'bao'", "store = 'boa'")], "no [store.boa]"),
    (Code::UnknownName, &[("owner = 'ann'", "owner = 'anna'")], "no [approver.anna]"),
    (Code::UnknownName, &[("key = 'root'", "key = 'rot'")], "no [[key]] with that id"),
    (Code::UnknownName, &[("hook = 'try'\n[admin", "hook = 'trie'\n[admin")], "no [hook.trie]"),
    (Code::UnknownName, &[("staging = 'stage'", "staging = 'stag'")], "`stag` is named"),
    (Code::UnknownName, &[("staging = 'stage'", "staging = 'stage'\nshared-with = ['x']")], "`x` is named"),
    (
        Code::ServiceTeam,
        &[("team = 'ops'\nservice = 'keys'", "team = 'ops'\nservice = 'shop'")],
        "the service shop is the team web's, the key the team ops's",
    ),
    (
        Code::DuplicateFingerprint,
        &[("['PRINT-r']", "['PRINT-p']"), ("key = 'root'\n", "")],
        "`prod` and at `root`",
    ),
    (
        Code::SharedPlace,
        &[("store = 'try', path = 'root'", "store = 'bao', path = 'kv/shop', field = 'key'")],
        "`prod` and `root` both go to bao:kv/shop#key",
    ),
    (Code::NoStore, &[("stores = [{ store = 'try', path = 'root' }]", "stores = []")], "it goes nowhere"),
    (
        Code::StoreIncomplete,
        &[("address = 'https://bao.acme.example'\n", "")],
        "the store bao has no address",
    ),
    (Code::StoreIncomplete, &[("hook = 'try'\n[admin", "[admin")], "the store try has no hook"),
    (
        Code::StoreIncomplete,
        &[("[store.env]", "[store.aws]\nkind = 'aws-secrets-manager'\n[store.env]")],
        "has no region and no credential",
    ),
    (
        Code::StoreIncomplete,
        &[("[store.env]", "[store.aws]\nkind = 'aws-parameter-store'\nregion = 'eu-west-1'\n[store.env]")],
        "the store aws has no credential",
    ),
    (
        Code::StoreIncomplete,
        &[("[store.env]", "[store.gcp]\nkind = 'gcp-secret-manager'\n[store.env]")],
        "the store gcp has no credential",
    ),
    (
        Code::StoreIncomplete,
        &[("[store.env]", "[store.vault]\nkind = 'azure-key-vault'\n[store.env]")],
        "the store vault has no address and no credential",
    ),
    (
        Code::StoreIncomplete,
        &[("[store.env]", "[store.saas]\nkind = 'doppler'\n[store.env]")],
        "the store saas has no credential",
    ),
    (
        Code::StoreIncomplete,
        &[("[store.env]", "[store.saas]\nkind = 'infisical'\nrole-id = 'env:ID'\n[store.env]")],
        "the store saas has no credential",
    ),
    (
        Code::StoreIncomplete,
        &[("[store.env]", "[store.kube]\nkind = 'kubernetes'\n[store.env]")],
        "has no address and no credential",
    ),
    (
        Code::StoreIncomplete,
        &[("[store.env]", "[store.hub]\nkind = 'github-actions'\n[store.env]")],
        "has no credential",
    ),
    (Code::RouteUnclear, &[("address = 'env:CHAT'\n", "")], "the route chat: it needs `address`"),
    (
        Code::RouteUnclear,
        &[("address = 'env:CHAT'\n", "address = 'https://chat.example/x'\n")],
        "named, never written here",
    ),
    (
        Code::Unowned,
        &[("owners = ['@web']\n", ""), ("account = 'one'", "account = 'one'\nowner = 'ann'")],
        "error[unowned]: key stage: nobody answers for it",
    ),
    (Code::NoAlert, &[("alerts = ['ops']\n", "")], "warning[no-alert]"),
    (
        Code::StagingLoop,
        &[("account = 'two'", "account = 'two'\nstaging = 'prod'")],
        "its staging leads back to",
    ),
    (
        Code::StagingShared,
        &[("['PRINT-s']", "['PRINT-s', 'PRINT-p']")],
        "error[staging-shares-production]: key prod: it has the same value as its staging `stage`",
    ),
    (Code::StagingMissing, &[("staging = 'stage'\n", "")], "warning[staging-missing]: key prod"),
    (
        Code::AdminIsKey,
        &[("credential = 'openbao:kv/admin/acme#key'", "credential = 'openbao:kv/shop#key'")],
        "read from bao:kv/shop#key, where the key itself goes",
    ),
    (
        Code::AdminIsKey,
        &[("credential = 'openbao:kv/admin/acme#key'", "credential = 'file:/srv/shop/.env'")],
        "read from env:/srv/shop/.env#ACME_KEY",
    ),
    (Code::AdminIsKey, &[("key = 'root'", "key = 'prod'")], "credential is the key itself"),
    (
        Code::AdminIsKey,
        &[
            ("['PRINT-r']", "['PRINT-r', 'PRINT-s']"),
            (
                "created = 2026-11-01\nstores = [{ store = 'try'",
                "created = 2026-11-01\nshared-with = ['stage']\nstores = [{ store = 'try'",
            ),
        ],
        "key stage: its administrator's credential is the key itself",
    ),
    (
        Code::AdminMissing,
        &[
            ("account = 'two'\n", "account = 'two'\n"),
            ("created = 2026-11-01\nadmin = 'acme'\n", "created = 2026-11-01\n"),
        ],
        "error[admin-missing]: key stage",
    ),
    (
        Code::AdminOfOther,
        &[(
            "credential = 'openbao:kv/admin/acme#key'\nprovider = 'acme'",
            "credential = 'openbao:kv/admin/acme#key'\nprovider = 'other'",
        )],
        "acme is of the provider other, the key of acme",
    ),
    (
        Code::RolesUnclear,
        &[("account = 'two'", "account = 'two'\nroles = { names = ['a', 'b'] }")],
        "error[roles-unclear]: key stage: nothing lets roles take turns in what the rule acme",
    ),
    (
        Code::RolesUnclear,
        &[("account = 'two'", "account = 'two'\nroles = { names = ['a', 'a'] }")],
        "the two roles are one",
    ),
    (
        Code::NotRotatable,
        &[(RULE, "rule = 'acme-plain'\naccount = 'one'")],
        "the rule acme-plain declares no way to rotate",
    ),
    (
        Code::NotRotatable,
        &[(RULE, "rule = 'acme-off'\naccount = 'one'")],
        "the rule acme-off declares no way to rotate",
    ),
    (Code::MadeByHand, &[(RULE, "rule = 'acme-hand'\naccount = 'one'")], "makes keys for people only"),
    (
        Code::OverlapCadence,
        &[("cadence = '90d'", "cadence = '8d'")],
        "overlap and soak take 8d, and the next turn comes after 8d",
    ),
    (
        Code::OverlapSingle,
        &[(RULE, "rule = 'acme-single'\naccount = 'one'")],
        "old and new key are to live side by side",
    ),
    (
        Code::OverlapMost,
        &[("cadence = '90d'", "cadence = '90d'\nmax-overlap = '23h'\noverlap = '1h'")],
        "4:1: error[overlap-exceeds-most]: key prod and 2 more: the old key must live 1d, and may live 23h",
    ),
    (
        Code::OverlapNative,
        &[(RULE, "rule = 'acme-native'\naccount = 'one'"), (PROD, "policy.quiet = '25h'\nid = 'prod'\n")],
        "the old key is to live 1d1h, and the provider ends it after 1d",
    ),
    (
        Code::OverlapSpread,
        &[(RULE, "rule = 'acme-slow'\naccount = 'one'")],
        "a new key takes 2d to work everywhere",
    ),
    (
        Code::RevokeOverlap,
        &[("cadence = '90d'", "cadence = '90d'\norder = 'revoke-first'")],
        "a scheduled rotation switches the old key off first, and `overlap` is 1d",
    ),
    (
        Code::RevokeOverlap,
        &[("cadence = '90d'", "cadence = '90d'\nemergency-order = 'revoke-first'\nemergency-overlap = '1h'")],
        "an emergency switches",
    ),
    (Code::SoakUseless, &[(RULE, "rule = 'acme-bare'\naccount = 'one'")], "warning[soak-without-disable]"),
    (
        Code::ExportImpossible,
        &[
            (RULE, "rule = 'acme-bare'\naccount = 'one'"),
            ("cadence = '90d'", "cadence = '90d'\nsoak = '0s'"),
            (PROD, "policy.export-usage = 'required'\nid = 'prod'\n"),
        ],
        "its use must be exported, and the provider reports none",
    ),
    (
        Code::ProofUnreachable,
        &[("cadence = '90d'", "cadence = '90d'\nproof = ['ack', 'usage']")],
        "key root: none of its proofs (ack, usage) can be had",
    ),
    (
        Code::ProofTimer,
        &[("cadence = '90d'", "cadence = '90d'\nproof = ['timer']")],
        "warning[proof-timer]: key prod and 2 more",
    ),
    (
        Code::QuietLag,
        &[(RULE, "rule = 'acme-late'\naccount = 'one'")],
        "it must be quiet for 1d, and figures come 2d late",
    ),
    (
        Code::QuotaFull,
        &[("account = 'two'", "account = 'one'")],
        "the inventory lists 2 keys of one, and 2 are allowed",
    ),
    (Code::WindowNever, &[("days = ['tue']", "days = []")], "never opens"),
    (Code::WindowNever, &[("until = '16:00'", "until = '09:00'")], "never opens"),
    (
        Code::FreezeForever,
        &[(", until = 2027-01-03", "")],
        "10:1: error[freeze-never-ends]: key prod and 2 more: the freeze 2026-12-18 to no end UTC (sale) (default)",
    ),
    (Code::FreezeForever, &[("until = 2027-01-03", "until = 2028-01-03")], "does not end within a year"),
    (Code::FreezeForever, &[("until = 2027-01-03", "until = 2026-12-17")], "does not end within a year"),
    (
        Code::NeverTurn,
        &[("reason = 'sale' }]", "reason = 'sale' }, FROZEN]")],
        "the freezes cover every window",
    ),
    (
        Code::JitterWindow,
        &[("cadence = '90d'", "cadence = '90d'\njitter = '8h'")],
        "the jitter is 8h, and a window is open for 7h",
    ),
    (Code::CadenceZero, &[("cadence = '90d'", "cadence = '0s'")], "rotated without end"),
    (Code::Approvers, &[("approvals = 1", "approvals = 2")], "2 must agree, and there are 1 who may"),
    (Code::Approvers, &[("approvals = 1", "emergency-approvals = 2")], "2 must agree"),
    (
        Code::ApproverTwice,
        &[("[[key]]", "[approver.bob]\npublic-key = 'PUBLIC'\n[[key]]")],
        "bob and ann sign with one key",
    ),
    (
        Code::AutoUnapproved,
        &[("approvals = 1", "emergency-approvals = 1\nemergency-auto = true")],
        "to begin by itself and to wait for 1",
    ),
    (Code::FutureDate, &[("rotated = 2026-11-01", "rotated = 2026-11-24")], "`rotated` lies in the future"),
];

/// A freeze a year, for longer than the search looks.
fn frozen() -> String {
    let year = |y: u32| format!("{{ from = {y}-01-01, until = {y}-12-31, reason = 'sale' }}");
    (2026..=2035).map(year).collect::<Vec<_>>().join(", ")
}

#[test]
fn every_code_is_told_where_it_is_wrong_and_nothing_else_is() {
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for (code, changes, expected) in CASES {
        let mut text = SOUND.to_owned();
        for (from, to) in *changes {
            assert!(text.contains(from), "{code}: nothing to change: {from}");
            text = text.replacen(from, to, 1);
        }
        let text = text.replace("FROZEN", &frozen());
        let faults = faults(&text, None);
        let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
        if !told.iter().any(|t| t.contains(expected)) || faults.iter().any(|f| f.code != *code) {
            wrong.push(format!("{code}: wanted {expected}, got {told:#?}"));
        }
        seen.insert(*code);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !seen.contains(code)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

#[test]
fn codes_are_unique() {
    let words: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(words.len(), Code::ALL.len());
}

#[test]
fn what_was_found_at_the_provider_counts_too() {
    let found = |keys| Discovered {
        accounts: vec![Account { provider: "acme".to_owned(), account: "one".to_owned(), keys }],
    };
    assert_eq!(faults(SOUND, Some(&found(1))), []);
    let told = faults(SOUND, Some(&found(2)));
    assert_eq!(told.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::QuotaFull]);
    assert!(told[0].to_string().contains("the provider shows 2 keys of one"), "{}", told[0]);
}

#[test]
fn sharing_on_purpose_is_allowed() {
    let stage = SOUND.replace("['PRINT-s']", "['PRINT-p']");
    let shared = stage.replace("staging = 'stage'", "staging = 'stage'\nshared-with = ['stage']");
    assert_eq!(told(&shared), Vec::<String>::new());
    let root = SOUND
        .replace("['PRINT-s']", "['PRINT-old']")
        .replace("account = 'two'", "account = 'two'\nshared-with = ['root']");
    assert!(
        !told(&root.replace("['PRINT-r']", "['PRINT-old']"))
            .iter()
            .any(|t| t.contains("duplicate-fingerprint"))
    );
}
