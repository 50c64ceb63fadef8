//! How well each team keeps its keys: what is late, unowned, over quota, in code, unused, used by strangers, or known
//! to nobody.

mod page;
#[cfg(test)]
mod tests;
mod used;
mod words;

pub use used::{InUse, KeyLine, Past, Seen, Standing, Stranger, Unknown, Usage, WeekLine};

use super::check::{Code, Facts, check};
use super::{Period, Policy};
use crate::rotate::inventory::{Gap, Matched, Spot};
use crate::rotate::schedule::{History, turn};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The account of one day.
#[derive(Clone, Debug, Serialize)]
pub struct Hygiene {
    /// One line a team.
    pub teams: Vec<TeamLine>,
    /// Keys whose rotation should have begun, the latest first.
    pub late: Vec<Late>,
    /// Keys that nobody answers for.
    pub unowned: Vec<String>,
    /// Keys whose account has no room for a new one.
    pub over_quota: Vec<String>,
    /// What a scan adds; `None` if none was given.
    pub code: Option<InCode>,
    /// What is known of the keys' use; `None` if nothing was given.
    pub usage: Option<InUse>,
}

/// The numbers of one team.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TeamLine {
    /// Its name.
    pub team: String,
    /// Its keys.
    pub keys: usize,
    /// Those whose rotation should have begun.
    pub late: usize,
    /// Those that were never rotated, late or not.
    pub never_rotated: usize,
    /// Those that nobody answers for.
    pub unowned: usize,
    /// Those whose account is full.
    pub over_quota: usize,
    /// Those that stand in code.
    pub in_code: usize,
}

/// A key whose rotation should have begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Late {
    /// The key.
    pub key: String,
    /// Whose it is.
    pub team: String,
    /// How old its value is; unknown if nobody wrote it down.
    pub age: Option<Period>,
    /// How old it may get.
    pub cadence: Period,
    /// For how long its rotation is late.
    pub late: Period,
}

/// What a scan says.
#[derive(Clone, Debug, Serialize)]
pub struct InCode {
    /// Keys of the inventory that stand in code.
    pub known: Vec<Known>,
    /// Keys in code that no lineage lists.
    pub unknown: Vec<Gap>,
    /// Keys of the inventory that the scan did not see, which is as it should be.
    pub unseen: usize,
    /// Of those, keys without any fingerprint, which no scan can recognise.
    pub blind: Vec<String>,
}

/// A key of the inventory that stands in code.
#[derive(Clone, Debug, Serialize)]
pub struct Known {
    /// The key.
    pub key: String,
    /// Whether it is the current value.
    pub current: bool,
    /// Whether the scan proved that it works.
    pub active: bool,
    /// Where it stands.
    pub spots: Vec<Spot>,
}

impl Hygiene {
    /// The account of a policy, and of a scan that was matched with it.
    pub fn new(policy: &Policy, facts: Facts<'_>, scan: Option<&Matched<'_>>) -> Self {
        let faults = check(policy, facts);
        let with = |code| -> BTreeSet<&str> {
            faults.iter().filter(|f| f.code == code).flat_map(|f| &f.keys).map(String::as_str).collect()
        };
        let (unowned, full) = (with(Code::Unowned), with(Code::QuotaFull));
        let hit: BTreeSet<&str> = scan.iter().flat_map(|m| &m.hits).map(|hit| hit.key.id.as_str()).collect();
        let mut teams: BTreeMap<&str, TeamLine> = BTreeMap::new();
        let mut all_late = Vec::new();
        for key in &policy.file.key {
            let (id, resolved) = (key.id.as_str(), policy.resolve(key));
            let since = key.since();
            let first = turn(&key.id, &resolved, History { since, paused: None }, facts.now);
            let line = teams.entry(key.team.as_str()).or_default();
            line.keys += 1;
            line.never_rotated += usize::from(key.rotated.is_none());
            line.unowned += usize::from(unowned.contains(id));
            line.over_quota += usize::from(full.contains(id));
            line.in_code += usize::from(hit.contains(id));
            let whole =
                |time: jiff::SignedDuration| Period::seconds(u64::try_from(time.as_secs()).unwrap_or(0));
            let late = first.late(facts.now).map(whole);
            // Of an unknown age nobody can say that it is young enough.
            if late.is_some() || since.is_none() {
                line.late += 1;
                all_late.push(Late {
                    key: id.to_owned(),
                    team: key.team.to_string(),
                    age: since.map(|since| whole(facts.now.duration_since(since))),
                    cadence: resolved.cadence.value,
                    late: late.unwrap_or(Period::ZERO),
                });
            }
        }
        all_late.sort_by(|a, b| (a.age.is_some(), b.late, &a.key).cmp(&(b.age.is_some(), a.late, &b.key)));
        let listed = |set: &BTreeSet<&str>| set.iter().map(|id| (*id).to_owned()).collect();
        let blind = || policy.file.key.iter().filter(|key| key.fingerprints.is_empty());
        Hygiene {
            teams: teams.into_iter().map(|(team, line)| TeamLine { team: team.to_owned(), ..line }).collect(),
            late: all_late,
            unowned: listed(&unowned),
            over_quota: listed(&full),
            code: scan.map(|matched| InCode {
                known: matched
                    .hits
                    .iter()
                    .map(|hit| Known {
                        key: hit.key.id.to_string(),
                        current: hit.current,
                        active: hit.active,
                        spots: hit.spots.clone(),
                    })
                    .collect(),
                unknown: matched.gaps.clone(),
                unseen: policy.file.key.len() - hit.len(),
                blind: blind().map(|key| key.id.to_string()).collect(),
            }),
            usage: None,
        }
    }

    /// The same with what is known of the keys' use. A key is unused if its provider tells of no use within
    /// `unused_after`.
    pub fn with_usage(
        mut self,
        policy: &Policy,
        usage: &Usage,
        unused_after: Period,
        now: Timestamp,
    ) -> Self {
        self.usage = Some(InUse::new(policy, usage, unused_after, now));
        self
    }

    /// The numbers of the day, for a trend: what they count, in words, and how many.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let sum = |of: fn(&TeamLine) -> usize| self.teams.iter().map(of).sum::<usize>() as u64;
        let mut counts = vec![
            ("keys", sum(|t| t.keys)),
            ("late", sum(|t| t.late)),
            ("unowned", sum(|t| t.unowned)),
            ("over quota", sum(|t| t.over_quota)),
        ];
        // What was not looked at is not none.
        if self.code.is_some() {
            counts.push(("in code", sum(|t| t.in_code)));
        }
        if let Some(usage) = &self.usage {
            counts.push(("unused", usage.unused().count() as u64));
            counts.push(("strangers", usage.strangers.len() as u64));
        }
        counts
    }

    /// Whether a gate lets it pass: nothing late, unowned or full, and no key in code.
    pub fn is_clean(&self) -> bool {
        let code = self.code.iter().all(|code| code.known.is_empty() && code.unknown.is_empty());
        self.late.is_empty() && self.unowned.is_empty() && self.over_quota.is_empty() && code
    }
}
