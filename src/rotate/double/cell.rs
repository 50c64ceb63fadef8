//! State that is changed by one user at a time, in memory or in a file.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The state of a double.
#[derive(Debug)]
pub struct Cell<T> {
    place: Place<T>,
}

#[derive(Debug)]
enum Place<T> {
    Memory(Mutex<T>),
    File(PathBuf),
}

/// The file of a double cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the double's file {0}: {1}")]
pub struct CellError(PathBuf, #[source] io::Error);

impl<T: Serialize + DeserializeOwned + Clone> Cell<T> {
    /// In memory.
    pub fn memory(state: T) -> Cell<T> {
        Cell { place: Place::Memory(Mutex::new(state)) }
    }

    /// In a file, made with `state` if it is not there. A change is whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn file(path: &Path, state: &T) -> Result<Cell<T>, CellError> {
        let fail = |e| CellError(path.to_owned(), e);
        let _lock = lock(path).map_err(fail)?;
        if !path.exists() {
            save(path, state).map_err(fail)?;
        }
        Ok(Cell { place: Place::File(path.to_owned()) })
    }

    /// Changes the state and gives what `work` says.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Result<R, CellError> {
        match &self.place {
            Place::Memory(state) => Ok(work(&mut state.lock().unwrap_or_else(PoisonError::into_inner))),
            Place::File(path) => {
                let fail = |e| CellError(path.clone(), e);
                let _lock = lock(path).map_err(fail)?;
                let bytes = fs::read(path).map_err(fail)?;
                let mut state: T = serde_json::from_slice(&bytes).map_err(|e| fail(e.into()))?;
                let done = work(&mut state);
                save(path, &state).map_err(fail)?;
                Ok(done)
            }
        }
    }

    /// A copy of the state.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn look(&self) -> Result<T, CellError> {
        match &self.place {
            Place::Memory(state) => Ok(state.lock().unwrap_or_else(PoisonError::into_inner).clone()),
            Place::File(path) => fs::read(path)
                .and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::from))
                .map_err(|e| CellError(path.clone(), e)),
        }
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(beside(path, ".lock"))?;
    file.lock()?;
    Ok(file)
}

fn save<T: Serialize>(path: &Path, state: &T) -> io::Result<()> {
    let new = beside(path, ".new");
    fs::write(&new, serde_json::to_vec(state)?)?;
    fs::rename(new, path)
}
