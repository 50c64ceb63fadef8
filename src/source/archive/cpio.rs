//! Cpio in the portable ASCII form ("newc", with or without checksums): initial RAM disks.

use super::entry::Entry;
use super::meter::fill;
use super::walk::{Level, Walk};
use crate::model::SkipReason;
use std::io::Read;

/// Bytes of a header: the magic and thirteen numbers of eight hexadecimal digits.
const HEADER: usize = 110;

/// Most bytes of a name; a longer one is no name.
const NAME: u64 = 1 << 16;

/// The name behind the last member.
const END: &[u8] = b"TRAILER!!!";

/// Whether `head` begins a cpio.
pub(super) fn is_cpio(head: &[u8]) -> bool {
    head.first_chunk().is_some_and(|block| Header::parse(block).is_some())
}

struct Header {
    mode: u64,
    size: u64,
    name: u64,
}

impl Header {
    fn parse(block: &[u8; HEADER]) -> Option<Header> {
        if !matches!(&block[..6], b"070701" | b"070702") || !block.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let number = |nth: usize| {
            let digits = &block[6 + 8 * nth..14 + 8 * nth];
            u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        };
        let header = Header { mode: number(1)?, size: number(6)?, name: number(11)? };
        (1..=NAME).contains(&header.name).then_some(header)
    }
}

/// Reads an archive to the end of `reader` and hands each member to the walk. What stands behind the
/// end, as another archive does in an initial RAM disk, is handed on as a member named `rest`.
pub(super) fn walk(walk: &Walk<'_>, reader: &mut dyn Read, level: &Level) {
    let rest = |n: usize, block: &[u8], reader: &mut dyn Read| {
        walk.member(&mut block[..n].chain(reader), &level.inner(b"rest"));
    };
    while !walk.stopped() {
        let mut block = [0; HEADER];
        let n = fill(reader, &mut block);
        // A failure shows again, which makes the difference to an end.
        if n < HEADER && reader.read(&mut [0]).is_err() {
            return;
        }
        let Some(header) = Header::parse(&block).filter(|_| n == HEADER) else {
            let why = if n == 0 { "ends without its end marker" } else { "not a cpio header" };
            walk.tell(level, SkipReason::Broken, why.to_owned());
            return if n > 0 {
                rest(n, &block, reader)
            };
        };
        let mut name = vec![0; header.name as usize];
        let padding_len = padding(HEADER as u64 + header.name) as usize;
        let whole = fill(reader, &mut name) == name.len();
        name.truncate(name.iter().position(|b| *b == 0).unwrap_or(name.len()));
        if !whole || fill(reader, &mut [0; 3][..padding_len]) < padding_len {
            if reader.read(&mut [0]).is_ok() {
                walk.tell(level, SkipReason::Broken, "ends inside a name".to_owned());
            }
            return;
        }
        if name == END && header.size == 0 {
            let mut block = [0; 4096];
            loop {
                let n = fill(reader, &mut block);
                match block[..n].iter().position(|b| *b != 0) {
                    Some(at) => return rest(n - at, &block[at..], reader),
                    None if n < block.len() || walk.stopped() => return,
                    None => {}
                }
            }
        }
        if !walk.entry() {
            return;
        }
        let inner = level.inner(&name);
        let mut entry = Entry::new(walk, &inner, reader, header.size);
        // Folders and devices have no content; where one has, it is read like any other.
        if header.size > 0 || header.mode & 0o170_000 == 0o100_000 {
            walk.member(&mut entry, &inner);
        }
        if !entry.finish(padding(header.size)) {
            return;
        }
    }
}

/// Bytes from `size` to the next multiple of four.
fn padding(size: u64) -> u64 {
    size.wrapping_neg() % 4
}
