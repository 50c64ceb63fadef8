//! Where bytes come from and where in them something stands.

use super::Origin;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
#[cfg(unix)]
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A path as the operating system or an archive gives it: any bytes, no promise of UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawPath(Box<[u8]>);

impl RawPath {
    /// Keeps `bytes` as they are.
    pub fn new(bytes: &[u8]) -> Self {
        RawPath(bytes.into())
    }

    /// The bytes of an operating-system path.
    pub fn from_path(path: &Path) -> Self {
        RawPath::new(path.as_os_str().as_encoded_bytes())
    }

    /// As a path of this system; where paths are text, what is none is replaced.
    pub fn as_path(&self) -> Cow<'_, Path> {
        #[cfg(unix)]
        return Cow::Borrowed(Path::new(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&self.0)));
        #[cfg(not(unix))]
        return match String::from_utf8_lossy(&self.0) {
            Cow::Borrowed(text) => Cow::Borrowed(Path::new(text)),
            Cow::Owned(text) => Cow::Owned(text.into()),
        };
    }

    /// The bytes as given.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path whose [`text`](Self::text) this is; `None` if it is none's.
    pub fn parse(text: &str) -> Option<Self> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('\\') {
            out.extend_from_slice(before.as_bytes());
            rest = if let Some(after) = after.strip_prefix('\\') {
                out.push(b'\\');
                after
            } else if let Some(after) = after.strip_prefix('x') {
                out.push(u8::from_str_radix(after.get(..2)?, 16).ok()?);
                after.get(2..)?
            } else {
                let (code, after) = after.strip_prefix("u{")?.split_once('}')?;
                let c = char::from_u32(u32::from_str_radix(code, 16).ok()?)?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                after
            };
        }
        out.extend_from_slice(rest.as_bytes());
        Some(RawPath::new(&out))
    }

    /// Text that is unique to this path: valid UTF-8 stays, except that control characters,
    /// bidirectional overrides, backslashes and invalid bytes are written as `\xNN` or `\u{N}`.
    pub fn text(&self) -> String {
        let mut out = String::with_capacity(self.0.len());
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => out.push_str("\\\\"),
                    c if unprintable(c) => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
                    c => out.push(c),
                }
            }
            for b in chunk.invalid() {
                out.push_str(&format!("\\x{b:02x}"));
            }
        }
        out
    }
}

/// Characters that could steer a terminal or reorder a line.
pub(crate) fn unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

impl fmt::Debug for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text())
    }
}

impl fmt::Display for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text())
    }
}

/// Where a blob was read from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Provenance {
    /// The file, relative to the scanned root with `/` between parts; `-` for standard input.
    pub path: RawPath,
    /// For a member of an archive: its name in each nested container, outermost first.
    pub members: Vec<RawPath>,
    /// Where in a repository's history, if it was read from there.
    pub origin: Option<Arc<Origin>>,
}

impl Provenance {
    /// A plain file.
    pub fn file(path: RawPath) -> Self {
        Provenance { path, members: Vec::new(), origin: None }
    }

    /// Something of a repository's history; `path` is the first path of a blob.
    pub fn history(path: RawPath, origin: Origin) -> Self {
        Provenance { path, members: Vec::new(), origin: Some(Arc::new(origin)) }
    }

    /// A member of the archive that `self` names.
    pub fn member(&self, name: RawPath) -> Self {
        let mut inner = self.clone();
        inner.members.push(name);
        inner
    }

    /// The innermost name: the member's, or the file's own. Decides the kind of file.
    pub fn name(&self) -> &RawPath {
        self.members.last().unwrap_or(&self.path)
    }

    /// One line of text: `dir/a.zip!inner.tar!b.txt`.
    pub fn text(&self) -> String {
        let mut out = self.path.text();
        for m in &self.members {
            out.push('!');
            out.push_str(&m.text());
        }
        out
    }
}

/// A span of a blob. Lines count from 1 and end at LF; columns are 0-based characters of their
/// line, where each maximal invalid UTF-8 sequence is one character; the end is exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    /// First byte, 0-based, in the blob.
    pub byte_start: u64,
    /// One past the last byte.
    pub byte_end: u64,
    /// Line of the first byte, from 1.
    pub line: u64,
    /// Line of the last byte, from 1.
    pub end_line: u64,
    /// Column of the first byte in `line`.
    pub start: u64,
    /// Column one past the last byte in `end_line`.
    pub end: u64,
}

/// A layer that was undone to see the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Encoding {
    /// Base64, either alphabet, padded or not, possibly wrapped over lines.
    Base64,
    /// Pairs of hexadecimal digits.
    Hex,
    /// `%41`.
    Percent,
    /// `\x41`, `\u0041`, `\u{41}`, `\101` and the short escapes.
    Escape,
    /// `&#65;`, `&#x41;`, `&amp;`.
    Entity,
    /// gzip (inside base64 or hex).
    Gzip,
    /// String literals that the language joins.
    Joined,
    /// UTF-16, little-endian.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
}

impl Encoding {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Encoding::Base64 => "base64",
            Encoding::Hex => "hex",
            Encoding::Percent => "percent",
            Encoding::Escape => "escape",
            Encoding::Entity => "entity",
            Encoding::Gzip => "gzip",
            Encoding::Joined => "joined",
            Encoding::Utf16Le => "utf-16le",
            Encoding::Utf16Be => "utf-16be",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_become_plain_text_and_stay_distinct() {
        let p = RawPath::new(b"a\x1b[31m\n\xff\\xff");
        assert_eq!(p.text(), "a\\u{1b}[31m\\u{a}\\xff\\\\xff");
        assert_eq!(RawPath::parse(&p.text()), Some(p));
        for bad in ["\\", "a\\n", "\\x1", "\\xzz", "\\u{}", "\\u{110000}", "\\u{41"] {
            assert_eq!(RawPath::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn members_are_shown_after_their_archive() {
        let p = Provenance::file(RawPath::new(b"a.zip"))
            .member(RawPath::new(b"b.tar"))
            .member(RawPath::new(b"c"));
        assert_eq!(p.text(), "a.zip!b.tar!c");
        assert_eq!(p.name().as_bytes(), b"c");
    }
}
