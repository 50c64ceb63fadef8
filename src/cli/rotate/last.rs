//! When keys were used last, by the lists and reads that rules declare for rotation. Nothing is changed.

use super::asker::Asker;
use super::desk::{self, declared};
use super::world::World;
use crate::cli::organisation::Organisation;
use crate::cli::usage;
use anyhow::Result;
use keywheel::config::Config;
use keywheel::rotate::Provider;
use keywheel::rotate::engine::{Answer, Call, Used};
use keywheel::rotate::machine::{KeyId, Kind};
use keywheel::rotate::plan::Plan;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Longest time of one read.
const READ: Duration = Duration::from_secs(60);

/// Keys of one rule under one credential and in one project, which are told together: rule, credential, what is asked.
type Group = (String, String, BTreeMap<String, String>);

/// What one administrator's credential tells of the keys of one rule.
pub(crate) struct LastUses {
    /// The rule and the name of the credential.
    pub(crate) source: String,
    /// The provider.
    pub(crate) provider: String,
    /// By what the provider calls the key: seconds since 1970, 0 for never; or why nothing was told.
    pub(crate) told: Result<BTreeMap<String, i64>>,
}

/// Asks for each kind of key of the policy whose rule declares such a read and whose administrator is named.
pub(crate) fn last_uses(
    organisation: &Organisation,
    config: Config,
    internal: &[String],
) -> Result<Vec<LastUses>> {
    let mut groups: BTreeMap<Group, (Plan, BTreeSet<String>)> = BTreeMap::new();
    for key in &organisation.policy.file.key {
        let Some(admin) = &key.admin else { continue };
        let plan = desk::plan(organisation, None, key.id.as_str(), Kind::Scheduled)?;
        let lists = plan.calls.list.as_ref().is_some_and(|list| list.capture.contains_key("used"));
        if !lists && plan.calls.last_used.is_none() {
            continue;
        }
        let group = (plan.rule.clone(), admin.to_string(), plan.asked.clone());
        let (_, names) = groups.entry(group).or_insert((plan, BTreeSet::new()));
        names.extend(key.known_as.iter().map(ToString::to_string));
        names.extend(key.key_id.iter().map(ToString::to_string));
    }
    let asker = Asker::new(&organisation.rules, config, internal);
    let one = |((rule, admin, _), (plan, names)): (Group, (Plan, BTreeSet<String>))| LastUses {
        source: format!("{rule}-last-used@{admin}"),
        provider: plan.provider.clone(),
        told: told(&asker, &plan, &names),
    };
    Ok(groups.into_iter().map(one).collect())
}

fn told(asker: &Asker, plan: &Plan, names: &BTreeSet<String>) -> Result<BTreeMap<String, i64>> {
    let doors = World::new(None);
    asker.with(|asking| {
        let provider = declared(&doors, asking, plan)?;
        let call = || Call { deadline: Instant::now() + READ };
        let mut told = BTreeMap::new();
        if plan.calls.list.as_ref().is_some_and(|list| list.capture.contains_key("used")) {
            for key in done(provider.list(call()))? {
                put(&mut told, &key.id, key.used);
            }
            return Ok(told);
        }
        for name in names {
            let id = KeyId(name.clone());
            let (used, _) = done(provider.last_used(call(), &id))?;
            put(&mut told, &id, used);
        }
        Ok(told)
    })
}

fn put(told: &mut BTreeMap<String, i64>, id: &KeyId, used: Used) {
    let at = match used {
        Used::Never => 0,
        Used::At(at) => at.0.div_euclid(1000).max(0),
        // Neither use nor silence follows.
        Used::Unsaid | Used::Now(_) => return,
    };
    told.insert(id.0.clone(), at);
}

fn done<T>(answer: Answer<T>) -> Result<T> {
    match answer {
        Answer::Done(value) => Ok(value),
        Answer::Refused(_, words) | Answer::Unknown(words) => Err(usage(words)),
    }
}
