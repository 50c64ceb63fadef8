//! Paths by number, which share the folders that they have in common.

use crate::model::RawPath;
use crate::source::git::diff::LONGEST;
use ahash::AHashMap;

/// A table of paths.
pub(super) struct Paths {
    /// The path above, and a name.
    list: Vec<(u32, Box<[u8]>)>,
    numbers: AHashMap<(u32, Box<[u8]>), u32>,
}

impl Default for Paths {
    fn default() -> Self {
        Paths { list: vec![(Self::ROOT, Box::default())], numbers: AHashMap::new() }
    }
}

impl Paths {
    /// The empty path.
    pub(super) const ROOT: u32 = 0;

    /// The path of an entry of a folder.
    pub(super) fn below(&mut self, folder: u32, name: &[u8]) -> u32 {
        *self.numbers.entry((folder, name.into())).or_insert_with_key(|key| {
            self.list.push(key.clone());
            self.list.len() as u32 - 1
        })
    }

    /// A path that is given whole.
    pub(super) fn whole(&mut self, path: &RawPath) -> u32 {
        if path.as_bytes().is_empty() { Self::ROOT } else { self.below(Self::ROOT, path.as_bytes()) }
    }

    /// The path of a number; of a very long one its end.
    pub(super) fn path(&self, mut number: u32) -> RawPath {
        let (mut parts, mut len) = (Vec::new(), 0);
        while number != Self::ROOT && len < LONGEST {
            let (above, name) = &self.list[number as usize];
            len += name.len() + 1;
            parts.push(&name[..]);
            number = *above;
        }
        parts.reverse();
        let path = parts.join(&b'/');
        RawPath::new(&path[path.len().saturating_sub(LONGEST)..])
    }
}
