//! What the use of keys adds to the account. Rotation reads no usage itself: whoever does tells it here.

use crate::rotate::inventory::{Key, Whence};
use crate::rotate::policy::{Period, Policy};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The use of keys as their providers call them, over a time.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// Every key of which something is told, by provider and name.
    pub keys: BTreeMap<(String, String), Seen>,
    /// When each week of the trend begins, the oldest first.
    pub weeks: Vec<Timestamp>,
    /// Earlier accounts, the oldest first.
    pub past: Vec<Past>,
}

/// The use of one key.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Requests.
    pub requests: u64,
    /// Tokens in and out.
    pub tokens: u64,
    /// Cost in US dollars.
    pub dollars: f64,
    /// Cost within as long a time before.
    pub dollars_before: f64,
    /// Requests that failed.
    pub errors: u64,
    /// When it was used last.
    pub last: Option<Timestamp>,
    /// From where it was used, each with the last time.
    pub places: BTreeMap<String, Timestamp>,
    /// Requests and cost of each week.
    pub weeks: Vec<(u64, f64)>,
    /// From when until when its provider told of each of its uses; none if it never told of this key.
    pub covered: Option<(Timestamp, Timestamp)>,
}

/// The numbers of an earlier account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Past {
    /// Its day.
    pub day: String,
    /// What was counted, in words, and how many.
    pub counts: Vec<(String, u64)>,
}

/// What is told of the use of keys.
#[derive(Clone, Debug, Serialize)]
pub struct InUse {
    /// First day.
    pub from: String,
    /// Last day.
    pub to: String,
    /// Every key of the inventory, the most costly first.
    pub keys: Vec<KeyLine>,
    /// Keys of the inventory that were used from places that none of their consumers names.
    pub places: Vec<Unknown>,
    /// How many keys were used from some place while no consumer of theirs names any.
    pub undeclared: usize,
    /// Keys in use that no lineage names.
    pub strangers: Vec<Stranger>,
    /// Use of each week, of all keys.
    pub weeks: Vec<WeekLine>,
    /// Earlier accounts, the oldest first.
    pub past: Vec<Past>,
}

/// One key of the inventory.
#[derive(Clone, Debug, Serialize)]
pub struct KeyLine {
    /// Its lineage.
    pub key: String,
    /// Whose it is.
    pub team: String,
    /// How old its value is; unknown if nobody wrote it down.
    pub age: Option<Period>,
    /// How old it may get.
    pub cadence: Period,
    /// Requests.
    pub requests: u64,
    /// Tokens in and out.
    pub tokens: u64,
    /// Cost in US dollars.
    pub dollars: f64,
    /// Cost within as long a time before.
    pub dollars_before: f64,
    /// Requests that failed.
    pub errors: u64,
    /// The day of its last use.
    pub last: Option<String>,
    /// Whether it is in use.
    pub standing: Standing,
    /// Why nothing is told of its use.
    pub why: &'static str,
    /// Requests and cost of each week.
    pub weeks: Vec<(u64, f64)>,
}

/// Whether a key is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is.
    Used,
    /// Its provider, which tells of every use, tells of none for long enough.
    Unused,
    /// Nobody tells of its use, so that nothing follows from silence.
    Untold,
}

/// A key that was used from a place that the inventory does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// The lineage.
    pub key: String,
    /// Country or address.
    pub place: String,
    /// The day of its last use from there.
    pub last: String,
}

/// A key in use that no lineage names.
#[derive(Clone, Debug, Serialize)]
pub struct Stranger {
    /// Who issued it.
    pub provider: String,
    /// What that calls it.
    pub key: String,
    /// Requests.
    pub requests: u64,
    /// Cost in US dollars.
    pub dollars: f64,
    /// The day of its last use.
    pub last: Option<String>,
}

/// Use of one week.
#[derive(Clone, Debug, Serialize)]
pub struct WeekLine {
    /// Its first day.
    pub begins: String,
    /// Requests.
    pub requests: u64,
    /// Cost in US dollars.
    pub dollars: f64,
}

/// The day in UTC.
fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).date().to_string()
}

impl InUse {
    pub(super) fn new(policy: &Policy, usage: &Usage, unused_after: Period, now: Timestamp) -> InUse {
        let mut owned: BTreeSet<(String, String)> = BTreeSet::new();
        let (mut keys, mut places, mut undeclared) = (Vec::new(), Vec::new(), 0);
        for key in &policy.file.key {
            let provider = key.provider.to_string();
            let names = key.known_as.iter().map(ToString::to_string);
            let names = names.chain(key.fingerprints.iter().map(ToString::to_string));
            let names: Vec<_> = names.map(|name| (provider.clone(), name)).collect();
            let seen = sum(names.iter().filter_map(|name| usage.keys.get(name)), usage.weeks.len());
            owned.extend(names);
            let known: Vec<&Whence> = key.consumers.iter().flat_map(|c| &c.places).collect();
            if known.is_empty() {
                undeclared += usize::from(!seen.places.is_empty());
            } else {
                let strange = seen.places.iter().filter(|(place, _)| !known.iter().any(|w| w.holds(place)));
                places.extend(strange.map(|(place, last)| Unknown {
                    key: key.id.to_string(),
                    place: place.clone(),
                    last: day(*last),
                }));
            }
            // Of a value that is in force now, not of one before it.
            let current = key.known_as.first().map(|name| (provider.clone(), name.to_string()));
            let covered = current.and_then(|name| usage.keys.get(&name)?.covered);
            keys.push(line(policy, key, &seen, covered, unused_after, now));
        }
        keys.sort_by(|a, b| b.dollars.total_cmp(&a.dollars).then(b.requests.cmp(&a.requests)));
        let mut strangers: Vec<Stranger> = usage
            .keys
            .iter()
            // A sum over a whole account is no key.
            .filter(|(name, seen)| {
                !owned.contains(*name) && !name.1.starts_with("account:") && in_time(seen, usage)
            })
            .map(|((provider, key), seen)| Stranger {
                provider: provider.clone(),
                key: key.clone(),
                requests: seen.requests,
                dollars: seen.dollars,
                last: seen.last.map(day),
            })
            .collect();
        strangers.sort_by(|a, b| b.dollars.total_cmp(&a.dollars).then(b.requests.cmp(&a.requests)));
        let week = |(n, begins): (usize, &Timestamp)| {
            let of_week = usage.keys.values().filter_map(|seen| seen.weeks.get(n));
            let (requests, dollars) = of_week.fold((0, 0.0), |sum, w| (sum.0 + w.0, sum.1 + w.1));
            WeekLine { begins: day(*begins), requests, dollars }
        };
        InUse {
            from: day(usage.from),
            to: day(usage.to),
            keys,
            places,
            undeclared,
            strangers,
            weeks: usage.weeks.iter().enumerate().map(week).collect(),
            past: usage.past.clone(),
        }
    }

    /// Keys that nobody uses: candidates for deletion.
    pub fn unused(&self) -> impl Iterator<Item = &KeyLine> {
        self.keys.iter().filter(|line| line.standing == Standing::Unused)
    }
}

/// Whether it was used within the time of the account.
fn in_time(seen: &Seen, usage: &Usage) -> bool {
    seen.requests > 0 || seen.tokens > 0 || seen.dollars > 0.0 || seen.last.is_some_and(|at| at >= usage.from)
}

/// All values of a lineage together.
fn sum<'a>(all: impl Iterator<Item = &'a Seen>, weeks: usize) -> Seen {
    let mut sum = Seen { weeks: vec![(0, 0.0); weeks], ..Seen::default() };
    for seen in all {
        sum.requests += seen.requests;
        sum.tokens += seen.tokens;
        sum.dollars += seen.dollars;
        sum.dollars_before += seen.dollars_before;
        sum.errors += seen.errors;
        sum.last = sum.last.max(seen.last);
        for (place, at) in &seen.places {
            let last = sum.places.entry(place.clone()).or_insert(*at);
            *last = (*last).max(*at);
        }
        for (slot, week) in sum.weeks.iter_mut().zip(&seen.weeks) {
            *slot = (slot.0 + week.0, slot.1 + week.1);
        }
    }
    sum
}

fn line(
    policy: &Policy,
    key: &Key,
    seen: &Seen,
    covered: Option<(Timestamp, Timestamp)>,
    unused_after: Period,
    now: Timestamp,
) -> KeyLine {
    let edge = now.saturating_sub(unused_after.signed()).unwrap_or(Timestamp::MIN);
    // Sources tell late; what was read a few days ago still speaks for the time before.
    let fresh = now.saturating_sub(Period::days(3).signed()).unwrap_or(Timestamp::MIN);
    let (standing, why) = match covered {
        _ if seen.last.is_some_and(|last| last >= edge) => (Standing::Used, ""),
        _ if key.known_as.is_empty() => (Standing::Untold, "no `known-as` says what its provider calls it"),
        None => (Standing::Untold, "no provider's figures ever told of it"),
        Some((_, to)) if to < fresh => (Standing::Untold, "its provider's figures were not read lately"),
        Some((from, _)) if from > edge => {
            (Standing::Untold, "its provider's figures do not reach back so far")
        }
        _ if key.since().is_some_and(|since| since > edge) => {
            (Standing::Untold, "it is too young to be unused")
        }
        _ => (Standing::Unused, ""),
    };
    let age =
        |since: Timestamp| Period::seconds(u64::try_from(now.duration_since(since).as_secs()).unwrap_or(0));
    KeyLine {
        key: key.id.to_string(),
        team: key.team.to_string(),
        age: key.since().map(age),
        cadence: policy.resolve(key).cadence.value,
        requests: seen.requests,
        tokens: seen.tokens,
        dollars: seen.dollars,
        dollars_before: seen.dollars_before,
        errors: seen.errors,
        last: seen.last.map(day),
        standing,
        why,
        weeks: seen.weeks.clone(),
    }
}
