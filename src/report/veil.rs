//! Names and reasons without any secret that was found.

use crate::model::{Finding, Provenance, RawPath, Secret};
use ahash::AHashMap;
use std::borrow::Cow;

/// Values shorter than this may be ordinary words, and a name that holds one is left alone.
const TELLING: usize = 16;

/// Hides the values of a whole scan. A file may be named like a key that stands in another one, so
/// whatever is shown of names and reasons passes through here.
#[derive(Default)]
pub struct Veil {
    /// Values by their first bytes, the longest first: flat in memory however many there are.
    values: AHashMap<[u8; TELLING], Vec<Secret>>,
}

impl Veil {
    /// For everything that was found, be it reported or below the floors.
    pub fn new(findings: &[Finding]) -> Self {
        let mut veil = Veil::default();
        veil.add(findings);
        veil
    }

    /// Hides these as well.
    pub fn add(&mut self, findings: &[Finding]) {
        for f in findings {
            if let Some(start) = f.secret.expose().first_chunk::<TELLING>() {
                self.values.entry(*start).or_default().push(f.secret.clone());
            }
        }
        for list in self.values.values_mut() {
            list.sort_by_key(|s| std::cmp::Reverse(s.expose().len()));
        }
    }

    /// The bytes without any of the values.
    pub fn bytes<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let mut out = Vec::new();
        let (mut done, mut at) = (0, 0);
        while let Some(start) = bytes[at..].first_chunk::<TELLING>().filter(|_| !self.values.is_empty()) {
            let list = self.values.get(start).map_or(&[][..], Vec::as_slice);
            match list.iter().find(|s| bytes[at..].starts_with(s.expose())) {
                Some(secret) => {
                    out.extend_from_slice(&bytes[done..at]);
                    out.extend_from_slice(secret.redacted().as_bytes());
                    at += secret.expose().len();
                    done = at;
                }
                None => at += 1,
            }
        }
        if done == 0 {
            return Cow::Borrowed(bytes);
        }
        out.extend_from_slice(&bytes[done..]);
        Cow::Owned(out)
    }

    /// The text without any of the values.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A value that is not UTF-8 can have cut a character.
            Cow::Owned(other) => Cow::Owned(String::from_utf8_lossy(&other).into_owned()),
        }
    }

    /// A path or a member's name.
    pub fn name(&self, name: &RawPath) -> String {
        RawPath::new(&self.bytes(name.as_bytes())).text()
    }

    /// `dir/a.zip!inner.tar!b.txt`.
    pub fn place(&self, p: &Provenance) -> String {
        let names: Vec<_> = std::iter::once(&p.path).chain(&p.members).map(|n| self.name(n)).collect();
        names.join("!")
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{at, finding, rule};
    use super::*;
    use crate::model::Severity;

    #[test]
    fn every_telling_value_is_hidden_and_words_are_left() {
        let of =
            |value: &str| finding(value, rule("a", "A", "a", "A", ""), Severity::High, vec![at(b"x", 1)]);
        let (long, longer) = ("k3y".repeat(6), "k3y".repeat(7));
        let veil = Veil::new(&[of(&long), of(&longer), of("config")]);
        let name = format!("config/{longer}.{long}");
        let shown = veil.name(&RawPath::new(name.as_bytes()));
        assert!(shown.starts_with("config/") && !shown.contains("k3yk3y"), "{shown}");
        let place = Provenance::file(RawPath::new(b"a.zip")).member(RawPath::new(long.as_bytes()));
        assert!(veil.place(&place).starts_with("a.zip!") && !veil.place(&place).contains(&long));
        assert_eq!(veil.text("open config: denied"), "open config: denied");
        assert!(!veil.text(&format!("open {long}: denied")).contains(&long));
        assert_eq!(Veil::default().text(&long), long);
    }
}
