//! What lies in the stores of the policy: names, and with `--read-stores` what the values are.

use super::super::world::World;
use super::DiscoverArgs;
use crate::cli::organisation::Organisation;
use crate::cli::{signal, usage, used};
use anyhow::Result;
use keywheel::detect::{Detector, Workspace};
use keywheel::model::{Class, FingerprintKey, Secret};
use keywheel::rotate::engine::Call;
use keywheel::rotate::inventory::discover::{Missed, Shelved, Shown, Valued};
use keywheel::rotate::plan::spec;
use keywheel::rotate::policy::Name;
use keywheel::rotate::store::{Doors, Entry, Field, ListError, Spec};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Longest time of one list, all of its pages together.
const LIST: Duration = Duration::from_secs(300);
/// Longest time of one read.
const READ: Duration = Duration::from_secs(20);

/// Looks into all stores.
pub(super) fn look(
    args: &DiscoverArgs,
    organisation: &Organisation,
    detector: &Detector,
    key: &FingerprintKey,
    shown: &mut Shown,
) -> Result<()> {
    let file = &organisation.policy.file;
    let known = |name: &str| file.store.contains_key(name);
    if let Some(no) = args.stores.iter().find(|name| !known(name)) {
        return Err(usage(format!("--store: the policy has no [store.{no}]")));
    }
    let mut under: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for text in &args.under {
        let read = text.split_once('=').filter(|(name, path)| known(name) && !path.is_empty());
        let (name, path) = read
            .ok_or_else(|| usage(format!("--under `{text}` is no STORE=PATH with a store of the policy")))?;
        under.entry(name).or_default().insert(path.trim_end_matches('/').to_owned());
    }
    let doors: Arc<dyn Doors> = Arc::new(World::new(None));
    for name in file.store.keys() {
        let wanted = args.stores.is_empty() || args.stores.iter().any(|only| only == name.as_str());
        if !wanted || signal::caught().is_some() {
            continue;
        }
        let what = format!("store {name}");
        let spec = match spec(file, name) {
            Ok(spec) => spec,
            Err(why) => {
                shown.failed.push(Missed { what, why });
                continue;
            }
        };
        let mut shelves = under.remove(name.as_str()).unwrap_or_default();
        let targets = file.key.iter().flat_map(|key| &key.stores).filter(|target| target.store == *name);
        shelves.extend(targets.filter_map(|target| spec.shelf(target.path.as_str())));
        shelves.extend(spec.shelf("").filter(|all| all.is_empty() && !by_path(&spec)));
        if shelves.is_empty() {
            let why = match spec.shelf("a/b") {
                Some(_) => {
                    format!("the inventory names nothing in it: --under {name}=PATH says where to look")
                }
                None => ListError::NoNames.to_string(),
            };
            shown.passed.push(Missed { what, why });
            continue;
        }
        let mut entries = BTreeSet::new();
        for shelf in &shelves {
            let what = if shelf.is_empty() { what.clone() } else { format!("{what}, {shelf}") };
            match spec.list(shelf, &doors, Call { deadline: Instant::now() + LIST }) {
                Ok(listing) => {
                    entries.extend(listing.entries);
                    let failed = listing.failed.into_iter();
                    shown.failed.extend(failed.map(|why| Missed { what: what.clone(), why }));
                }
                Err(why @ ListError::NoNames) => shown.passed.push(Missed { what, why: why.to_string() }),
                Err(why) => shown.failed.push(Missed { what, why: why.to_string() }),
            }
        }
        let look = Look { args, detector, key, doors: &doors, name, spec: &spec };
        for entry in entries {
            if signal::caught().is_some() {
                break;
            }
            look.entry(entry, shown);
        }
    }
    Ok(())
}

/// Whether a store's list is of one file, repository or config, which only a path names.
fn by_path(spec: &Spec) -> bool {
    matches!(spec, Spec::File(_) | Spec::GithubActions(_) | Spec::Doppler(_))
}

struct Look<'a> {
    args: &'a DiscoverArgs,
    detector: &'a Detector,
    key: &'a FingerprintKey,
    doors: &'a Arc<dyn Doors>,
    name: &'a Name,
    spec: &'a Spec,
}

impl Look<'_> {
    /// Takes one entry down, with what its values are if they are to be read.
    fn entry(&self, entry: Entry, shown: &mut Shown) {
        let field = match &entry.field {
            Field::Named(field) => field.as_str(),
            Field::Whole | Field::Untold => "",
        };
        let name = format!("{}#{field}", entry.path);
        if used::screen(self.detector, self.name.as_str(), &name).is_some() {
            let what = format!("store {}", self.name);
            let why = "an entry's own name looks like a credential, and is not repeated".to_owned();
            shown.failed.push(Missed { what, why });
            return;
        }
        if !(self.args.read_stores && self.spec.readable()) {
            return shown.places.push(self.shelved(entry, None));
        }
        match self.spec.values(&entry, self.doors, Call { deadline: Instant::now() + READ }) {
            Ok(values) if values.is_empty() => shown.places.push(self.shelved(entry, None)),
            Ok(values) => {
                for (field, value) in values {
                    let valued = self.valued(field.as_deref(), &entry.path, &value);
                    let field = field.map_or(entry.field.clone(), Field::Named);
                    let entry = Entry { path: entry.path.clone(), field };
                    shown.places.push(self.shelved(entry, Some(valued)));
                }
            }
            Err(why) => {
                let what = format!("the value of store {}, {name}", self.name);
                shown.failed.push(Missed { what, why: why.to_string() });
                shown.places.push(self.shelved(entry, None));
            }
        }
    }

    fn shelved(&self, entry: Entry, value: Option<Valued>) -> Shelved {
        Shelved { store: self.name.to_string(), entry, value }
    }

    /// What a value is: its fingerprint, and the rule that knows it under its name.
    fn valued(&self, field: Option<&str>, path: &str, value: &Secret) -> Valued {
        let last = path.rsplit('/').next().unwrap_or_default();
        let name = field.map_or(last, |field| field.rsplit('/').next().unwrap_or(field));
        let mut text = Zeroizing::new(Vec::with_capacity(name.len() + value.expose().len() + 2));
        text.extend_from_slice(name.as_bytes());
        text.push(b'=');
        text.extend_from_slice(value.expose());
        text.push(b'\n');
        let rules = self.detector.rules();
        let found = self.detector.scan(&text, b"", &mut Workspace::default());
        let mine =
            found.iter().find(|f| rules.kinds()[f.kind].class == Class::Structured && f.secret == *value);
        Valued {
            fingerprint: keywheel::scan::fingerprint(self.key, value.expose()),
            rule: mine.map(|f| rules.reference(f.kind).id.clone()),
        }
    }
}
