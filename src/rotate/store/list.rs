//! What lies in a store: the names of its entries. Values are read only by [`Spec::values`].

use super::form::json;
use super::{Doors, OpenError, Place, Spec};
use crate::model::Secret;
use crate::rotate::engine::{Call, StoreError};
use std::sync::Arc;

/// Most entries of one list.
pub(super) const MOST_ENTRIES: usize = 20_000;
/// Most answers that one list is put together from.
pub(super) const MOST_PAGES: usize = 1_000;

/// One entry of a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// As the path of a [`Place`].
    pub path: String,
    /// Which part of what lies there.
    pub field: Field,
}

/// Which part of an entry is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// All of it, which may be an object with fields of its own.
    Whole,
    /// The one of that name.
    Named(String),
    /// One of several whose names the store does not tell without their values.
    Untold,
}

/// The entries of a store, or of a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// What lies there.
    pub entries: Vec<Entry>,
    /// What could not be listed, with the reason.
    pub failed: Vec<String>,
}

/// Why nothing is listed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The store tells no names, or only together with the values.
    #[error("it does not list names alone")]
    NoNames,
    /// The declaration, or the part of the store that is to be listed.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store's answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is more than is read.
    #[error("the list does not end, or is longer than 20,000 entries")]
    Endless,
}

impl Entry {
    /// An entry without parts.
    pub(super) fn whole(path: String) -> Entry {
        Entry { path, field: Field::Whole }
    }

    /// One field of what lies at a path.
    pub(super) fn named(path: &str, field: String) -> Entry {
        Entry { path: path.to_owned(), field: Field::Named(field) }
    }
}

impl Listing {
    /// Adds entries, up to the bound.
    pub(super) fn add(&mut self, entries: impl IntoIterator<Item = Entry>) -> Result<(), ListError> {
        for entry in entries {
            if self.entries.len() == MOST_ENTRIES {
                return Err(ListError::Endless);
            }
            self.entries.push(entry);
        }
        Ok(())
    }
}

/// Asks for page after page: `next` gets the token of the page, none for the first, and gives that of the following.
pub(super) fn pages(
    mut page: impl FnMut(Option<&str>) -> Result<Option<String>, ListError>,
) -> Result<(), ListError> {
    let mut token: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let next = page(token.as_deref())?.filter(|next| !next.is_empty());
        match next {
            None => return Ok(()),
            // A page that leads to itself.
            Some(_) if next == token => return Err(ListError::Endless),
            Some(_) => token = next,
        }
    }
    Err(ListError::Endless)
}

/// A place that stands for all of a store, or of a part of it.
pub(super) fn standing(path: String) -> Place {
    Place { path, field: Some("X".to_owned()), ..Place::default() }
}

impl Spec {
    /// Which part of the store is listed to find a place of that path: its folder, project or namespace. Empty where
    /// one list has everything; none where the store tells no names.
    pub fn shelf(&self, path: &str) -> Option<String> {
        let first = || path.split_once('/').map(|(first, _)| first.to_owned());
        match self {
            Spec::Hook(_) | Spec::Infisical(_) => None,
            Spec::AwsSecretsManager(_) | Spec::AwsParameterStore(_) | Spec::AzureKeyVault(_) => {
                Some(String::new())
            }
            // The folder, and the mount at the least.
            Spec::Openbao(_) => path.rsplit_once('/').map(|(folder, _)| folder.to_owned()),
            Spec::GcpSecretManager(_) | Spec::Kubernetes(_) => first(),
            Spec::File(_) | Spec::GithubActions(_) | Spec::Doppler(_) => Some(path.to_owned()),
        }
    }

    /// Lists a part of the store, as [`Spec::shelf`] names it. Reads no value; a file is read as a whole, and only
    /// its names are given.
    ///
    /// # Errors
    /// See [`ListError`].
    pub fn list(&self, shelf: &str, doors: &Arc<dyn Doors>, call: Call) -> Result<Listing, ListError> {
        let doors = Arc::clone(doors);
        let mut listing = match self {
            Spec::Hook(_) | Spec::Infisical(_) => return Err(ListError::NoNames),
            #[cfg(unix)]
            Spec::File(spec) => super::file::list(spec, shelf, doors, call)?,
            #[cfg(not(unix))]
            Spec::File(_) => return Err(OpenError::System.into()),
            Spec::Openbao(spec) => super::openbao::list(spec, shelf, doors, call)?,
            Spec::AwsSecretsManager(spec) => super::aws::list(spec, doors, call)?,
            Spec::AwsParameterStore(spec) => super::parameter_store::list(spec, doors, call)?,
            Spec::GcpSecretManager(spec) => super::gcp::list(spec, shelf, doors, call)?,
            Spec::AzureKeyVault(spec) => super::azure::list(spec, doors, call)?,
            Spec::GithubActions(spec) => super::github::list(spec, shelf, doors, call)?,
            Spec::Kubernetes(spec) => super::kubernetes::list(spec, shelf, doors, call)?,
            Spec::Doppler(spec) => super::doppler::list(spec, shelf, doors, call)?,
        };
        listing.entries.sort();
        listing.entries.dedup();
        Ok(listing)
    }

    /// Reads the values of an entry: its own, or those of its fields. What is no text is left out.
    ///
    /// # Errors
    /// See [`ListError`].
    pub fn values(
        &self,
        entry: &Entry,
        doors: &Arc<dyn Doors>,
        call: Call,
    ) -> Result<Vec<(Option<String>, Secret)>, ListError> {
        let fields = match self {
            // The engine's fields need not be texts, and it does not tell which are.
            Spec::Openbao(spec) => Some(super::openbao::fields(spec, &entry.path, Arc::clone(doors), call)?),
            Spec::Kubernetes(spec) if entry.field == Field::Untold => {
                Some(super::kubernetes::fields(spec, &entry.path, Arc::clone(doors), call)?)
            }
            _ => None,
        };
        let field = match &entry.field {
            Field::Named(field) => Some(field.clone()),
            Field::Whole | Field::Untold => None,
        };
        if let Some(mut fields) = fields {
            fields.retain(|(name, _)| field.is_none() || *name == field);
            return Ok(fields);
        }
        let place = Place { path: entry.path.clone(), field: field.clone(), ..Place::default() };
        let Some(value) = self.open(&place, doors)?.read(call)?.current else { return Ok(Vec::new()) };
        if field.is_none()
            && let Some(members) = members(&value)
        {
            return Ok(members);
        }
        Ok(vec![(field, value)])
    }
}

/// The texts of an object.
fn members(value: &Secret) -> Option<Vec<(Option<String>, Secret)>> {
    let text = std::str::from_utf8(value.expose()).ok()?;
    let names = json::names(text, &[]).ok()??;
    let one = |name: String| {
        let spot = json::find(text, std::slice::from_ref(&name)).ok().flatten()?;
        Some((Some(name), spot.value))
    };
    Some(names.into_iter().filter_map(one).collect())
}

#[cfg(test)]
mod tests;
