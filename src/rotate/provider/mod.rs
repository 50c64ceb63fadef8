//! The provider of a lineage as its rule declares it: `[rule.rotate.calls]` run over the network.
//!
//! Each method makes at most one change and sends it once. What is not proved by an answer that the rule declares is
//! unknown, and the engine finds out by the class's own way. A change that was surely never sent is refused, so that
//! it may be made later. Words for a person hold no value of any kind.

mod change;
mod powers;
mod read;
mod value;

pub use powers::powers;

use crate::call::{
    CallError, Caller, Clock, Effect, Hosts, Origin, Outcome, Step, StepError, Stopped, Transport, Values,
};
use crate::model::{Secret, Validity};
use crate::rotate::engine::{Answer, Call, Figures, Listed, Made, Provider, Used, Wish};
use crate::rotate::machine::{KeyId, Life, Refusal};
use crate::rotate::time::Moment;
use crate::rule::{Calls, Capabilities, Declared as Stated};
use crate::verify::Verifier;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

/// What the provider of a rule's credentials does, by the rule's own calls.
pub struct Declared<'a> {
    verifier: &'a Verifier<'a>,
    stated: Stated,
    head: Capabilities,
    calls: Calls,
    given: Values,
    asked: Values,
    said: RefCell<Option<String>>,
}

/// Why a rule's keys cannot be turned over by calls. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// No such rule.
    #[error("there is no rule `{0}`; `keywheel rules list` names them")]
    NoRule(String),
    /// No calls are declared.
    #[error(
        "the rule `{rule}` declares no calls by which its keys are turned over; do it at the provider: {docs}"
    )]
    NoCalls {
        /// The rule.
        rule: String,
        /// The provider's page.
        docs: String,
    },
    /// The facts are not confirmed.
    #[error("the rule `{rule}` is not turned over: {why}")]
    Off {
        /// The rule.
        rule: String,
        /// What is not confirmed.
        why: String,
    },
    /// A part of the administrator's credential is missing.
    #[error("turning over takes the administrator's `{name}`: {what}")]
    NoAdmin {
        /// The name of the part.
        name: String,
        /// What it is.
        what: String,
    },
    /// A part that no call uses.
    #[error("the rule uses no administrator's `{0}`; leave it out")]
    NeedlessAdmin(String),
    /// A name that the operator has to give.
    #[error("the calls need `{name}`: {what}")]
    NotAsked {
        /// The name.
        name: String,
        /// What it is.
        what: String,
    },
    /// A name that nobody asked for.
    #[error("the rule asks for no `{0}`")]
    Unasked(String),
    /// An asked value that is none.
    #[error("the value of `{0}` is empty, has a control character, or holds a credential")]
    Unfit(String),
}

impl<'a> Declared<'a> {
    /// The provider of a rule. `admin` holds the parts of the administrator's credential, `asked` what the rule
    /// asks the operator for. Calls go where the verifier's go, and its checks tell whether a key works.
    ///
    /// # Errors
    /// See [`ProviderError`].
    pub fn new(
        verifier: &'a Verifier<'a>,
        rule: &str,
        admin: BTreeMap<String, Secret>,
        asked: &BTreeMap<String, String>,
    ) -> Result<Self, ProviderError> {
        let mut stated =
            verifier.rules.declared(rule).ok_or_else(|| ProviderError::NoRule(rule.to_owned()))?;
        let no_calls = || {
            let docs = Some(stated.provider.docs.clone()).filter(|d| !d.is_empty());
            ProviderError::NoCalls {
                rule: rule.to_owned(),
                docs: docs.unwrap_or_else(|| "see its console".to_owned()),
            }
        };
        let head = stated.rule.rotate.clone().ok_or_else(no_calls)?;
        if let Some(why) = head.off {
            return Err(ProviderError::Off { rule: rule.to_owned(), why });
        }
        let calls = *head.calls.clone().ok_or_else(no_calls)?;
        if let Some(name) = admin.keys().find(|name| !calls.admin.contains_key(*name)) {
            return Err(ProviderError::NeedlessAdmin(name.clone()));
        }
        if let Some((name, what)) = calls.admin.iter().find(|(name, _)| !admin.contains_key(*name)) {
            return Err(ProviderError::NoAdmin { name: name.clone(), what: what.clone() });
        }
        if let Some(own) = &calls.verify {
            stated.rule.verify = Some(own.clone());
        }
        if let Some(verify) = &mut stated.rule.verify {
            verify.inactive.extend(calls.dead.iter().cloned());
        }
        let asked = answers(&calls, &admin, asked)?;
        let mut given = asked.clone();
        for (name, value) in admin {
            given.set(&name, value);
        }
        Ok(Declared { verifier, stated, head, calls, given, asked, said: RefCell::new(None) })
    }

    /// Now, as it is signed and sent.
    fn now(&self) -> Moment {
        Moment(self.verifier.clock.wall().as_millisecond())
    }

    /// Up to when figures of use are complete.
    fn watermark(&self) -> Moment {
        self.now() - crate::rotate::time::Span::seconds(self.head.lag)
    }

    /// A caller for one method, with the values that every template may use, signed in.
    fn start(&self, call: Call) -> Result<(Caller<'_>, Values), Stopped> {
        let provider = &self.stated.provider;
        let file = (!self.stated.embedded).then_some(self.stated.digest);
        let transport: &dyn Transport = self.verifier.transport;
        let (hosts, clock): (&Hosts, &dyn Clock) = (self.verifier.hosts, self.verifier.clock);
        let caller = Caller {
            transport,
            hosts,
            origin: Origin { provider: &provider.id, hosts: &provider.hosts, file },
            clock,
            each: self.verifier.options.timeout.max(Duration::from_secs(1)),
            until: call.deadline,
        };
        let mut values = self.given.clone();
        value::times(&self.calls, self.verifier.clock.wall(), &mut values);
        caller.reads(&self.calls.login, &mut values)?;
        Ok((caller, values))
    }

    /// Keeps the words of an answer that was not done.
    fn told<T>(&self, answer: Answer<T>) -> Answer<T> {
        if let Answer::Refused(_, words) | Answer::Unknown(words) = &answer {
            self.said.replace(Some(words.clone()));
        }
        answer
    }
}

/// What the operator was asked, checked.
fn answers(
    calls: &Calls,
    admin: &BTreeMap<String, Secret>,
    asked: &BTreeMap<String, String>,
) -> Result<Values, ProviderError> {
    if let Some(name) = asked.keys().find(|name| !calls.ask.contains_key(*name)) {
        return Err(ProviderError::Unasked(name.clone()));
    }
    let mut values = Values::new();
    for (name, what) in &calls.ask {
        let value = asked
            .get(name)
            .ok_or_else(|| ProviderError::NotAsked { name: name.clone(), what: what.clone() })?;
        let telling = admin.values().any(|secret| value::holds(value.as_bytes(), secret.expose()));
        if value.trim().is_empty() || value.chars().any(char::is_control) || telling {
            return Err(ProviderError::Unfit(name.clone()));
        }
        values.set(name, Secret::new(value.as_bytes()));
    }
    Ok(values)
}

/// Why nothing was changed, when a call was never sent or a read before it failed.
fn refusal(why: &StepError) -> Refusal {
    match why {
        StepError::Unproved { effect: Effect::Refused, .. }
        | StepError::Render(_)
        | StepError::Host(_)
        | StepError::Sign(_)
        | StepError::NotFound
        | StepError::Several
        | StepError::Missing(_)
        | StepError::NoList(_) => Refusal::Denied,
        StepError::Unproved { effect: Effect::Full, .. } => Refusal::Quota,
        StepError::Unproved { .. } | StepError::Call(_) | StepError::Endless | StepError::Cut => {
            Refusal::Busy
        }
    }
}

fn stopped<T>(why: &Stopped) -> Answer<T> {
    Answer::Refused(refusal(&why.why), format!("nothing was changed: {why}"))
}

/// What a change came to.
fn changed(result: Result<Outcome, StepError>) -> Answer<Outcome> {
    match result {
        Err(why) if why.is_unsent() => Answer::Refused(refusal(&why), why.to_string()),
        Err(why) => Answer::Unknown(why.to_string()),
        Ok(outcome) => {
            let words = |what: &str| format!("{what} (status {})", outcome.status);
            match outcome.effect {
                Effect::Done | Effect::Already => Answer::Done(outcome),
                Effect::Refused => Answer::Refused(Refusal::Denied, words("the provider refused")),
                Effect::Busy => Answer::Refused(Refusal::Busy, words("the provider asks for a pause")),
                Effect::Full => Answer::Refused(Refusal::Quota, words("the provider has no room")),
                Effect::Unknown => Answer::Unknown(words("the answer proves nothing")),
            }
        }
    }
}

impl Provider for Declared<'_> {
    fn propose(&self) -> Option<Secret> {
        value::propose(&self.calls)
    }

    fn create(&self, call: Call, wish: &Wish<'_>) -> Answer<Made> {
        self.told(self.make(call, wish))
    }

    fn list(&self, call: Call) -> Answer<Vec<Listed>> {
        self.told(self.listed(call))
    }

    fn reveal(&self, call: Call, key: &KeyId) -> Answer<Option<Secret>> {
        self.told(self.revealed(call, key))
    }

    fn verify(&self, _: Call, value: &Secret) -> Life {
        let Some(parts) = value::split(&self.calls, value) else { return Life::Unknown };
        let mut values = self.given.clone();
        values.extend(value::within(&self.stated.rule.pattern, &parts)).extend(parts);
        let (validity, evidence) = self.verifier.alive(&self.stated, &values);
        let why = match validity {
            Validity::Active { .. } => return Life::Live,
            Validity::Inactive => return Life::Dead,
            Validity::Unknown(why) => why.sentence(),
            Validity::NotChecked(why) => why.sentence(),
        };
        let status = evidence.and_then(|e| e.status).map(|status| format!(" (status {status})"));
        self.said.replace(Some(format!("the check of the key: {why}{}", status.unwrap_or_default())));
        Life::Unknown
    }

    fn disable(&self, call: Call, key: &KeyId) -> Answer<()> {
        self.told(self.alter(call, self.calls.disable.as_ref(), key))
    }

    fn enable(&self, call: Call, key: &KeyId) -> Answer<()> {
        self.told(self.alter(call, self.calls.enable.as_ref(), key))
    }

    fn delete(&self, call: Call, key: &KeyId) -> Answer<()> {
        self.told(self.alter(call, self.calls.delete.as_ref(), key))
    }

    fn usage(&self, call: Call, key: &KeyId) -> Answer<Option<Figures>> {
        self.told(self.figures(call, key))
    }

    fn last_used(&self, call: Call, key: &KeyId) -> Answer<(Used, Moment)> {
        self.told(self.used(call, key))
    }

    fn said(&self) -> Option<String> {
        self.said.take()
    }
}

/// A read that failed proves nothing, but for one that was refused.
fn unread<T>(why: &StepError) -> Answer<T> {
    match why {
        StepError::Unproved { effect: Effect::Refused, status } => {
            Answer::Refused(Refusal::Denied, format!("the provider refused (status {status})"))
        }
        StepError::Call(CallError::Refused(words)) => Answer::Unknown(words.clone()),
        why => Answer::Unknown(why.to_string()),
    }
}

/// The first item of a read that has one.
fn first(caller: &Caller<'_>, step: &Step, values: &Values) -> Result<Values, StepError> {
    let mut items = caller.list(step, values)?;
    match (items.pop(), items.is_empty()) {
        (Some((_, captured)), true) => Ok(captured),
        (Some(_), false) => Err(StepError::Several),
        (None, _) => Err(StepError::NotFound),
    }
}
