//! The keys that providers list, by the credentials of the policy.

use super::super::asker::Asker;
use super::super::desk;
use super::super::world::World;
use super::DiscoverArgs;
use crate::cli::organisation::Organisation;
use crate::cli::verify::Asking;
use crate::cli::{signal, usage};
use anyhow::Result;
use keywheel::model::Secret;
use keywheel::rotate::Provider;
use keywheel::rotate::engine::{Answer, Call, Listed, Used};
use keywheel::rotate::inventory::discover::{KeyList, Missed, Shown};
use keywheel::rotate::policy::Admin;
use keywheel::rotate::provider::Declared;
use keywheel::rotate::store::Doors;
use keywheel::rule::Calls;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Longest time of one list, all of its pages together.
const LIST: Duration = Duration::from_secs(120);
/// Most keys whose last use is asked for one by one.
const MOST_ASKED: usize = 200;

/// What a rule's calls ask for.
type Asked = BTreeMap<String, String>;

/// Asks the providers of all administrators' credentials.
pub(super) fn ask(args: &DiscoverArgs, organisation: &Organisation, shown: &mut Shown) -> Result<()> {
    let admins = &organisation.policy.file.admin;
    if let Some(no) = args.providers.iter().find(|id| !admins.values().any(|a| a.provider.as_str() == **id)) {
        return Err(usage(format!("--provider: the policy has no [admin.NAME] of `{no}`")));
    }
    let set = given(&args.set, organisation)?;
    let asker = args.ask.asker(organisation)?;
    for (name, admin) in admins {
        let wanted =
            args.providers.is_empty() || args.providers.iter().any(|id| admin.provider.as_str() == id);
        if wanted && signal::caught().is_none() {
            one(organisation, &asker, &set, name.as_str(), admin, shown)?;
        }
    }
    Ok(())
}

/// What `--set` says, by rule.
fn given(set: &[String], organisation: &Organisation) -> Result<BTreeMap<String, Asked>> {
    let mut out: BTreeMap<String, Asked> = BTreeMap::new();
    for text in set {
        let read = text.split_once('=').and_then(|(what, value)| {
            let (rule, name) = what.rsplit_once('.')?;
            let calls = organisation.facts(None).catalogue.capabilities(rule)?.calls.as_deref()?;
            calls.ask.contains_key(name).then_some((rule, name, value))
        });
        let (rule, name, value) = read.ok_or_else(|| {
            usage(format!(
                "--set `{text}` is no RULE.NAME=VALUE that a rule's calls ask for; see `keywheel rules show RULE`"
            ))
        })?;
        out.entry(rule.to_owned()).or_default().insert(name.to_owned(), value.to_owned());
    }
    Ok(out)
}

/// Reads every list that one credential opens.
fn one(
    organisation: &Organisation,
    asker: &Asker,
    set: &BTreeMap<String, Asked>,
    name: &str,
    admin: &Admin,
    shown: &mut Shown,
) -> Result<()> {
    let what = format!("admin {name}");
    let mut lists = Vec::new();
    let rules = (0..organisation.rules.kinds().len()).map(|kind| organisation.rules.reference(kind));
    for rule in rules.filter(|rule| rule.provider == admin.provider.as_str()) {
        let able = organisation.facts(None).catalogue.capabilities(&rule.id);
        if let Some(calls) = able.and_then(|able| able.calls.as_deref()).filter(|calls| calls.list.is_some())
        {
            lists.push((rule.id.clone(), calls));
        }
    }
    if lists.is_empty() {
        let why = format!("no rule of {} declares a call that lists keys", admin.provider);
        shown.passed.push(Missed { what, why });
        return Ok(());
    }
    let doors = World::new(None);
    let secret = match doors.fetch(&admin.credential.to_string()) {
        Ok(secret) => secret,
        Err(why) => {
            let why = format!("the administrator's credential ({}): {why}", admin.credential);
            shown.failed.push(Missed { what, why });
            return Ok(());
        }
    };
    let only = lists.len() == 1;
    for (rule, calls) in lists {
        let used = organisation.policy.file.key.iter().any(|key| key.rule.as_str() == rule);
        // What belongs to a kind of key that nobody uses is no failure.
        let miss = |shown: &mut Shown, why: String| {
            let missed = Missed { what: format!("{rule} by {what}"), why };
            if used || only { shown.failed.push(missed) } else { shown.passed.push(missed) }
        };
        let names: Vec<String> = calls.admin.keys().cloned().collect();
        let Some(parts) = desk::parts(&names, &secret) else {
            let names = names.join(", ");
            miss(shown, format!("{} holds no JSON object with the texts {names}", admin.credential));
            continue;
        };
        for asked in asked(organisation, name, &rule, calls, set) {
            if let Some((name, what)) = calls.ask.iter().find(|(name, _)| !asked.contains_key(*name)) {
                miss(shown, format!("its calls ask for `{name}` ({what}): --set {rule}.{name}=…"));
                continue;
            }
            let list = asker.with(|asking| Ok(read(asking, &rule, parts.clone(), &asked, calls)))?;
            let of = match asked.values().map(String::as_str).collect::<Vec<_>>().join(", ") {
                asked if asked.is_empty() => format!("{rule} by {what}"),
                asked => format!("{rule} by {what} ({asked})"),
            };
            match list {
                Ok((keys, untold)) => {
                    shown.failed.extend(untold.map(|why| Missed { what: format!("last use of {of}"), why }));
                    let usual = organisation.rules.declared(&rule).map(|d| d.rule.env).unwrap_or_default();
                    let (admin, provider) = (name.to_owned(), admin.provider.to_string());
                    shown.lists.push(KeyList {
                        admin,
                        provider,
                        rule: rule.clone(),
                        ask: asked,
                        usual,
                        keys,
                    });
                }
                // A credential of another kind than a rule wants is refused there.
                Err(why) => {
                    let missed = Missed { what: of, why };
                    if used || only { shown.failed.push(missed) } else { shown.passed.push(missed) }
                }
            }
        }
    }
    Ok(())
}

/// What the calls of a rule are to ask for: as the command line says, else as each key of the inventory does.
fn asked(
    organisation: &Organisation,
    admin: &str,
    rule: &str,
    calls: &Calls,
    set: &BTreeMap<String, Asked>,
) -> Vec<Asked> {
    let set = set.get(rule).cloned().unwrap_or_default();
    let keys = organisation.policy.file.key.iter();
    let mine = keys
        .filter(|key| key.rule.as_str() == rule && key.admin.as_ref().is_some_and(|a| a.as_str() == admin));
    let known = mine.map(|key| {
        let own = key.ask.iter().filter(|(name, _)| calls.ask.contains_key(name.as_str()));
        let mut asked: Asked =
            own.map(|(name, value)| (name.to_string(), value.as_str().to_owned())).collect();
        asked.extend(set.clone());
        asked
    });
    let known: BTreeSet<Asked> = known.collect();
    if known.is_empty() { vec![set] } else { known.into_iter().collect() }
}

/// The keys, and why the last use of some is not known.
fn read(
    asking: &Asking<'_>,
    rule: &str,
    parts: BTreeMap<String, Secret>,
    asked: &Asked,
    calls: &Calls,
) -> Result<(Vec<Listed>, Option<String>), String> {
    let provider = Declared::new(asking.verifier, rule, parts, asked).map_err(|e| e.to_string())?;
    let call = || Call { deadline: Instant::now() + LIST };
    let mut keys = done(provider.list(call()))?;
    let listed = calls.list.as_ref().is_some_and(|list| list.capture.contains_key("used"));
    let mut untold = None;
    if !listed && calls.last_used.is_some() {
        let open = keys.iter_mut().filter(|key| key.used == Used::Unsaid);
        for (n, key) in open.enumerate() {
            if n == MOST_ASKED {
                untold = Some(format!("only the first {MOST_ASKED} keys were asked about"));
                break;
            }
            match done(provider.last_used(call(), &key.id)) {
                Ok((used, _)) => key.used = used,
                Err(why) => {
                    untold = Some(why);
                    break;
                }
            }
        }
    }
    Ok((keys, untold))
}

fn done<T>(answer: Answer<T>) -> Result<T, String> {
    match answer {
        Answer::Done(value) => Ok(value),
        Answer::Refused(_, words) | Answer::Unknown(words) => Err(words),
    }
}
