//! What a push brings, read while it waits in quarantine: before any ref names it.
//!
//! The commits that the new refs lead to, and no old ref does, are read as a range is. Whatever else
//! lies in quarantine is read after them, so that nothing gets in unseen. What the repository held
//! before the push is not read again: an old leak that a thin pack drags along rejects no clean push.

mod fresh;
mod update;

pub use update::{Update, parse};

use super::Repository;
use super::parse::{Commit, Kind, Mode, entries, tag_target};
use super::range::{self, Range};
use crate::model::{Blob, Held, ObjectId, Origin, Provenance, RawPath, Sink};
use crate::source::{Options, SourceError};
use ahash::{AHashMap, AHashSet};
use fresh::Fresh;
use std::path::Path;
use std::sync::Arc;

/// Why a push is not even read: it is rejected.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// Standard input is not what git writes there.
    #[error(
        "line {line} of standard input is no update of a ref; git writes `<old id> <new id> <ref>` to a \
         pre-receive hook"
    )]
    Garbage {
        /// From 1.
        line: usize,
    },
    /// The ids have the length of SHA-256.
    #[error("the repository uses SHA-256, which is not read; convert it to SHA-1, or scan a clone")]
    Sha256,
    /// Objects came with no ref to name them.
    #[error("{objects} objects wait in quarantine, and standard input names no ref; is it passed on to us?")]
    NoUpdate {
        /// How many.
        objects: usize,
    },
    /// The quarantine is not among the directories of objects.
    #[error("there are no objects at the quarantine `{path}`; see GIT_QUARANTINE_PATH")]
    NoQuarantine {
        /// As it was named.
        path: RawPath,
    },
    /// A ref would point nowhere.
    #[error("`{name}` would point at {id}, which is not there")]
    Unknown {
        /// The ref.
        name: RawPath,
        /// The object.
        id: ObjectId,
    },
    /// The repository cannot be read, or an exclude is not a glob.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// The objects that a push adds.
#[derive(Debug, Default)]
struct Added {
    kinds: AHashMap<ObjectId, Kind>,
    /// The parents of each added commit, and what each added tag is put on.
    links: AHashMap<ObjectId, Vec<ObjectId>>,
    /// Those of them that are not added themselves.
    edges: AHashSet<ObjectId>,
    /// Folders that commits, and tags on folders, begin with.
    roots: Vec<ObjectId>,
}

/// Pushes what `updates` bring, and all else that waits at `quarantine`. What cannot be read is
/// counted by the sink.
///
/// # Errors
/// The push cannot be right, or the repository cannot be read.
pub fn push(
    repository: &Repository,
    updates: &[Update],
    quarantine: Option<&Path>,
    options: &Options,
    sink: &dyn Sink,
) -> Result<(), ReceiveError> {
    let objects = &repository.objects;
    repository.skipped.iter().chain(objects.broken()).for_each(|s| sink.skipped(s.clone()));
    let added = added(repository, quarantine, updates.is_empty(), sink)?;
    if let Some(update) = updates.iter().find(|u| !u.new.is_null() && !objects.contains(&u.new)) {
        return Err(ReceiveError::Unknown { name: update.name.clone(), id: update.new });
    }
    names(updates, sink);

    let range = new_commits(repository, updates, &added);
    let before = |id: &&ObjectId| !added.kinds.contains_key(*id);
    let mut ends = range.tips.iter().chain(&added.edges).filter(before);
    let only_commits = ends.all(|id| matches!(objects.kind(id), Ok(Kind::Commit)));
    let fresh = Fresh::new(repository, &added.kinds, only_commits, sink);
    range::push_only(repository, &range, options, &fresh)?;

    // Commits, tags and folders to which no new ref leads, and then blobs that are in none of them.
    let led = led(&range.tips, &added);
    let held = folders(repository, &added);
    let left = |id: &ObjectId, kind: Kind| match kind {
        Kind::Commit | Kind::Tag => !led.contains(id),
        Kind::Tree => !held.contains(id),
        Kind::Blob => false,
    };
    let tips = rest(&added, &left);
    if !tips.is_empty() {
        let hidden = range.hidden.iter().chain(&range.tips).copied().collect();
        range::push_only(repository, &Range { tips, hidden }, options, &fresh)?;
    }
    let named: AHashSet<&ObjectId> = added.links.values().flatten().chain(&range.tips).collect();
    let tips = rest(&added, &|id, kind| kind == Kind::Blob && !held.contains(id) && !named.contains(id));
    if !tips.is_empty() {
        range::push_only(repository, &Range { tips, hidden: Vec::new() }, options, &fresh)?;
    }
    Ok(())
}

/// The added objects of which `is_left` holds, sorted.
fn rest(added: &Added, is_left: &dyn Fn(&ObjectId, Kind) -> bool) -> Vec<ObjectId> {
    let list = added.kinds.iter().filter(|(id, kind)| is_left(id, **kind));
    let mut list: Vec<ObjectId> = list.map(|(id, _)| *id).collect();
    list.sort();
    list
}

/// The added commits and tags that the new refs lead to.
fn led(tips: &[ObjectId], added: &Added) -> AHashSet<ObjectId> {
    let mut open = tips.to_vec();
    let mut seen = AHashSet::new();
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            open.extend(added.links.get(&id).into_iter().flatten());
        }
    }
    seen
}

/// Lists what waits in quarantine and is nowhere else. The bases that make a thin pack whole are
/// copies of what was there before.
fn added(
    repository: &Repository,
    quarantine: Option<&Path>,
    quiet: bool,
    sink: &dyn Sink,
) -> Result<Added, ReceiveError> {
    let Some(path) = quarantine else { return Ok(Added::default()) };
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let wanted = real(path);
    let (waiting, before): (Vec<_>, Vec<_>) =
        repository.objects.stores().iter().partition(|s| real(&s.path) == wanted);
    let [waiting] = waiting[..] else {
        return Err(ReceiveError::NoQuarantine { path: RawPath::from_path(path) });
    };
    let ids = waiting.ids();
    if quiet && !ids.is_empty() {
        return Err(ReceiveError::NoUpdate { objects: ids.len() });
    }
    let mut added = Added::default();
    for id in ids.into_iter().filter(|id| !before.iter().any(|s| s.contains(id))) {
        match repository.objects.kind(&id) {
            Ok(kind) => drop(added.kinds.insert(id, kind)),
            Err(error) => sink.skipped(error.skipped(place(id))),
        }
    }
    let list: Vec<(ObjectId, Kind)> = added.kinds.iter().map(|(id, kind)| (*id, *kind)).collect();
    for (id, kind) in list {
        if !matches!(kind, Kind::Commit | Kind::Tag) {
            continue;
        }
        // What cannot be read is counted where its text is pushed.
        let Ok(bytes) = repository.objects.read_as(&id, kind) else { continue };
        if kind == Kind::Tag {
            let target = tag_target(&bytes);
            added.roots.extend(target);
            added.links.insert(id, target.into_iter().collect());
        } else if let Some(commit) = Commit::parse(&bytes) {
            added.roots.push(commit.tree);
            added.links.insert(id, commit.parents);
        }
    }
    let edges = added.links.values().flatten().filter(|id| !added.kinds.contains_key(*id));
    added.edges = edges.copied().collect();
    Ok(added)
}

/// The commits, and tags and all else, that the updates newly lead to.
fn new_commits(repository: &Repository, updates: &[Update], added: &Added) -> Range {
    let mut tips: Vec<ObjectId> = updates.iter().map(|u| u.new).filter(|id| !id.is_null()).collect();
    tips.sort();
    tips.dedup();
    // Mostly a push goes on from where its refs are: then no other ref is looked at.
    let mut near: AHashSet<ObjectId> = updates.iter().map(|u| u.old).collect();
    let goes_on = |known: &AHashSet<ObjectId>| {
        added.edges.iter().all(|id| known.contains(id))
            && tips.iter().all(|id| added.kinds.contains_key(id) || known.contains(id))
    };
    if !goes_on(&near) {
        // A new branch mostly begins where the main one is.
        near.extend(repository.head().ok().flatten());
    }
    let known = if goes_on(&near) {
        near
    } else {
        // A ref that cannot be read makes more new, not less.
        repository.tips().0.into_iter().collect()
    };
    let mut hidden: Vec<ObjectId> = if goes_on(&known) {
        added.edges.iter().copied().collect()
    } else {
        known.iter().copied().filter(|id| !id.is_null()).collect()
    };
    hidden.sort();
    tips.retain(|id| added.kinds.contains_key(id) || !known.contains(id));
    Range { tips, hidden }
}

/// The added folders that are below some root, and what is in them.
fn folders(repository: &Repository, added: &Added) -> AHashSet<ObjectId> {
    let is_folder = |id: &ObjectId| added.kinds.get(id) == Some(&Kind::Tree);
    let mut open: Vec<ObjectId> = added.roots.iter().copied().filter(is_folder).collect();
    let mut seen: AHashSet<ObjectId> = open.iter().copied().collect();
    while let Some(id) = open.pop() {
        let Ok(bytes) = repository.objects.read_as(&id, Kind::Tree) else { continue };
        for entry in entries(&bytes) {
            if seen.insert(entry.id) && entry.mode == Mode::Tree && is_folder(&entry.id) {
                open.push(entry.id);
            }
        }
    }
    seen
}

/// The names of refs that are made are text as well.
fn names(updates: &[Update], sink: &dyn Sink) {
    for update in updates.iter().filter(|u| u.old.is_null() && !u.new.is_null()) {
        let origin = Origin {
            held: Held::Ref,
            object: ObjectId::NULL,
            commit: None,
            reachable: true,
            at_head: false,
            also_at: Vec::new(),
        };
        let provenance = Arc::new(Provenance::history(update.name.clone(), origin));
        sink.blob(Blob::whole(update.name.as_bytes(), provenance));
    }
}

fn place(id: ObjectId) -> Provenance {
    let origin = Origin {
        held: Held::Blob,
        object: id,
        commit: None,
        reachable: false,
        at_head: false,
        also_at: Vec::new(),
    };
    Provenance::history(RawPath::new(b""), origin)
}
