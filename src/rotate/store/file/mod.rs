//! A file in which one value is a key. Only that value changes. A reader sees the old file or the new one,
//! whatever ends the process in between.

mod folder;

use super::form::{Form, FormError};
use super::list::{Entry, ListError, Listing};
use super::{Doors, FileSpec, OpenError, Place};
use crate::model::Secret;
use crate::rotate::engine::{Call, Content, Store, StoreError};
use folder::Folder;
use std::path::{Component, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The store.
pub(super) struct FileStore {
    path: PathBuf,
    field: String,
    form: Form,
    doors: Arc<dyn Doors>,
    /// Called before each step of a replacement, by its number; tests end the process there.
    step: fn(u8),
}

impl FileStore {
    pub(super) fn new(spec: &FileSpec, place: &Place, doors: Arc<dyn Doors>) -> Result<Self, OpenError> {
        let wrong = |why| OpenError::Place { path: place.path.clone(), why };
        let path = PathBuf::from(&place.path);
        let plain = path.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
        if !path.is_absolute() || !plain || path.file_name().is_none() {
            return Err(wrong("a file is named by its absolute path, without `..`"));
        }
        let field = place.field.clone().filter(|f| !f.is_empty());
        let field = field.ok_or(wrong("say which variable or pointer in `field`"))?;
        let form = spec.form.unwrap_or_else(|| Form::of(&path));
        Ok(FileStore { path, field, form, doors, step: |_| {} })
    }

    /// Names a state of the file. The time is part of it, so that a content that comes back is another state.
    fn version(&self, text: &str, modified: SystemTime) -> String {
        let nanos = modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        format!("{}-{nanos:x}", self.doors.mark(text.as_bytes()))
    }
}

fn unclear(e: FormError) -> StoreError {
    StoreError::Refused(e.to_string())
}

impl Store for FileStore {
    fn read(&self, call: Call) -> Result<Content, StoreError> {
        // Under the lock, so that what a killed writer left behind is told from what one is just writing.
        let folder = Folder::lock(&self.path, call.deadline)?;
        folder.tidy()?;
        let Some(opened) = folder.open()? else {
            return Ok(Content { version: self.doors.mark(b""), ..Content::default() });
        };
        let spot = self.form.find(&opened.text, &self.field).map_err(unclear)?;
        let version = self.version(&opened.text, opened.modified);
        Ok(Content { current: spot.map(|s| s.value), pending: None, version })
    }

    fn write(&self, call: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        // Reads, compares and writes under the folder's lock.
        match self.doors.tracked(&self.path) {
            Ok(false) => {}
            Ok(true) => {
                let why = "git tracks the file, and a key would go into the history; take it out of the repository first";
                return Err(StoreError::Refused(why.to_owned()));
            }
            Err(why) => {
                return Err(StoreError::Refused(format!("whether git tracks the file is not known: {why}")));
            }
        }
        let folder = Folder::lock(&self.path, call.deadline)?;
        let old = folder.open()?.ok_or_else(|| StoreError::Refused("the file is not there".to_owned()))?;
        if self.version(&old.text, old.modified) != expect {
            return Err(StoreError::Conflict);
        }
        let new = self.form.set(&old.text, &self.field, value).map_err(unclear)?;
        let modified = folder.replace(&old, &new, self.step)?;
        Ok(self.version(&new, modified))
    }
}

/// The names in one file.
pub(super) fn list(
    spec: &FileSpec,
    path: &str,
    doors: Arc<dyn Doors>,
    call: Call,
) -> Result<Listing, ListError> {
    let store = FileStore::new(spec, &super::list::standing(path.to_owned()), doors)?;
    let folder = Folder::lock(&store.path, call.deadline)?;
    let mut listing = Listing::default();
    if let Some(opened) = folder.open()? {
        let fields = store.form.fields(&opened.text).map_err(unclear)?.ok_or(ListError::NoNames)?;
        listing.add(fields.into_iter().map(|field| Entry::named(path, field)))?;
    }
    Ok(listing)
}

#[cfg(test)]
mod tests;
