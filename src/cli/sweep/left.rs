//! What a sweep leaves of what it has found, and how the next one tells it again.

use keywheel::model::{Finding, Fingerprint, Kept};
use keywheel::scan::{Collector, Retelling, Spread, keep};
use keywheel::source::git::sweep::{Swept, Unchanged};
use keywheel::source::git::{Objects, Repository, Standing};
use keywheel::source::{Options, SourceError};
use keywheel::state::Left;
use std::collections::BTreeMap;

/// What is left: findings by their places, and what has to be searched again. `None` if a place cannot be
/// told without its path, or something could not be read.
pub(super) fn leave(objects: &Objects, swept: &Swept, spread: &Spread, findings: &[Finding]) -> Option<Left> {
    let places = findings.iter().flat_map(|f| &f.occurrences);
    let listed = places.filter_map(|o| Some(o.provenance.origin.as_ref()?.object)).collect();
    let placed = swept.places(objects, &listed)?;
    let number = |place: &_| placed.number(place);
    let mut kept: BTreeMap<Fingerprint, Kept> =
        findings.iter().filter_map(|f| Some((f.fingerprint.clone(), keep(f, &number)?))).collect();
    let unread = spread.skipped.union(swept.noted()).copied().collect();
    let searched = swept.places(objects, &spread.searched(unread, &mut kept))?.groups;
    Some(Left { searched, placed: placed.groups, kept: kept.into_values().collect() })
}

/// Tells what an earlier sweep has left; `false` if not all of it stands where it stood.
///
/// # Errors
/// An exclude is not a glob.
pub(super) fn tell_again(
    left: &Left,
    repo: &Repository,
    standing: &Standing,
    options: &Options,
    collector: &Collector,
) -> Result<bool, SourceError> {
    let found = (Unchanged::new(repo, &left.searched), Unchanged::new(repo, &left.placed));
    let (Some(searched), Some(placed)) = found else { return Ok(false) };
    searched.push(repo, standing, options, collector)?;
    let mut retelling = Retelling::new(collector, &left.kept);
    let texts = retelling.texts();
    placed.read(repo, &texts, &|| collector.interrupted(), &mut |n, place, text| {
        retelling.text(n, place, text)
    });
    Ok(retelling.finish())
}
