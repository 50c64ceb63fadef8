//! Looking over all keys: series from the store, what is usual, what is not, and the events of it.

use super::Numbers;
use super::spike::facts::{Known, Sign, Use, signs};
use super::spike::{Baseline, Hour, Spike, Watch};
use super::store::{Filter, Line, Names, Store, StoreError};
use super::table::{Nearest, Owners, chosen, nearest};
use super::time::{self, DAY, HOUR};
use crate::alert::{Config, Event, OutboxError, Queued, Urgency, put};
use std::collections::{BTreeMap, BTreeSet};

/// Time that is learnt from, and time that is watched after it.
const LEARN: i64 = 28 * DAY;
const WATCH: i64 = 7 * DAY;
/// Seconds for which the same is not told again.
const QUIET: i64 = 30 * DAY;
/// Tokens that count as one request where no provider tells requests.
const TOKENS: i64 = 1000;

/// One key, or all keys of a lineage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// The lineage's id; for a key that no inventory knows, its provider and what that calls it.
    pub name: String,
    /// The provider.
    pub provider: String,
    /// What the provider calls the key; empty for all of a lineage.
    pub key: String,
}

/// Something that is not usual.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// More use than usual.
    Spike(Spike),
    /// What needs no history.
    Sign(Sign),
}

/// Something about a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Whose.
    pub subject: Subject,
    /// What.
    pub what: What,
    /// Whether an open finding makes it worse.
    pub found: bool,
}

/// What a look comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Looked {
    /// What is not usual, by subject.
    pub told: Vec<Told>,
    /// Keys and lineages with use.
    pub subjects: usize,
    /// Those that are too young for a model of what is usual.
    pub young: usize,
    /// Those whose figures come by the day only, so that no hour can stand out.
    pub daily: usize,
}

/// Looks over all keys. What is told lies in the last week; `known` says what is known of a key from elsewhere.
///
/// # Errors
/// SQLite's.
pub fn look(
    store: &Store,
    owners: &Owners,
    known: &dyn Fn(&Subject) -> Known,
    now: i64,
) -> Result<Looked, StoreError> {
    let end = time::floor(now, HOUR);
    let (from, since) = (end - LEARN - WATCH, end - WATCH);
    let names = store.names()?;
    let (near, _) = nearest(store, from, end, &names)?;
    let mut series: BTreeMap<Subject, BTreeMap<i64, u64>> = BTreeMap::new();
    let mut uses: BTreeMap<Subject, Vec<Use>> = BTreeMap::new();
    let mut daily = BTreeSet::new();
    store.lines(&Filter { from, to: end, hours: true }, &mut |line| {
        let Some((used, by_day)) = used(&line, &names, &near) else { return };
        let Some((provider, key)) = names.keys.get(&line.key) else { return };
        let lineage = owners.get(&(provider.clone(), key.clone())).map(|o| o.lineage.clone());
        let name = lineage.unwrap_or_else(|| format!("{provider}:{key}"));
        let all = Subject { name: name.clone(), provider: provider.clone(), key: String::new() };
        if by_day {
            daily.insert(all);
        } else if let Ok(count) = u64::try_from(used.requests) {
            *series.entry(all).or_default().entry(line.at).or_default() += count;
        }
        uses.entry(Subject { name, provider: provider.clone(), key: key.clone() }).or_default().push(used);
    })?;
    let flags = store.flags(from)?;
    let mut looked =
        Looked { daily: daily.iter().filter(|s| !series.contains_key(s)).count(), ..Looked::default() };
    looked.subjects = series.len() + looked.daily;
    for (subject, counts) in &series {
        let flagged = flags.get(&subject.name);
        match spikes(counts, flagged, since, end) {
            None => looked.young += 1,
            Some(list) => {
                let found = known(subject).found;
                let told = |spike| Told { subject: subject.clone(), what: What::Spike(spike), found };
                looked.told.extend(list.into_iter().map(told));
            }
        }
    }
    for (subject, list) in &mut uses {
        list.sort_by_key(|u| u.at);
        let known = known(subject);
        let told = signs(list, &known, since).into_iter();
        looked.told.extend(told.map(|sign| Told {
            subject: subject.clone(),
            what: What::Sign(sign),
            found: known.found,
        }));
    }
    Ok(looked)
}

/// What of a row counts, and whether it is of a whole day.
fn used(line: &Line, names: &Names, near: &Nearest) -> Option<(Use, bool)> {
    let numbers = chosen(line, names, near);
    if numbers == Numbers::default() {
        return None;
    }
    let tells = near.get(&line.key).is_some_and(|slots| slots[0].is_some());
    let tokens = numbers.input.saturating_add(numbers.output);
    let requests = match (tells, tokens) {
        (true, _) => numbers.requests,
        (false, 0) => 0,
        (false, tokens) => (tokens / TOKENS).max(1),
    };
    let label = |id: i64| names.labels.get(&id).cloned().unwrap_or_default();
    let by_day = names.sources.get(&line.source).is_some_and(|s| s.grain >= DAY);
    let used = Use {
        at: line.at,
        model: label(line.model),
        place: label(line.place),
        requests,
        errors: numbers.errors,
        cost: numbers.cost,
    };
    Some((used, by_day))
}

/// The spikes of the watched time; none if there is too little to learn from.
fn spikes(
    counts: &BTreeMap<i64, u64>,
    flagged: Option<&BTreeSet<i64>>,
    since: i64,
    end: i64,
) -> Option<Vec<Spike>> {
    let first = *counts.iter().find(|(_, n)| **n > 0)?.0;
    let hour = |at: i64| Hour {
        at,
        count: counts.get(&at).copied().unwrap_or(0),
        flagged: flagged.is_some_and(|f| f.contains(&at)),
    };
    let steps = |from: i64, to: i64| (from..to).step_by(3600);
    let training: Vec<Hour> = steps(first.max(since - LEARN), since).map(hour).collect();
    let model = Baseline::fit(&training)?;
    let mut watch = Watch::new();
    Some(steps(since, end).filter_map(|at| watch.hour(&model, at, hour(at).count)).collect())
}

impl Told {
    /// A stable word.
    pub fn word(&self) -> &'static str {
        match &self.what {
            What::Spike(_) => "spike",
            What::Sign(sign) => sign.word(),
        }
    }

    /// When, in seconds.
    pub fn at(&self) -> i64 {
        match &self.what {
            What::Spike(spike) => spike.at,
            What::Sign(sign) => sign.at(),
        }
    }

    /// A sentence, after the subject.
    pub fn words(&self) -> String {
        match &self.what {
            What::Spike(s) => format!(
                "{} since {}, {:.0} were usual ({})",
                if s.seen >= 2.0 { format!("{:.0} requests", s.seen) } else { "one request".to_owned() },
                time::shown(s.since, HOUR),
                s.usual,
                s.pace.word()
            ),
            What::Sign(sign) => sign.words(),
        }
    }

    /// How soon somebody must look. A leaked key that is used is abuse until somebody knows better.
    pub fn urgency(&self) -> Urgency {
        match &self.what {
            What::Spike(_) if self.found => Urgency::Emergency,
            What::Sign(Sign::Retired { .. } | Sign::Found { .. }) => Urgency::Emergency,
            What::Sign(Sign::Model { .. }) => Urgency::Info,
            What::Spike(_) | What::Sign(_) => Urgency::Warning,
        }
    }

    /// The event.
    pub fn event(&self, now: i64) -> Event {
        // What goes on is the same from day to day.
        let which = match &self.what {
            What::Spike(s) => time::shown(s.since, DAY),
            What::Sign(Sign::Model { model, .. }) => model.clone(),
            What::Sign(Sign::Place { place, .. }) => place.clone(),
            What::Sign(Sign::Budget { at, .. }) => time::shown(*at, DAY),
            What::Sign(Sign::Errors { at, .. }) => time::shown(*at, DAY),
            What::Sign(Sign::Retired { .. } | Sign::Found { .. }) => String::new(),
        };
        let mut facts = vec![
            ("provider".to_owned(), self.subject.provider.clone()),
            ("seen".to_owned(), time::shown(self.at(), HOUR)),
        ];
        if !self.subject.key.is_empty() {
            facts.push(("key".to_owned(), self.subject.key.clone()));
        }
        if self.found {
            facts.push(("finding".to_owned(), "the key stands in code, and that finding is open".to_owned()));
        }
        Event {
            kind: self.word().to_owned(),
            urgency: self.urgency(),
            subject: self.subject.name.clone(),
            text: self.words(),
            facts,
            same: format!("{}:{}:{}:{which}", self.word(), self.subject.name, self.subject.key),
            at: now,
        }
    }
}

/// Writes down what was told: its hours, so that nothing is learnt from them, and its events for their routes, all or
/// nothing. How many events are new.
///
/// # Errors
/// SQLite's.
pub fn note(store: &Store, told: &[Told], config: &Config, now: i64) -> Result<usize, OutboxError> {
    store.noted(|tx| {
        let mut new = 0;
        for one in told {
            if let What::Spike(spike) = &one.what {
                for at in (spike.since..=spike.at).step_by(3600) {
                    tx.execute("INSERT OR IGNORE INTO flag VALUES (?1, ?2)", (&one.subject.name, at))?;
                }
            }
            let event = one.event(now);
            let queued = put(tx, &event, &config.routes(&event), QUIET)?;
            new += usize::from(matches!(queued, Queued::New(_)));
        }
        Ok(new)
    })
}

#[cfg(test)]
mod tests;
