//! Names of git objects, and what is known of the one in which something stands.

use super::RawPath;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The value of each byte as a hexadecimal digit; 255 if it is none. Repositories have very many refs.
const DIGIT: [u8; 256] = {
    let mut table = [255; 256];
    let mut i = 0;
    while i < 16 {
        table[b"0123456789abcdef"[i] as usize] = i as u8;
        table[b"0123456789ABCDEF"[i] as usize] = i as u8;
        i += 1;
    }
    table
};

/// The SHA-1 name of a git object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct ObjectId([u8; 20]);

impl ObjectId {
    /// Bytes of a name.
    pub const LEN: usize = 20;
    /// The name that stands for "no object" in hooks and reflogs.
    pub const NULL: ObjectId = ObjectId([0; 20]);
    /// The tree without entries, which need not be stored.
    pub const EMPTY_TREE: ObjectId = ObjectId([
        0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0, 0x60, 0xe5, 0x4b, 0xf8, 0xd6, 0x92, 0x88, 0xfb,
        0xee, 0x49, 0x04,
    ]);

    /// From raw bytes; `None` unless there are exactly twenty.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(ObjectId)
    }

    /// From forty hexadecimal digits.
    pub fn parse(hex: &[u8]) -> Option<Self> {
        if hex.len() != 2 * Self::LEN {
            return None;
        }
        let (mut out, mut all) = ([0; Self::LEN], 0);
        for (byte, pair) in out.iter_mut().zip(hex.chunks_exact(2)) {
            let (high, low) = (DIGIT[usize::from(pair[0])], DIGIT[usize::from(pair[1])]);
            all |= high | low;
            *byte = high << 4 | low & 15;
        }
        (all <= 15).then_some(ObjectId(out))
    }

    /// The twenty bytes.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// Whether it stands for "no object".
    pub fn is_null(&self) -> bool {
        *self == Self::NULL
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What part of a repository's history holds the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Held {
    /// The content of a file.
    Blob,
    /// The text of a commit: its message, author, and other headers.
    Commit,
    /// The text of an annotated tag.
    Tag,
    /// The name of a file or folder.
    Name,
    /// The name of a ref.
    Ref,
}

impl Held {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Held::Blob => "blob",
            Held::Commit => "commit",
            Held::Tag => "tag",
            Held::Name => "name",
            Held::Ref => "ref",
        }
    }
}

/// Where in a repository's history a blob of bytes stands. Learned only for what holds a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// What it is.
    pub held: Held,
    /// The object: blob, commit, tag or tree; null for the name of a ref.
    pub object: ObjectId,
    /// The first commit that holds it, if one does.
    pub commit: Option<CommitRef>,
    /// Whether a ref or a reflog leads to it.
    pub reachable: bool,
    /// Whether it stands in the commit that is checked out.
    pub at_head: bool,
    /// Other paths under which the same object stands, sorted.
    pub also_at: Vec<RawPath>,
}

/// A commit as reports name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitRef {
    /// Its place among all commits, parents first; 0 is the oldest. First, so that it sorts.
    pub rank: u64,
    /// Its name.
    pub id: ObjectId,
    /// `Name <address>` as it stands there.
    pub author: RawPath,
    /// When it was written, in seconds since 1970.
    pub authored: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        let text = b"4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        assert_eq!(ObjectId::parse(text), Some(ObjectId::EMPTY_TREE));
        assert_eq!(ObjectId::EMPTY_TREE.to_string().as_bytes(), text);
        assert_eq!(ObjectId::parse(b"4b825"), None);
        assert_eq!(ObjectId::parse(b"4b825dc642cb6eb9a060e54bf8d69288fbee490g"), None);
        assert_eq!(ObjectId::parse(&text.to_ascii_uppercase()), Some(ObjectId::EMPTY_TREE));
        assert!(ObjectId::from_bytes(&[0; 20]).is_some_and(|id| id.is_null()));
        assert!(ObjectId::from_bytes(&[0; 32]).is_none());
    }
}
