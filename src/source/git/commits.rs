//! Commits and how they descend from each other, by small numbers.

mod bases;
mod paint;

pub use paint::Walk;

use super::parse::{Commit, Kind};
use super::{GitError, Objects};
use crate::model::{CommitRef, ObjectId, RawPath};
use ahash::AHashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A set of commits, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    words: Vec<u64>,
}

impl Set {
    /// Adds a commit; `false` if it was there.
    pub fn insert(&mut self, number: u32) -> bool {
        let (word, bit) = (number as usize / 64, 1 << (number % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let fresh = self.words[word] & bit == 0;
        self.words[word] |= bit;
        fresh
    }

    /// Takes a commit out.
    pub fn remove(&mut self, number: u32) {
        if let Some(word) = self.words.get_mut(number as usize / 64) {
            *word &= !(1 << (number % 64));
        }
    }

    /// Whether it holds a commit.
    pub fn contains(&self, number: u32) -> bool {
        self.words.get(number as usize / 64).is_some_and(|w| w & (1 << (number % 64)) != 0)
    }

    /// How many it holds.
    pub fn len(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&w| w == 0)
    }

    /// Its commits, in order of number.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        let bits = |(i, &word): (usize, &u64)| {
            (0..64).filter(move |b| word & (1 << b) != 0).map(move |b| i as u32 * 64 + b)
        };
        self.words.iter().enumerate().flat_map(bits)
    }
}

/// What is kept of a commit.
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    /// Whether its bytes were seen; else it was only named as a parent.
    known: bool,
    tree: ObjectId,
    /// Its parents, as a range of `Commits::edges`.
    edges: (usize, usize),
    /// Index in `Commits::authors`.
    author: u32,
    authored: i64,
    committed: i64,
}

/// Commits by number. A number is given when a commit is first added or named as a parent.
#[derive(Clone, Debug, Default)]
pub struct Commits {
    numbers: AHashMap<ObjectId, u32>,
    ids: Vec<ObjectId>,
    nodes: Vec<Node>,
    edges: Vec<u32>,
    authors: Vec<RawPath>,
    author_numbers: AHashMap<RawPath, u32>,
    known: usize,
}

impl Commits {
    /// Adds a commit by its bytes; `false` if they do not parse as one.
    pub fn add(&mut self, id: ObjectId, bytes: &[u8]) -> bool {
        let number = self.intern(id) as usize;
        if self.nodes[number].known {
            return true;
        }
        let Some(commit) = Commit::parse(bytes) else { return false };
        let from = self.edges.len();
        for parent in &commit.parents {
            let parent = self.intern(*parent);
            self.edges.push(parent);
        }
        let author = RawPath::new(commit.author);
        let author = *self.author_numbers.entry(author).or_insert_with_key(|name| {
            self.authors.push(name.clone());
            self.authors.len() as u32 - 1
        });
        self.known += 1;
        self.nodes[number] = Node {
            known: true,
            tree: commit.tree,
            edges: (from, self.edges.len()),
            author,
            authored: commit.authored,
            committed: commit.committed,
        };
        true
    }

    /// Reads a commit and adds it, unless it is known already; its number.
    ///
    /// # Errors
    /// It cannot be read, or is no commit.
    pub fn load(&mut self, objects: &Objects, id: &ObjectId) -> Result<u32, GitError> {
        if let Some(number) = self.number(id) {
            return Ok(number);
        }
        let bytes = objects.read_as(id, Kind::Commit)?;
        if !self.add(*id, &bytes) {
            return Err(GitError::BadObject { id: *id, what: "it does not parse as a commit".to_owned() });
        }
        Ok(self.intern(*id))
    }

    fn intern(&mut self, id: ObjectId) -> u32 {
        *self.numbers.entry(id).or_insert_with(|| {
            self.ids.push(id);
            self.nodes.push(Node::default());
            self.ids.len() as u32 - 1
        })
    }

    /// How many commits are known.
    pub fn len(&self) -> usize {
        self.known
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.known == 0
    }

    /// Every known commit.
    pub fn all(&self) -> Set {
        let mut set = Set::default();
        (0..self.nodes.len()).filter(|&n| self.nodes[n].known).for_each(|n| {
            set.insert(n as u32);
        });
        set
    }

    /// The number of a known commit.
    pub fn number(&self, id: &ObjectId) -> Option<u32> {
        self.numbers.get(id).copied().filter(|&n| self.is_known(n))
    }

    /// Whether the bytes of a commit were seen; else it was only named as a parent.
    pub fn is_known(&self, number: u32) -> bool {
        self.nodes[number as usize].known
    }

    /// The name of a commit.
    pub fn id(&self, number: u32) -> ObjectId {
        self.ids[number as usize]
    }

    /// The tree of a known commit.
    pub fn tree(&self, number: u32) -> ObjectId {
        self.nodes[number as usize].tree
    }

    /// The parents of a commit, in order; those may be unknown.
    pub fn parents(&self, number: u32) -> &[u32] {
        let (from, to) = self.nodes[number as usize].edges;
        &self.edges[from..to]
    }

    /// When a commit was committed, in seconds since 1970.
    pub fn committed(&self, number: u32) -> i64 {
        self.nodes[number as usize].committed
    }

    /// A commit as reports name it; `rank` is its place in [`Commits::order`].
    pub fn reference(&self, number: u32, rank: u64) -> CommitRef {
        let node = &self.nodes[number as usize];
        let author = self.authors.get(node.author as usize).cloned().unwrap_or_else(|| RawPath::new(b""));
        CommitRef { rank, id: self.id(number), author, authored: node.authored }
    }

    /// The known commits among `of`: parents always first, else oldest first by the committer's
    /// date, then by name. What a damaged pack shows as its own ancestor stands last.
    pub fn order(&self, of: &Set) -> Vec<u32> {
        let here = |n: &u32| self.is_known(*n) && of.contains(*n);
        let of: Vec<u32> = of.iter().filter(here).collect();
        // The children of each commit stand in `children[starts[n]..starts[n + 1]]`.
        let mut starts = vec![0u32; self.nodes.len() + 1];
        let mut waits = vec![0u32; self.nodes.len()];
        for &n in &of {
            for &p in self.parents(n).iter().filter(|p| here(p)) {
                starts[p as usize + 1] += 1;
                waits[n as usize] += 1;
            }
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut ends = starts.clone();
        let mut children = vec![0u32; *starts.last().unwrap_or(&0) as usize];
        for &n in &of {
            for &p in self.parents(n).iter().filter(|p| here(p)) {
                children[ends[p as usize] as usize] = n;
                ends[p as usize] += 1;
            }
        }
        let age = |n: u32| (self.committed(n), self.id(n), n);
        let mut ready: BinaryHeap<_> =
            of.iter().filter(|&&n| waits[n as usize] == 0).map(|&n| Reverse(age(n))).collect();
        let mut order = Vec::with_capacity(of.len());
        while let Some(Reverse((_, _, n))) = ready.pop() {
            order.push(n);
            for &child in &children[starts[n as usize] as usize..ends[n as usize] as usize] {
                waits[child as usize] -= 1;
                if waits[child as usize] == 0 {
                    ready.push(Reverse(age(child)));
                }
            }
        }
        let mut left: Vec<u32> = of.into_iter().filter(|&n| waits[n as usize] != 0).collect();
        left.sort_by_key(|&n| age(n));
        order.extend(left);
        order
    }

    /// The place of every known commit in [`Commits::order`], by number; `u64::MAX` for others.
    pub fn ranks(&self) -> Vec<u64> {
        let mut ranks = vec![u64::MAX; self.nodes.len()];
        for (rank, n) in self.order(&self.all()).into_iter().enumerate() {
            ranks[n as usize] = rank as u64;
        }
        ranks
    }

    /// The known commits that some of `from` leads to, those included.
    pub fn reachable<'a>(&self, from: impl IntoIterator<Item = &'a ObjectId>) -> Set {
        let mut set = Set::default();
        let mut stack: Vec<u32> = from.into_iter().filter_map(|id| self.number(id)).collect();
        while let Some(n) = stack.pop() {
            if self.is_known(n) && set.insert(n) {
                stack.extend(self.parents(n));
            }
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn id(n: u32) -> ObjectId {
        let mut bytes = [0; 20];
        // Names of commits are spread evenly, not counted up.
        bytes[..4].copy_from_slice(&n.wrapping_mul(0x9e37_79b9).to_be_bytes());
        bytes[16..].copy_from_slice(&n.to_be_bytes());
        ObjectId::from_bytes(&bytes).unwrap()
    }

    fn text(parents: &[u32], date: i64) -> Vec<u8> {
        let mut text = format!("tree {}\n", ObjectId::EMPTY_TREE);
        parents.iter().for_each(|&p| text += &format!("parent {}\n", id(p)));
        text += &format!("author A <a@b.c> {date} +0000\ncommitter C <c@d.e> {date} +0000\n\nmessage\n");
        text.into_bytes()
    }

    fn made(list: &[(u32, &[u32], i64)]) -> Commits {
        let mut commits = Commits::default();
        for (n, parents, date) in list {
            assert!(commits.add(id(*n), &text(parents, *date)));
        }
        commits
    }

    fn numbers(commits: &Commits, order: &[u32]) -> Vec<u32> {
        let name = |n: &u32| u32::from_be_bytes(commits.id(*n).as_bytes()[16..].try_into().unwrap());
        order.iter().map(name).collect()
    }

    #[test]
    fn parents_come_first_whatever_the_dates_say() {
        // 4 merges 2 and 3; the clock of 2 runs far behind, that of 1 far ahead.
        let commits = made(&[(4, &[2, 3], 5), (2, &[1], 1), (3, &[1], 7), (1, &[], 90)]);
        assert_eq!(numbers(&commits, &commits.order(&commits.all())), [1, 2, 3, 4]);
        let ranks = commits.ranks();
        assert_eq!(ranks[commits.number(&id(4)).unwrap() as usize], 3);
        assert_eq!(commits.reference(commits.number(&id(2)).unwrap(), 1).author.text(), "A <a@b.c>");
    }

    #[test]
    fn unknown_parents_and_loops_end() {
        let commits = made(&[(1, &[2], 1), (2, &[1], 2), (3, &[2, 99], 3), (4, &[98], 4), (5, &[5], 5)]);
        assert_eq!(commits.len(), 5);
        assert_eq!(numbers(&commits, &commits.order(&commits.all())), [4, 1, 2, 3, 5]);
        assert_eq!(commits.number(&id(99)), None);
        let reached = commits.reachable([&id(3), &id(99)]);
        assert_eq!(reached.len(), 3);
        assert_eq!(commits.reachable([&id(5)]).len(), 1);
        assert!(commits.reachable([&id(7)]).is_empty());
    }

    #[test]
    fn what_is_no_commit_is_refused() {
        let mut commits = Commits::default();
        assert!(!commits.add(id(1), b"tree nothing\n\n"));
        assert!(commits.is_empty() && commits.number(&id(1)).is_none());
        assert!(commits.add(id(1), &text(&[], 1)) && commits.add(id(1), b"known already"));
        assert_eq!(commits.len(), 1);
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        let mut set = Set::default();
        assert!(set.insert(200) && set.insert(0) && set.insert(63) && !set.insert(63));
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 200]);
        assert!(set.contains(200) && !set.contains(64) && !set.contains(100_000));
        assert_eq!((set.len(), set.is_empty(), Set::default().is_empty()), (3, false, true));
    }

    #[test]
    fn a_hundred_thousand_commits_take_no_time() {
        let mut commits = Commits::default();
        let texts: Vec<_> = (0..100_000u32)
            .map(|n| {
                text(&[n.saturating_sub(1), n.saturating_sub(n % 97 + 1)][..n.min(2) as usize], i64::from(n))
            })
            .collect();
        let start = Instant::now();
        texts.iter().enumerate().for_each(|(n, t)| assert!(commits.add(id(n as u32), t)));
        let ranks = commits.ranks();
        let reached = commits.reachable([&id(99_999)]);
        assert_eq!((ranks.len(), reached.len()), (100_000, 100_000));
        // Unoptimised and on a busy machine too; a quadratic step would take minutes.
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    }
}
