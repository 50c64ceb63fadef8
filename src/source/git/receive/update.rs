//! What git writes to the standard input of its pre-receive hook.

use super::ReceiveError;
use crate::model::{ObjectId, RawPath};

/// The change of one ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// What it points at now; null if it is made.
    pub old: ObjectId,
    /// What it would point at; null if it is deleted.
    pub new: ObjectId,
    /// Its full name.
    pub name: RawPath,
}

/// Reads all lines.
///
/// # Errors
/// The first line that is not `<old> <new> <ref>`.
pub fn parse(text: &[u8]) -> Result<Vec<Update>, ReceiveError> {
    let mut updates = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let garbage = ReceiveError::Garbage { line: updates.len() + 1 };
        // A line that was cut off may name half a ref.
        let Some(end) = memchr::memchr(b'\n', rest) else { return Err(garbage) };
        let mut words = rest[..end].splitn(3, |&b| b == b' ');
        let (old, new, name) = (words.next(), words.next(), words.next());
        let (Some(old), Some(new), Some(name)) = (old, new, name) else { return Err(garbage) };
        let wide = |id: &[u8]| id.len() == 64 && id.iter().all(u8::is_ascii_hexdigit);
        if wide(old) && wide(new) {
            return Err(ReceiveError::Sha256);
        }
        let fits = name.starts_with(b"refs/") && name.iter().all(|&b| b > b' ' && b != 0x7f);
        match (ObjectId::parse(old), ObjectId::parse(new)) {
            (Some(old), Some(new)) if fits => updates.push(Update { old, new, name: RawPath::new(name) }),
            _ => return Err(garbage),
        }
        rest = &rest[end + 1..];
    }
    Ok(updates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_are_read_and_all_else_is_refused() {
        let (a, z) = ("4b825dc642cb6eb9a060e54bf8d69288fbee4904", "0".repeat(40));
        let text = format!("{z} {a} refs/heads/m\u{e4}in\n{a} {z} refs/tags/-x\n");
        let updates = parse(text.as_bytes()).unwrap();
        assert_eq!((updates.len(), updates[0].old, updates[1].new), (2, ObjectId::NULL, ObjectId::NULL));
        assert_eq!(updates[1].name.as_bytes(), b"refs/tags/-x");
        assert!(parse(b"").unwrap().is_empty());
        let line = |text: String| match parse(text.as_bytes()) {
            Err(ReceiveError::Garbage { line }) => line,
            other => panic!("{text:?} gave {other:?}"),
        };
        assert_eq!(line(format!("{z} {a} refs/heads/main")), 1);
        assert_eq!(line(format!("{z} {a} refs/heads/main\n\n")), 2);
        assert_eq!(line("\n".to_owned()), 1);
        for bad in ["x", &a[1..], &format!("{a}0"), ""] {
            assert_eq!(line(format!("{bad} {a} refs/heads/x\n")), 1);
            assert_eq!(line(format!("{a} {bad} refs/heads/x\n")), 1);
        }
        for bad in ["", "HEAD", "heads/x", "refs/a b", "refs/a\tb", "refs/a\x7f", "refs/a\r"] {
            assert_eq!(line(format!("{a} {z} {bad}\n")), 1);
        }
        let wide = "0".repeat(64);
        assert!(matches!(parse(format!("{wide} {wide} refs/x\n").as_bytes()), Err(ReceiveError::Sha256)));
    }
}
