//! What leads to the objects of a repository, read once, and a digest that tells whether it changed.

use super::refs::Reference;
use super::repo::Repository;
use crate::model::{ObjectId, Skipped};
use sha2::{Digest, Sha256};

/// Bytes at the end of a pack that are its checksum.
const TRAILER: usize = 20;

/// The refs of a repository, its reflogs and the commit that is checked out.
#[derive(Debug)]
pub struct Standing {
    /// Every ref.
    pub references: Vec<Reference>,
    /// What reflogs name.
    pub logged: Vec<ObjectId>,
    /// The commit that is checked out, if there is one.
    pub head: Option<ObjectId>,
    /// What could not be read.
    pub skipped: Vec<Skipped>,
}

impl Standing {
    /// Reads them.
    pub fn of(repo: &Repository) -> Self {
        let (references, mut skipped) = repo.references();
        let (logged, more) = repo.reflogs();
        skipped.extend(more);
        Standing { references, logged, head: repo.head().ok().flatten(), skipped }
    }

    /// A digest of all that leads somewhere, and of which objects there are. As long as it stays the
    /// same, everything stands where it stood.
    pub fn digest(&self, repo: &Repository) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        for reference in &self.references {
            add(reference.name.as_bytes());
            add(reference.target.as_ref().map_or(&[][..], |id| id.as_bytes()));
        }
        add(b"reflogs");
        self.logged.iter().for_each(|id| add(id.as_bytes()));
        add(b"head");
        add(self.head.as_ref().map_or(&[][..], |id| id.as_bytes()));
        add(b"shallow");
        repo.shallow.iter().for_each(|id| add(id.as_bytes()));
        add(&[u8::from(repo.partial)]);
        for store in repo.objects.stores() {
            add(store.path.as_os_str().as_encoded_bytes());
            for pack in &store.packs {
                let bytes = pack.bytes();
                add(pack.path().as_os_str().as_encoded_bytes());
                add(&bytes[bytes.len().saturating_sub(TRAILER)..]);
                add(&(bytes.len() as u64).to_le_bytes());
                add(&pack.len().to_le_bytes());
            }
        }
        add(b"loose");
        repo.objects.loose().iter().for_each(|(id, _)| add(id.as_bytes()));
        hash.finalize().into()
    }
}
