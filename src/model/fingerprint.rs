//! The identity of a secret that survives moving, renaming and re-encoding.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::fmt;

/// The key under which fingerprints are made. The default is a public constant, so that forks and
/// laptops agree; a baseline may carry a salt of its own.
#[derive(Clone)]
pub struct FingerprintKey {
    id: String,
    mac: Hmac<Sha256>,
}

impl FingerprintKey {
    /// A key from salt bytes; its id is derived from them.
    pub fn new(salt: &[u8]) -> Self {
        let id = Sha256::new().chain_update(b"keywheel fingerprint key id\0").chain_update(salt).finalize();
        let mac = Hmac::new_from_slice(salt).expect("because HMAC takes a key of any length");
        FingerprintKey { id: hex(&id[..4]), mac }
    }

    /// The id that stands in each fingerprint: eight hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The fingerprint of a normalised secret.
    pub fn fingerprint(&self, normalised: &[u8]) -> Fingerprint {
        let tag = self.mac.clone().chain_update(normalised).finalize().into_bytes();
        Fingerprint(format!("kw1:{}:{}", self.id, hex(&tag[..16])))
    }
}

impl Default for FingerprintKey {
    fn default() -> Self {
        FingerprintKey::new(b"keywheel public salt 1")
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FingerprintKey({})", self.id)
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut s, b| {
        write!(s, "{b:02x}").expect("because writing to a String cannot fail");
        s
    })
}

/// `kw1:<key id>:<32 hexadecimal digits>`: the first 128 bits of HMAC-SHA-256 over the normalised
/// secret alone. Rule, provider and place are attributes, not identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key id part.
    pub fn key_id(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    /// Reads a fingerprint; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let ok = parts.next() == Some("kw1")
            && parts.next().is_some_and(|k| k.len() == 8 && is_hex(k))
            && parts.next().is_some_and(|t| t.len() == 32 && is_hex(t))
            && parts.next().is_none();
        ok.then(|| Fingerprint(text.to_owned()))
    }
}

fn is_hex(s: &str) -> bool {
    s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_depend_on_value_and_key_only_and_parse_back() {
        let key = FingerprintKey::default();
        let a = key.fingerprint(b"one");
        assert_eq!(a, FingerprintKey::default().fingerprint(b"one"));
        assert_ne!(a, key.fingerprint(b"two"));
        assert_ne!(a, FingerprintKey::new(b"other").fingerprint(b"one"));
        assert_eq!(Fingerprint::parse(a.as_str()), Some(a.clone()));
        assert_eq!(a.key_id(), key.id());
        assert_eq!(Fingerprint::parse("kw1:zz:00"), None);
    }
}
