//! What the file of a ref holds, and which names a ref can have.

use super::file;
use crate::model::ObjectId;
use std::fs::File;
use std::io::Read;

/// Bytes of a ref's file that can matter.
const REF: u64 = 4096;
/// Refs beside HEAD whose names do not end in `_HEAD`. From git's refs.c.
const ODD: &[&[u8]] =
    &[b"AUTO_MERGE", b"BISECT_EXPECTED_REV", b"NOTES_MERGE_PARTIAL", b"NOTES_MERGE_REF", b"MERGE_AUTOSTASH"];

/// What a ref holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// An object.
    Id(ObjectId),
    /// The name of another ref.
    Symbolic(Vec<u8>),
}

impl Value {
    /// The object, if it is one.
    pub(super) fn id(&self) -> Option<ObjectId> {
        match self {
            Value::Id(id) => Some(*id),
            Value::Symbolic(_) => None,
        }
    }
}

/// Reads a ref's file.
pub(super) fn read(file: File) -> Result<Value, String> {
    let mut bytes = Vec::with_capacity(64);
    file.take(REF).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    parse(&bytes).map_err(str::to_owned)
}

/// Reads what a ref's file holds; what follows its first word is nobody's.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, &'static str> {
    if let Some(rest) = bytes.strip_prefix(b"ref:") {
        if bytes.len() as u64 >= REF {
            return Err("its symbolic ref is too long");
        }
        let name = file::first_line(rest).trim_ascii();
        return if is_safe(name) { Ok(Value::Symbolic(name.to_vec())) } else { Err("it names no ref") };
    }
    let word = bytes.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    match ObjectId::parse(word) {
        Some(id) if !id.is_null() => Ok(Value::Id(id)),
        Some(_) => Err("it names no object, but the null id"),
        None if bytes.is_empty() => Err("it is empty"),
        None if word.len() == 64 => Err("it names an object by SHA-256"),
        None => Err("it names no object"),
    }
}

/// Whether a name can be a ref's, and so lead to no other file of the repository or outside of it.
pub(super) fn is_safe(name: &[u8]) -> bool {
    let plain = |part: &[u8]| !part.is_empty() && part != b"." && part != b".." && !part.contains(&0);
    let mut rest = name;
    if let Some(other) = name.strip_prefix(b"main-worktree/") {
        rest = other;
    } else if let Some(other) = name.strip_prefix(b"worktrees/") {
        rest = other.iter().position(|&b| b == b'/').map_or(b"", |at| &other[at + 1..]);
    }
    name.split(|&b| b == b'/').all(plain) && (rest.starts_with(b"refs/") || is_beside_head(rest))
}

/// Whether a file beside HEAD is a ref by its name, as git decides it.
pub(super) fn is_beside_head(name: &[u8]) -> bool {
    name.iter().all(|b| b.is_ascii_uppercase() || matches!(b, b'_' | b'-'))
        && (name == b"HEAD" || name.ends_with(b"_HEAD") || ODD.contains(&name))
}

/// Whether each work tree has its own ref of this name.
pub(super) fn is_per_worktree(name: &[u8]) -> bool {
    [&b"refs/bisect/"[..], b"refs/worktree/", b"refs/rewritten/"].iter().any(|p| name.starts_with(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_refs_are_read_as_git_reads_them() {
        let id = "1".repeat(40);
        let value = Value::Id(ObjectId::parse(id.as_bytes()).unwrap());
        for text in
            [id.clone(), format!("{id}\n"), format!("{id}\tnot-for-merge\tx\n"), format!("{id} \r\nx")]
        {
            assert_eq!(parse(text.as_bytes()), Ok(value.clone()), "{text:?}");
        }
        for (text, name) in [
            ("ref: refs/heads/x\n", "refs/heads/x"),
            ("ref:refs/heads/\u{e4} b \r\nodd", "refs/heads/\u{e4} b"),
            ("ref: \t refs/heads/-x", "refs/heads/-x"),
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(Value::Symbolic(name.as_bytes().to_vec())), "{text:?}");
        }
        let (null, long) = ("0".repeat(40), format!("ref: refs/heads/{}", "x".repeat(5000)));
        let sha256 = "1".repeat(64);
        for text in [
            "",
            "\n",
            "x",
            "ref: ",
            "ref: refs/heads/../../x",
            "ref: config",
            &id[1..],
            &null,
            &long,
            &sha256,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn names_lead_nowhere_else() {
        for name in [
            "refs/heads/x",
            "HEAD",
            "ORIG_HEAD",
            "worktrees/a/HEAD",
            "main-worktree/refs/bisect/bad",
            "refs/-x",
        ] {
            assert!(is_safe(name.as_bytes()), "{name}");
        }
        for name in [
            "",
            "config",
            "COMMIT_EDITMSG",
            "refs/../config",
            "/etc/passwd",
            "refs//x",
            "refs/x/",
            "worktrees/a",
            "worktrees/../HEAD",
            "refs/a\0b",
            "../HEAD",
        ] {
            assert!(!is_safe(name.as_bytes()), "{name}");
        }
    }
}
