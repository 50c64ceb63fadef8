//! Tells containers by their first bytes.

use super::{ar, cpio};

/// Bytes from the front that [`kind`] wants to see.
pub const HEAD: usize = 512;

/// A container or compressed stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Zip, and all that is a zip: jar, docx, xlsx, whl, apk, epub.
    Zip,
    /// Tar: v7, ustar, GNU, pax.
    Tar,
    /// Ar: static libraries, Debian packages.
    Ar,
    /// Cpio of the portable ASCII form.
    Cpio,
    /// Gzip, of one or several members.
    Gzip,
    /// Bzip2.
    Bzip2,
    /// Xz.
    Xz,
    /// Zstandard.
    Zstd,
    /// The bare LZMA stream that preceded xz.
    Lzma,
    /// Packed in a way that is not undone here, by name.
    Foreign(&'static str),
}

/// What `head`, the first [`HEAD`] bytes or all there are, begins. `name` decides only for the one
/// format that has no magic bytes.
pub fn kind(head: &[u8], name: &[u8]) -> Option<Kind> {
    const PREFIXES: &[(&[u8], Kind)] = &[
        (b"PK\x03\x04", Kind::Zip),
        (b"PK\x05\x06", Kind::Zip),
        (b"PK\x07\x08PK\x03\x04", Kind::Zip),
        (b"PK00PK\x03\x04", Kind::Zip),
        (b"\xfd7zXZ\0", Kind::Xz),
        (b"\x28\xb5\x2f\xfd", Kind::Zstd),
        (b"7z\xbc\xaf\x27\x1c", Kind::Foreign("7z")),
        (b"Rar!\x1a\x07", Kind::Foreign("rar")),
        (b"\x04\x22\x4d\x18", Kind::Foreign("lz4")),
        (b"\x89LZO\0\r\n\x1a\n", Kind::Foreign("lzop")),
        (b"LZIP\x01", Kind::Foreign("lzip")),
        (b"MSCF\0\0\0\0", Kind::Foreign("cab")),
        (b"\xed\xab\xee\xdb", Kind::Foreign("rpm")),
        (ar::MAGIC, Kind::Ar),
        (b"hsqs", Kind::Foreign("squashfs")),
    ];
    // Nearly all files end here: their first byte begins no format.
    if let Some((_, kind)) = PREFIXES.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(*kind);
    }
    match head {
        // The upper three flag bits are reserved, which spares text that merely begins like gzip.
        [0x1f, 0x8b, 8, flags, ..] if flags & 0xe0 == 0 => return Some(Kind::Gzip),
        [0x1f, 0x9d, ..] if suffix(name, b".z") => return Some(Kind::Foreign("compress")),
        // A header says the block size; then comes a block or, if empty, the end.
        [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..]
            if rest.starts_with(b"1AY&SY") || rest.starts_with(b"\x17\x72\x45\x38\x50\x90") =>
        {
            return Some(Kind::Bzip2);
        }
        // A skippable frame, as parallel compressors put first.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => return Some(Kind::Zstd),
        [0x5d, 0, 0, ..] if suffix(name, b".lzma") || suffix(name, b".tlz") => return Some(Kind::Lzma),
        _ => {}
    }
    if cpio::is_cpio(head) {
        return Some(Kind::Cpio);
    }
    super::tar::is_tar(head).then_some(Kind::Tar)
}

/// Whether `tail`, the last 22 bytes of a file or more, ends a zip: true for self-extracting programs
/// and for scripts with a zip behind them, which [`kind`] cannot tell by their first bytes.
pub fn ends_zip(tail: &[u8]) -> bool {
    memchr::memmem::rfind_iter(tail, b"PK\x05\x06").any(|at| {
        let record = &tail[at..];
        record.len() >= 22 && 22 + usize::from(u16::from_le_bytes([record[20], record[21]])) == record.len()
    })
}

/// The name of the content of a compressed stream named `outer`: without its suffix, or else what
/// the stream itself says.
pub(super) fn content_name(outer: &[u8], inner: Option<Vec<u8>>) -> Vec<u8> {
    const SUFFIXES: &[(&[u8], &[u8])] = &[
        (b".gz", b""),
        (b".bz2", b""),
        (b".xz", b""),
        (b".zst", b""),
        (b".lzma", b""),
        (b".tgz", b".tar"),
        (b".tbz2", b".tar"),
        (b".tbz", b".tar"),
        (b".txz", b".tar"),
        (b".tzst", b".tar"),
        (b".tlz", b".tar"),
        (b".svgz", b".svg"),
    ];
    let base = outer.rsplit(|&b| b == b'/').next().unwrap_or(outer);
    for (packed, plain) in SUFFIXES {
        if base.len() > packed.len() && suffix(base, packed) {
            return [&base[..base.len() - packed.len()], plain].concat();
        }
    }
    inner.filter(|n| !n.is_empty()).unwrap_or_else(|| base.to_vec())
}

fn suffix(name: &[u8], suffix: &[u8]) -> bool {
    name.len() >= suffix.len() && name[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
}
