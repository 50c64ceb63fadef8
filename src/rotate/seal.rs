//! Key material at rest: sealed under a key that is not in the same file, bound to its rotation and step.

use crate::model::Secret;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// The keys that seal material and authenticate the audit, derived from master keys. The first seals, all open.
pub struct Keyring {
    keys: Vec<Derived>,
}

struct Derived {
    id: String,
    seal: Zeroizing<[u8; 32]>,
    audit: Zeroizing<[u8; 32]>,
    mark: Zeroizing<[u8; 32]>,
}

/// What sealed material belongs to. Opened under any other binding it does not authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding<'a> {
    /// Number of the rotation.
    pub rotation: i64,
    /// The step or role: `old`, `new/1`.
    pub step: &'a str,
    /// Generation of the key.
    pub generation: u64,
}

/// Sealed material with the id of the key that opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Id of the sealing key.
    pub key: String,
    /// 24 random bytes.
    pub nonce: Vec<u8>,
    /// Ciphertext and tag.
    pub text: Vec<u8>,
}

/// Why material cannot be sealed or opened. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Too little to derive keys from.
    #[error("a master key must have at least 32 bytes, this has {0}")]
    Short(usize),
    /// The sealing key is not at hand.
    #[error("the sealing key `{0}` is not at hand")]
    Missing(String),
    /// The material was changed, or belongs elsewhere.
    #[error("sealed material does not open under key `{0}`: it was changed or belongs to another step")]
    Broken(String),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

impl Keyring {
    /// A keyring with one master key of at least 32 bytes of full entropy.
    ///
    /// # Errors
    /// [`SealError::Short`].
    pub fn new(master: &[u8]) -> Result<Keyring, SealError> {
        Ok(Keyring { keys: vec![derive(master)?] })
    }

    /// The same with a former master key beside it, which opens and verifies but no longer seals.
    ///
    /// # Errors
    /// [`SealError::Short`].
    pub fn with_former(mut self, master: &[u8]) -> Result<Keyring, SealError> {
        self.keys.push(derive(master)?);
        Ok(self)
    }

    /// Id of the key that seals: eight hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.keys[0].id
    }

    /// Seals `secret`.
    ///
    /// # Errors
    /// [`SealError::Random`].
    pub fn seal(&self, binding: Binding<'_>, secret: &Secret) -> Result<Sealed, SealError> {
        let key = &self.keys[0];
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce).map_err(|_| SealError::Random)?;
        let aad = binding.bytes(&key.id);
        let text = cipher(key)
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: secret.expose(), aad: &aad })
            .expect("because a key is far shorter than the cipher's bound");
        Ok(Sealed { key: key.id.clone(), nonce: nonce.to_vec(), text })
    }

    /// Opens what was sealed under the same binding.
    ///
    /// # Errors
    /// [`SealError::Missing`] or [`SealError::Broken`].
    pub fn open(&self, binding: Binding<'_>, sealed: &Sealed) -> Result<Secret, SealError> {
        let key = self.find(&sealed.key)?;
        let broken = || SealError::Broken(sealed.key.clone());
        if sealed.nonce.len() != 24 {
            return Err(broken());
        }
        let aad = binding.bytes(&key.id);
        let plain = cipher(key)
            .decrypt(XNonce::from_slice(&sealed.nonce), Payload { msg: &sealed.text, aad: &aad })
            .map_err(|_| broken())?;
        Ok(Secret::new(&Zeroizing::new(plain)))
    }

    /// A mark of a value by which a change is recognised; says nothing without the master key.
    pub fn mark(&self, secret: &Secret) -> String {
        hex(&hmac(self.keys[0].mark.as_slice(), &[secret.expose()])[..16])
    }

    /// HMAC-SHA-256 of an audit entry under the key with that id.
    pub(super) fn audit(&self, id: &str, parts: &[&[u8]]) -> Result<[u8; 32], SealError> {
        Ok(hmac(self.find(id)?.audit.as_slice(), parts))
    }

    fn find(&self, id: &str) -> Result<&Derived, SealError> {
        self.keys.iter().find(|key| key.id == id).ok_or_else(|| SealError::Missing(id.to_owned()))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({})", self.id())
    }
}

impl Binding<'_> {
    fn bytes(&self, key: &str) -> Vec<u8> {
        let (rotation, generation) = (self.rotation.to_be_bytes(), self.generation.to_be_bytes());
        let parts: [&[u8]; 5] =
            [b"keywheel seal 1", &rotation, self.step.as_bytes(), &generation, key.as_bytes()];
        parts.iter().flat_map(|part| framed(part)).collect()
    }
}

/// A part with its length before it, so that no two lists of parts look the same.
fn framed(part: &[u8]) -> Vec<u8> {
    [&(part.len() as u64).to_be_bytes(), part].concat()
}

fn derive(master: &[u8]) -> Result<Derived, SealError> {
    if master.len() < 32 {
        return Err(SealError::Short(master.len()));
    }
    let id = Sha256::new().chain_update(b"keywheel sealing key id\0").chain_update(master).finalize();
    let sub = |purpose: &[u8]| Zeroizing::new(hmac(master, &[purpose]));
    Ok(Derived {
        id: hex(&id[..4]),
        seal: sub(b"keywheel seal 1"),
        audit: sub(b"keywheel audit 1"),
        mark: sub(b"keywheel mark 1"),
    })
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("because HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(&framed(part)));
    mac.finalize().into_bytes().into()
}

fn cipher(key: &Derived) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.seal.as_slice().into())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Binding<'_> = Binding { rotation: 7, step: "new/1", generation: 3 };

    #[test]
    fn opens_only_where_it_belongs() {
        let ring = Keyring::new(&[1; 32]).unwrap();
        let secret = Secret::new(b"a value to keep");
        let sealed = ring.seal(HERE, &secret).unwrap();
        assert_eq!(ring.open(HERE, &sealed), Ok(secret.clone()));
        assert!(!sealed.text.windows(5).any(|w| w == b"value"));
        assert_ne!(ring.seal(HERE, &secret).unwrap().nonce, sealed.nonce);
        let broken = Err(SealError::Broken(ring.id().to_owned()));
        for other in [
            Binding { rotation: 8, ..HERE },
            Binding { step: "new/2", ..HERE },
            Binding { generation: 4, ..HERE },
        ] {
            assert_eq!(ring.open(other, &sealed), broken, "{other:?}");
        }
        for at in 0..sealed.text.len() {
            let mut bent = sealed.clone();
            bent.text[at] ^= 1;
            assert_eq!(ring.open(HERE, &bent), broken);
        }
        let mut bent = sealed.clone();
        bent.nonce.pop();
        assert_eq!(ring.open(HERE, &bent), broken);
    }

    #[test]
    fn a_former_master_key_opens_and_a_missing_one_is_named() {
        let former = Keyring::new(&[1; 32]).unwrap();
        let sealed = former.seal(HERE, &Secret::new(b"v")).unwrap();
        let now = Keyring::new(&[2; 40]).unwrap();
        assert_eq!(now.open(HERE, &sealed), Err(SealError::Missing(former.id().to_owned())));
        assert!(now.with_former(&[1; 32]).unwrap().open(HERE, &sealed).is_ok());
        assert_eq!(Keyring::new(&[1; 31]).err(), Some(SealError::Short(31)));
    }
}
