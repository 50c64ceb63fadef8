//! What refs once pointed at: commits that a forced push or a rebase has taken away.

use super::Repository;
use super::file;
use crate::model::{ObjectId, Skipped};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Longest line; git writes messages of any length, but only the ids matter here.
const LINE: u64 = 1 << 20;

impl Repository {
    /// Every object that a reflog names, of any work tree, sorted; and the logs that cannot be read
    /// or hold lines that make no sense.
    pub fn reflogs(&self) -> (Vec<ObjectId>, Vec<Skipped>) {
        let (mut found, mut skipped) = (BTreeSet::new(), Vec::new());
        let trees = self.work_trees(&mut skipped);
        let mut open: Vec<PathBuf> = trees.into_iter().map(|(_, dir)| dir.join("logs")).collect();
        let mut linked = BTreeSet::new();
        while let Some(dir) = open.pop() {
            for entry in self.list(&dir, &mut skipped) {
                let path = entry.path();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => open.push(path),
                    Ok(kind) if kind.is_symlink() && self.bounds.real(&path).is_ok_and(|r| r.is_dir()) => {
                        // Each once, so that links in a ring have an end.
                        if self.bounds.real(&path).is_ok_and(|real| linked.insert(real)) {
                            open.push(path);
                        }
                    }
                    _ if path.extension().is_some_and(|e| e == "lock") => {}
                    _ => match self.log(&path, &mut found) {
                        Ok(0) => {}
                        Ok(bad) => {
                            skipped.push(self.broken(&path, format!("{bad} lines of it name no objects")))
                        }
                        Err(error) if file::is_absent(&error) => {}
                        Err(error) => skipped.push(self.broken(&path, error.to_string())),
                    },
                }
            }
        }
        skipped.sort();
        skipped.dedup();
        (found.into_iter().collect(), skipped)
    }

    /// Reads one log; answers how many lines make no sense.
    fn log(&self, path: &Path, found: &mut BTreeSet<ObjectId>) -> std::io::Result<u64> {
        let mut file = BufReader::new(self.bounds.open(path)?);
        let (mut line, mut bad) = (Vec::new(), 0);
        loop {
            line.clear();
            if (&mut file).take(LINE).read_until(b'\n', &mut line)? == 0 {
                return Ok(bad);
            }
            match ids(&line) {
                Some(ids) => found.extend(ids.into_iter().filter(|id| !id.is_null())),
                None => bad += 1,
            }
        }
    }
}

/// The old and the new id at the front of a line.
fn ids(line: &[u8]) -> Option<[ObjectId; 2]> {
    let old = ObjectId::parse(line.get(..40)?)?;
    let new = ObjectId::parse(line.get(40..81)?.strip_prefix(b" ")?)?;
    matches!(line.get(81), None | Some(b' ' | b'\t' | b'\n')).then_some([old, new])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_begin_with_two_ids() {
        let (a, b) = ("1".repeat(40), "2".repeat(40));
        let id = |s: &str| ObjectId::parse(s.as_bytes()).unwrap();
        assert_eq!(ids(format!("{a} {b} A <a@b> 1 +0000\tcommit\n").as_bytes()), Some([id(&a), id(&b)]));
        assert_eq!(ids(format!("{a} {b}").as_bytes()), Some([id(&a), id(&b)]));
        for line in [a.clone(), format!("{a} {b}0"), format!("{a}  {b}"), "\n".to_owned(), String::new()] {
            assert_eq!(ids(line.as_bytes()), None, "{line}");
        }
    }
}
