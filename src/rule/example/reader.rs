//! Reads an example character by character, and the holes in it.

use super::Set;

/// The unread rest of an example, and inside braces the count of plain ones left open.
pub(super) struct Reader<'a> {
    pub(super) rest: &'a str,
    pub(super) open: Option<usize>,
}

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        c
    }

    pub(super) fn skip(&mut self, text: &str) -> bool {
        self.rest.strip_prefix(text).map(|rest| self.rest = rest).is_some()
    }

    /// A hole `name` or `name:count` right after a `{`, if that is what stands here.
    pub(super) fn hole(&mut self) -> Option<(&'a str, Option<&'a str>)> {
        let (inner, rest) = self.rest.split_once('}')?;
        let (name, count) = inner.split_once(':').map_or((inner, None), |(n, c)| (n, Some(c)));
        let known = Set::by_name(name).is_some() || ["uuid", "checksum"].contains(&name);
        let shaped = count.is_none_or(|c| !c.is_empty() && c.bytes().all(|b| b.is_ascii_digit()));
        if !known || !shaped {
            return None;
        }
        self.rest = rest;
        Some((name, count))
    }
}
