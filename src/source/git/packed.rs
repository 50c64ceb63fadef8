//! The file in which git keeps refs that do not change.

use crate::model::ObjectId;
use memchr::memmem;

/// The file `packed-refs`.
#[derive(Debug, Default)]
pub(super) struct Packed {
    bytes: Vec<u8>,
    /// Why it cannot be read; it then holds nothing.
    pub(super) unreadable: Option<String>,
}

impl Packed {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Packed { bytes, unreadable: None }
    }

    pub(super) fn unreadable(why: String) -> Self {
        Packed { bytes: Vec::new(), unreadable: Some(why) }
    }

    /// The refs in their order; `Err` for a line that is none.
    pub(super) fn iter(&self) -> impl Iterator<Item = Result<(&[u8], ObjectId), ()>> {
        let lines = self.bytes.split(|&b| b == b'\n');
        // Lines with `^` repeat what a tag's object says; `#` begins the head.
        lines.filter(|l| !l.is_empty() && l[0] != b'^' && l[0] != b'#').map(|l| line(l).ok_or(()))
    }

    /// What a ref of this name points at.
    pub(super) fn find(&self, name: &[u8]) -> Option<ObjectId> {
        let needle = [b" ", name, b"\n"].concat();
        let whole = |bytes: &[u8], needle: &[u8]| {
            memmem::find_iter(bytes, needle).find_map(|at| {
                let start = at.checked_sub(2 * ObjectId::LEN)?;
                let begins = start == 0 || bytes[start - 1] == b'\n';
                begins.then(|| ObjectId::parse(&bytes[start..at]))?
            })
        };
        // The last line may lack its end.
        whole(&self.bytes, &needle).or_else(|| {
            let last = self.bytes.rsplit(|&b| b == b'\n').next()?;
            line(last).filter(|(n, _)| *n == name).map(|(_, id)| id)
        })
    }
}

fn line(line: &[u8]) -> Option<(&[u8], ObjectId)> {
    let id = ObjectId::parse(line.get(..40)?)?;
    let name = line[40..].strip_prefix(b" ")?;
    let name = name.strip_suffix(b"\r").unwrap_or(name);
    (!name.is_empty() && !id.is_null()).then_some((name, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_whole() {
        let (a, b) = ("1".repeat(40), "2".repeat(40));
        let text = format!(
            "# pack-refs with: peeled fully-peeled sorted \n{a} refs/heads/x\n^{b}\n{b} refs/heads/x y\nodd\n\
             {a} refs/tags/refs/heads/y\n{b} refs/heads/y"
        );
        let packed = Packed::new(text.into_bytes());
        let id = |s: &str| ObjectId::parse(s.as_bytes());
        assert_eq!(packed.find(b"refs/heads/x"), id(&a));
        assert_eq!(packed.find(b"refs/heads/x y"), id(&b));
        assert_eq!(packed.find(b"refs/heads/y"), id(&b));
        assert_eq!(packed.find(b"y"), None);
        assert_eq!(packed.find(b"heads/x"), None);
        let all: Vec<_> = packed.iter().collect();
        assert_eq!((all.len(), all.iter().filter(|l| l.is_err()).count()), (5, 1));
    }
}
