//! Whole runs against a network of our own.

use super::testing::*;
use super::*;
use crate::call::{CallError, Prepared, Reply, Values};
use crate::model::{By, Evidence, Level, Note, Secret, Status, Suppression, Unchecked, Unknown, Validity};
use crate::rule::RuleSet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

mod pairs;
mod replies;

/// A key of the made-up provider.
fn key(n: usize) -> String {
    format!("acmev_{n:024}")
}

fn is_ours(request: &Prepared) -> bool {
    wire(request).contains(&key(0)[..12])
}

/// Answers as a sound provider does: one reply for our keys, another for those nobody issued.
fn sound(status: u16, body: &'static str) -> Network {
    Network::new(move |r| if is_ours(r) { reply(status, body) } else { reply(401, r#"{"error":"bad_key"}"#) })
}

fn one(rules: &RuleSet, network: &Network) -> (Finding, Checks) {
    let mut findings = [finding(&key(0), vec![place(&[])])];
    let checks = run(rules, network, &mut findings);
    let [finding] = findings;
    (finding, checks)
}

const NONE: Validity = Validity::NotChecked(Unchecked::NotAsked);

#[test]
fn a_verdict_has_its_evidence() {
    let rules = rules("");
    let (f, checks) = one(&rules, &sound(200, r#"{"id":7,"owner":"ann"}"#));
    let identity = BTreeMap::from([("owner".to_owned(), "ann".to_owned())]);
    assert_eq!(f.validity, Validity::Active { restricted: false, identity });
    let want = Evidence {
        rule: "acmev-key".into(),
        status: Some(200),
        expectation: "active[0]".into(),
        host: "api.acme.example".into(),
        at: NOW,
        cached: false,
        detail: String::new(),
    };
    assert_eq!(f.evidence.as_deref(), Some(&want));
    assert_eq!((checks.calls, checks.controls), (1, 1));

    let (f, _) = one(&rules, &sound(403, r#"{"error":"missing_scope"}"#));
    assert_eq!(f.validity, Validity::Active { restricted: true, identity: BTreeMap::new() });
    let (f, checks) = one(&rules, &sound(401, r#"{"error":"bad_key"}"#));
    assert_eq!((f.validity, f.evidence.unwrap().expectation.as_str()), (Validity::Inactive, "inactive[1]"));
    assert_eq!((checks.calls, checks.controls), (1, 0));
    let (f, _) = one(&rules, &sound(403, "<html>never</html>"));
    assert_eq!(f.validity, Validity::Inactive);
    // Fits two lists at once.
    let (f, _) = one(&rules, &sound(403, r#"{"error":"missing_scope","x":"never"}"#));
    assert_eq!(f.validity, Validity::Unknown(Unknown::Ambiguous));
}

#[test]
fn without_an_answer_it_is_unknown() {
    for (error, want) in [
        (CallError::Refused("budget".into()), Unknown::Refused),
        (CallError::Limited("pause".into()), Unknown::RateLimited),
        (CallError::Unconnected("dns".into()), Unknown::Unreachable),
        (CallError::Lost("timeout".into()), Unknown::Unreachable),
        (CallError::Unreadable("bomb".into()), Unknown::Ambiguous),
    ] {
        let network = Network::new(move |_| Err(error.clone()));
        let (f, _) = one(&rules(""), &network);
        assert_eq!(f.validity, Validity::Unknown(want));
        assert!(!f.evidence.unwrap().detail.is_empty());
    }
}

#[test]
fn each_value_is_asked_about_once() {
    let rules = rules("");
    let network = sound(200, r#"{"id":7}"#);
    let mut findings: Vec<Finding> = (0..10_000).map(|n| finding(&key(n % 1000), vec![place(&[])])).collect();
    let done = AtomicUsize::new(0);
    let hosts = hosts(&rules);
    let verifier = Verifier {
        rules: &rules,
        transport: &network,
        hosts: &hosts,
        probes: &[],
        clock: &Still,
        options: Options::default(),
    };
    let progress = |_, total| {
        assert_eq!(total, 1000);
        done.fetch_add(1, Ordering::Relaxed);
    };
    let watch = Watch { progress: &progress, cancel: &AtomicBool::new(false) };
    let checks = verifier.check(&mut findings, None, &watch);
    assert_eq!((checks.calls, checks.controls, network.calls()), (1000, 1, 1001));
    assert_eq!(done.into_inner(), 1000);
    assert!(findings.iter().all(|f| f.validity.is_active()));
    let told: BTreeSet<String> = network.sent.lock().unwrap().iter().map(|(_, text)| text.clone()).collect();
    assert_eq!(told.len(), 1001);
}

#[test]
fn an_endpoint_that_takes_anything_proves_nothing() {
    let rules = rules("");
    let portal = Network::new(|_| reply(200, r#"{"id":7}"#));
    let mut findings: Vec<Finding> = (0..20).map(|n| finding(&key(n), vec![place(&[])])).collect();
    let checks = run(&rules, &portal, &mut findings);
    assert!(findings.iter().all(|f| f.validity == Validity::Unknown(Unknown::Ambiguous)));
    assert_eq!((checks.calls, checks.controls), (20, 1));
    assert!(checks.notices[0].contains("api.acme.example takes a made-up credential for `acmev-key`"));

    // What it said before the control was sent does not count either.
    let first = AtomicUsize::new(0);
    let gateway = Network::new(move |_| match first.fetch_add(1, Ordering::SeqCst) {
        0 => reply(401, r#"{"error":"bad_key"}"#),
        _ => reply(200, r#"{"id":7}"#),
    });
    let mut findings: Vec<Finding> = (0..5).map(|n| finding(&key(n), vec![place(&[])])).collect();
    let options = Options { jobs: 1, ..Options::default() };
    run_with(&rules, &gateway, &mut findings, options, &[], None);
    assert!(findings.iter().all(|f| f.validity == Validity::Unknown(Unknown::Ambiguous)));
}

#[test]
fn a_control_without_a_clear_answer_lets_nothing_be_called_active() {
    let rules = rules("");
    for (answer, want) in [
        (reply(429, ""), Unknown::RateLimited),
        (reply(403, "<html>blocked</html>"), Unknown::Blocked),
        (Err(CallError::Lost("timeout".into())), Unknown::Unreachable),
    ] {
        let network =
            Network::new(move |r| if is_ours(r) { reply(200, r#"{"id":7}"#) } else { answer.clone_of() });
        let (f, _) = one(&rules, &network);
        assert_eq!(f.validity, Validity::Unknown(want));
    }
    // An answer that is not that of a working key is clear enough.
    let network = Network::new(|r| reply(if is_ours(r) { 200 } else { 400 }, r#"{"id":7}"#));
    assert!(one(&rules, &network).0.validity.is_active());
}

/// Replies are wiped when they are dropped, and so not cloned by themselves.
trait CloneOf {
    fn clone_of(&self) -> Result<Reply, CallError>;
}

impl CloneOf for Result<Reply, CallError> {
    fn clone_of(&self) -> Result<Reply, CallError> {
        self.clone()
    }
}

#[test]
fn a_declared_control_goes_first() {
    let rules = rules("control = '<acmev_zzzz{lnum:20}>'");
    let network = Network::new(|_| reply(200, r#"{"id":7}"#));
    let (f, checks) = one(&rules, &network);
    assert_eq!(f.validity, Validity::Unknown(Unknown::Ambiguous));
    assert_eq!((checks.calls, checks.controls), (0, 1));
    assert!(network.sent.lock().unwrap()[0].1.contains("acmev_zzzz"));
    let (f, checks) = one(&rules, &sound(401, r#"{"error":"bad_key"}"#));
    assert_eq!((f.validity, checks.controls), (Validity::Inactive, 1));
}

#[test]
fn what_must_not_be_sent_is_not() {
    let rules = rules("");
    let network = Network::new(|_| reply(200, r#"{"id":7}"#));
    let by = |by| Suppression { by, reason: "x".into(), owner: String::new(), until: String::new() };
    let mut list = vec![
        finding(&key(0), vec![place(&[])]),
        finding(&key(1), vec![place(&[])]),
        finding(&key(2), vec![place(&[])]),
        finding(&key(3), vec![place(&[("host", "db.canarytokens.com")])]),
        of_rule("no-such-rule", &key(4), vec![place(&[])]),
    ];
    list[0].notes = vec![Note::PublicByDesign];
    list[1].notes = vec![Note::DevelopmentDefault];
    list[2].status = Status::Suppressed(by(By::Config));
    run(&rules, &network, &mut list);
    let why: Vec<_> = list.iter().map(|f| f.validity.clone()).collect();
    let want = [
        Unchecked::Public,
        Unchecked::Development,
        Unchecked::Accepted,
        Unchecked::Canary,
        Unchecked::NoCall,
    ];
    assert_eq!(why, want.map(Validity::NotChecked));
    assert_eq!(network.calls(), 0);
    for name in ["acmev", "acmev-key"] {
        let mut list = [finding(&key(0), vec![place(&[])])];
        list[0].also = vec!["github-pat-classic".to_owned()];
        let options = Options { never: vec![name.to_owned()], ..Options::default() };
        run_with(&rules, &network, &mut list, options, &[], None);
        assert_eq!(list[0].validity, Validity::NotChecked(Unchecked::Forbidden));
    }
    assert_eq!(network.calls(), 0);
    // A comment, a baseline and an old side are no reason: such a key may be live.
    for s in [Status::Suppressed(by(By::Inline)), Status::Known(by(By::Baseline)), Status::Known(by(By::Old))]
    {
        let mut list = [finding(&key(5), vec![place(&[])])];
        list[0].status = s;
        run(&rules, &network, &mut list);
        assert_ne!(list[0].validity, NONE);
    }
}

#[test]
fn answers_are_kept_and_used_again() {
    let rules = rules("");
    let path = std::env::temp_dir().join(format!("keywheel-verify-{}", std::process::id()));
    let network = sound(200, r#"{"id":7,"owner":"ann"}"#);
    let pass = |rules: &RuleSet, network: &Network, n: usize| {
        let (mut cache, fault) = Cache::open(&path, [3; 32]);
        assert!(fault.is_none(), "{fault:?}");
        let mut list = [finding(&key(n), vec![place(&[])])];
        let checks = run_with(rules, network, &mut list, Options::default(), &[], Some(&mut cache));
        cache.save(NOW).unwrap();
        let [f] = list;
        (checks.calls, checks.cached, f)
    };
    let (calls, cached, first) = pass(&rules, &network, 0);
    assert_eq!((calls, cached), (1, 0));
    let (calls, cached, second) = pass(&rules, &network, 0);
    assert_eq!((calls, cached, &second.validity), (0, 1, &first.validity));
    assert!(second.evidence.unwrap().cached && !first.evidence.unwrap().cached);
    assert_eq!(pass(&rules, &network, 1).0, 1);
    // Another text of the rule's file is another rule.
    let other = super::testing::rules("# changed\n");
    assert_eq!(pass(&other, &network, 0).0, 1);
    // What a loose endpoint says is not kept as an active key.
    let portal = Network::new(|_| reply(200, r#"{"id":7}"#));
    pass(&rules, &portal, 2);
    assert_eq!(pass(&rules, &network, 2).2.validity, Validity::Unknown(Unknown::Ambiguous));

    let text = std::fs::read_to_string(&path).unwrap();
    let print = &first.fingerprint.as_str()[13..];
    assert!(text.contains("ann") && !text.contains("acmev_0") && !text.contains(print), "{text}");
    for end in ["", ".lock"] {
        std::fs::remove_file(format!("{}{end}", path.display())).unwrap();
    }
}

#[test]
fn a_run_can_be_ended() {
    let rules = rules("");
    let network = sound(200, r#"{"id":7}"#);
    let cancel = AtomicBool::new(false);
    let options = Options { jobs: 1, ..Options::default() };
    let hosts = hosts(&rules);
    let verifier =
        Verifier { rules: &rules, transport: &network, hosts: &hosts, probes: &[], clock: &Still, options };
    let progress = |done, _| cancel.store(done == 3, Ordering::Relaxed);
    let mut list: Vec<Finding> = (0..10).map(|n| finding(&key(n), vec![place(&[])])).collect();
    verifier.check(&mut list, None, &Watch { progress: &progress, cancel: &cancel });
    assert_eq!(list.iter().filter(|f| f.validity.is_active()).count(), 3);
    let rest = &list[3..];
    assert!(rest.iter().all(|f| f.validity == Validity::NotChecked(Unchecked::Stopped)));
}

#[test]
fn probes_judge_by_themselves() {
    struct Login;
    impl Probe for Login {
        fn name(&self) -> &'static str {
            "postgres"
        }
        fn needs(&self) -> &'static [&'static str] {
            &["host"]
        }
        fn check(&self, values: &Values, _: Instant) -> Probed {
            let secret = String::from_utf8_lossy(values.get("secret").unwrap().expose()).into_owned();
            let identity = BTreeMap::from([("user".to_owned(), format!("it was {secret}"))]);
            Probed {
                validity: Validity::Active { restricted: false, identity },
                host: "db.example".to_owned(),
                detail: "AuthenticationOk".to_owned(),
                elsewhere: false,
            }
        }
    }
    let more = "[[rule]]\nid = 'acmev-db'\nname = 'x'\nseverity = 'low'\nconfidence = 'low'\n\
                pattern = '(?<secret>[a-z]{20})'\n[rule.verify]\nprobe = 'postgres'\n";
    let rules = rules(more);
    let network = sound(200, "");
    let check = |probes: &[&dyn Probe], parts: &[(&str, &str)]| {
        let mut list = [of_rule("acmev-db", &"pass".repeat(5), vec![place(parts)])];
        run_with(&rules, &network, &mut list, Options::default(), probes, None);
        let [f] = list;
        f
    };
    assert_eq!(check(&[], &[("host", "h")]).validity, Validity::NotChecked(Unchecked::NoProbe));
    assert_eq!(check(&[&Login], &[]).validity, Validity::NotChecked(Unchecked::MissingPart));
    let f = check(&[&Login], &[("host", "h")]);
    let Validity::Active { identity, .. } = &f.validity else { panic!("{f:?}") };
    assert_eq!(identity["user"], "…");
    assert_eq!(f.evidence.unwrap().host, "db.example");
}

#[test]
fn what_a_probe_tells_of_the_owner_is_graded_and_goes_into_reads() {
    struct Sts;
    impl Probe for Sts {
        fn name(&self) -> &'static str {
            "aws-sts"
        }
        fn needs(&self) -> &'static [&'static str] {
            &[]
        }
        fn check(&self, _: &Values, _: Instant) -> Probed {
            let told = [("caller", "user"), ("user", "ops"), ("user id", "U1")];
            let identity = told.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            let validity = Validity::Active { restricted: false, identity };
            Probed { validity, host: "sts.example".to_owned(), detail: "named".to_owned(), elsewhere: false }
        }
    }
    let more = "[[rule]]\nid = 'acmev-cloud'\nname = 'x'\nseverity = 'low'\nconfidence = 'low'\n\
                pattern = '(?<secret>[a-z]{20})'\n[rule.verify]\nprobe = 'aws-sts'\n\
                [rule.access]\nshow = ['user', 'user_id']\n\
                grades = [{ level = 'admin', means = 'all', when = { caller = ['user'], read0 = ['done'] } }]\n\
                [[rule.access.reads]]\ndone = [{ status = 200, contains = 'Administrator' }]\n\
                request = { method = 'GET', url = 'https://api.acme.example/policies/{{ user }}' }\n";
    let rules = rules(more);
    let rights = |answer: &'static str| {
        let network = Network::new(move |r| match wire(r).starts_with("/policies/ops") {
            true => reply(200, answer),
            false => reply(404, ""),
        });
        let mut list = [of_rule("acmev-cloud", &"pass".repeat(5), vec![place(&[])])];
        run_with(&rules, &network, &mut list, Options::default(), &[&Sts], None);
        let [f] = list;
        f.access.map(|a| (a.grade.map(|g| g.level), a.facts))
    };
    let facts =
        BTreeMap::from([("user".to_owned(), "ops".to_owned()), ("user_id".to_owned(), "U1".to_owned())]);
    assert_eq!(rights("<Administrator/>"), Some((Some(Level::Admin), facts.clone())));
    assert_eq!(rights("<None/>"), Some((None, facts)));
}

#[test]
fn an_own_endpoint_in_the_place_of_the_public_one_proves_death_to_its_owner_only() {
    struct Elsewhere;
    impl Probe for Elsewhere {
        fn name(&self) -> &'static str {
            "aws-sts"
        }
        fn needs(&self) -> &'static [&'static str] {
            &[]
        }
        fn check(&self, _: &Values, _: Instant) -> Probed {
            let (host, detail) = ("aws.corp.example".to_owned(), "no such key".to_owned());
            Probed { validity: Validity::Inactive, host, detail, elsewhere: true }
        }
    }
    let more = "[[rule]]\nid = 'acmev-cloud'\nname = 'x'\nseverity = 'low'\nconfidence = 'low'\n\
                pattern = '(?<secret>[a-z]{20})'\n[rule.verify]\nprobe = 'aws-sts'\n";
    let rules = rules(more);
    let network = sound(200, "");
    let secret = "pass".repeat(5);
    let mut list = [of_rule("acmev-cloud", &secret, vec![place(&[])])];
    run_with(&rules, &network, &mut list, Options::default(), &[&Elsewhere], None);
    assert_eq!(list[0].validity, Validity::Unknown(Unknown::Ambiguous));
    let told = &list[0].evidence.as_ref().unwrap().detail;
    assert!(told.contains("own endpoint does not know it"), "{told}");
    let hosts = Hosts::default();
    let probes: [&dyn Probe; 1] = [&Elsewhere];
    let options = Options::default();
    let verifier = Verifier {
        rules: &rules,
        transport: &network,
        hosts: &hosts,
        probes: &probes,
        clock: &Still,
        options,
    };
    let mut values = Values::new();
    values.set("secret", Secret::new(secret.as_bytes()));
    let declared = rules.declared("acmev-cloud").unwrap();
    assert_eq!(verifier.alive(&declared, &values).0, Validity::Inactive);
}

#[test]
fn an_answer_that_echoes_the_key_leaks_nothing() {
    let rules = rules("");
    let network = Network::new(|r| {
        let text = wire(r);
        let key = text.split("Bearer ").nth(1).unwrap().trim().to_owned();
        if is_ours(r) {
            reply(200, &format!(r#"{{"id":7,"owner":"your key is {key}"}}"#))
        } else {
            reply(401, r#"{"error":"bad_key"}"#)
        }
    });
    let (f, checks) = one(&rules, &network);
    assert!(f.validity.is_active());
    let shown = format!("{f:?}{checks:?}");
    assert!(!shown.contains(&key(0)), "{shown}");
}

#[test]
fn rights_are_read_only_of_what_works() {
    let more = r#"
        [rule.access]
        capture = { scopes = { json = "/scopes", required = false } }
        show = ["scopes", "team"]
        grades = [
          { level = "admin", means = "everything", when = { scopes = ["all"] } },
          { level = "read", means = "the team", when = { read0 = ["done"] } },
          { level = "write", means = "as all of its kind" },
        ]
        [[rule.access.reads]]
        request = { method = "GET", url = "https://api.acme.example/team", headers = { Authorization = "Bearer {{ secret }}" } }
        done = [{ status = 200, json = { "/team" = "*" } }]
        refused = [{ status = 403 }]
        capture = { team = { json = "/team" } }
    "#;
    let rules = rules(more);
    let rights = |status: u16, me: &'static str, team: (u16, &'static str)| {
        let network = Network::new(move |r| match wire(r).starts_with("/team") {
            true => reply(team.0, team.1),
            false if is_ours(r) => reply(status, me),
            false => reply(401, r#"{"error":"bad_key"}"#),
        });
        let (f, checks) = one(&rules, &network);
        let told = f.access.map(|a| (a.grade.map(|g| g.level), a.facts.into_values().collect::<Vec<_>>()));
        (told, checks.reads)
    };
    let text = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let ours = (200, r#"{"team":"red"}"#);
    let works = r#"{"id":7,"scopes":["one","all"]}"#;
    assert_eq!(rights(200, works, ours), (Some((Some(Level::Admin), text(&["one, all", "red"]))), 1));
    assert_eq!(rights(200, r#"{"id":7}"#, ours), (Some((Some(Level::Read), text(&["red"]))), 1));
    assert_eq!(rights(200, r#"{"id":7}"#, (403, "")), (Some((Some(Level::Write), text(&[]))), 1));
    assert_eq!(rights(200, r#"{"id":7}"#, (500, "")), (Some((Some(Level::Write), text(&[]))), 1));
    // What may do little is not graded as the rest of its kind.
    assert_eq!(rights(403, r#"{"error":"missing_scope"}"#, (403, "")), (None, 1));
    assert_eq!(rights(401, r#"{"error":"bad_key"}"#, ours), (None, 0));
}
