//! Places in a file, and errors that name them without repeating a value.

use std::fmt;
use std::path::{Path, PathBuf};

/// Why a policy cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{place}: {message}", path = path.display())]
pub struct PolicyError {
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub place: Place,
    /// What is wrong and how to cure it.
    pub message: String,
}

/// Line and column, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Place {
    /// Of a byte of `text`.
    pub(crate) fn of(text: &str, at: usize) -> Self {
        let (line, column) = crate::rule::line_and_column(text, at);
        Place { line, column }
    }
}

/// A value in a policy that looks like a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looks {
    /// Byte at which it begins.
    pub at: usize,
    /// What it looks like: the name of a rule, never a value.
    pub like: String,
}

/// Finds what looks like a credential. The caller gives the detector, of which rotation knows nothing.
pub type Screen<'a> = &'a dyn Fn(&str) -> Option<Looks>;

/// Reads a file of form `T`: first its values are screened, then it is parsed.
pub(super) fn read<T: serde::de::DeserializeOwned>(
    path: &Path,
    text: &str,
    screen: Screen<'_>,
) -> Result<T, PolicyError> {
    let error = |at, message| PolicyError { path: path.to_owned(), place: Place::of(text, at), message };
    if let Some(found) = screen(text) {
        let message = format!(
            "this looks like a credential ({}); take it out of the file, turn it over, and write where it is: \
             env:NAME, file:/path or openbao:mount/path#field",
            found.like
        );
        return Err(error(found.at, message));
    }
    toml::from_str(text).map_err(|e| error(e.span().map_or(0, |s| s.start), veiled(e.message())))
}

/// A message without words that may be a credential: long ones with a digit in them.
fn veiled(message: &str) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || "-_+/=.~:@".contains(c);
    let (mut out, mut rest) = (String::with_capacity(message.len()), message);
    while let Some(c) = rest.chars().next() {
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        if end == 0 {
            out.push(if c.is_control() && c != '\n' { '?' } else { c });
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let secret = word.len() >= 16 && word.bytes().any(|b| b.is_ascii_digit());
        out.push_str(if secret { "…" } else { word });
        rest = &rest[end..];
    }
    out
}

/// Finds the places of keys in a file that parses.
pub(crate) struct Locator<'a> {
    text: &'a str,
    root: Option<toml::Spanned<toml::de::DeTable<'a>>>,
}

impl<'a> Locator<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Locator { text, root: toml::de::DeTable::parse(text).ok() }
    }

    /// The place of the value at the end of `path`, or of the deepest part of it that is there. A number
    /// counts into a list.
    pub(crate) fn place(&self, path: &[&str]) -> Place {
        Place::of(self.text, self.offset(path).unwrap_or(0))
    }

    fn offset(&self, path: &[&str]) -> Option<usize> {
        let root = self.root.as_ref()?;
        let (first, rest) = path.split_first()?;
        let (name, mut value) = root.get_ref().get_key_value(*first)?;
        let mut at = name.span().start;
        for part in rest {
            let inner = value.get_ref();
            if let Some(table) = inner.as_table() {
                let Some((name, next)) = table.get_key_value(*part) else { break };
                (at, value) = (name.span().start, next);
            } else {
                let next = part.parse().ok().and_then(|n: usize| inner.get(n));
                let Some(next) = next else { break };
                (at, value) = (next.span().start, next);
            }
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_as_deep_as_they_go() {
        let text = "version = 1\n[[key]]\nid = 'a'\n[[key]]\nid = 'b'\nstores = [{ store = 'x' }, { store = 'y' }]\n\
                    [key.policy]\ncadence = '1d'\n";
        let at = |path: &[&str]| Locator::new(text).place(path).to_string();
        assert_eq!(at(&["version"]), "1:1");
        assert_eq!(at(&["key", "1"]), "4:1");
        assert_eq!(at(&["key", "1", "id"]), "5:1");
        assert_eq!(at(&["key", "1", "stores", "1", "store"]), "6:30");
        assert_eq!(at(&["key", "1", "policy", "cadence"]), "8:1");
        assert_eq!(at(&["key", "1", "policy", "overlap"]), "7:6");
        assert_eq!(at(&["key", "1", "owner"]), "4:1");
        assert_eq!(at(&["none"]), "1:1");
    }

    #[test]
    fn messages_are_veiled() {
        let value = "a1B2".repeat(6);
        assert_eq!(
            veiled(&format!("unknown field `{value}`, expected `id`")),
            "unknown field `…`, expected `id`"
        );
        let plain = "unknown variant `monday`, expected one of `mon`, `emergency-overlap`";
        assert_eq!(veiled(plain), plain);
        assert_eq!(veiled("a\x1b[31m"), "a?[31m");
    }
}
