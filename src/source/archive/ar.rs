//! Ar: static libraries and Debian packages, with the long names of GNU and BSD.

use super::entry::Entry;
use super::meter::fill;
use super::walk::{Level, Walk};
use crate::model::SkipReason;
use std::io::Read;

/// How the archive begins.
pub(super) const MAGIC: &[u8] = b"!<arch>\n";

/// Bytes of a header, by the manual page ar(5).
const HEADER: usize = 60;

/// Most bytes of a name, or of a table of names, that are kept.
const NAMES: u64 = 1 << 20;

/// Reads an archive to the end of `reader` and hands each member to the walk.
pub(super) fn walk(walk: &Walk<'_>, reader: &mut dyn Read, level: &Level) {
    let mut magic = [0; MAGIC.len()];
    fill(reader, &mut magic);
    let mut names = Vec::new();
    while !walk.stopped() {
        let mut block = [0; HEADER];
        let n = fill(reader, &mut block);
        // A failure shows again, which makes the difference to an end.
        if n < HEADER && reader.read(&mut [0]).is_err() || block[..n].iter().all(|b| *b == b'\n') {
            return;
        }
        let Some((name, size)) = parse(&block).filter(|_| n == HEADER) else {
            walk.tell(level, SkipReason::Broken, "not an ar header".to_owned());
            return walk.member(&mut block[..n].chain(reader), &level.inner(b"rest"));
        };
        if !walk.entry() || !member(walk, reader, level, name, size, &mut names) {
            return;
        }
    }
}

/// Hands on one member; whether to go on.
fn member(
    walk: &Walk<'_>,
    reader: &mut dyn Read,
    level: &Level,
    name: &[u8],
    size: u64,
    names: &mut Vec<u8>,
) -> bool {
    let mut ahead = Vec::new();
    // A slash in front marks what is no file: tables, and references into them.
    let mut label = name.strip_suffix(b"/").filter(|_| !name.starts_with(b"/")).unwrap_or(name).to_vec();
    let table = name == b"//";
    // BSD writes a long name in front of the content, GNU writes them all into a member of their own.
    let long = name.strip_prefix(b"#1/").and_then(decimal).filter(|len| *len <= size.min(NAMES));
    if let Some(at) = name.strip_prefix(b"/").and_then(decimal) {
        label = long_name(names, at).unwrap_or(label);
    }
    // If it ends in there, it ends in what is left as well, which is told below.
    if let Some(len) = long {
        let _ = (&mut *reader).take(len).read_to_end(&mut ahead);
    } else if table {
        let _ = (&mut *reader).take(size.min(NAMES)).read_to_end(&mut ahead);
        names.clone_from(&ahead);
    }
    let left = size - ahead.len() as u64;
    if long.is_some() {
        label = ahead.split(|b| *b == 0).next().unwrap_or_default().to_vec();
        ahead.clear();
    }
    let level = level.inner(&label);
    let mut entry = Entry::new(walk, &level, reader, left);
    walk.member(&mut ahead.as_slice().chain(&mut entry), &level);
    entry.finish(size % 2)
}

/// Name and size of a header; `None` if it is none.
fn parse(block: &[u8; HEADER]) -> Option<(&[u8], u64)> {
    let size = decimal(block[48..58].trim_ascii_end())?;
    block.ends_with(b"`\n").then(|| (block[..16].trim_ascii_end(), size))
}

fn decimal(text: &[u8]) -> Option<u64> {
    super::tar::decimal(text)
}

/// The name at `at` in GNU's table.
fn long_name(names: &[u8], at: u64) -> Option<Vec<u8>> {
    let rest = names.get(usize::try_from(at).ok()?..)?;
    let line = rest.split(|b| *b == b'\n').next().filter(|l| !l.is_empty())?;
    Some(line.strip_suffix(b"/").unwrap_or(line).to_vec())
}
