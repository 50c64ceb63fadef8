//! From a policy to a plan: what would be done for one key, in which order, where, and what it needs of people.

mod course;
mod freeze;
mod landing;
mod runbook;
#[cfg(test)]
mod tests;
mod words;

pub(super) use course::proof;
pub use course::{Step, course};
#[cfg(test)]
pub(super) use freeze::by_hand as powers_by_hand;
pub use landing::{Landing, spec};
pub(super) use words::shown;

use crate::rotate::inventory::Key;
use crate::rotate::machine::{Does, Frozen, KeyId, Kind, Path, Person, Rotation, apply};
use crate::rotate::policy::check::{Facts, Weight, check};
use crate::rotate::policy::{Policy, Reference};
use crate::rotate::provider::powers;
use crate::rotate::roles::Pair;
use crate::rotate::time::Moment;
use crate::rule::{Calls, Capabilities, Native};
use std::collections::BTreeMap;

/// Who makes and removes keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The provider's own calls.
    Calls,
    /// A person, who is asked and whose work is proved.
    ByHand,
    /// Two roles of a database take turns.
    Roles,
}

/// What is known of a key beside the policy.
#[derive(Clone, Debug)]
pub struct Known {
    /// Why it is rotated.
    pub kind: Kind,
    /// The provider's id of the current value, by the journal.
    pub current: Option<KeyId>,
    /// The generation of the current value, by the journal; 1 before the first rotation.
    pub generation: u64,
}

/// A plan. Holds no secret, and nothing was done yet.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The lineage.
    pub lineage: String,
    /// The rule that knows such keys.
    pub rule: String,
    /// The provider.
    pub provider: String,
    /// Who answers for the key.
    pub owners: Vec<String>,
    /// Who may approve.
    pub approvers: Vec<String>,
    /// Who reads the key, and who can say that they have the new one.
    pub consumers: Vec<(String, Option<String>)>,
    /// Why it is rotated.
    pub kind: Kind,
    /// Who makes and removes keys.
    pub way: Way,
    /// Where the credential is that makes and removes keys.
    pub admin: Option<Reference>,
    /// The provider's own calls; where people make the keys, those that switch them off and on.
    pub calls: Calls,
    /// The roles that take turns, if they do.
    pub roles: Option<Pair>,
    /// What those calls ask for, such as a project id.
    pub asked: BTreeMap<String, String>,
    /// Where the new key lands, in order.
    pub landings: Vec<Landing>,
    /// What a person should know of it beside the steps, a sentence each.
    pub notes: Vec<String>,
    /// Why it cannot begin, a sentence each.
    pub gaps: Vec<String>,
    planned: Rotation,
}

/// There is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No key of that id.
    #[error("the policy has no key `{0}`; `keywheel inventory list` names them")]
    NoKey(String),
}

impl Plan {
    /// The plan for a key.
    ///
    /// # Errors
    /// [`PlanError::NoKey`]. Whatever else keeps the rotation from beginning stands in [`Plan::gaps`].
    pub fn new(policy: &Policy, facts: Facts<'_>, id: &str, known: &Known) -> Result<Plan, PlanError> {
        let key = policy.key(id).ok_or_else(|| PlanError::NoKey(id.to_owned()))?;
        let resolved = policy.resolve(key);
        let able = facts.catalogue.capabilities(key.rule.as_str());
        let way = way(key, able);
        let mut gaps: Vec<String> = check(policy, facts)
            .into_iter()
            .filter(|f| f.code.weight() == Weight::Error && f.keys.iter().any(|k| k == id))
            .map(|f| format!("{}: {}; {}", f.code, f.message, f.code.cure()))
            .collect();
        let mut landings = Vec::new();
        for target in &key.stores {
            match Landing::new(&policy.file, key, target) {
                Ok(landing) => landings.push(landing),
                Err(why) => gaps.push(why),
            }
        }
        let stores = landings.iter().map(Landing::target).collect();
        let frozen = freeze::freeze(key, &resolved, able, way, stores);
        let named = || key.key_id.as_ref().map(|id| KeyId(id.as_str().to_owned()));
        let old = known.current.clone().or_else(named);
        if old.is_none() && way != Way::ByHand {
            gaps.push("what the provider calls the key is not known: give it in `key-id`".to_owned());
        }
        let old = old.unwrap_or_else(|| KeyId(format!("{id}#{}", known.generation)));
        let mut planned = Rotation::plan(id, known.generation + 1, frozen, old, true, Moment(0));
        if known.kind == Kind::Emergency {
            let does = Does::Emergency { capped: false };
            let person = Person { by: String::new(), does };
            if let Ok(hurried) = apply(&planned, &crate::rotate::machine::Event::Person(person), Moment(0)) {
                planned = hurried;
            }
        }
        let calls = match way {
            Way::Calls => able.and_then(|able| able.calls.as_deref()).cloned().unwrap_or_default(),
            Way::ByHand => switching(key, able),
            Way::Roles => Calls::default(),
        };
        let asked = unasked(key, &calls, &mut gaps);
        let names = |list: &[crate::rotate::policy::Name]| list.iter().map(ToString::to_string).collect();
        let admin = key.admin.as_ref().and_then(|name| policy.file.admin.get(name));
        let said = names(&resolved.owners.value);
        Ok(Plan {
            lineage: id.to_owned(),
            rule: key.rule.to_string(),
            provider: key.provider.to_string(),
            owners: key.owner.as_ref().map_or(said, |owner| vec![owner.to_string()]),
            approvers: names(&resolved.approvers.value),
            consumers: key
                .consumers
                .iter()
                .map(|c| (c.name.to_string(), c.owner.as_ref().map(ToString::to_string)))
                .collect(),
            kind: known.kind,
            way,
            admin: admin.map(|admin| admin.credential.clone()),
            calls,
            roles: key.roles.as_ref().filter(|_| way == Way::Roles).and_then(|roles| roles.pair().ok()),
            asked,
            landings,
            notes: Vec::new(),
            gaps,
            planned,
        })
    }

    /// The frozen policy.
    pub fn frozen(&self) -> &Frozen {
        &self.planned.frozen
    }

    /// What the provider calls the key that goes.
    pub fn old(&self) -> &KeyId {
        &self.planned.old.id
    }

    /// The generation of the key that comes.
    pub fn generation(&self) -> u64 {
        self.planned.generation
    }

    /// What approvals are bound to, and `apply` may be held to.
    pub fn hash(&self) -> String {
        self.planned.plan_hash()
    }

    /// Whether calls switch a key off and on again that a person made.
    pub fn switches(&self) -> bool {
        self.way == Way::ByHand && self.calls.disable.is_some() && self.calls.enable.is_some()
    }

    /// The lineage as the machine would find it.
    pub fn rotation(&self) -> &Rotation {
        &self.planned
    }

    /// Who makes the keys of a rotation that was planned before: the rule may have got calls since.
    pub fn way_of(&self, rotation: &Rotation) -> Way {
        let by_hand = freeze::by_hand(rotation.powers().propagation);
        if *rotation.powers() == by_hand {
            return Way::ByHand;
        }
        self.way
    }

    /// References of the stores, which no other lineage may use.
    pub fn claims(&self) -> Vec<String> {
        self.landings.iter().map(|landing| landing.claim.clone()).collect()
    }

    /// How many approvals it waits for.
    pub fn approvals(&self) -> u8 {
        match self.kind {
            Kind::Scheduled => self.frozen().approvals,
            Kind::Emergency => self.frozen().emergency.approvals,
        }
    }

    /// Whether readers are cut off between the old key's end and the new one's arrival.
    pub fn cuts_off(&self) -> bool {
        self.planned.path() == Path::RevokeFirst
    }
}

/// Who makes the keys of a lineage: roles, where two are named that may take turns; calls, where the rule declares them and nobody outside brings the keys.
fn way(key: &Key, able: Option<&Capabilities>) -> Way {
    let native = able.and_then(|able| able.native);
    if let (Some(Native::PostgresRoles), Some(Ok(_)), false) =
        (native, key.roles.as_ref().map(|roles| roles.pair()), key.is_byok())
    {
        return Way::Roles;
    }
    match able.and_then(powers) {
        Some(_) if !key.is_byok() => Way::Calls,
        _ => Way::ByHand,
    }
}

/// The calls that switch keys off and on which people make; none where an administrator or something that they ask for
/// is not named, or where somebody outside makes the keys.
fn switching(key: &Key, able: Option<&Capabilities>) -> Calls {
    let calls = able.and_then(|able| able.calls.as_deref());
    let calls = calls.filter(|calls| calls.disable.is_some() && calls.enable.is_some());
    let named = |calls: &&Calls| {
        key.admin.is_some()
            && !key.is_byok()
            && calls.ask.keys().all(|name| key.ask.contains_key(name.as_str()))
    };
    calls.filter(named).cloned().unwrap_or_default()
}

/// The names that the calls ask for and the key does not give, and those that it gives for nothing.
fn unasked(key: &Key, calls: &Calls, gaps: &mut Vec<String>) -> BTreeMap<String, String> {
    for (name, what) in &calls.ask {
        if !key.ask.contains_key(name.as_str()) {
            gaps.push(format!("the provider's calls need `{name}` ({what}): give it in `ask`"));
        }
    }
    let known = key.ask.iter().filter(|(name, _)| calls.ask.contains_key(name.as_str()));
    known.map(|(name, value)| (name.to_string(), value.as_str().to_owned())).collect()
}
