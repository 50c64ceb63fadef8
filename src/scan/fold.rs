//! A secret that stood in a file for a hundred versions stands there once: in the first, and in the
//! one that is checked out.

use crate::model::{Held, ObjectId, Occurrence, RawPath};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// One file of a history, or one member of an archive in it.
type Spot<'a> = (&'a RawPath, &'a [RawPath]);

/// What is reachable comes first, then the older commit.
type Age = (Reverse<bool>, u64, ObjectId);

/// What is known of the versions of a spot.
#[derive(Default)]
struct Versions {
    first: Option<(Age, ObjectId)>,
    head: Option<ObjectId>,
    objects: Vec<ObjectId>,
}

/// Folds the places of one finding: of each spot those of its first version stay and those of the
/// one that is checked out, and the first says how many versions there are.
pub(super) fn versions(occurrences: &mut Vec<Occurrence>) {
    if occurrences.iter().all(|o| o.provenance.origin.is_none()) {
        return;
    }
    let mut spots: BTreeMap<Spot<'_>, Versions> = BTreeMap::new();
    for o in occurrences.iter() {
        let Some(origin) = o.provenance.origin.as_ref().filter(|o| o.held == Held::Blob) else { continue };
        let spot = spots.entry((&o.provenance.path, &o.provenance.members)).or_default();
        let rank = origin.commit.as_ref().map_or(u64::MAX, |c| c.rank);
        let place = (Reverse(origin.reachable), rank, origin.object);
        if spot.first.as_ref().is_none_or(|(best, _)| place < *best) {
            spot.first = Some((place, origin.object));
        }
        if origin.at_head {
            spot.head = Some(origin.object);
        }
        spot.objects.push(origin.object);
    }
    let kept: Vec<(bool, u64)> = occurrences
        .iter()
        .map(|o| {
            let Some(origin) = o.provenance.origin.as_ref().filter(|o| o.held == Held::Blob) else {
                return (true, 1);
            };
            let spot = &spots[&(&o.provenance.path, o.provenance.members.as_slice())];
            let first = spot.first.as_ref().is_some_and(|(_, id)| *id == origin.object);
            let mut objects = spot.objects.clone();
            objects.sort();
            objects.dedup();
            (first || spot.head == Some(origin.object), objects.len() as u64)
        })
        .collect();
    let mut kept = kept.into_iter();
    occurrences.retain_mut(|o| {
        let (stays, versions) = kept.next().unwrap_or((true, 1));
        o.versions = versions;
        stays
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CommitRef, Excerpt, Location, Origin, Provenance};
    use std::sync::Arc;

    fn place(path: &str, object: u8, rank: u64, reachable: bool, at_head: bool) -> Occurrence {
        let id = ObjectId::from_bytes(&[object; 20]).unwrap();
        let commit = CommitRef { rank, id, author: RawPath::new(b"A <a@b>"), authored: 0 };
        let origin = Origin {
            held: Held::Blob,
            object: id,
            commit: Some(commit),
            reachable,
            at_head,
            also_at: Vec::new(),
        };
        Occurrence {
            provenance: Arc::new(Provenance::history(RawPath::new(path.as_bytes()), origin)),
            location: Location { byte_start: 0, byte_end: 1, line: 1, end_line: 1, start: 0, end: 1 },
            via: Vec::new(),
            excerpt: Excerpt::default(),
            partners: Vec::new(),
            suppression: None,
            versions: 1,
        }
    }

    #[test]
    fn the_first_version_stays_and_the_one_at_head() {
        let mut list = vec![
            place("a", 1, 5, true, false),
            place("a", 2, 3, true, false),
            place("a", 3, 1, false, false),
            place("a", 4, 9, true, true),
            place("b", 1, 5, true, false),
        ];
        versions(&mut list);
        let told: Vec<_> = list
            .iter()
            .map(|o| (o.provenance.path.text(), o.provenance.origin.as_ref().unwrap().object, o.versions))
            .collect();
        let id = |n| ObjectId::from_bytes(&[n; 20]).unwrap();
        assert_eq!(told, [("a".into(), id(2), 4), ("a".into(), id(4), 4), ("b".into(), id(1), 1)]);
    }

    #[test]
    fn files_of_a_tree_are_left_alone() {
        let mut list = vec![place("a", 1, 1, true, true), place("a", 2, 2, true, false)];
        for o in &mut list {
            Arc::make_mut(&mut o.provenance).origin = None;
        }
        versions(&mut list);
        assert_eq!(list.len(), 2);
    }
}
