//! Where in a history something stands: its paths, the first commit of each, and whether it is
//! still there. Asked afterwards, for the few objects that hold a finding.
//!
//! Two steps, neither of which reads an object by itself. The trees of a repository are gone
//! through until those above a wanted object are known, which takes as many rounds as folders lie
//! inside each other; then commits are gone through in order, and only those trees are entered.

mod closure;
mod paths;

use super::commits::{Commits, Set};
use crate::model::{Held, ObjectId, Origin, RawPath};
use ahash::{AHashMap, AHashSet};
use closure::Closure;
use paths::Paths;
use std::collections::{BTreeMap, BTreeSet};

/// Paths that are told of one object.
pub const PATHS: usize = 64;
/// Under how many paths one tree is entered. A few trees that hold each other many times over have
/// more paths than can be counted.
const VISITS: u32 = 1024;

/// How often trees are entered under a further path, over all: what is found below is the same.
const AGAIN: u32 = 1 << 20;
/// Bytes of paths that are told of one object, beside its first.
const TOLD: usize = 16 << 10;

/// Gives every tree of a repository, name and bytes, in any order and from any threads; called once a round.
pub type AllTrees<'a> = dyn Fn(&(dyn Fn(ObjectId, &[u8]) + Sync)) + 'a;

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Blobs.
    pub blobs: &'a BTreeSet<ObjectId>,
    /// Names of files and folders.
    pub names: &'a BTreeSet<Vec<u8>>,
}

/// What a repository's refs, reflogs and index lead to.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Commits that a ref or a reflog leads to.
    pub commits: Set,
    /// Trees and blobs that a ref, a tag or the index names by itself, with the path that the index
    /// has for it; an empty one otherwise.
    pub named: BTreeMap<ObjectId, RawPath>,
    /// The commit that is checked out.
    pub head: Option<ObjectId>,
}

/// Where something stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Each path with the first commit that has it there: what is reachable first, then the oldest.
    /// `also_at` of the first one names all others. Never empty; what no tree holds has an empty path.
    pub list: Vec<(RawPath, Origin)>,
    /// At least so many paths are not listed.
    pub more: u64,
}

/// Where what was looked for stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributed {
    /// By blob; each wanted one.
    pub blobs: BTreeMap<ObjectId, Places>,
    /// By name; those that were found.
    pub names: BTreeMap<Vec<u8>, Places>,
}

/// Finds where `wanted` stands.
pub fn attribute(
    commits: &Commits,
    wanted: Wanted<'_>,
    reach: &Reach,
    all_trees: &AllTrees<'_>,
) -> Attributed {
    let closure = Closure::gather(wanted, all_trees);
    let mut search = Search {
        closure: &closure,
        wanted,
        paths: Paths::default(),
        visited: AHashSet::new(),
        visits: vec![0; closure.len()],
        again: AGAIN,
        blobs: AHashMap::new(),
        names: AHashMap::new(),
    };
    let order = commits.order(&commits.all());
    let ranked = || order.iter().enumerate().map(|(rank, &n)| (n, rank as u64));
    for (n, rank) in ranked().filter(|(n, _)| reach.commits.contains(*n)) {
        search.enter(&commits.tree(n), Paths::ROOT, Source { commit: Some((n, rank)), reachable: true });
    }
    for (id, path) in &reach.named {
        let source = Source { commit: None, reachable: true };
        let path = search.paths.whole(path);
        if wanted.blobs.contains(id) {
            search.found(*id, path, source);
        }
        search.enter(id, path, source);
    }
    for (n, rank) in ranked().filter(|(n, _)| !reach.commits.contains(*n)) {
        search.enter(&commits.tree(n), Paths::ROOT, Source { commit: Some((n, rank)), reachable: false });
    }
    for id in closure.loose(|n| search.visits[n] > 0) {
        // What lies below another loose tree was entered from there, unless they hold each other.
        if search.visits[closure.number(&id).unwrap_or_default()] == 0 {
            search.enter(&id, Paths::ROOT, Source { commit: None, reachable: false });
        }
    }
    let head = reach.head.and_then(|id| commits.number(&id)).map(|n| closure.below(&commits.tree(n)));
    search.finish(commits, &head.unwrap_or_default())
}

/// From where a tree is entered.
#[derive(Clone, Copy)]
struct Source {
    /// The commit and its rank.
    commit: Option<(u32, u64)>,
    reachable: bool,
}

/// A path under which something stands.
struct Hit {
    path: u32,
    source: Source,
    /// What is told to stand there: the blob, or the tree that holds a name.
    object: ObjectId,
}

/// All hits of one blob or name.
#[derive(Default)]
struct Hits {
    list: Vec<Hit>,
    seen: AHashSet<u32>,
    more: u64,
}

impl Hits {
    fn add(&mut self, hit: Hit) {
        if !self.seen.insert(hit.path) {
            return;
        }
        if self.list.len() < PATHS {
            self.list.push(hit);
        } else {
            self.more += 1;
        }
    }
}

struct Search<'a> {
    closure: &'a Closure,
    wanted: Wanted<'a>,
    paths: Paths,
    /// Trees by number, each with a path.
    visited: AHashSet<(usize, u32)>,
    visits: Vec<u32>,
    /// How often a tree may still be entered that was entered before.
    again: u32,
    blobs: AHashMap<ObjectId, Hits>,
    names: AHashMap<Vec<u8>, Hits>,
}

impl Search<'_> {
    /// Goes through all below a tree that was not seen under the same path.
    fn enter(&mut self, tree: &ObjectId, path: u32, source: Source) {
        let closure = self.closure;
        let Some(number) = closure.number(tree) else { return };
        let mut stack = vec![(number, path)];
        while let Some((number, path)) = stack.pop() {
            let most = if self.again > 0 { VISITS } else { 1 };
            if self.visits[number] >= most || !self.visited.insert((number, path)) {
                continue;
            }
            self.again -= u32::from(self.visits[number] > 0);
            self.visits[number] += 1;
            for entry in closure.entries(number) {
                let below = self.paths.below(path, &entry.name);
                if let Some(tree) = entry.tree.and_then(|id| closure.number(&id)) {
                    stack.push((tree, below));
                }
                if let Some(blob) = entry.blob {
                    self.found(blob, below, source);
                }
                if entry.named {
                    let hit = Hit { path: below, source, object: closure.id(number) };
                    self.names.entry(entry.name.to_vec()).or_default().add(hit);
                }
            }
        }
    }

    fn found(&mut self, blob: ObjectId, path: u32, source: Source) {
        // What the index or a tag names by itself is told only where nothing reachable has it.
        let hits = self.blobs.entry(blob).or_default();
        if source.commit.is_some() || !source.reachable || !hits.list.iter().any(|h| h.source.reachable) {
            hits.add(Hit { path, source, object: blob });
        }
    }

    fn finish(mut self, commits: &Commits, head: &closure::Below) -> Attributed {
        let mut out = Attributed::default();
        for &id in self.wanted.blobs {
            let mut hits = self.blobs.remove(&id).unwrap_or_default();
            if hits.list.is_empty() {
                let source = Source { commit: None, reachable: false };
                hits.add(Hit { path: Paths::ROOT, source, object: id });
            }
            out.blobs.insert(id, self.places(commits, Held::Blob, hits, head.blobs.contains(&id)));
        }
        for (name, hits) in std::mem::take(&mut self.names) {
            let at_head = head.names.contains(&name[..]);
            out.names.insert(name, self.places(commits, Held::Name, hits, at_head));
        }
        out
    }

    fn places(&self, commits: &Commits, held: Held, hits: Hits, at_head: bool) -> Places {
        let place = |hit: &Hit| {
            let origin = Origin {
                held,
                object: hit.object,
                commit: hit.source.commit.map(|(n, rank)| commits.reference(n, rank)),
                reachable: hit.source.reachable,
                at_head,
                also_at: Vec::new(),
            };
            (self.paths.path(hit.path), origin)
        };
        let mut list: Vec<(RawPath, Origin)> = Vec::new();
        let (mut more, mut told) = (hits.more, 0);
        for hit in &hits.list {
            let place = place(hit);
            told += if list.is_empty() { 0 } else { place.0.as_bytes().len() };
            if told > TOLD {
                more += 1;
            } else {
                list.push(place);
            }
        }
        tell_others(&mut list);
        Places { list, more }
    }
}

/// Names all other paths with the first one.
pub(super) fn tell_others(list: &mut [(RawPath, Origin)]) {
    let mut others: Vec<RawPath> = list.iter().skip(1).map(|(path, _)| path.clone()).collect();
    others.sort();
    if let Some((_, first)) = list.first_mut() {
        first.also_at = others;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn id(n: u32) -> ObjectId {
        let mut bytes = [3; 20];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        ObjectId::from_bytes(&bytes).unwrap()
    }

    const F: &str = "100644";
    const D: &str = "40000";

    fn tree(list: &[(&str, &str, u32)]) -> Vec<u8> {
        let entry = |(mode, n, o): &(&str, &str, u32)| {
            [mode.as_bytes(), b" ", n.as_bytes(), b"\0", id(*o).as_bytes()].concat()
        };
        list.iter().flat_map(entry).collect()
    }

    fn commit(commits: &mut Commits, n: u32, tree: u32, parents: &[u32]) {
        let parents: String = parents.iter().map(|&p| format!("parent {}\n", id(p))).collect();
        let text = format!(
            "tree {}\n{parents}author A <a@b> {n} +0000\ncommitter A <a@b> {n} +0000\n\nm\n",
            id(tree)
        );
        assert!(commits.add(id(n), text.as_bytes()));
    }

    fn ask(
        commits: &Commits,
        trees: &[(u32, Vec<u8>)],
        blobs: &[u32],
        names: &[&str],
        reach: &Reach,
    ) -> (Attributed, usize) {
        let blobs = blobs.iter().map(|&b| id(b)).collect();
        let names = names.iter().map(|n| n.as_bytes().to_vec()).collect();
        let rounds = Cell::new(0);
        let found = attribute(commits, Wanted { blobs: &blobs, names: &names }, reach, &|each| {
            rounds.set(rounds.get() + 1);
            trees.iter().for_each(|(n, bytes)| each(id(*n), bytes));
        });
        (found, rounds.get())
    }

    fn told(places: &Places) -> Vec<String> {
        let one = |(path, origin): &(RawPath, Origin)| {
            let commit = origin.commit.as_ref().map(|c| c.authored.to_string()).unwrap_or_default();
            format!("{}@{commit}{}", path.text(), if origin.reachable { "" } else { "?" })
        };
        places.list.iter().map(one).collect()
    }

    #[test]
    fn first_commit_and_all_paths() {
        let mut commits = Commits::default();
        // 1 ← 2 ← 3 is reachable, 1 ← 4 is not.
        commit(&mut commits, 1, 100, &[]);
        commit(&mut commits, 4, 103, &[1]);
        commit(&mut commits, 2, 101, &[1]);
        commit(&mut commits, 3, 102, &[2]);
        let trees = vec![
            (100, tree(&[(F, "a", 10), (F, "other", 50)])),
            (101, tree(&[(F, "a", 11), (D, "dir", 110)])),
            (102, tree(&[(F, "b", 11), (D, "dir", 110), (D, "copy", 110)])),
            (103, tree(&[(F, "only", 12), (F, "a", 11)])),
            (110, tree(&[(F, "deep", 10), (F, "named", 51)])),
            (120, tree(&[(D, "sub", 121)])),
            (121, tree(&[(F, "dangling", 13)])),
        ];
        let reach = Reach { commits: commits.reachable([&id(3)]), named: BTreeMap::new(), head: Some(id(3)) };
        let (found, rounds) =
            ask(&commits, &trees, &[10, 11, 12, 13, 14], &["named", "dir", "absent"], &reach);
        assert_eq!(rounds, 3);
        assert_eq!(told(&found.blobs[&id(10)]), ["a@1", "dir/deep@2", "copy/deep@3"]);
        assert_eq!(told(&found.blobs[&id(11)]), ["a@2", "b@3"]);
        assert_eq!(told(&found.blobs[&id(12)]), ["only@4?"]);
        assert_eq!(told(&found.blobs[&id(13)]), ["sub/dangling@?"]);
        assert_eq!(told(&found.blobs[&id(14)]), ["@?"]);
        assert_eq!(told(&found.names[&b"named"[..]]), ["dir/named@2", "copy/named@3"]);
        assert_eq!(told(&found.names[&b"dir"[..]]), ["dir@2"]);
        assert_eq!(found.names.len(), 2);
        let first = &found.blobs[&id(10)].list[0].1;
        assert!(first.at_head && !found.blobs[&id(12)].list[0].1.at_head);
        assert_eq!(first.also_at.iter().map(RawPath::text).collect::<Vec<_>>(), ["copy/deep", "dir/deep"]);
        assert_eq!(found.names[&b"named"[..]].list[0].1.object, id(110));
        assert_eq!(first.commit.as_ref().map(|c| c.rank), Some(0));
    }

    #[test]
    fn what_refs_and_the_index_name_is_reachable() {
        let mut commits = Commits::default();
        commit(&mut commits, 1, 100, &[]);
        let trees = vec![(100, tree(&[(F, "a", 10), (F, "c", 12)])), (101, tree(&[(F, "b", 11)]))];
        let path = |p: &str| RawPath::new(p.as_bytes());
        let named = [(id(10), path("")), (id(101), path("")), (id(13), path("dir/staged"))].into();
        let reach = Reach { named, ..Reach::default() };
        let (found, _) = ask(&commits, &trees, &[10, 11, 12, 13], &[], &reach);
        assert_eq!(told(&found.blobs[&id(10)]), ["@", "a@1?"]);
        assert_eq!(told(&found.blobs[&id(11)]), ["b@"]);
        assert_eq!(told(&found.blobs[&id(12)]), ["c@1?"]);
        assert_eq!(told(&found.blobs[&id(13)]), ["dir/staged@"]);
        let reach = Reach { commits: commits.all(), ..reach };
        let (found, _) = ask(&commits, &trees, &[10], &[], &reach);
        assert_eq!(told(&found.blobs[&id(10)]), ["a@1"]);
    }

    #[test]
    fn hostile_trees_have_bounds() {
        let mut commits = Commits::default();
        commit(&mut commits, 1, 100, &[]);
        // Ten levels, each holding the next ten times.
        let names: Vec<String> = (0..10).map(|n| format!("d{n}")).collect();
        let level = |n: u32| {
            let mode = if n == 109 { F } else { D };
            tree(&names.iter().map(|name| (mode, name.as_str(), n + 1)).collect::<Vec<_>>())
        };
        let mut trees: Vec<_> = (100..110).map(|n| (n, level(n))).collect();
        let reach = Reach { commits: commits.all(), ..Reach::default() };
        let (found, rounds) = ask(&commits, &trees, &[110], &[], &reach);
        let places = &found.blobs[&id(110)];
        assert_eq!((places.list.len(), rounds), (PATHS, 11));
        assert!(places.more > 0);
        // Trees that a damaged pack shows inside each other, which no commit holds.
        trees = vec![
            (200, tree(&[(D, "x", 201), (F, "f", 20)])),
            (201, tree(&[(D, "y", 200)])),
            (202, b"100644 cut\0short".to_vec()),
        ];
        let (found, _) = ask(&commits, &trees, &[20], &[], &reach);
        let places = &found.blobs[&id(20)];
        assert!(
            places.list.len() == PATHS && places.list.iter().all(|(_, o)| !o.reachable && o.commit.is_none())
        );
        assert!(places.list.iter().all(|(p, _)| p.text().ends_with('f')));
    }
}
