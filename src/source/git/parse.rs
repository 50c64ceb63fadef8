//! Commits, trees and tags, as they are stored. Total: any bytes give an answer or `None`.

use crate::model::ObjectId;
use memchr::memchr;

/// The four kinds of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A commit.
    Commit,
    /// A folder.
    Tree,
    /// The content of a file.
    Blob,
    /// An annotated tag.
    Tag,
}

impl Kind {
    /// The word in a loose object's header.
    pub fn parse(word: &[u8]) -> Option<Self> {
        match word {
            b"commit" => Some(Kind::Commit),
            b"tree" => Some(Kind::Tree),
            b"blob" => Some(Kind::Blob),
            b"tag" => Some(Kind::Tag),
            _ => None,
        }
    }

    /// The same word.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Commit => "commit",
            Kind::Tree => "tree",
            Kind::Blob => "blob",
            Kind::Tag => "tag",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What of a commit the walk needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit<'a> {
    /// Its folder.
    pub tree: ObjectId,
    /// Its parents, in order.
    pub parents: Vec<ObjectId>,
    /// `Name <address>`.
    pub author: &'a [u8],
    /// When it was written, in seconds since 1970; 0 if that cannot be read.
    pub authored: i64,
    /// When it was committed, likewise.
    pub committed: i64,
}

impl<'a> Commit<'a> {
    /// Reads a commit. What git itself could not walk gives `None`.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (mut tree, mut parents, mut author, mut committer) = (None, Vec::new(), None, None);
        for line in bytes.split(|&b| b == b'\n').take_while(|l| !l.is_empty()) {
            let mut words = line.splitn(2, |&b| b == b' ');
            let (word, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            match word {
                b"tree" if tree.is_none() => tree = Some(ObjectId::parse(rest)?),
                b"parent" if author.is_none() => parents.push(ObjectId::parse(rest)?),
                b"author" if author.is_none() => author = Some(signature(rest)),
                b"committer" if committer.is_none() => committer = Some(signature(rest)),
                _ => {}
            }
        }
        let (author, authored) = author.unwrap_or_default();
        let committed = committer.unwrap_or_default().1;
        Some(Commit { tree: tree?, parents, author, authored, committed })
    }
}

/// `Name <address> 1700000000 +0100` → the person and the time.
fn signature(text: &[u8]) -> (&[u8], i64) {
    let Some(end) = text.iter().rposition(|&b| b == b'>') else { return (text, 0) };
    let time = text[end + 1..].split(|&b| b == b' ').find(|w| !w.is_empty());
    let seconds = time.and_then(|t| std::str::from_utf8(t).ok()?.parse().ok()).unwrap_or(0);
    (&text[..=end], seconds)
}

/// What an annotated tag points at.
pub fn tag_target(bytes: &[u8]) -> Option<ObjectId> {
    let line = bytes.strip_prefix(b"object ")?;
    ObjectId::parse(line.get(..40)?)
}

/// What an entry of a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// A folder.
    Tree,
    /// A file.
    File,
    /// A symbolic link: its blob holds the target.
    Link,
    /// A commit of another repository.
    Submodule,
}

/// An entry of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What it is.
    pub mode: Mode,
    /// Its name: any bytes but NUL, hostile ones such as `..` included.
    pub name: &'a [u8],
    /// The object.
    pub id: ObjectId,
}

/// The entries of a tree; ends early, with `broken` set, where the bytes stop making sense.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
    /// Whether it ended early.
    pub broken: bool,
}

/// Reads a tree.
pub fn entries(bytes: &[u8]) -> Entries<'_> {
    Entries { rest: bytes, broken: false }
}

impl Entries<'_> {
    /// Bytes that were not read yet.
    pub fn left(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = (|| {
            let space = memchr(b' ', &self.rest[..self.rest.len().min(8)])?;
            let mode = match &self.rest[..space] {
                b"40000" | b"040000" => Mode::Tree,
                b"120000" => Mode::Link,
                b"160000" => Mode::Submodule,
                digits if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => Mode::File,
                _ => return None,
            };
            let named = &self.rest[space + 1..];
            let end = memchr(0, named)?;
            let id = ObjectId::from_bytes(named.get(end + 1..end + 21)?)?;
            Some((Entry { mode, name: &named[..end], id }, space + 1 + end + 21))
        })();
        match entry {
            Some((entry, len)) => {
                self.rest = &self.rest[len..];
                Some(entry)
            }
            None => {
                self.broken = true;
                self.rest = &[];
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    #[test]
    fn commits_are_read_by_their_headers_only() {
        let text = format!(
            "tree {ID}\nparent {ID}\nparent {ID}\nauthor A B <a@b.c> 12 +0000\ncommitter C <c@d> 34 -0100\n\
             gpgsig x\n tree none\n\nparent message\n"
        );
        let c = Commit::parse(text.as_bytes()).unwrap();
        assert_eq!((c.parents.len(), c.author, c.authored, c.committed), (2, &b"A B <a@b.c>"[..], 12, 34));
        assert_eq!(Commit::parse(b"tree 12\n\n"), None);
        assert_eq!(Commit::parse(b""), None);
        let odd = format!("tree {ID}\nauthor nobody\n\n");
        assert_eq!(Commit::parse(odd.as_bytes()).unwrap().authored, 0);
    }

    #[test]
    fn trees_give_what_can_be_read() {
        let mut bytes = b"100644 a\0".to_vec();
        bytes.extend([7; 20]);
        bytes.extend(b"40000 ..\0");
        bytes.extend([8; 20]);
        bytes.extend(b"160000 sub\0");
        bytes.extend([9; 19]);
        let mut list = entries(&bytes);
        let found: Vec<_> = list.by_ref().map(|e| (e.mode, e.name)).collect();
        assert_eq!(found, [(Mode::File, &b"a"[..]), (Mode::Tree, b"..")]);
        assert!(list.broken);
        let mut none = entries(b"");
        assert!(none.next().is_none() && !none.broken);
    }
}
