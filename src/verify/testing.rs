//! Findings, providers and a network for tests.

use super::{Options, Probe, Verifier, Watch};
use crate::call::{CallError, Clock, Endpoint, Hosts, Prepared, Reply, Transport};
use crate::model::{
    Checks, Class, Confidence, Excerpt, Finding, FingerprintKey, Location, Occurrence, Partner, Provenance,
    RawPath, RuleRef, Secret, Severity, Status, Validity,
};
use crate::rule::RuleSet;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A place with these other parts near it.
pub(super) fn place(partners: &[(&str, &str)]) -> Occurrence {
    let partner = |(name, value): &(&str, &str)| Partner {
        name: (*name).to_owned(),
        value: Secret::new(value.as_bytes()),
        line: 1,
    };
    Occurrence {
        provenance: Arc::new(Provenance::file(RawPath::new(b"a"))),
        location: Location { byte_start: 0, byte_end: 1, line: 1, end_line: 1, start: 0, end: 1 },
        via: vec![],
        excerpt: Excerpt::default(),
        partners: partners.iter().map(partner).collect(),
        suppression: None,
        versions: 1,
    }
}

/// A finding of the rule `acmev-key`.
pub(super) fn finding(secret: &str, occurrences: Vec<Occurrence>) -> Finding {
    of_rule("acmev-key", secret, occurrences)
}

pub(super) fn of_rule(rule: &str, secret: &str, occurrences: Vec<Occurrence>) -> Finding {
    Finding {
        fingerprint: FingerprintKey::default().fingerprint(secret.as_bytes()),
        rule: Arc::new(RuleRef {
            id: rule.to_owned(),
            name: "Key".to_owned(),
            provider: "acmev".to_owned(),
            provider_name: "Acme".to_owned(),
            class: Class::Structured,
            docs: String::new(),
        }),
        also: vec![],
        severity: Severity::High,
        confidence: Confidence::High,
        validity: Validity::default(),
        evidence: None,
        access: None,
        status: Status::New,
        secret: Secret::new(secret.as_bytes()),
        notes: vec![],
        occurrences,
    }
}

/// The rules of a made-up provider, beside the embedded ones. `more` follows the rule `acmev-key`.
pub(super) fn rules(more: &str) -> RuleSet {
    let text = format!(
        r#"
        [provider]
        id = "acmev"
        name = "Acme"
        hosts = ["api.acme.example", "*.tenant.example"]
        [[rule]]
        id = "acmev-key"
        name = "Acme key"
        severity = "high"
        confidence = "high"
        pattern = '\b(?<secret>acmev_[a-z0-9]{{24}})\b'
        matches = ['k=<acmev_{{lnum:24}}>']
        [rule.verify]
        request = {{ method = "GET", url = "https://api.acme.example/me", headers = {{ Authorization = "Bearer {{{{ secret }}}}" }} }}
        active = [{{ status = 200, json = {{ "/id" = "*" }} }}]
        restricted = [{{ status = 403, json = {{ "/error" = "missing_scope" }} }}]
        inactive = [{{ status = 403, contains = "never" }}, {{ status = 401, json = {{ "/error" = "bad_key" }} }}]
        identity = {{ owner = "/owner" }}
        {more}
        "#
    );
    let mut rules = RuleSet::embedded();
    rules.add_texts(vec![(PathBuf::from("acmev.toml"), text)]).expect("because the text is fixed");
    rules
}

pub(super) fn reply(status: u16, body: &str) -> Result<Reply, CallError> {
    Ok(Reply { status, headers: std::collections::BTreeMap::new(), body: body.to_owned() })
}

type Answer = Box<dyn Fn(&Prepared) -> Result<Reply, CallError> + Send + Sync>;

/// A network that answers from a function, and keeps what was sent.
pub(super) struct Network {
    answer: Answer,
    /// Host and all that was sent, as text.
    pub(super) sent: Mutex<Vec<(String, String)>>,
}

impl Network {
    pub(super) fn new(
        answer: impl Fn(&Prepared) -> Result<Reply, CallError> + Send + Sync + 'static,
    ) -> Self {
        Network { answer: Box::new(answer), sent: Mutex::default() }
    }

    pub(super) fn calls(&self) -> usize {
        self.sent.lock().map_or(0, |sent| sent.len())
    }
}

/// Everything of a request as text.
pub(super) fn wire(request: &Prepared) -> String {
    let text = |s: &Secret| String::from_utf8_lossy(s.expose()).into_owned();
    let headers: String = request.headers.iter().map(|(n, v)| format!("{n}: {}\n", text(v))).collect();
    format!("{}\n{headers}\n{}", text(&request.target), request.body.as_ref().map(text).unwrap_or_default())
}

impl Transport for Network {
    fn send(&self, request: &Prepared, _: Instant) -> Result<Reply, CallError> {
        if let Ok(mut sent) = self.sent.lock() {
            sent.push((request.host.clone(), wire(request)));
        }
        (self.answer)(request)
    }
}

/// What the organisation of all tests says of hosts: it trusts the made-up rules, and lets its own servers be called.
pub(super) fn hosts(rules: &RuleSet) -> Hosts {
    let listed = rules.declared("acmev-key").map(|d| d.digest).into_iter().collect();
    let endpoint = Endpoint::new(None, false, None, &["*.corp.example".to_owned()], false);
    Hosts::new(BTreeMap::from([("acmev".to_owned(), endpoint.expect("because it is fixed"))]), listed)
}

/// A clock that stands still.
pub(super) struct Still;

impl Clock for Still {
    fn now(&self) -> Instant {
        Instant::now()
    }
    fn wall(&self) -> jiff::Timestamp {
        jiff::Timestamp::constant(NOW, 0)
    }
    fn sleep(&self, _: Duration) {}
}

/// The time of all tests, in seconds since 1970.
pub(super) const NOW: i64 = 1_767_323_045;

/// Checks findings against a network.
pub(super) fn run(rules: &RuleSet, network: &Network, findings: &mut [Finding]) -> Checks {
    run_with(rules, network, findings, Options::default(), &[], None)
}

pub(super) fn run_with(
    rules: &RuleSet,
    network: &Network,
    findings: &mut [Finding],
    options: Options,
    probes: &[&dyn Probe],
    cache: Option<&mut super::Cache>,
) -> Checks {
    let hosts = hosts(rules);
    let verifier = Verifier { rules, transport: network, hosts: &hosts, probes, clock: &Still, options };
    let watch = Watch { progress: &|_, _| {}, cancel: &AtomicBool::new(false) };
    verifier.check(findings, cache, &watch)
}
