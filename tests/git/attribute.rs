//! Where something stands, against all trees of all commits.

use super::dags;
use super::made::{Made, id, ids};
use keywheel::model::ObjectId;
use keywheel::source::git::attribute::{Reach, Wanted, attribute};
use keywheel::source::git::parse::Kind;
use keywheel::source::git::{Commits, Repository};
use std::collections::{BTreeMap, BTreeSet};

/// Names and kinds of all objects, packed or loose.
fn all(made: &Made) -> Vec<(ObjectId, String)> {
    let args = ["cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)"];
    made.git(&args).lines().map(|l| l.split_once(' ').unwrap()).map(|(i, k)| (id(i), k.to_owned())).collect()
}

fn of_kind(all: &[(ObjectId, String)], kind: &str) -> BTreeSet<ObjectId> {
    all.iter().filter(|(_, k)| k == kind).map(|(id, _)| *id).collect()
}

fn commits_of(repo: &Repository, list: &BTreeSet<ObjectId>) -> Commits {
    let mut commits = Commits::default();
    for id in list {
        assert!(commits.add(*id, &repo.objects.read_as(id, Kind::Commit).unwrap()));
    }
    commits
}

/// Path and object of all files, and paths of all entries, by `git ls-tree`.
fn files(made: &Made, commit: &ObjectId) -> (Vec<(String, ObjectId)>, Vec<String>) {
    let out = made.git(&["ls-tree", "-r", "-t", "--full-tree", &commit.to_string()]);
    let (mut files, mut entries) = (Vec::new(), Vec::new());
    for line in out.lines() {
        let (head, path) = line.split_once('\t').unwrap();
        let words: Vec<&str> = head.split(' ').collect();
        if words[1] == "blob" {
            files.push((path.to_owned(), id(words[2])));
        }
        entries.push(path.to_owned());
    }
    (files, entries)
}

#[test]
fn every_blob_of_random_histories_is_placed() {
    let (made, list) = dags::make(24, 3);
    // Every third history keeps no ref at all, every other only its tip and one more.
    let refs = made.git(&["for-each-ref", "--format=%(refname)"]);
    let kept = |name: &str| {
        let (dag, n) = name.strip_prefix("refs/heads/d").unwrap().split_once('/').unwrap();
        let (dag, n): (usize, usize) = (dag.parse().unwrap(), n.parse().unwrap());
        dag % 3 != 0 && (n + 1 == list[dag].len() || n == 2)
    };
    let delete: String = refs.lines().filter(|n| !kept(n)).map(|n| format!("delete {n}\n")).collect();
    made.git_with(&["update-ref", "--stdin"], delete.as_bytes());
    let head = list[1][list[1].len() - 1];
    made.git(&["update-ref", "--no-deref", "HEAD", &head.to_string()]);

    let repo = made.open();
    let all = all(&made);
    let commits = commits_of(&repo, &of_kind(&all, "commit"));
    let reachable = ids(&made.git(&["rev-list", "--all"]));
    assert!(reachable.len() < commits.len());
    let reach = Reach { commits: commits.reachable(&reachable), head: Some(head), ..Reach::default() };
    assert_eq!(reach.commits.len(), reachable.len());

    // By hand: all files of all commits, in order.
    let mut order: Vec<(bool, usize, ObjectId)> = commits
        .order(&commits.all())
        .into_iter()
        .enumerate()
        .map(|(rank, n)| (!reachable.contains(&commits.id(n)), rank, commits.id(n)))
        .collect();
    order.sort();
    type Found = Vec<(String, ObjectId, bool)>;
    let (mut blobs, mut names) = (BTreeMap::<ObjectId, Found>::new(), BTreeMap::<String, Found>::new());
    for (apart, _, commit) in &order {
        let (files, entries) = files(&made, commit);
        let add = |found: &mut Found, path: String| {
            if !found.iter().any(|(p, ..)| *p == path) {
                found.push((path, *commit, !apart));
            }
        };
        files.into_iter().for_each(|(path, blob)| add(blobs.entry(blob).or_default(), path));
        for path in entries {
            let name = path.rsplit('/').next().unwrap().to_owned();
            add(names.entry(name).or_default(), path);
        }
    }

    let wanted = of_kind(&all, "blob");
    let wanted_names: BTreeSet<Vec<u8>> = names.keys().map(|n| n.as_bytes().to_vec()).collect();
    let trees = of_kind(&all, "tree");
    let rounds = std::cell::Cell::new(0);
    let found = attribute(&commits, Wanted { blobs: &wanted, names: &wanted_names }, &reach, &|each| {
        rounds.set(rounds.get() + 1);
        trees.iter().for_each(|id| each(*id, &repo.objects.read_as(id, Kind::Tree).unwrap()));
    });
    assert!(rounds.get() <= 4, "{rounds:?}");
    assert_eq!(found.blobs.len(), wanted.len());
    let at_head: BTreeSet<ObjectId> = files(&made, &head).0.into_iter().map(|(_, id)| id).collect();
    let sorted = |mut list: Found| {
        // One commit may bring several paths at once.
        list.sort();
        list
    };
    let ours = |places: &keywheel::source::git::attribute::Places| {
        let one = |(path, origin): &(keywheel::model::RawPath, keywheel::model::Origin)| {
            (path.text(), origin.commit.as_ref().unwrap().id, origin.reachable)
        };
        assert_eq!(places.more, 0);
        let ranks: Vec<_> =
            places.list.iter().map(|(_, o)| (!o.reachable, o.commit.as_ref().unwrap().rank)).collect();
        assert!(ranks.is_sorted());
        places.list.iter().map(one).collect::<Found>()
    };
    for (blob, places) in &found.blobs {
        assert_eq!(sorted(ours(places)), sorted(blobs[blob].clone()), "{blob}");
        assert!(places.list.iter().all(|(_, o)| o.at_head == at_head.contains(blob)));
    }
    for (name, list) in &names {
        assert_eq!(sorted(ours(&found.names[name.as_bytes()])), sorted(list.clone()), "{name}");
    }
}

#[test]
fn one_value_in_a_real_history() {
    let made = Made::new();
    made.put("a", "first\n").commit("one");
    made.put("dir/b", "wanted\n").commit("two");
    let first = made.git(&["rev-parse", "HEAD"]);
    made.git(&["mv", "dir/b", "c"]);
    made.commit("three");
    made.git(&["rm", "-q", "c"]);
    made.commit("four");
    let blob = made.git(&["rev-parse", "HEAD~2:dir/b"]);
    let log = made.git(&["log", "--all", "--format=%H", "--find-object", &blob]);
    assert_eq!(log.lines().last(), Some(&*first));
    let repo = made.open();
    let all = all(&made);
    let commits = commits_of(&repo, &of_kind(&all, "commit"));
    let head = repo.head().unwrap();
    let reach = Reach { commits: commits.reachable(&head), head, ..Reach::default() };
    let (wanted, trees) = ([id(&blob)].into(), of_kind(&all, "tree"));
    let found = attribute(&commits, Wanted { blobs: &wanted, names: &BTreeSet::new() }, &reach, &|each| {
        trees.iter().for_each(|id| each(*id, &repo.objects.read_as(id, Kind::Tree).unwrap()));
    });
    let (path, origin) = &found.blobs[&id(&blob)].list[0];
    assert_eq!(path.text(), "dir/b");
    let commit = origin.commit.as_ref().unwrap();
    assert_eq!((commit.id.to_string(), commit.rank, commit.authored), (first, 1, 1_700_000_000));
    assert_eq!(origin.also_at.iter().map(|p| p.text()).collect::<Vec<_>>(), ["c"]);
    assert!(origin.reachable && !origin.at_head);
}
