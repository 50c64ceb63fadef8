//! The run: jobs without repetition, threads, and from answers to verdicts.

use super::access::Captured;
use super::cache::Cache;
use super::control::{self, Control, Controls};
use super::plan::{Job, Planner, Routed, Way, prepare};
use super::{Verifier, Watch, cause, identity};
use crate::call::{Effect, Judgement, Prepared, Reply, Values};
use crate::model::{Access, Checks, Evidence, Finding, Unchecked, Unknown, Validity};
use crate::rule::Declared;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What came of one job.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) validity: Validity,
    pub(super) evidence: Option<Evidence>,
    pub(super) access: Option<Access>,
}

impl Verdict {
    fn unchecked(why: Unchecked) -> Self {
        Verdict { validity: Validity::NotChecked(why), evidence: None, access: None }
    }
}

/// What all threads share.
struct Run<'a> {
    verifier: &'a Verifier<'a>,
    watch: &'a Watch<'a>,
    controls: Controls,
    calls: AtomicU64,
    controlled: AtomicU64,
    reads: AtomicU64,
    /// Whether an endpoint of the organisation's decides, because the credential is one of its own.
    own: bool,
}

/// Whether one credential works, given its values, and by what.
pub(super) fn alive(
    verifier: &Verifier<'_>,
    declared: &Declared,
    values: &Values,
) -> (Validity, Option<Evidence>) {
    let cancel = AtomicBool::new(false);
    let watch = Watch { progress: &|_, _| (), cancel: &cancel };
    let run = Run::new(verifier, &watch, true);
    let named = declared.rule.verify.as_ref().and_then(|v| v.probe.as_deref());
    let verdict = match named.map(|name| verifier.probes.iter().find(|p| p.name() == name)) {
        Some(Some(probe)) => run.probe(declared, *probe, values),
        Some(None) => Verdict::unchecked(Unchecked::NoProbe),
        None => run.attempt(declared, values),
    };
    (verdict.validity, verdict.evidence)
}

pub(super) fn check(
    verifier: &Verifier<'_>,
    findings: &mut [Finding],
    mut cache: Option<&mut Cache>,
    watch: &Watch<'_>,
) -> Checks {
    let planner = Planner::new(verifier);
    let mut jobs: Vec<Job<'_>> = Vec::new();
    let mut known: HashMap<[u8; 32], usize> = HashMap::new();
    // What each finding waits for.
    let plans: Vec<Result<usize, Unchecked>> = findings
        .iter()
        .map(|finding| {
            let job = planner.plan(finding)?;
            let next = jobs.len();
            let at = *known.entry(job.key).or_insert(next);
            if at == next {
                jobs.push(job);
            }
            Ok(at)
        })
        .collect();
    let now = now(verifier);
    let mut checks = Checks::default();
    let mut verdicts: Vec<Option<Verdict>> =
        jobs.iter().map(|job| cache.as_ref()?.get(&job.key, now)).collect();
    checks.cached = verdicts.iter().flatten().count() as u64;
    let open: Vec<usize> = (0..jobs.len()).filter(|&n| verdicts[n].is_none()).collect();

    let run = Run::new(verifier, watch, false);
    run.all(&jobs, &open, &mut verdicts);

    let loose = run.controls.loose();
    for &n in &open {
        let Some(verdict) = &mut verdicts[n] else { continue };
        distrust(verdict, &loose);
        if let Some(cache) = &mut cache {
            cache.put(&jobs[n].key, verdict);
        }
    }
    checks.calls = run.calls.into_inner();
    checks.controls = run.controlled.into_inner();
    checks.reads = run.reads.into_inner();
    checks.notices.extend(loose.iter().map(|(rule, host)| {
        format!("{host} takes a made-up credential for `{rule}`, so that nothing it says of real ones counts")
    }));
    for (finding, plan) in findings.iter_mut().zip(plans) {
        let verdict = match plan {
            Err(why) => Verdict::unchecked(why),
            Ok(n) => verdicts[n].clone().unwrap_or_else(|| Verdict::unchecked(Unchecked::Stopped)),
        };
        finding.validity = verdict.validity;
        finding.evidence = verdict.evidence.map(Box::new);
        finding.access = verdict.access.map(Box::new);
    }
    checks
}

/// Takes back what an endpoint said that takes anything.
fn distrust(verdict: &mut Verdict, loose: &[(String, String)]) {
    let Some(evidence) = &mut verdict.evidence else { return };
    if loose.iter().any(|(rule, host)| *rule == evidence.rule && *host == evidence.host) {
        verdict.validity = Validity::Unknown(Unknown::Ambiguous);
        verdict.access = None;
        LOOSE.clone_into(&mut evidence.detail);
    }
}

const LOOSE: &str = "it takes a made-up credential as well";
const ELSEWHERE: &str = "the organisation's own endpoint does not know it; the public service was not asked";

impl<'a> Run<'a> {
    fn new(verifier: &'a Verifier<'a>, watch: &'a Watch<'a>, own: bool) -> Self {
        Run {
            verifier,
            watch,
            controls: Controls::default(),
            calls: AtomicU64::new(0),
            controlled: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            own,
        }
    }
}

impl Run<'_> {
    /// Works through the open jobs on several threads.
    fn all(&self, jobs: &[Job<'_>], open: &[usize], verdicts: &mut [Option<Verdict>]) {
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let ready: Mutex<Vec<(usize, Verdict)>> = Mutex::default();
        let work = || {
            while let Some(&n) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.cancelled() {
                    return;
                }
                // A fault of ours in one check must not cost the others.
                let verdict = catch_unwind(AssertUnwindSafe(|| self.job(&jobs[n]))).unwrap_or_else(|_| {
                    let detail = "the check failed within this program".to_owned();
                    self.unknown(&jobs[n].declared, Unknown::Refused, String::new(), detail)
                });
                ready.lock().unwrap_or_else(PoisonError::into_inner).push((n, verdict));
                (self.watch.progress)(done.fetch_add(1, Ordering::Relaxed) + 1, open.len());
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.verifier.options.jobs.clamp(1, open.len().max(1)) {
                scope.spawn(work);
            }
        });
        for (n, verdict) in ready.into_inner().unwrap_or_else(PoisonError::into_inner) {
            verdicts[n] = Some(verdict);
        }
    }

    fn cancelled(&self) -> bool {
        self.watch.cancel.load(Ordering::Relaxed)
    }

    /// Tries each combination of parts until one works. Death is believed only if all of them are dead.
    fn job(&self, job: &Job<'_>) -> Verdict {
        let mut last: Option<Verdict> = None;
        let tries: Vec<Box<dyn Fn() -> Verdict + '_>> = match &job.way {
            Way::Call(sets) => sets
                .iter()
                .map(|values| Box::new(|| self.attempt(&job.declared, values)) as Box<dyn Fn() -> _>)
                .collect(),
            Way::Probe(probe, sets) => sets
                .iter()
                .map(|values| Box::new(|| self.probe(&job.declared, *probe, values)) as Box<dyn Fn() -> _>)
                .collect(),
        };
        for one in &tries {
            if self.cancelled() {
                return Verdict::unchecked(Unchecked::Stopped);
            }
            let verdict = one();
            match verdict.validity {
                Validity::Active { .. } | Validity::NotChecked(_) => return verdict,
                // Nobody who does not answer now answers the next combination.
                Validity::Unknown(why) if why != Unknown::Ambiguous => return verdict,
                Validity::Unknown(_) => last = Some(verdict),
                Validity::Inactive => {
                    last.get_or_insert(verdict);
                }
            }
        }
        let mut verdict = last.unwrap_or_else(|| Verdict::unchecked(Unchecked::MissingPart));
        if job.cut && verdict.validity == Validity::Inactive {
            verdict.validity = Validity::Unknown(Unknown::Ambiguous);
            if let Some(evidence) = &mut verdict.evidence {
                "only the nearest combinations of its parts were tried".clone_into(&mut evidence.detail);
            }
        }
        verdict
    }

    fn attempt(&self, declared: &Declared, values: &Values) -> Verdict {
        let verify = declared.rule.verify.as_ref();
        let Some((verify, template)) = verify.and_then(|v| Some((v, v.request.as_ref()?))) else {
            return Verdict::unchecked(Unchecked::NoCall);
        };
        let (request, elsewhere) = match prepare(self.verifier, declared, template, values) {
            Ok(Routed { request, elsewhere }) => (request, elsewhere),
            Err(error) => return self.unknown(declared, Unknown::Refused, String::new(), error.to_string()),
        };
        let host = shown(&request);
        if verify.control.is_some() {
            // Known to answer loosely: nothing real is sent before the control has passed.
            if let Some(verdict) = self.controlled(declared, values, &request) {
                return verdict;
            }
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        let reply = match self.send(&request) {
            Ok(reply) => reply,
            Err(error) => return self.unknown(declared, cause::of_error(&error), host, error.to_string()),
        };
        let Some((judged, index)) = verify.matched(&reply) else {
            let (why, detail) = cause::of_reply(&reply);
            let mut verdict = self.unknown(declared, why, host, detail.to_owned());
            if let Some(evidence) = &mut verdict.evidence {
                evidence.status = Some(reply.status);
            }
            return verdict;
        };
        let mut detail = String::new();
        let (list, validity) = match judged {
            Judgement::Inactive if elsewhere && !self.own => {
                ELSEWHERE.clone_into(&mut detail);
                ("inactive", Validity::Unknown(Unknown::Ambiguous))
            }
            Judgement::Inactive => ("inactive", Validity::Inactive),
            working => {
                if let Some(verdict) = self.controlled(declared, values, &request) {
                    return verdict;
                }
                let restricted = working == Judgement::Restricted;
                let identity = identity::read(&reply, &verify.identity, values);
                (if restricted { "restricted" } else { "active" }, Validity::Active { restricted, identity })
            }
        };
        let mut evidence = self.evidence(declared, host, detail);
        evidence.status = Some(reply.status);
        evidence.expectation = format!("{list}[{index}]");
        let access = match validity {
            Validity::Active { restricted, .. } if !self.own => {
                let mut captured = Captured::default();
                if let Some(asked) = &declared.rule.access {
                    captured.take(&reply, &asked.capture, values);
                }
                self.access(declared, values, captured, restricted)
            }
            _ => None,
        };
        Verdict { validity, evidence: Some(evidence), access }
    }

    /// What a credential that works may do. What cannot be read is left open.
    fn access(
        &self,
        declared: &Declared,
        values: &Values,
        mut captured: Captured,
        restricted: bool,
    ) -> Option<Access> {
        let asked = declared.rule.access.as_ref()?;
        for (n, step) in asked.reads.iter().enumerate() {
            if self.cancelled() {
                break;
            }
            let Ok(routed) = prepare(self.verifier, declared, &step.request, values) else { continue };
            self.reads.fetch_add(1, Ordering::Relaxed);
            let Ok(reply) = self.send(&routed.request) else { continue };
            let effect = step.judge(&reply);
            captured.read(n, effect);
            if effect == Effect::Done {
                captured.take(&reply, &step.capture, values);
            }
        }
        captured.access(asked, restricted)
    }

    fn probe(&self, declared: &Declared, probe: &dyn super::Probe, values: &Values) -> Verdict {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut probed = probe.check(values, self.deadline());
        if let Validity::Active { identity, .. } = &mut probed.validity {
            identity.values_mut().for_each(|value| *value = identity::clean(value, values));
        }
        if matches!(probed.validity, Validity::NotChecked(_)) {
            probed.validity = Validity::Unknown(Unknown::Refused);
        }
        if probed.elsewhere && probed.validity == Validity::Inactive && !self.own {
            probed.validity = Validity::Unknown(Unknown::Ambiguous);
            ELSEWHERE.clone_into(&mut probed.detail);
        }
        let evidence = self.evidence(declared, probed.host, identity::clean(&probed.detail, values));
        let access = match &probed.validity {
            Validity::Active { restricted, identity } if !self.own && declared.rule.access.is_some() => {
                let mut captured = Captured::default();
                captured.told(identity);
                let values = captured.beside(values);
                self.access(declared, &values, captured, *restricted)
            }
            _ => None,
        };
        Verdict { validity: probed.validity, evidence: Some(evidence), access }
    }

    /// Whether the endpoint can be relied on. `None` if it can; else what that makes of the credential.
    fn controlled(&self, declared: &Declared, values: &Values, request: &Prepared) -> Option<Verdict> {
        let host = shown(request);
        let control = self.controls.of(&declared.rule.id, &host, || self.control(declared, values, request));
        let (why, detail) = match control {
            Control::Passed => return None,
            Control::Loose => (Unknown::Ambiguous, LOOSE),
            Control::Unanswered(why) => {
                (why, "a made-up credential got no clear answer, so that no answer counts")
            }
            Control::Impossible => (Unknown::Ambiguous, "no made-up credential could be sent for comparison"),
        };
        Some(self.unknown(declared, why, host, detail.to_owned()))
    }

    /// Sends a made-up credential where the real one goes.
    fn control(&self, declared: &Declared, values: &Values, real: &Prepared) -> Control {
        let verify = declared.rule.verify.as_ref();
        let Some((verify, template)) = verify.and_then(|v| Some((v, v.request.as_ref()?))) else {
            return Control::Impossible;
        };
        let Some(values) = control::made_up(declared, template, values, self.verifier.options.seed) else {
            return Control::Impossible;
        };
        let Ok(routed) = prepare(self.verifier, declared, template, &values) else {
            return Control::Impossible;
        };
        let request = routed.request;
        if same(&request, real) {
            return Control::Impossible;
        }
        self.controlled.fetch_add(1, Ordering::Relaxed);
        match self.send(&request) {
            Err(error) => Control::Unanswered(cause::of_error(&error)),
            Ok(reply) => match verify.judge(&reply) {
                Judgement::Active | Judgement::Restricted => Control::Loose,
                Judgement::Inactive => Control::Passed,
                Judgement::Unknown => match cause::of_reply(&reply).0 {
                    // The provider did answer, and not as it answers a working one.
                    Unknown::Ambiguous => Control::Passed,
                    why => Control::Unanswered(why),
                },
            },
        }
    }

    fn deadline(&self) -> Instant {
        self.verifier.clock.now() + self.verifier.options.timeout
    }

    fn send(&self, request: &Prepared) -> Result<Reply, crate::call::CallError> {
        self.verifier.transport.read(request, self.deadline())
    }

    fn unknown(&self, declared: &Declared, why: Unknown, host: String, detail: String) -> Verdict {
        let evidence = Some(self.evidence(declared, host, detail));
        Verdict { validity: Validity::Unknown(why), evidence, access: None }
    }

    fn evidence(&self, declared: &Declared, host: String, detail: String) -> Evidence {
        let rule = declared.rule.id.clone();
        Evidence { rule, host, at: now(self.verifier), detail, ..Evidence::default() }
    }
}

/// Seconds since 1970.
fn now(verifier: &Verifier<'_>) -> i64 {
    verifier.clock.wall().as_second()
}

/// The host as evidence names it.
fn shown(request: &Prepared) -> String {
    match request.port {
        Some(port) => format!("{}:{port}", request.host),
        None => request.host.clone(),
    }
}

/// Whether two requests are the same on the wire.
fn same(a: &Prepared, b: &Prepared) -> bool {
    (&a.host, &a.target, &a.headers, &a.body) == (&b.host, &b.target, &b.headers, &b.body)
}
