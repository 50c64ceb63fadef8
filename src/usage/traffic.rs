//! What gateways saw of one key: when it was used last, by whom, and up to when that is all there was.

use super::store::{Filter, Store, StoreError};
use super::time::{self, HOUR};
use crate::rule::Class;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Most users that are named.
const USERS: usize = 5;

/// A gateway whose logs are taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// What its logs are called: the name that they were imported under, or the account that they are pulled with.
    pub name: String,
    /// How late a request may turn up in them, in seconds.
    pub lag: i64,
}

/// What all gateways together saw of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The end of the last hour in which it was used, in seconds since 1970; none for never since then.
    pub last: Option<i64>,
    /// Before this second nothing is missing.
    pub watermark: i64,
    /// From where and for which model it was used since then, most first.
    pub users: Vec<String>,
}

/// What these gateways saw of a provider's key, which goes by any of `names`, from the second `since` on. None if that
/// proves nothing: a gateway was never read, or not one of them ever told of this key, so that silence says nothing.
///
/// # Errors
/// SQLite's.
pub fn traffic(
    store: &Store,
    provider: &str,
    names: &BTreeSet<String>,
    gates: &[Gate],
    since: i64,
) -> Result<Option<Traffic>, StoreError> {
    let known = store.names()?;
    let is_key = |(of, name): &(String, String)| of == provider && names.contains(name);
    let keys: BTreeSet<i64> = known.keys.iter().filter(|(_, key)| is_key(key)).map(|(id, _)| *id).collect();
    let mut sources: HashMap<i64, usize> = HashMap::new();
    for (id, info) in &known.sources {
        let called = |gate: &Gate| info.name == gate.name || info.name.ends_with(&format!("@{}", gate.name));
        if info.class == Class::Gateway
            && let Some(at) = gates.iter().position(called)
        {
            sources.insert(*id, at);
        }
    }
    // A log that is pulled is complete up to its mark. One that is imported may be a copy of yesterday's: its newest line
    // says how far it reaches.
    let (mut reach, mut seen) = (HashMap::new(), false);
    for id in sources.keys() {
        let name = &known.sources[id].name;
        let to = if name.contains('@') { store.mark(name)?.map(|m| m.to) } else { store.newest(*id)? };
        reach.insert(*id, to);
        seen |= store.told_of(*id)?.intersection(&keys).next().is_some();
    }
    let (mut last, mut users) = (None, BTreeMap::<(i64, i64), i64>::new());
    let filter = Filter { from: time::floor(since, HOUR), to: i64::MAX / 2, hours: true };
    store.lines(&filter, &mut |line| {
        let n = &line.numbers;
        let used = n.requests > 0 || n.input > 0 || n.output > 0 || n.cost > 0 || n.errors > 0;
        if used && sources.contains_key(&line.source) && keys.contains(&line.key) {
            last = last.max(Some(line.at + HOUR));
            *users.entry((line.place, line.model)).or_default() += n.requests.max(1);
        }
    })?;
    let mut watermark = None;
    for (at, gate) in gates.iter().enumerate() {
        // Several logs of one gateway each tell a part.
        let parts: Option<Vec<i64>> =
            sources.iter().filter(|(_, of)| **of == at).map(|(id, _)| reach[id]).collect();
        let Some(reaches) = parts.and_then(|parts| parts.into_iter().min()) else { return Ok(None) };
        let up_to = reaches.saturating_sub(gate.lag);
        watermark = Some(watermark.map_or(up_to, |w: i64| w.min(up_to)));
    }
    let Some(watermark) = watermark.filter(|_| seen) else { return Ok(None) };
    let mut users: Vec<_> = users.into_iter().collect();
    users.sort_by_key(|(spot, n)| (-n, *spot));
    let label = |id: &i64| known.labels.get(id).filter(|text| !text.is_empty());
    let named =
        users.iter().take(USERS).filter_map(|((place, model), _)| match (label(place), label(model)) {
            (Some(place), Some(model)) => Some(format!("{place} for {model}")),
            (Some(one), None) | (None, Some(one)) => Some(one.clone()),
            (None, None) => None,
        });
    Ok(Some(Traffic { last, watermark, users: named.collect() }))
}

#[cfg(test)]
mod tests;
