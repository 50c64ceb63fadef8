//! Secret bytes that cannot be printed by accident.

use std::fmt;
use zeroize::Zeroizing;

/// A credential's bytes. Wiped when dropped; `Debug` and `Display` show a redaction only.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes a copy of `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        Secret(Zeroizing::new(bytes.to_vec()))
    }

    /// The raw bytes. Call only where the value itself is needed: matching, hashing, `--show-secrets`.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What may be shown: the first four characters of a long value, so that a person can tell
    /// which key is meant, and nothing of a short one.
    pub fn redacted(&self) -> String {
        let head: String = self.0.iter().take(4).map(|&b| char::from(b)).collect();
        if self.0.len() >= 20 && head.bytes().all(|b| b.is_ascii_graphic()) {
            format!("{head}…")
        } else {
            "…".to_owned()
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_of_printing_shows_the_value() {
        let s = Secret::new(b"hunter2hunter2hunter2");
        for shown in [format!("{s}"), format!("{s:?}"), format!("{s:#?}"), s.redacted()] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        assert_eq!(Secret::new(b"hunter2").redacted(), "…");
    }
}
