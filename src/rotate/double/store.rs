//! A store that is not one.

use super::cell::{Cell, CellError};
use super::faults::{Fault, Faults};
use crate::model::Secret;
use crate::rotate::engine::{Call, Content, Store, StoreError};
use serde::{Deserialize, Serialize};

/// How the double behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Readable, with a version that a write must expect.
    Checked,
    /// Written first, promoted afterwards.
    Staged,
    /// Cannot be read back.
    Blind,
}

impl Manner {
    /// Every manner.
    pub const ALL: [Manner; 3] = [Manner::Checked, Manner::Staged, Manner::Blind];
}

/// What a double holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Shelf {
    current: Option<String>,
    pending: Option<String>,
    version: u64,
    calls: u64,
}

impl Shelf {
    /// A shelf with a value on it.
    pub fn holding(value: &Secret) -> Shelf {
        let current = Some(String::from_utf8_lossy(value.expose()).into_owned());
        Shelf { current, version: 1, ..Shelf::default() }
    }

    /// What readers get.
    pub fn current(&self) -> Option<Secret> {
        self.current.as_ref().map(|value| Secret::new(value.as_bytes()))
    }
}

/// A stateful double of a store.
#[derive(Debug)]
pub struct StoreDouble {
    shelf: Cell<Shelf>,
    manner: Manner,
    faults: Faults,
}

impl StoreDouble {
    /// A double over `shelf`.
    pub fn new(shelf: Cell<Shelf>, manner: Manner, faults: Faults) -> StoreDouble {
        StoreDouble { shelf, manner, faults }
    }

    /// What readers get, past all faults.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn current(&self) -> Result<Option<Secret>, CellError> {
        Ok(self.shelf.look()?.current())
    }

    /// How many calls came in.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn calls(&self) -> Result<u64, CellError> {
        Ok(self.shelf.look()?.calls)
    }

    fn call<T>(&self, work: impl Fn(&mut Shelf) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let done = self.shelf.with(|shelf| {
            shelf.calls += 1;
            let unknown = || Err(StoreError::Unknown("the double does not answer".to_owned()));
            match self.faults.of(shelf.calls) {
                Some(Fault::Cut) => unknown(),
                Some(Fault::Lost) => {
                    let _ = work(shelf);
                    unknown()
                }
                Some(Fault::Twice) => {
                    let first = work(shelf);
                    let _ = work(shelf);
                    first
                }
                Some(Fault::Busy) => Err(StoreError::Retry("the double is busy".to_owned())),
                Some(Fault::Denied | Fault::Full) => {
                    Err(StoreError::Refused("the double refuses".to_owned()))
                }
                Some(Fault::Conflict) => Err(StoreError::Conflict),
                None => work(shelf),
            }
        });
        done.unwrap_or_else(|e| Err(StoreError::Unknown(e.to_string())))
    }

    fn put(
        &self,
        expect: &str,
        change: impl Fn(&mut Shelf) -> Result<(), StoreError>,
    ) -> Result<String, StoreError> {
        self.call(|shelf| {
            if shelf.version.to_string() != expect {
                return Err(StoreError::Conflict);
            }
            change(shelf)?;
            shelf.version += 1;
            Ok(shelf.version.to_string())
        })
    }
}

fn text(value: &Secret) -> String {
    String::from_utf8_lossy(value.expose()).into_owned()
}

impl Store for StoreDouble {
    fn read(&self, _: Call) -> Result<Content, StoreError> {
        self.call(|shelf| {
            let secret = |value: &Option<String>| value.as_ref().map(|v| Secret::new(v.as_bytes()));
            let version = shelf.version.to_string();
            Ok(match self.manner {
                Manner::Blind => Content { version, ..Content::default() },
                _ => Content { current: secret(&shelf.current), pending: secret(&shelf.pending), version },
            })
        })
    }

    fn write(&self, _: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        self.put(expect, |shelf| {
            match self.manner {
                Manner::Staged => shelf.pending = Some(text(value)),
                _ => shelf.current = Some(text(value)),
            }
            Ok(())
        })
    }

    fn promote(&self, _: Call, expect: &str) -> Result<String, StoreError> {
        self.put(expect, |shelf| match shelf.pending.take() {
            Some(value) => {
                shelf.current = Some(value);
                Ok(())
            }
            None => Err(StoreError::Refused("nothing is pending".to_owned())),
        })
    }

    fn restore(&self, _: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        self.put(expect, |shelf| {
            shelf.current = Some(text(value));
            shelf.pending = None;
            Ok(())
        })
    }
}
