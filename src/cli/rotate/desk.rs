//! Driving rotations: provider, stores and proofs of one lineage, and the loop around the engine.

use super::asker::Asker;
use super::office::Office;
use super::pool;
use super::traffic;
use crate::cli::organisation::Organisation;
use crate::cli::verify::Asking;
use crate::cli::{output, signal, usage};
use anyhow::Result;
use keywheel::model::{FingerprintKey, Secret};
use keywheel::probe::Login;
use keywheel::rotate::by_hand::ByHand;
use keywheel::rotate::engine::{Call, EngineError, Proofs, SystemClock};
use keywheel::rotate::machine::{Ask, KeyId, Kind, Life, Phase, Proof, Use};
use keywheel::rotate::plan::{Known, Landing, Plan, Way};
use keywheel::rotate::provider::Declared;
use keywheel::rotate::roles::{Pair, Roles};
#[cfg(unix)]
use keywheel::rotate::store::Program;
use keywheel::rotate::store::{Doors, Rollout, Spec};
use keywheel::rotate::time::{Moment, Span};
use keywheel::rotate::{Engine, Progress, Provider, Rotation, RotationId, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How often signals are looked at while nothing is to be done.
const BEAT: Duration = Duration::from_millis(20);
/// What waits longer than that has time to send alerts.
const LONG: Span = Span::seconds(5);
/// Longest time of a read outside a step.
const READ: Duration = Duration::from_secs(20);

/// Everything that a rotation needs.
pub(super) struct Desk<'a> {
    pub(super) office: &'a Office,
    pub(super) organisation: &'a Organisation,
    pub(super) asker: &'a Asker,
    pub(super) worker: String,
}

/// Where driving stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It ended.
    Ended(Phase),
    /// Nothing to do before that time.
    Waits(Moment),
    /// A person must act.
    Asks(Ask),
    /// A person must bring the new key.
    Brings,
    /// Another worker is at it.
    Busy,
    /// A signal ended the process's work; the rotation goes on where it was.
    Signal(u8),
}

impl Desk<'_> {
    /// The plan of a lineage as policy and journal stand now.
    pub(super) fn plan(&self, id: &str, kind: Kind) -> Result<Plan> {
        plan(self.organisation, Some(self.office), id, kind)
    }

    /// The value that the stores hold now: that of the first one that can be read.
    pub(super) fn current(&self, plan: &Plan) -> Result<Option<Secret>> {
        for landing in &plan.landings {
            if !landing.spec.readable() {
                continue;
            }
            let store = landing.spec.open(&landing.place, &self.office.doors).map_err(usage)?;
            let content = store.read(Call { deadline: Instant::now() + READ });
            let content = content.map_err(|e| usage(format!("{}: {e}", landing.claim)))?;
            return match content.current {
                Some(value) => Ok(Some(value)),
                None => Err(usage(format!("{} holds no key", landing.claim))),
            };
        }
        Ok(None)
    }

    /// Takes steps until the rotation ends, a person is asked, or it waits for longer than `patience`.
    pub(super) fn drive(&self, id: RotationId, patience: Span, brought: Option<Secret>) -> Result<Stop> {
        signal::watch();
        let journal = &self.office.journal;
        let record = journal.load(id)?;
        let plan = self.plan(&record.rotation.lineage, record.rotation.kind)?;
        let landings = landings(&plan, &record.rotation)?;
        let open = |l: &&Landing| l.spec.open(&l.place, &self.office.doors).map_err(usage);
        let stores = landings.iter().map(open).collect::<Result<Vec<Box<dyn Store>>>>()?;
        let proofs = Gathered { desk: self, id, landings, plan: &plan };
        let stop = self.asker.with(|asking| {
            let values = |key: &KeyId| self.value(id, key);
            let judge = self.asker.judge(asking, &plan.rule);
            let admin = || administrator(&*self.office.doors, &plan);
            let switch = |key: &KeyId, call: Call| {
                let drawn = step_of(key).map_or(Ok(None), |step| journal.drawn(id, &step));
                pool::wake(self, asking, &plan, drawn, call)
            };
            let provider: Box<dyn Provider + '_> = match plan.way_of(&record.rotation) {
                Way::Calls => Box::new(declared(&*self.office.doors, asking, &plan)?),
                Way::ByHand => Box::new(ByHand::new(&judge, brought, &values, &switch)),
                Way::Roles => {
                    let pair = paired(&plan)?;
                    Box::new(Roles::new(pair, record.rotation.old.id.clone(), asking.net, &admin, &values))
                }
            };
            let engine =
                Engine::new(journal, &*provider, &stores, &SystemClock, &self.worker).with_proofs(&proofs);
            self.go(&engine, id, patience)
        })?;
        self.office.export_head()?;
        Ok(stop)
    }

    /// Takes steps until something stops them.
    fn go(&self, engine: &Engine<'_>, id: RotationId, patience: Span) -> Result<Stop> {
        let deadline = self.office.now() + patience;
        loop {
            if let Some(code) = signal::caught() {
                return Ok(Stop::Signal(code));
            }
            match engine.advance(id) {
                Ok(Progress::Stepped) => {}
                Ok(Progress::Wait(at)) if at <= deadline => {
                    // Nobody should hear of the beginning at the end.
                    if at.since(self.office.now()) > LONG {
                        self.post();
                    }
                    self.sleep(at);
                }
                Ok(Progress::Wait(at)) => return Ok(Stop::Waits(at)),
                Ok(Progress::Ask(ask)) => return Ok(Stop::Asks(ask)),
                Ok(Progress::Finished(phase)) => return Ok(Stop::Ended(phase)),
                Ok(Progress::Busy) if self.office.now() < deadline => std::thread::sleep(BEAT),
                Ok(Progress::Busy) => return Ok(Stop::Busy),
                Err(EngineError::NoMaterial(step)) if step.starts_with("new/") => return Ok(Stop::Brings),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// The value of a key of a rotation, for proving it dead. The number of an attempt ends the name of its key.
    pub(super) fn value(&self, id: RotationId, key: &KeyId) -> Option<Secret> {
        let record = self.office.journal.load(id).ok()?;
        let step = if *key == record.rotation.old.id { "old".to_owned() } else { step_of(key)? };
        self.office.journal.material(&record, &step).ok()?
    }

    fn sleep(&self, until: Moment) {
        while signal::caught().is_none() {
            let left = until.since(self.office.now());
            if left == Span::ZERO {
                break;
            }
            std::thread::sleep(BEAT.min(Duration::from_millis(left.0)));
        }
    }

    /// The fingerprint of what the stores hold, for the inventory.
    pub(super) fn fingerprint(&self, plan: &Plan) -> Option<String> {
        let value = self.current(plan).ok().flatten()?;
        let secret = secret(plan, value);
        Some(keywheel::scan::fingerprint(&FingerprintKey::default(), secret.expose()).to_string())
    }

    /// Refuses to begin with a value that does not fit how the keys are made.
    pub(super) fn must_fit(&self, plan: &Plan, current: Option<&Secret>) -> Result<()> {
        if plan.way == Way::Roles {
            paired(plan)?.fits(plan.old(), current).map_err(usage)?;
        }
        Ok(())
    }

    /// Refuses a value that does not work, so that nothing is written down for it.
    pub(super) fn must_work(&self, rule: &str, value: &Secret) -> Result<()> {
        match self.asker.life(rule, value)? {
            Life::Live => Ok(()),
            Life::Dead => Err(usage("the key that was brought does not work; bring another one")),
            Life::Unknown => Err(usage(
                "nothing proves that the key that was brought works: see that the provider can be reached, then bring it again",
            )),
        }
    }
}

/// The step of the attempt that made a key by hand: its number ends the key's name.
fn step_of(key: &KeyId) -> Option<String> {
    let (_, attempt) = key.0.rsplit_once("-a")?;
    Some(format!("new/{}", attempt.parse::<u32>().ok()?))
}

/// What of a stored value is the secret that scans find: of a connection string the password.
pub(super) fn secret(plan: &Plan, value: Secret) -> Secret {
    match plan.way {
        Way::Roles => Login::read(&value).map_or(value, |login| login.password().clone()),
        Way::Calls | Way::ByHand => value,
    }
}

/// The roles of a plan in which they take turns.
fn paired(plan: &Plan) -> Result<Pair> {
    plan.roles
        .clone()
        .ok_or_else(|| usage("the policy names no roles any more: put them back, or abort the rotation"))
}

/// The administrator's credential, which is fetched now and kept nowhere.
fn administrator(doors: &dyn Doors, plan: &Plan) -> Result<Secret, String> {
    let reference = plan.admin.as_ref().ok_or("the policy names none; name it in `admin`")?;
    doors.fetch(&reference.to_string()).map_err(|why| format!("{reference}: {why}"))
}

/// Adds to a plan what the server tells of the roles that take turns.
pub(super) fn survey(doors: &dyn Doors, asker: &Asker, plan: &mut Plan) -> Result<()> {
    let Some(pair) = plan.roles.clone() else { return Ok(()) };
    let found = asker.with(|asking| {
        let admin = || administrator(doors, plan);
        let roles = Roles::new(pair.clone(), plan.old().clone(), asking.net, &admin, &|_| None);
        Ok(roles.survey(Call { deadline: Instant::now() + READ }))
    })?;
    match found {
        Ok(found) => {
            plan.gaps.extend(found.faults(&pair));
            let accepted = found.superusers.iter().map(|role| format!("{role} is a superuser"));
            plan.notes.extend(accepted.chain(found.differences.clone()));
        }
        Err(why) => plan.gaps.push(format!("the two roles could not be looked at: {why}")),
    }
    Ok(())
}

/// The provider's own calls, with the administrator's credential, which is fetched now and kept nowhere.
pub(super) fn declared<'v>(doors: &dyn Doors, asking: &'v Asking<'v>, plan: &Plan) -> Result<Declared<'v>> {
    let names: Vec<String> = plan.calls.admin.keys().cloned().collect();
    let mut admin = BTreeMap::new();
    if let Some(reference) = plan.admin.as_ref().filter(|_| !names.is_empty()) {
        let found = doors.fetch(&reference.to_string());
        let found =
            found.map_err(|why| usage(format!("the administrator's credential ({reference}): {why}")))?;
        admin = parts(&names, &found).ok_or_else(|| {
            usage(format!("{reference} holds no JSON object with the texts {}", names.join(", ")))
        })?;
    }
    Declared::new(asking.verifier, &plan.rule, admin, &plan.asked).map_err(usage)
}

/// The plan of a lineage; without a journal for its first rotation.
pub(super) fn plan(
    organisation: &Organisation,
    office: Option<&Office>,
    id: &str,
    kind: Kind,
) -> Result<Plan> {
    let known = match office {
        Some(office) => {
            Known { kind, current: office.journal.current(id)?, generation: office.journal.generation(id)? }
        }
        None => Known { kind, current: None, generation: 1 },
    };
    Plan::new(&organisation.policy, organisation.facts(None), id, &known).map_err(usage)
}

/// The landings of a rotation that was planned, in its order. What the policy says of a store may have changed since,
/// such as its credential; which places there are may not.
fn landings<'p>(plan: &'p Plan, rotation: &Rotation) -> Result<Vec<&'p Landing>> {
    let find = |name: &str| plan.landings.iter().find(|landing| landing.claim == name);
    let found: Option<Vec<_>> = rotation.frozen.stores.iter().map(|target| find(&target.name)).collect();
    found.ok_or_else(|| {
        let names: Vec<_> = rotation.frozen.stores.iter().map(|target| target.name.as_str()).collect();
        usage(format!(
            "the policy has lost a place of this rotation, which was planned with {}: put it back, or abort the rotation",
            names.join(", ")
        ))
    })
}

/// The parts of an administrator's credential: the whole of it where there is one, else a JSON object of texts.
pub(super) fn parts(names: &[String], found: &Secret) -> Option<BTreeMap<String, Secret>> {
    if let [name] = names {
        return Some(BTreeMap::from([(name.clone(), found.clone())]));
    }
    let given: BTreeMap<String, Zeroizing<String>> = serde_json::from_slice(found.expose()).ok()?;
    let part = |name: &String| Some((name.clone(), Secret::new(given.get(name)?.as_bytes())));
    names.iter().map(part).collect()
}

/// Proofs that neither provider nor person gives.
struct Gathered<'a> {
    desk: &'a Desk<'a>,
    id: RotationId,
    landings: Vec<&'a Landing>,
    plan: &'a Plan,
}

impl Proofs for Gathered<'_> {
    fn says(&self, proof: Proof, rotation: &Rotation) -> Option<Use> {
        let quiet = |holds: bool| if holds { Use::Quiet(proof) } else { Use::Unproved };
        match proof {
            Proof::Rollout => self.rollout().map(quiet),
            Proof::Smoke => self.smoke().map(quiet),
            Proof::Gateway => self.gateway(rotation),
            // People and providers speak for themselves.
            Proof::Usage | Proof::LastUsed | Proof::Ack | Proof::Timer => None,
        }
    }
}

impl Gathered<'_> {
    /// When the logs of the key's gateways last told of the old key, and how far they reach.
    fn gateway(&self, rotation: &Rotation) -> Option<Use> {
        let value = self.desk.value(self.id, &rotation.old.id);
        let seen = traffic::seen(self.desk, rotation, value.as_ref()).unwrap_or_else(|error| {
            output::tell(&format!("{}: the gateways' logs prove nothing: {error:#}", rotation.lineage));
            None
        })?;
        let moment = |seconds: i64| Moment(seconds.saturating_mul(1000));
        let (last, watermark) = (seen.last.map(moment), moment(seen.watermark));
        Some(Use::Seen { proof: Proof::Gateway, last, watermark })
    }

    /// Whether every Deployment that is named runs with the new key; none where a place has readers that nobody names.
    fn rollout(&self) -> Option<bool> {
        let mut complete = true;
        for landing in &self.landings {
            let Spec::Kubernetes(spec) = &landing.spec else { return None };
            let rollout = Rollout::new(spec, &landing.place, Arc::clone(&self.desk.office.doors)).ok()??;
            let call = Call { deadline: Instant::now() + READ };
            complete &= rollout.complete(call).unwrap_or(false);
        }
        (!self.landings.is_empty()).then_some(complete)
    }

    /// Programs are started on Unix alone.
    #[cfg(not(unix))]
    fn smoke(&self) -> Option<bool> {
        None
    }

    /// Whether every smoke test passes. It gets the lineage's name and no key.
    #[cfg(unix)]
    fn smoke(&self) -> Option<bool> {
        let policy = &self.desk.organisation.policy;
        let key = policy.key(&self.plan.lineage)?;
        let names = policy.resolve(key).smoke.value;
        let input = serde_json::json!({ "version": 1, "verb": "smoke", "lineage": self.plan.lineage });
        let input = Secret::new(format!("{input}\n").as_bytes());
        for name in &names {
            let hook = policy.file.hook.get(name)?;
            let deadline = Instant::now() + Duration::from_secs(hook.timeout.as_secs());
            let ended = Program::new(&hook.run).ok()?.run(&input, deadline);
            if !ended.is_ok_and(|ended| ended.code == Some(0)) {
                return Some(false);
            }
        }
        (!names.is_empty()).then_some(true)
    }
}
