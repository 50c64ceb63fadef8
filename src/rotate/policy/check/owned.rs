//! The inventory: every key has an owner, a place and a value of its own.

use super::{Code, One, Run, shared};
use crate::rotate::inventory::{Key, Target};
use crate::rotate::policy::{Reference, StoreKind};
use std::collections::BTreeSet;
use std::path::Path;

/// What concerns several keys at once.
pub(super) fn file(run: &mut Run<'_>) {
    let keys = &run.policy.file.key;
    let place = |key: &Key| keys.iter().position(|k| std::ptr::eq(k, key)).unwrap_or(0).to_string();
    let prints = keys.iter().flat_map(|key| {
        // Listed twice under one key is no sharing.
        key.fingerprints.iter().collect::<BTreeSet<_>>().into_iter().map(move |f| (f, key))
    });
    for (fingerprint, holders) in shared(prints) {
        let (first, rest) = (holders[0], &holders[1..]);
        for other in rest.iter().filter(|other| !agreed(first, other)) {
            // Between a lineage and its own staging there is a check of its own.
            if is_staging(first, other) || is_staging(other, first) {
                continue;
            }
            let message = format!("{fingerprint} stands at `{}` and at `{}`", first.id, other.id);
            run.tell(Code::DuplicateFingerprint, &["key", &place(other), "fingerprints"], message);
        }
    }
    let places = keys
        .iter()
        .flat_map(|key| key.stores.iter().collect::<BTreeSet<_>>().into_iter().map(move |t| (t, key)));
    for (target, holders) in shared(places) {
        for other in &holders[1..] {
            let message = format!("`{}` and `{}` both go to {target}", holders[0].id, other.id);
            run.tell(Code::SharedPlace, &["key", &place(other), "stores"], message);
        }
    }
}

fn agreed(a: &Key, b: &Key) -> bool {
    a.shared_with.contains(&b.id) || b.shared_with.contains(&a.id)
}

fn is_staging(staging: &Key, of: &Key) -> bool {
    of.staging.as_ref() == Some(&staging.id)
}

/// What concerns one key.
pub(super) fn key(run: &mut Run<'_>, one: &One<'_>) {
    let key = one.key;
    if key.stores.is_empty() {
        let message = "it goes nowhere, so nobody would get the new key".to_owned();
        run.tell_field(Code::NoStore, one, &["id"], message);
    }
    if key.owner.is_none() && one.resolved.owners.value.is_empty() {
        run.tell_field(Code::Unowned, one, &["id"], "nobody answers for it".to_owned());
    }
    if one.resolved.alerts.value.is_empty() {
        run.tell_field(Code::NoAlert, one, &["id"], "nobody is told what happens to it".to_owned());
    }
    for (field, when) in [("created", key.created), ("rotated", key.rotated)] {
        if when.is_some_and(|when| when.0 > run.facts.now) {
            run.tell_field(Code::FutureDate, one, &[field], format!("`{field}` lies in the future"));
        }
    }
    staging(run, one);
    admin(run, one);
}

fn staging(run: &mut Run<'_>, one: &One<'_>) {
    let key = one.key;
    let Some(staging) = &key.staging else {
        if one.resolved.staging_first.value && key.environment.as_str() == "production" {
            let message = "staging goes first, and this production key has none".to_owned();
            run.tell_field(Code::StagingMissing, one, &["id"], message);
        }
        return;
    };
    let mut seen = BTreeSet::from([&key.id]);
    let mut next = Some(staging);
    while let Some(id) = next {
        if !seen.insert(id) {
            let message = format!("its staging leads back to `{id}`");
            return run.tell_field(Code::StagingLoop, one, &["staging"], message);
        }
        next = run.policy.key(id.as_str()).and_then(|key| key.staging.as_ref());
    }
    let Some(staging) = run.policy.key(staging.as_str()) else { return };
    let same = key.fingerprints.iter().any(|f| staging.fingerprints.contains(f));
    if same && !key.shared_with.contains(&staging.id) {
        let message = format!("it has the same value as its staging `{}`", staging.id);
        run.tell_field(Code::StagingShared, one, &["staging"], message);
    }
}

/// A key that is turned over with itself is lost in the middle of it.
fn admin(run: &mut Run<'_>, one: &One<'_>) {
    let (key, file) = (one.key, &run.policy.file);
    let Some((name, admin)) = key.admin.as_ref().and_then(|name| file.admin.get_key_value(name)) else {
        return;
    };
    if admin.provider != key.provider {
        let message = format!("{name} is of the provider {}, the key of {}", admin.provider, key.provider);
        run.tell_field(Code::AdminOfOther, one, &["admin"], message);
    }
    let own = admin.key.as_ref().and_then(|id| run.policy.key(id.as_str()));
    let same = own
        .is_some_and(|own| own.id == key.id || own.fingerprints.iter().any(|f| key.fingerprints.contains(f)));
    let read_from = key.stores.iter().find(|target| {
        let kind = file.store.get(&target.store).map(|store| store.kind);
        kind.is_some_and(|kind| same_place(&admin.credential, target, kind))
    });
    let how = match read_from {
        Some(target) => {
            format!("its administrator's credential is read from {target}, where the key itself goes")
        }
        None if same => "its administrator's credential is the key itself".to_owned(),
        None => return,
    };
    run.tell_field(Code::AdminIsKey, one, &["admin"], how);
}

/// Whether a reference reads what lies in a store at that place. A variable of the environment is nobody's.
fn same_place(reference: &Reference, target: &Target, kind: StoreKind) -> bool {
    let field = target.field.as_ref().map(|f| f.as_str());
    match (reference, kind) {
        (Reference::File(path), StoreKind::File) => path == Path::new(target.path.as_str()),
        (Reference::OpenBao { path, field: own }, StoreKind::Openbao) => {
            let whole = target.path.as_str().trim_matches('/');
            path == whole && field.is_none_or(|f| f == own)
        }
        _ => false,
    }
}
