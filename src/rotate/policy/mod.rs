//! The organisation's policy: what is set for which key, what a repository may add to it, and whether
//! it can work.

mod catalogue;
pub mod check;
mod error;
mod file;
pub mod hygiene;
mod period;
mod settings;
mod trust;
mod window;
mod words;

pub use catalogue::Catalogue;
pub(crate) use error::Locator;
pub use error::{Looks, Place, PolicyError, Screen};
pub use file::{Admin, Approver, File, Gateway, Hook, Limits, Service, Store, StoreKind, Team, Url};
pub use hygiene::{Hygiene, Late, TeamLine};
pub use period::Period;
pub use settings::{Export, Level, Order, Proof, Resolved, Row, Set, Settings};
pub use trust::{Refused, RepositoryError};
pub use window::{Clock, Day, Freeze, Window, Zone};
pub use words::{Name, PublicKey, Reference, Text};

use crate::rotate::inventory::Key;
use std::path::{Path, PathBuf};

/// A policy that was read.
#[derive(Clone, Debug)]
pub struct Policy {
    path: PathBuf,
    text: String,
    /// What the organisation's file says.
    pub file: File,
    added: Vec<trust::Added>,
}

impl Policy {
    /// Reads the organisation's file. `path` is for messages only.
    ///
    /// # Errors
    /// The first fault with its place: a value that looks like a credential, a syntax error, an unknown
    /// field, a value of the wrong form. No message repeats a value.
    pub fn parse(path: &Path, text: &str, screen: Screen<'_>) -> Result<Self, PolicyError> {
        let file = error::read(path, text, screen)?;
        Ok(Policy { path: path.to_owned(), text: text.to_owned(), file, added: Vec::new() })
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The key of that id.
    pub fn key(&self, id: &str) -> Option<&Key> {
        self.file.key.iter().find(|key| key.id.as_str() == id)
    }

    /// What holds for a key, and which level says so: default ▸ class ▸ team ▸ service ▸ key, and then
    /// whatever its repositories ask for on top.
    pub fn resolve(&self, key: &Key) -> Resolved {
        let mut resolved = self.resolve_own(key);
        for added in self.added.iter().filter(|added| added.key == key.id) {
            added.tighten(&mut resolved);
        }
        resolved
    }

    /// What the organisation's file alone says.
    fn resolve_own(&self, key: &Key) -> Resolved {
        let mut resolved = Resolved::default();
        resolved.overlay(&self.file.default, &Level::Default);
        if let Some((name, class)) = key.class.as_ref().and_then(|c| self.file.class.get_key_value(c)) {
            resolved.overlay(class, &Level::Class(name.clone()));
        }
        if let Some((name, team)) = self.file.team.get_key_value(&key.team) {
            resolved.overlay(&team.policy, &Level::Team(name.clone()));
        }
        if let Some((name, service)) = self.file.service.get_key_value(&key.service) {
            resolved.overlay(&service.policy, &Level::Service(name.clone()));
        }
        resolved.overlay(&key.policy, &Level::Key);
        resolved
    }

    /// For finding the places of what is wrong.
    pub(crate) fn locator(&self) -> Locator<'_> {
        Locator::new(&self.text)
    }
}

#[cfg(test)]
pub(crate) mod tests;
