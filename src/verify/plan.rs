//! What is to be asked: which rule's call, with which values, or why nothing is.

use super::parts::{self, Names, Parts};
use super::{Probe, Verifier, canary};
use crate::call::{CallError, Caller, Host, Origin, Prepared, Request, StepError, Values, declares};
use crate::model::{By, Finding, Note, Status, Unchecked};
use crate::rule::Declared;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One value to be asked about, wherever it stands.
pub(super) struct Job<'a> {
    pub(super) declared: Arc<Declared>,
    pub(super) way: Way<'a>,
    /// Whether there were more combinations of parts than are tried.
    pub(super) cut: bool,
    /// SHA-256 of everything that the verdict depends on. Never leaves the process as it is.
    pub(super) key: [u8; 32],
}

/// How it is asked.
pub(super) enum Way<'a> {
    /// By HTTP, with each of these in turn.
    Call(Vec<Values>),
    /// By a probe.
    Probe(&'a dyn Probe, Vec<Values>),
}

/// Plans, with what was read of rule files so far.
pub(super) struct Planner<'a> {
    verifier: &'a Verifier<'a>,
    declared: RefCell<BTreeMap<String, Option<Arc<Declared>>>>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(verifier: &'a Verifier<'a>) -> Self {
        Planner { verifier, declared: RefCell::default() }
    }

    fn declared(&self, id: &str) -> Option<Arc<Declared>> {
        let mut known = self.declared.borrow_mut();
        known.entry(id.to_owned()).or_insert_with(|| self.verifier.rules.declared(id).map(Arc::new)).clone()
    }

    /// What to do about a finding.
    pub(super) fn plan(&self, finding: &Finding) -> Result<Job<'a>, Unchecked> {
        if let Some(why) = spared(finding) {
            return Err(why);
        }
        let mut why = Unchecked::NoCall;
        for id in std::iter::once(&finding.rule.id).chain(&finding.also) {
            let Some(declared) = self.declared(id) else { continue };
            let listed = |name: &String| *name == declared.rule.id || *name == declared.provider.id;
            if self.verifier.options.never.iter().any(listed) {
                // Whoever forbids a rule does not want its values sent by way of another.
                return Err(Unchecked::Forbidden);
            }
            match self.with(finding, &declared) {
                Ok(job) => return Ok(job),
                // The reason of the rule that names it best is told.
                Err(other) if why == Unchecked::NoCall => why = other,
                Err(_) => {}
            }
        }
        Err(why)
    }

    fn with(&self, finding: &Finding, declared: &Arc<Declared>) -> Result<Job<'a>, Unchecked> {
        let verify = declared.rule.verify.as_ref().ok_or(Unchecked::NoCall)?;
        let (way, cut, names) = match (&verify.request, &verify.probe) {
            (Some(request), _) => {
                let names = parts::names(request);
                let Parts { sets, cut } = parts::combine(finding, &names).ok_or(Unchecked::MissingPart)?;
                (Way::Call(sets), cut, names)
            }
            (None, Some(name)) => {
                let probes = self.verifier.probes;
                let probe = *probes.iter().find(|p| p.name() == name).ok_or(Unchecked::NoProbe)?;
                let needed = probe.needs().iter().map(|n| (*n).to_owned()).collect();
                let names = Names { needed, ..Names::default() };
                let Parts { sets, cut } = parts::combine(finding, &names).ok_or(Unchecked::MissingPart)?;
                (Way::Probe(probe, sets), cut, names)
            }
            (None, None) => return Err(Unchecked::NoCall),
        };
        let key = self.key(declared, &way, &names);
        Ok(Job { declared: declared.clone(), way, cut, key })
    }

    /// The digest of everything that a verdict depends on: rule, its file, hosts, values.
    fn key(&self, declared: &Declared, way: &Way<'_>, names: &Names) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        add(declared.rule.id.as_bytes());
        add(&declared.digest);
        let request = declared.rule.verify.as_ref().and_then(|v| v.request.as_ref());
        let (Way::Call(sets) | Way::Probe(_, sets)) = way;
        for values in sets {
            if let Some(Ok(to)) = request.map(|r| prepare(self.verifier, declared, r, values)) {
                add(format!("{}:{:?}:{}", to.request.host, to.request.port, to.request.tls).as_bytes());
            }
            for name in names.needed.iter().chain(&names.optional).map(String::as_str).chain(["secret"]) {
                add(name.as_bytes());
                add(values.get(name).map_or(&[][..], |v| v.expose()));
            }
        }
        hash.finalize().into()
    }
}

/// A request as it is to be sent.
pub(super) struct Routed {
    pub(super) request: Prepared,
    /// Whether it goes to an endpoint of the organisation's in the place of the public service. That the one does
    /// not know a credential does not tell whether the other does.
    pub(super) elsewhere: bool,
}

/// Fills and signs a request, and finds where it may go.
///
/// # Errors
/// What forbids it.
pub(super) fn prepare(
    verifier: &Verifier<'_>,
    declared: &Declared,
    request: &Request,
    values: &Values,
) -> Result<Routed, CallError> {
    let provider = &declared.provider;
    let file = (!declared.embedded).then_some(declared.digest);
    let now = verifier.clock.now();
    let caller = Caller {
        transport: verifier.transport,
        hosts: verifier.hosts,
        origin: Origin { provider: &provider.id, hosts: &provider.hosts, file },
        clock: verifier.clock,
        each: verifier.options.timeout,
        until: now + verifier.options.timeout,
    };
    let request = caller.prepare(request, values).map_err(|error| match error {
        StepError::Call(error) => error,
        other => CallError::Refused(other.to_string()),
    })?;
    let host = Host::parse(&request.host).ok();
    let only = &verifier.options.only;
    if !only.is_empty() && !host.as_ref().is_some_and(|h| only.iter().any(|p| p.covers_host(h))) {
        return Err(CallError::Refused(format!("{} is not among `hosts` of [verify]", request.host)));
    }
    let elsewhere = !host.is_some_and(|h| declares(&provider.hosts, &h));
    Ok(Routed { request, elsewhere })
}

/// Why nothing is sent for a finding, whatever its rule declares.
fn spared(finding: &Finding) -> Option<Unchecked> {
    let mut parts = finding.occurrences.iter().flat_map(|o| &o.partners).map(|p| &p.value);
    if canary::is_canary(finding.secret.expose()) || parts.any(|value| canary::is_canary(value.expose())) {
        return Some(Unchecked::Canary);
    }
    match &finding.status {
        _ if finding.notes.contains(&Note::PublicByDesign) => Some(Unchecked::Public),
        _ if finding.notes.contains(&Note::DevelopmentDefault) => Some(Unchecked::Development),
        Status::Suppressed(s) if s.by == By::Config => Some(Unchecked::Accepted),
        _ => None,
    }
}
