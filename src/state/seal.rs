//! Digests under the key of a state file.

use crate::model::ObjectId;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// Bytes of a seal.
const SEAL: usize = 16;

/// The key of one state file. Nobody who can put objects into a repository knows it, so nobody can
/// make an object whose short name is that of another.
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Key)
    }

    /// The short name of an object. Its name is of one length and one block, so a digest that begins
    /// with the key is as good as an HMAC, at a quarter of the cost.
    pub(super) fn object(&self, id: &ObjectId) -> u64 {
        self.short(id.as_bytes())
    }

    /// The short name of a file's name.
    pub(super) fn name(&self, name: &[u8]) -> u64 {
        // Of one length, as those of objects are.
        self.short(&Sha256::digest(name)[..20])
    }

    fn short(&self, twenty: &[u8]) -> u64 {
        let hash = Sha256::new().chain_update(self.0).chain_update(twenty).finalize();
        hash.first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
    }

    /// A seal over what stands in a row: damage that SQLite does not see must not hide a finding.
    pub(super) fn seal(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("because HMAC takes a key of any length");
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes()[..SEAL].to_vec()
    }
}
