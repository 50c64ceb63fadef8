//! Trees as git makes them, and as nobody should.

use super::*;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

/// A directory of loose objects with names of our choosing: nothing here checks a name.
struct Store(PathBuf);

impl Store {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("keywheel-diff-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Store(path)
    }

    fn put(&self, id: u32, kind: &str, bytes: &[u8]) -> ObjectId {
        let id = name(id);
        let hex = id.to_string();
        let folder = self.0.join(&hex[..2]);
        fs::create_dir_all(&folder).unwrap();
        let mut head = format!("{kind} {}\0", bytes.len()).into_bytes();
        head.extend(bytes);
        let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(&head).unwrap();
        File::create(folder.join(&hex[2..])).unwrap().write_all(&out.finish().unwrap()).unwrap();
        id
    }

    fn tree(&self, id: u32, list: &[(&str, &str, u32)]) -> ObjectId {
        self.put(id, "tree", &tree(list))
    }

    fn objects(&self) -> Objects {
        Objects::open(std::slice::from_ref(&self.0)).unwrap()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn name(n: u32) -> ObjectId {
    let mut bytes = [9; 20];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    ObjectId::from_bytes(&bytes).unwrap()
}

fn tree(list: &[(&str, &str, u32)]) -> Vec<u8> {
    let entry = |(mode, n, id): &(&str, &str, u32)| {
        [mode.as_bytes(), b" ", n.as_bytes(), b"\0", name(*id).as_bytes()].concat()
    };
    list.iter().flat_map(entry).collect()
}

fn compare(store: &Store, tree: ObjectId, parents: &[ObjectId]) -> Changes {
    let objects = store.objects();
    changes(&mut Trees::new(&objects), &tree, parents, &|| false)
}

fn new(found: &Changes) -> Vec<String> {
    let mut list: Vec<String> = found.new.iter().map(|c| c.path.text()).collect();
    list.sort();
    list
}

fn old(found: &Changes) -> Vec<String> {
    let mut list: Vec<String> =
        found.old.iter().map(|f| format!("{}:{}", f.parent, f.was.path.text())).collect();
    list.sort();
    list
}

const F: &str = "100644";
const D: &str = "40000";

#[test]
fn only_what_changed_is_looked_at() {
    let s = Store::new("plain");
    let same = name(99); // never stored: looking into it would be told
    s.tree(1, &[(F, "a", 10), (D, "kept", 99), (D, "dir", 2), (F, "gone", 14)]);
    s.tree(2, &[(F, "b", 11), (F, "c", 12)]);
    s.tree(3, &[(F, "a", 13), (D, "kept", 99), (D, "dir", 4), (F, "link", 15)]);
    s.tree(4, &[(F, "b", 11), (F, "c", 16)]);
    assert!(!s.objects().contains(&same));
    let found = compare(&s, name(3), &[name(1)]);
    assert_eq!(new(&found), ["a", "dir/c", "link"]);
    assert_eq!(old(&found), ["0:a", "0:dir/c", "0:gone"]);
    assert_eq!(found.names.iter().map(|n| n.path.text()).collect::<Vec<_>>(), ["link"]);
    assert_eq!(found.old_names.iter().map(|n| n.1.path.text()).collect::<Vec<_>>(), ["gone"]);
    assert!(found.unread.is_empty());
    assert!(new(&compare(&s, name(1), &[name(1), name(3)])).is_empty());
    // Against no parent, all is new; and what is not there is told.
    let all = compare(&s, name(3), &[]);
    assert_eq!(new(&all), ["a", "dir/b", "dir/c", "link"]);
    assert_eq!(all.names.len(), 6);
    assert!(
        matches!(&all.unread[..], [Unread { path, why: Why::Error(GitError::Absent { .. }) }] if path.as_bytes() == b"kept")
    );
}

#[test]
fn a_merge_brings_what_no_parent_has() {
    let s = Store::new("merge");
    s.tree(1, &[(F, "a", 10), (F, "b", 11), (F, "c", 12), (F, "one", 20)]);
    s.tree(2, &[(F, "a", 13), (F, "b", 14), (F, "d", 15)]);
    s.tree(3, &[(F, "a", 10), (F, "b", 16), (F, "e", 17)]);
    let found = compare(&s, name(3), &[name(1), name(2)]);
    assert_eq!(new(&found), ["b", "e"]);
    // `a` is the first parent's, and `c`, `d` and `one` are gone from one side only.
    assert_eq!(old(&found), ["0:b", "1:b"]);
    let octopus = compare(&s, name(3), &[name(1), name(2), name(3)]);
    assert!(octopus.new.is_empty() && octopus.old.is_empty());
}

#[test]
fn folders_and_files_take_each_others_place() {
    let s = Store::new("kinds");
    s.tree(1, &[(D, "x", 2), (F, "y", 10)]);
    s.tree(2, &[(F, "in", 11), (D, "sub", 3)]);
    s.tree(3, &[(F, "deep", 12)]);
    s.tree(4, &[(F, "x", 13), (D, "y", 3), ("160000", "m", 14), ("120000", "l", 15)]);
    let found = compare(&s, name(4), &[name(1)]);
    assert_eq!(new(&found), ["l", "m", "x", "y/deep"]);
    assert_eq!(old(&found), ["0:x/in", "0:x/sub/deep", "0:y"]);
    let modes: Vec<Mode> = found.new.iter().map(|c| c.mode).collect();
    assert!(modes.contains(&Mode::Link) && modes.contains(&Mode::Submodule));
}

#[test]
fn lies_are_told_and_read_for_what_they_are() {
    let s = Store::new("lies");
    s.put(10, "blob", b"content");
    s.put(11, "tree", b"100644 ok\0cut");
    s.tree(
        1,
        &[
            (D, "blob", 10),
            (D, "cut", 11),
            (F, "..", 12),
            (D, ".git", 2),
            (F, "z", 13),
            (F, "a", 14),
            (F, "a", 15),
        ],
    );
    s.tree(2, &[(F, "config", 16)]);
    let found = compare(&s, name(1), &[]);
    assert_eq!(new(&found), ["..", ".git/config", "a", "a", "blob", "z"]);
    let told: Vec<_> = found.unread.iter().map(|u| u.path.text()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    // Twice the same name: only the one that the parent lacks is new.
    s.tree(3, &[(F, "a", 15), (F, "a", 17), (D, ".git", 2)]);
    s.tree(4, &[(D, ".git", 2), (F, "a", 15), (F, "a", 14)]);
    let found = compare(&s, name(3), &[name(4)]);
    assert_eq!(found.new.iter().map(|c| c.id).collect::<Vec<_>>(), [name(17)]);
    assert_eq!(found.old.len(), 2);
}

#[test]
fn depth_and_repetition_have_bounds() {
    let s = Store::new("deep");
    // Ten levels, each holding the next ten times: ten thousand million paths to one file.
    for level in 0..10 {
        let names: Vec<String> = (0..10).map(|n| format!("d{n}")).collect();
        let mode = if level == 9 { F } else { D };
        let list: Vec<_> = names.iter().map(|n| (mode, n.as_str(), level + 1)).collect();
        s.tree(level, &list);
    }
    let found = compare(&s, name(0), &[]);
    assert!(found.repeated > 0 && found.new.len() <= REPEATS + 10, "{}", found.new.len());
    assert!(found.new.iter().all(|c| c.id == name(10)));
    // A folder that a damaged store shows inside itself.
    s.tree(100, &[(D, "again", 100), (F, "x", 10)]);
    let found = compare(&s, name(100), &[]);
    assert!(found.new.len() <= DEPTH as usize + 1 && found.new.len() > 1000);
    assert!(matches!(found.unread[..], [Unread { why: Why::TooDeep, .. }]));
    // Deeper than git goes, each level another folder.
    for level in 0..5000 {
        s.tree(1000 + level, &[(D, "d", 1001 + level), (F, "f", 10)]);
    }
    let found = compare(&s, name(1000), &[]);
    assert_eq!(found.new.len(), DEPTH as usize + 1);
    assert!(matches!(found.unread[..], [Unread { why: Why::TooDeep, .. }]));
    assert!(found.new.iter().all(|c| c.path.as_bytes().len() <= LONGEST));
    let mut calls = std::cell::Cell::new(0);
    let objects = s.objects();
    let stop = || calls.replace(calls.get() + 1) > 2;
    let found = changes(&mut Trees::new(&objects), &name(1000), &[], &stop);
    assert!(matches!(found.unread.last(), Some(Unread { why: Why::Stopped, .. })));
    assert!(*calls.get_mut() < 10);
}
