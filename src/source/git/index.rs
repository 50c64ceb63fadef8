//! The index: what the next commit holds. Versions 2, 3 and 4, split and sparse ones included; any
//! bytes are answered or refused, none are trusted.

mod split;

#[cfg(test)]
mod tests;

use super::{GitError, file};
use crate::model::{ObjectId, RawPath};
use sha1::{Digest, Sha1};
use std::path::Path;

/// Largest index that is read; one of a million entries has about 100 MB.
const MOST: u64 = 1 << 30;
/// Bytes that all names together may unfold to, since version 4 stores them as changes of each other.
const NAMES: usize = 1 << 30;
/// Bytes of the checksum that ends an index.
const TRAILER: usize = 20;
/// Bytes of an entry before its flags.
const FIXED: usize = 60;

/// An index, its parts put together.
#[derive(Debug, Default)]
pub struct Index {
    names: Vec<u8>,
    entries: Vec<Entry>,
}

/// An entry of an index. Its path is asked of the index: [`Index::path`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The blob; the tree of a sparse folder; the commit of a submodule; the empty blob of an entry
    /// that is only announced.
    pub id: ObjectId,
    /// The mode as it is stored: `0o100644` and so on, `0o040000` for a sparse folder.
    pub mode: u32,
    /// 0; or 1, 2, 3 (base, ours, theirs) of an unmerged path.
    pub stage: u8,
    /// Whether git is told not to look at the file.
    pub assume_valid: bool,
    /// Whether the file is not checked out.
    pub skip_worktree: bool,
    /// Whether the path is only announced (`git add -N`): it is in no commit yet.
    pub intent_to_add: bool,
    name: (usize, usize),
}

impl Index {
    /// Reads the index at `path`; `git_dir` is where the shared part of a split index lies.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or has a form of which nothing is known.
    pub fn read(path: &Path, git_dir: &Path) -> Result<Self, GitError> {
        let file = parse(path, &bytes(path)?)?;
        let mut index = match file.link {
            None => Index { names: file.names, entries: file.entries },
            Some(link) => {
                split::join(path, git_dir, Index { names: file.names, entries: file.entries }, &link)?
            }
        };
        let Index { names, entries } = &mut index;
        // Git writes them in this order; whoever does not gets the same answers.
        entries.sort_by(|a, b| (name(names, a), a.stage).cmp(&(name(names, b), b.stage)));
        Ok(index)
    }

    /// The entries, sorted by path and stage.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The path of an entry of this index; that of a sparse folder ends with `/`.
    pub fn path(&self, entry: &Entry) -> &[u8] {
        name(&self.names, entry)
    }
}

fn name<'a>(names: &'a [u8], entry: &Entry) -> &'a [u8] {
    names.get(entry.name.0..entry.name.1).unwrap_or_default()
}

/// One file as it is stored.
#[derive(Debug, Default)]
struct Stored {
    names: Vec<u8>,
    entries: Vec<Entry>,
    /// The extension that names a shared index.
    link: Option<Vec<u8>>,
}

fn bytes(path: &Path) -> Result<Vec<u8>, GitError> {
    let unreadable = |source| GitError::Unreadable { path: RawPath::from_path(path), source };
    file::open(path).and_then(|f| file::read(f, MOST)).map_err(unreadable)
}

fn damaged(path: &Path, what: &str) -> GitError {
    GitError::Damaged { path: RawPath::from_path(path), what: what.to_owned() }
}

/// Reads a file whose checksum holds.
fn parse(path: &Path, bytes: &[u8]) -> Result<Stored, GitError> {
    let bad = |what: &str| damaged(path, what);
    let unknown = |what: String| GitError::Unsupported {
        path: RawPath::from_path(path),
        what,
        cure: "write it anew: git read-tree HEAD in a copy, or use a newer release".to_owned(),
    };
    let body = bytes.len().checked_sub(TRAILER).ok_or_else(|| bad("it is shorter than any index"))?;
    let (body, trailer) = bytes.split_at(body);
    // Zeros mean that git was told to skip the checksum (`index.skipHash`).
    if trailer.iter().any(|&b| b != 0) && Sha1::digest(body).as_slice() != trailer {
        return Err(bad("its checksum does not hold"));
    }
    let mut rest = Cursor(body);
    if rest.take(4) != Some(b"DIRC") {
        return Err(bad("it does not begin as an index does"));
    }
    let (Some(version), Some(count)) = (rest.be32(), rest.be32()) else { return Err(bad(SHORT)) };
    if !(2..=4).contains(&version) {
        return Err(unknown(format!("is an index of version {version}")));
    }
    let mut out = Stored::default();
    // What the head claims is trusted no further than the bytes go.
    out.entries.reserve((count as usize).min(body.len() / FIXED));
    for _ in 0..count {
        let entry = entry(&mut rest, version, &mut out).map_err(bad)?;
        out.entries.push(entry);
    }
    while !rest.0.is_empty() {
        let signature = rest.take(4).ok_or_else(|| bad(SHORT))?;
        let size = rest.be32().ok_or_else(|| bad(SHORT))?;
        let data = rest.take(size as usize).ok_or_else(|| bad(SHORT))?;
        match signature {
            b"link" => out.link = Some(data.to_vec()),
            // Says that there are sparse folders, which their modes say as well.
            b"sdir" => {}
            // Optional ones begin with a capital letter.
            [b'A'..=b'Z', ..] => {}
            other => {
                return Err(unknown(format!("needs the extension `{}`", RawPath::new(other).text())));
            }
        }
    }
    Ok(out)
}

const SHORT: &str = "it ends early";

/// Reads one entry; its name goes to the end of `out.names`.
fn entry(rest: &mut Cursor<'_>, version: u32, out: &mut Stored) -> Result<Entry, &'static str> {
    let before = rest.0.len();
    let fixed = rest.take(FIXED).ok_or(SHORT)?;
    let mode = Cursor(&fixed[24..]).be32().ok_or(SHORT)?;
    let id = ObjectId::from_bytes(&fixed[40..]).ok_or(SHORT)?;
    let flags = rest.be16().ok_or(SHORT)?;
    let more = if flags & 0x4000 == 0 {
        0
    } else if version == 2 {
        return Err("an entry has flags that its version does not know");
    } else {
        rest.be16().ok_or(SHORT)?
    };
    if more & !0x6000 != 0 {
        return Err("an entry has flags of which nothing is known");
    }
    let start = out.names.len();
    if version == 4 {
        let last = out.entries.last().map_or((0, 0), |e: &Entry| e.name);
        let cut = rest.varint().ok_or(SHORT)?;
        let keep = (last.1 - last.0).checked_sub(cut).ok_or("a name is cut from a shorter one")?;
        let end = memchr::memchr(0, rest.0).ok_or(SHORT)?;
        if out.names.len() + keep + end > NAMES {
            return Err("its names unfold to more than 1 GiB");
        }
        out.names.extend_from_within(last.0..last.0 + keep);
        out.names.extend_from_slice(&rest.0[..end]);
        rest.0 = &rest.0[end + 1..];
    } else {
        // The length in the flags is only a hint for long names.
        let end = memchr::memchr(0, rest.0).ok_or(SHORT)?;
        out.names.extend_from_slice(&rest.0[..end]);
        let used = before - rest.0.len() + end;
        rest.take(end + 8 - used % 8).ok_or(SHORT)?;
    }
    Ok(Entry {
        id,
        mode,
        stage: (flags >> 12 & 3) as u8,
        assume_valid: flags & 0x8000 != 0,
        skip_worktree: more & 0x4000 != 0,
        intent_to_add: more & 0x2000 != 0,
        name: (start, out.names.len()),
    })
}

/// Bytes that are read from the front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    fn be16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn be32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn be64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_be_bytes)
    }

    /// A number as version 4 and the offsets of packs write it.
    fn varint(&mut self) -> Option<usize> {
        let mut b = *self.take(1)?.first()?;
        let mut value = usize::from(b & 0x7f);
        while b & 0x80 != 0 {
            b = *self.take(1)?.first()?;
            value = value.checked_add(1)?.checked_mul(128)? | usize::from(b & 0x7f);
        }
        Some(value)
    }
}
