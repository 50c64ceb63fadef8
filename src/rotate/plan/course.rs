//! The course of a rotation in which nothing goes wrong: the machine itself is asked, and answered as a provider and
//! stores would that do what they say. So a plan tells the steps that will be taken, and no others.

use super::{Plan, Way};
use crate::rotate::machine::{
    Action, Ask, Does, Effect, Event, Export, Ground, Holds, KeyId, Keys, Life, Outcome, Path, Person, Phase,
    Proof, Read, Rotation, Sees, Snapshot, Standing, Swept, Usage, Use, Which, apply, next,
};
use crate::rotate::time::{Moment, Span};
use serde::Serialize;

/// Most actions of a course: polls of a long overlap count each.
const MOST: usize = 50_000;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// When it begins, counted from the start.
    pub after: Span,
    /// Its phase.
    pub phase: Phase,
    /// Whether it changes something outside.
    pub changes: bool,
    /// How long it takes, if it is a wait.
    pub lasts: Span,
    /// What is done, in words.
    pub text: String,
}

/// The steps of a plan.
pub fn course(plan: &Plan) -> Vec<Step> {
    let mut walk = Walk { plan, now: Moment(0), writes: 0, steps: Vec::new() };
    let mut r = plan.rotation().clone();
    for _ in 0..MOST {
        let action = next(&r, walk.now);
        if let Action::Finish(_) = action {
            break;
        }
        match walk.take(&r, &action) {
            Some(after) => r = after,
            None => break,
        }
    }
    walk.steps
}

struct Walk<'a> {
    plan: &'a Plan,
    now: Moment,
    writes: u64,
    steps: Vec<Step>,
}

impl Walk<'_> {
    /// The state after an action; none if the course ends with it.
    fn take(&mut self, r: &Rotation, action: &Action) -> Option<Rotation> {
        match action {
            Action::Begin => self.then(r, &[Event::Leased]),
            Action::Advance => self.then(r, &[Event::Advanced]),
            Action::Wait(until) => {
                let lasts = until.since(self.now);
                self.tell(r, false, lasts, waiting(r));
                self.now = *until;
                Some(r.clone())
            }
            Action::Read(read) => {
                self.tell(r, false, Span::ZERO, self.reading(r, *read));
                let answer = self.answer(r, *read);
                self.then(r, &answer)
            }
            Action::Effect(effect) => {
                self.tell(r, true, Span::ZERO, self.changing(r, effect));
                let outcome = match effect {
                    Effect::Create(_) => Outcome::Created(KeyId("new".to_owned())),
                    Effect::Write(_) | Effect::Promote(_) | Effect::Restore(_) => {
                        self.writes += 1;
                        Outcome::Stored(format!("v{}", self.writes))
                    }
                    Effect::Disable(_) | Effect::Enable(_) | Effect::Delete(_) => Outcome::Changed,
                };
                self.then(r, &[Event::Intended(effect.clone()), Event::Outcome(outcome)])
            }
            Action::Ask(Ask::Approve(n)) => {
                let who = self.plan.approvers.join(", ");
                self.tell(r, false, Span::ZERO, format!("wait for {n} approvals of {who}"));
                let approve = |n| person(&format!("approver {n}"), Does::Approve(r.plan_hash()));
                self.then(r, &(0..*n).map(approve).collect::<Vec<_>>())
            }
            Action::Ask(Ask::Resolve(halt)) => {
                self.tell(r, false, Span::ZERO, halt.words());
                None
            }
            Action::Reconcile(_) | Action::Finish(_) => None,
        }
    }

    fn then(&self, r: &Rotation, events: &[Event]) -> Option<Rotation> {
        events.iter().try_fold(r.clone(), |r, event| apply(&r, event, self.now).ok())
    }

    /// What a read finds where everything is as it should be.
    fn answer(&self, r: &Rotation, read: Read) -> Vec<Event> {
        let one = match read {
            Read::Staging => Event::Staging(true),
            Read::Ground => Event::Ground(Ground::Firm),
            Read::Keys => Event::Keys(Keys::Listed {
                snapshot: Snapshot { ids: vec![r.old.id.clone()], mark: Some("before".to_owned()) },
                slot_in_use: false,
            }),
            Read::Store(i) => {
                let place = &r.places[i];
                let sees = match place.holds {
                    _ if !r.frozen.stores[i].readable => Sees::Blind,
                    Holds::New => Sees::New,
                    Holds::Pending => Sees::Pending,
                    Holds::Old | Holds::Former | Holds::Unsure => Sees::Old,
                };
                let version = place.version.clone().unwrap_or_else(|| "v0".to_owned());
                Event::Store { store: i, sees, version: Some(version) }
            }
            Read::Verify(which) => {
                let ends = r.new.as_ref().map(|new| new.changed + r.powers().native_overlap);
                let ended = r.powers().class.in_place() && ends.is_some_and(|at| self.now >= at);
                let dead = which == Which::Old && (r.old.standing != Standing::Enabled || ended);
                Event::Life { which, life: if dead { Life::Dead } else { Life::Live } }
            }
            Read::Drain => return self.drain(r),
            Read::Usage if r.powers().usage => {
                Event::Usage(Usage::Kept { digest: String::new(), through: self.now })
            }
            Read::Usage => Event::Usage(Usage::None),
            Read::Sweep => Event::Swept(Swept::Ours(Vec::new())),
        };
        vec![one]
    }

    fn drain(&self, r: &Rotation) -> Vec<Event> {
        let can = |proof: &&Proof| match proof {
            Proof::Usage | Proof::LastUsed => self.turns() || r.powers().list || r.powers().usage,
            Proof::Ack => r.frozen.acks > 0,
            Proof::Rollout | Proof::Gateway | Proof::Smoke | Proof::Timer => true,
        };
        match r.frozen.proofs.iter().find(can) {
            Some(proof @ (Proof::Usage | Proof::LastUsed)) if self.turns() => {
                vec![Event::Drain(Use::Now { proof: *proof, busy: false })]
            }
            Some(proof @ (Proof::Usage | Proof::LastUsed)) => {
                vec![Event::Drain(Use::Seen { proof: *proof, last: None, watermark: self.now })]
            }
            Some(proof @ (Proof::Rollout | Proof::Gateway | Proof::Smoke)) => {
                vec![Event::Drain(Use::Quiet(*proof))]
            }
            Some(Proof::Ack) => {
                let ack = |n| person(&format!("owner {n}"), Does::Ack(r.plan_hash()));
                (0..r.frozen.acks).map(ack).collect()
            }
            Some(Proof::Timer) | None => vec![Event::Drain(Use::Unproved)],
        }
    }

    /// Writes a step down, each kind once a phase: polls and tries repeat.
    fn tell(&mut self, r: &Rotation, changes: bool, lasts: Span, text: String) {
        let same = |s: &&mut Step| s.phase == r.phase && s.text == text;
        match self.steps.iter_mut().rev().take_while(|s| s.phase == r.phase).find(same) {
            Some(step) if !changes => step.lasts = Span(step.lasts.0.saturating_add(lasts.0)),
            _ => {
                let after = self.now.since(Moment(0));
                self.steps.push(Step { after, phase: r.phase, changes, lasts, text });
            }
        }
    }

    /// Whether two roles take turns.
    fn turns(&self) -> bool {
        self.plan.way == Way::Roles
    }

    fn store(&self, i: usize) -> String {
        self.plan.landings.get(i).map_or_else(|| format!("store {i}"), |landing| landing.claim.clone())
    }

    fn reading(&self, r: &Rotation, read: Read) -> String {
        match read {
            Read::Staging => {
                let staging = r.frozen.staging.as_ref().map_or("-", |s| s.lineage.as_str());
                format!("see that the key of {staging} was rotated and works")
            }
            Read::Ground => "try the sealing key, and see that no other lineage uses the stores".to_owned(),
            Read::Keys => "list the keys".to_owned(),
            Read::Store(i) if r.phase == Phase::Preflight => {
                format!("see that {} holds the old key", self.store(i))
            }
            Read::Store(i) => format!("read {} back", self.store(i)),
            Read::Verify(which) => format!("try the {which} key"),
            Read::Drain => {
                let word = |p: &Proof| match p {
                    Proof::Usage | Proof::LastUsed if self.turns() => {
                        "no session of its role for the quiet time"
                    }
                    other => proof(*other),
                };
                let mut list: Vec<_> = r.frozen.proofs.iter().map(word).collect();
                list.dedup();
                format!("prove that nobody uses the old key: {}", list.join(", or "))
            }
            Read::Usage if r.powers().usage => "export the old key's use".to_owned(),
            Read::Usage if r.frozen.export == Export::Required => {
                "export the old key's use, which the provider does not give".to_owned()
            }
            Read::Usage => "note that the provider gives no use by key".to_owned(),
            Read::Sweep => "look for keys that are left over".to_owned(),
        }
    }

    fn changing(&self, r: &Rotation, effect: &Effect) -> String {
        let by_hand = self.plan.way == Way::ByHand;
        match effect {
            Effect::Create(_) if by_hand => {
                "take the new key, which a person makes at the provider and brings".to_owned()
            }
            Effect::Create(_) if r.powers().class.in_place() => {
                format!("change the key in place; its old value ends {} later", r.powers().native_overlap)
            }
            Effect::Create(_) if self.turns() => {
                "give the idle role a new password, which the server never sees, and let it sign in"
                    .to_owned()
            }
            Effect::Create(_) => "make a new key".to_owned(),
            Effect::Write(i) if r.frozen.stores[*i].staged => {
                format!("write the new key to {}, still unseen by its readers", self.store(*i))
            }
            Effect::Write(i) => format!("write the new key to {}", self.store(*i)),
            Effect::Promote(i) => format!("give the new key to the readers of {}", self.store(*i)),
            Effect::Restore(i) => format!("write the old key back to {}", self.store(*i)),
            Effect::Disable(_) if self.turns() => {
                "let the old role sign in no more, and end its sessions".to_owned()
            }
            Effect::Disable(_) => "switch the old key off".to_owned(),
            Effect::Enable(_) => "switch the old key on again".to_owned(),
            Effect::Delete(_) if by_hand => {
                "prove that a person deleted the old key at the provider".to_owned()
            }
            Effect::Delete(_) if self.turns() => {
                "take the old role's password away; the role stays for the next rotation".to_owned()
            }
            Effect::Delete(_) if r.path() == Path::RevokeFirst && !r.powers().disable => {
                "delete the old key, which cannot be switched off".to_owned()
            }
            Effect::Delete(_) => "delete the old key".to_owned(),
        }
    }
}

fn waiting(r: &Rotation) -> String {
    match r.phase {
        Phase::Overlap => "let both keys work".to_owned(),
        Phase::Disabled => "leave the old key switched off, from where it can come back".to_owned(),
        Phase::Deleting => "let the provider's list catch up".to_owned(),
        _ => "let the provider catch up".to_owned(),
    }
}

/// A proof of drain, in words.
pub(in crate::rotate) fn proof(proof: Proof) -> &'static str {
    match proof {
        Proof::Usage => "the provider's figures of use",
        Proof::LastUsed => "the provider's time of last use",
        Proof::Rollout => "all consumers were started anew",
        Proof::Gateway => "a gateway's logs",
        Proof::Ack => "the word of each consumer's owner",
        Proof::Smoke => "a smoke test",
        Proof::Timer => "time alone, which proves nothing",
    }
}

fn person(by: &str, does: Does) -> Event {
    Event::Person(Person { by: by.to_owned(), does })
}
