//! Holding what was shown against the inventory. What is not proved is said to be possible, and no more.

use super::super::{Key, Nearest, Target};
use super::name::{Guess, guess, slug};
use super::{Discovery, Drafted, FILL_IN, KeyList, Lack, Perhaps, Shelved, Shown};
use crate::model::Fingerprint;
use crate::rotate::engine::{Listed, Used, own_names};
use crate::rotate::policy::{Policy, Text};
use crate::rotate::store::Field;
use crate::rotate::time::Moment;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Whether a provider's text looks like a credential of its. The caller gives the detector, of which rotation knows
/// nothing.
pub type Hides<'a> = &'a dyn Fn(&str, &str) -> bool;

/// Holds what was shown against the inventory of a policy.
pub fn discover(policy: &Policy, shown: Shown, hides: Hides<'_>, now: Timestamp) -> Discovery {
    let Shown { lists, places, code, journal, failed, passed } = shown;
    let run = Run { policy, lists: &lists, journal: &journal, hides };
    let mut found = Discovery { failed, passed, ..Discovery::default() };
    let mut taken: BTreeSet<String> = policy.file.key.iter().map(|key| key.id.to_string()).collect();
    // Several rules or credentials may be shown the same key.
    let all = || lists.iter().flat_map(|list| list.keys.iter().map(move |key| (list, key)));
    let same = |list: &'_ KeyList, key: &Listed| (list.provider.clone(), key.id.0.clone(), key.name.clone());
    let is_known =
        |list: &KeyList, key: &Listed| policy.file.key.iter().any(|lineage| run.is_of(list, key, lineage));
    let known: BTreeSet<_> =
        all().filter(|(list, key)| is_known(list, key)).map(|(list, key)| same(list, key)).collect();
    found.known = known.len();
    let mut seen = known;
    for (list, key) in all() {
        if seen.insert(same(list, key)) {
            found.keys.push(run.draft(list, key, &mut taken, now));
        }
    }
    let values = values(policy);
    let unnamed: Vec<&Shelved> = places.iter().filter(|place| !is_named(policy, place)).collect();
    let unknown =
        |place: &&Shelved| place.value.as_ref().is_none_or(|value| !values.contains_key(&value.fingerprint));
    for draft in &mut found.keys {
        let usual = lists.iter().find(|list| list.rule == draft.rule).map_or(&[][..], |list| &list.usual);
        let perhaps =
            unnamed.iter().copied().filter(unknown).filter_map(|place| perhaps(place, &draft.rule, usual));
        draft.perhaps_in = perhaps.collect();
        for gap in code.iter().filter(|gap| gap.rule == draft.rule) {
            draft.perhaps_in_code.extend(gap.spots.iter().cloned());
            if let Some(nearest) = gap.nearest.as_ref().filter(|n| !draft.likely_owners.contains(n)) {
                draft.likely_owners.push(Nearest::clone(nearest));
            }
        }
    }
    for gap in code {
        let same = |place: &&Shelved| {
            place.value.as_ref().is_some_and(|value| value.fingerprint.as_str() == gap.fingerprint)
        };
        let places = places.iter().filter(same).map(Shelved::place).collect();
        let ids: Vec<&str> =
            found.keys.iter().filter(|d| d.rule == gap.rule).map(|d| d.id.as_str()).collect();
        let lists = match (lists.iter().any(|list| list.rule == gap.rule), &ids[..]) {
            (false, _) => format!("no list of such keys of {} was read", gap.provider),
            (true, []) => "the lists show no such key that the inventory does not know: it is gone, or of another account"
                .to_owned(),
            (true, ids) => format!("it may be one of those drafted here ({}): nothing proves which", ids.join(", ")),
        };
        found.gaps.push(Lack::InCode { gap, places, lists });
    }
    found.gaps.extend(policy.file.key.iter().filter_map(|key| run.absent(key)));
    for place in unnamed {
        let holds = place.value.as_ref().and_then(|value| values.get(&value.fingerprint));
        found.gaps.push(Lack::Unnamed {
            store: place.store.clone(),
            path: place.entry.path.clone(),
            field: place.field().map(str::to_owned),
            rule: place.value.as_ref().and_then(|value| value.rule.clone()),
            holds: holds.map(|keys| keys.iter().map(|key| key.id.to_string()).collect()).unwrap_or_default(),
        });
    }
    found.gaps.extend(places.iter().flat_map(|place| other(policy, place)));
    found
}

/// Lineages by the fingerprints of their values.
fn values(policy: &Policy) -> BTreeMap<&Fingerprint, Vec<&Key>> {
    let mut values: BTreeMap<&Fingerprint, Vec<&Key>> = BTreeMap::new();
    for key in &policy.file.key {
        for fingerprint in &key.fingerprints {
            values.entry(fingerprint).or_default().push(key);
        }
    }
    values
}

/// Whether a target of the inventory is this entry, or a field of it whose name is not told.
fn names(target: &Target, place: &Shelved) -> bool {
    let field = target.field.as_ref().map(|field| field.as_str());
    let here = target.store.as_str() == place.store
        && target.path.as_str().trim_matches('/') == place.entry.path.trim_matches('/');
    here && match &place.entry.field {
        Field::Named(name) => {
            field.is_none_or(|field| field.trim_start_matches('/') == name.trim_start_matches('/'))
        }
        Field::Whole | Field::Untold => true,
    }
}

fn is_named(policy: &Policy, place: &Shelved) -> bool {
    policy.file.key.iter().flat_map(|key| &key.stores).any(|target| names(target, place))
}

/// Why a place may hold a key of a rule.
fn perhaps(place: &Shelved, rule: &str, usual: &[String]) -> Option<Perhaps> {
    let last = place.entry.path.rsplit('/').next().unwrap_or_default();
    let name = place.field().map_or(last, |field| field.trim_start_matches('/'));
    let because = match &place.value {
        Some(value) if value.rule.as_deref() == Some(rule) => "it holds such a key",
        None if usual.iter().any(|usual| usual.eq_ignore_ascii_case(name)) => {
            "its name is usual for such keys"
        }
        _ => return None,
    };
    let field = place.field().map(str::to_owned);
    Some(Perhaps { store: place.store.clone(), path: place.entry.path.clone(), field, because })
}

/// A place of lineages that was read and holds none of their values.
fn other(policy: &Policy, place: &Shelved) -> Vec<Lack> {
    let Some(value) = &place.value else { return Vec::new() };
    let lacks = |key: &&Key| {
        let comparable = key.fingerprints.iter().any(|f| f.key_id() == value.fingerprint.key_id());
        comparable && !key.fingerprints.contains(&value.fingerprint)
    };
    let exact = |target: &Target| {
        names(target, place) && target.field.as_ref().map(|field| field.as_str()) == place.field()
    };
    let here = policy.file.key.iter().filter(|key| key.stores.iter().any(exact));
    here.filter(lacks).map(|key| Lack::OtherValue { key: key.id.to_string(), place: place.place() }).collect()
}

struct Run<'a> {
    policy: &'a Policy,
    lists: &'a [KeyList],
    journal: &'a BTreeMap<String, Vec<String>>,
    hides: Hides<'a>,
}

impl Run<'_> {
    /// Whether a list is where a lineage's key would be shown.
    fn shows(&self, list: &KeyList, lineage: &Key) -> bool {
        let asked = |name: &str| {
            lineage.ask.get(name).is_none_or(|own| list.ask.get(name).is_some_and(|l| l == own.as_str()))
        };
        lineage.provider.as_str() == list.provider
            && lineage.admin.as_ref().is_none_or(|admin| admin.as_str() == list.admin)
            && list.ask.keys().all(|name| asked(name))
    }

    /// What its provider calls a lineage's values, as far as anybody says.
    fn called<'k>(&'k self, lineage: &'k Key) -> impl Iterator<Item = &'k str> {
        let journal = self.journal.get(lineage.id.as_str()).into_iter().flatten().map(String::as_str);
        journal
            .chain(lineage.key_id.iter().map(Text::as_str))
            .chain(lineage.known_as.iter().map(Text::as_str))
    }

    /// Whether a listed key is one of a lineage: by its id or name, or by the name that a rotation gave it.
    fn is_of(&self, list: &KeyList, key: &Listed, lineage: &Key) -> bool {
        let name = key.name.as_deref();
        let named = name.is_some_and(|name| name.starts_with(&own_names(lineage.id.as_str())));
        let called = self.called(lineage).any(|known| known == key.id.0 || Some(known) == name);
        self.shows(list, lineage) && (called || named)
    }

    /// A lineage whose key is not shown where it should be.
    fn absent(&self, lineage: &Key) -> Option<Lack> {
        let fits = |list: &&KeyList| self.shows(list, lineage) && list.rule == lineage.rule.as_str();
        let list = self.lists.iter().find(fits)?;
        if list.keys.iter().any(|key| self.is_of(list, key, lineage)) {
            return None;
        }
        let key = lineage.id.to_string();
        Some(match self.called(lineage).next() {
            Some(id) => Lack::NotListed { key, key_id: id.to_owned(), admin: list.admin.clone() },
            None => Lack::NotRecognised { key },
        })
    }

    fn draft(&self, list: &KeyList, key: &Listed, taken: &mut BTreeSet<String>, now: Timestamp) -> Drafted {
        let plain = |text: &str| {
            let text = Text::try_from(text.to_owned()).ok()?.to_string();
            (!(self.hides)(&list.provider, &text)).then_some(text)
        };
        let (key_id, name) = (plain(&key.id.0), key.name.as_deref().and_then(plain));
        let Guess { team, service, environment } =
            name.as_deref().map(|name| guess(self.policy, name)).unwrap_or_default();
        let made = key.created.and_then(time);
        let account = self.account(list);
        let words =
            [name.as_deref(), key_id.as_deref()].into_iter().flatten().map(slug).find(|s| !s.is_empty());
        let base = format!("{}/{}", slug(&list.provider), words.as_deref().unwrap_or("key"));
        let mut id = base.clone();
        for n in 2.. {
            if taken.insert(id.clone()) {
                break;
            }
            id = format!("{base}-{n}");
        }
        let owned = self.is_owned(team.as_deref(), service.as_deref());
        let missing = [
            ("team", team.is_none()),
            ("service", service.is_none()),
            ("environment", environment.is_none()),
            ("account", account.is_none()),
            ("key-id", key_id.is_none()),
            ("stores", true),
            ("owner", !owned),
        ];
        Drafted {
            id,
            key_id,
            name,
            provider: list.provider.clone(),
            rule: list.rule.clone(),
            admin: list.admin.clone(),
            ask: list.ask.clone(),
            account,
            team,
            service,
            environment,
            created: made.map(|at| at.to_string()),
            age_days: made.map(|at| now.duration_since(at).as_hours() / 24),
            used: match key.used {
                Used::Never => Some("never".to_owned()),
                Used::At(at) => time(at).map(|at| at.to_string()),
                Used::Now(true) => Some(now.to_string()),
                Used::Now(false) | Used::Unsaid => None,
            },
            enabled: key.enabled,
            perhaps_in: Vec::new(),
            perhaps_in_code: Vec::new(),
            likely_owners: Vec::new(),
            missing: missing.into_iter().filter(|(_, is)| *is).map(|(what, _)| what).collect(),
        }
    }

    /// The account of a list: that of the lineages that are shown in it, or what the calls asked for.
    fn account(&self, list: &KeyList) -> Option<String> {
        let shown = self.policy.file.key.iter().filter(|key| key.admin.is_some() && self.shows(list, key));
        let accounts: BTreeSet<&str> =
            shown.map(|key| key.account.as_str()).filter(|a| *a != FILL_IN).collect();
        match (accounts.len(), list.ask.len()) {
            (1, _) => accounts.first().map(|account| (*account).to_owned()),
            (_, 1) => list.ask.values().next().cloned(),
            _ => None,
        }
    }

    /// Whether somebody answers for the keys of a team or service.
    fn is_owned(&self, team: Option<&str>, service: Option<&str>) -> bool {
        let file = &self.policy.file;
        let team = team.and_then(|name| file.team.get(name)).map(|team| &team.policy);
        let service = service.and_then(|name| file.service.get(name)).map(|service| &service.policy);
        let levels = [Some(&file.default), team, service];
        levels.into_iter().flatten().any(|settings| settings.owners.as_ref().is_some_and(|o| !o.is_empty()))
    }
}

fn time(at: Moment) -> Option<Timestamp> {
    Timestamp::from_second(at.0.div_euclid(1000)).ok()
}
