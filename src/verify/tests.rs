//! Whole runs against a network of our own.

use super::testing::*;
use super::*;
use crate::call::{CallError, Prepared, Reply, Values};
use crate::model::{By, Evidence, Level, Note, Status, Suppression, Unchecked, Unknown, Validity};
use crate::rule::{RuleSet, checksum, example};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

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

/// One embedded rule against one recorded sort of answer.
fn judged(rule: &str, provider: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Validity {
    let rules = RuleSet::embedded();
    let declared = rules.declared(rule).unwrap();
    let algorithm = declared.rule.checksum.as_ref().and_then(|c| checksum::by_name(&c.algorithm));
    let secret = example::expand(&declared.rule.matches[0], algorithm, 42).unwrap().value;
    let secret = String::from_utf8(secret).unwrap();
    let given = secret.clone();
    let headers: BTreeMap<_, _> = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let (body, dead) = (body.to_owned(), dead(provider));
    let network = Network::new(move |r| {
        if wire(r).contains(&given) {
            Ok(Reply { status, headers: headers.clone(), body: body.clone() })
        } else {
            reply(dead.0, dead.1)
        }
    });
    let mut findings = [of_rule(rule, &secret, vec![place(&[])])];
    run(&rules, &network, &mut findings);
    let [mut finding] = findings;
    if let Validity::Active { identity, .. } = &mut finding.validity {
        identity.clear();
    }
    finding.validity
}

/// What a provider says of a key that nobody issued.
fn dead(provider: &str) -> (u16, &'static str) {
    match provider {
        "github" => {
            (401, r#"{"message":"Bad credentials","documentation_url":"https://docs.github.com/rest"}"#)
        }
        _ => (401, r#"{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}"#),
    }
}

#[test]
fn replies_of_github_and_openai() {
    let active = |restricted| Validity::Active { restricted, identity: BTreeMap::new() };
    let unknown = Validity::Unknown;
    let github = |status, headers: &[(&str, &str)], body| {
        judged("github-pat-classic", "github", status, headers, body)
    };
    let secondary = r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#;
    let primary = r#"{"message":"API rate limit exceeded for user ID 1."}"#;
    let wall = "<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>";
    for (want, status, headers, body) in [
        (active(false), 200, &[][..], r#"{"login":"octo","id":1,"type":"User"}"#),
        (Validity::Inactive, 401, &[], dead("github").1),
        (active(true), 403, &[], r#"{"message":"Resource not accessible by personal access token"}"#),
        (unknown(Unknown::RateLimited), 403, &[], secondary),
        (unknown(Unknown::RateLimited), 403, &[("retry-after", "60")], secondary),
        (unknown(Unknown::RateLimited), 403, &[("x-ratelimit-remaining", "0")], primary),
        (unknown(Unknown::RateLimited), 429, &[], primary),
        (unknown(Unknown::Blocked), 403, &[("server", "cloudflare")], wall),
        (unknown(Unknown::Blocked), 200, &[], "<html><body>Sign in to the network</body></html>"),
        (unknown(Unknown::Blocked), 302, &[("location", "https://portal.example/")], ""),
        (unknown(Unknown::Unreachable), 503, &[], "<html><body>Down for maintenance</body></html>"),
        (unknown(Unknown::Ambiguous), 404, &[], r#"{"message":"Not Found"}"#),
        (unknown(Unknown::Ambiguous), 403, &[], r#"{"message":"Forbidden"}"#),
        (unknown(Unknown::Ambiguous), 200, &[], ""),
    ] {
        assert_eq!(github(status, headers, body), want, "GitHub {status} {headers:?} {body}");
    }
    let openai = |status, body| judged("openai-project-key", "openai", status, &[], body);
    for (want, status, body) in [
        (active(false), 200, r#"{"object":"list","data":[]}"#),
        (Validity::Inactive, 401, dead("openai").1),
        (
            active(true),
            403,
            r#"{"error":"You have insufficient permissions for this operation. Missing scopes: api.model.read."}"#,
        ),
        (unknown(Unknown::RateLimited), 429, r#"{"error":{"code":"rate_limit_exceeded"}}"#),
        (unknown(Unknown::Blocked), 403, wall),
        (unknown(Unknown::Ambiguous), 401, r#"{"error":{"code":"ip_not_authorized"}}"#),
        (unknown(Unknown::Unreachable), 500, ""),
    ] {
        assert_eq!(openai(status, body), want, "OpenAI {status} {body}");
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

/// A second rule, for a credential of two parts at a host of its own.
const PAIR: &str = r#"
    [[rule]]
    id = "acmev-pair"
    name = "Acme pair"
    severity = "high"
    confidence = "high"
    pattern = '\b(?<secret>pair_[a-z0-9]{24})\b'
    matches = ['k=<pair_{lnum:24}>']
    with = [{ rule = "acmev-key", as = "account" }]
    [rule.verify]
    request = { method = "GET", url = "https://{{ site }}.tenant.example/me", basic = { user = "{{ account }}", password = "{{ secret }}" } }
    active = [{ status = 200, json = { "/id" = "*" } }]
    inactive = [{ status = 401, json = { "/error" = "bad_key" } }]
"#;

fn pair(parts: &[(&str, &str)]) -> Finding {
    of_rule("acmev-pair", &format!("pair_{:024}", 1), vec![place(parts)])
}

/// `user:password` of a request's basic authentication, decoded.
fn user(request: &Prepared) -> String {
    let text = wire(request);
    let coded = text.split("Basic ").nth(1).unwrap().lines().next().unwrap();
    let bits = |c: u8| "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".find(char::from(c));
    let mut out = Vec::new();
    for four in coded.trim_end_matches('=').as_bytes().chunks(4) {
        let word = four.iter().fold(0usize, |w, &c| w << 6 | bits(c).unwrap()) << (6 * (4 - four.len()));
        out.extend_from_slice(&(word as u32).to_be_bytes()[1..four.len()]);
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn all_parts_are_tried_and_the_first_that_works_wins() {
    let rules = rules(PAIR);
    let network = |good: &'static str| {
        Network::new(move |r| {
            let works = user(r) == format!("{good}:pair_{:024}", 1);
            if works { reply(200, r#"{"id":7}"#) } else { reply(401, r#"{"error":"bad_key"}"#) }
        })
    };
    let parts = [("site", "eu"), ("account", "a1"), ("account", "a2"), ("account", "a3")];
    let net = network("a2");
    let mut list = [pair(&parts)];
    let checks = run(&rules, &net, &mut list);
    assert!(list[0].validity.is_active());
    assert_eq!((checks.calls, checks.controls), (2, 1));
    // The control asks the same host for the same account, with another secret.
    let sent = net.sent.lock().unwrap();
    assert!(sent.iter().all(|(host, _)| host == "eu.tenant.example"));
    drop(sent);

    let mut list = [pair(&parts)];
    let checks = run(&rules, &network("zz"), &mut list);
    assert_eq!((list[0].validity.clone(), checks.calls), (Validity::Inactive, 3));
    // With more candidates than are tried, death is not proved.
    let many = [&parts[..], &[("account", "a4"), ("account", "a5")]].concat();
    let mut list = [pair(&many)];
    let checks = run(&rules, &network("zz"), &mut list);
    assert_eq!((list[0].validity.clone(), checks.calls), (Validity::Unknown(Unknown::Ambiguous), 4));

    let mut list = [pair(&parts[..1]), pair(&parts[1..])];
    let net = network("a1");
    run(&rules, &net, &mut list);
    assert!(list.iter().all(|f| f.validity == Validity::NotChecked(Unchecked::MissingPart)));
    let mut list = [pair(&[("site", "a.evil"), ("account", "a1")]), pair(&[("site", ""), ("account", "a1")])];
    run(&rules, &net, &mut list);
    assert!(list.iter().all(|f| f.validity == Validity::Unknown(Unknown::Refused)), "{list:?}");
    assert_eq!(net.calls(), 0);
}

#[test]
fn a_loose_host_taints_itself_only() {
    let rules = rules(PAIR);
    let network = Network::new(|r| match r.host.as_str() {
        "planted.tenant.example" => reply(200, r#"{"id":7}"#),
        _ if user(r) == format!("a:pair_{:024}", 1) => reply(200, r#"{"id":7}"#),
        _ => reply(401, r#"{"error":"bad_key"}"#),
    });
    let mut list =
        [pair(&[("site", "planted"), ("account", "a")]), pair(&[("site", "eu"), ("account", "a")])];
    let checks = run(&rules, &network, &mut list);
    assert_eq!(list[0].validity, Validity::Unknown(Unknown::Ambiguous));
    assert!(list[1].validity.is_active());
    assert_eq!(checks.notices.len(), 1);
}

#[test]
fn hosts_from_the_text_must_be_allowed() {
    let rules = rules("");
    let network = sound(200, r#"{"id":7}"#);
    for host in ["evilcorp.example", "git.corp.example.evil.example", "git.corp.example@evil.example", ""] {
        let mut list = [finding(&key(0), vec![place(&[("host", host)])])];
        run(&rules, &network, &mut list);
        assert_eq!(list[0].validity, Validity::Unknown(Unknown::Refused), "{host}");
    }
    let only = vec![Pattern::of_operator("*.corp.example").unwrap()];
    let mut list = [finding(&key(0), vec![place(&[])])];
    let options = Options { only, ..Options::default() };
    run_with(&rules, &network, &mut list, options, &[], None);
    assert!(list[0].evidence.as_ref().unwrap().detail.contains("not among `hosts`"));
    // A rule of a user's file that the organisation does not list.
    let verifier = Verifier {
        rules: &rules,
        transport: &network,
        hosts: &Hosts::default(),
        probes: &[],
        clock: &Still,
        options: Options::default(),
    };
    let watch = Watch { progress: &|_, _| {}, cancel: &AtomicBool::new(false) };
    verifier.check(&mut list, None, &watch);
    assert_eq!(list[0].validity, Validity::Unknown(Unknown::Refused));
    assert_eq!(network.calls(), 0);
}

#[test]
fn an_endpoint_of_ones_own_proves_life_but_not_death() {
    let rules = rules("");
    let parts: &[(&str, &str)] = &[("host", "git.corp.example")];
    let check = |network: &Network| {
        let mut list = [finding(&key(0), vec![place(parts)])];
        run(&rules, network, &mut list);
        let [f] = list;
        (f.validity.clone(), f.evidence.unwrap())
    };
    let (validity, evidence) = check(&sound(200, r#"{"id":7}"#));
    assert!(validity.is_active() && evidence.host == "git.corp.example");
    let (validity, evidence) = check(&sound(401, r#"{"error":"bad_key"}"#));
    assert_eq!(validity, Validity::Unknown(Unknown::Ambiguous));
    assert!(evidence.detail.contains("the public service was not asked"));
}

#[test]
fn another_rule_is_asked_only_if_the_first_cannot() {
    let rules = rules(PAIR);
    let network = sound(401, r#"{"error":"bad_key"}"#);
    let mut list = [pair(&[]), finding(&key(1), vec![place(&[])])];
    list[0].also = vec!["acmev-key".to_owned()];
    list[1].also = vec!["acmev-pair".to_owned()];
    let checks = run(&rules, &network, &mut list);
    assert!(list.iter().all(|f| f.validity == Validity::Inactive));
    assert!(list.iter().all(|f| f.evidence.as_ref().unwrap().rule == "acmev-key"));
    assert_eq!(checks.calls, 2);
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
