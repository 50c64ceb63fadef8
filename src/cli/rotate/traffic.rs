//! What gateways saw of the key that goes, by the file that `keywheel usage` keeps.

use super::desk::Desk;
use crate::cli::usage;
use anyhow::Result;
use keywheel::model::{FingerprintKey, Secret};
use keywheel::rotate::Rotation;
use keywheel::usage::Store;
use keywheel::usage::traffic::{Gate, Traffic, traffic};
use std::collections::BTreeSet;

/// What the key's gateways saw of the old key since the new one is everywhere; none where nothing is proved by it.
/// `value` is the old key's, where it is at hand: logs that name keys by their values are kept by fingerprint.
pub(super) fn seen(desk: &Desk<'_>, r: &Rotation, value: Option<&Secret>) -> Result<Option<Traffic>> {
    let policy = &desk.organisation.policy;
    let (Some(file), Some(key)) = (&desk.office.usage, policy.key(&r.lineage)) else { return Ok(None) };
    let gates: Vec<Gate> = policy
        .resolve(key)
        .gateways
        .value
        .iter()
        .filter_map(|name| {
            let gateway = policy.file.gateway.get(name)?;
            let logs = gateway.logs.as_ref().map_or(name.as_str(), |logs| logs.as_str());
            let lag = i64::try_from(gateway.lag.as_secs()).unwrap_or(i64::MAX);
            Some(Gate { name: logs.to_owned(), lag })
        })
        .collect();
    if gates.is_empty() {
        return Ok(None);
    }
    if !file.is_file() {
        return Err(usage(format!("there is no file of usage `{}`", file.display())));
    }
    // More names than needed show more use, never less.
    let mut names: BTreeSet<String> = key.known_as.iter().map(ToString::to_string).collect();
    names.insert(r.old.id.0.clone());
    names.extend(value.map(|v| FingerprintKey::default().fingerprint(v.expose()).as_str().to_owned()));
    if let Some(new) = &r.new {
        names.remove(&new.id.0);
    }
    let since = r.distributed.unwrap_or(r.since).0.div_euclid(1000);
    let store = Store::open(file).map_err(usage)?;
    traffic(&store, key.provider.as_str(), &names, &gates, since).map_err(usage)
}
