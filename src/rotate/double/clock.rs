//! A clock that moves when it is told to.

use super::cell::{Cell, CellError};
use crate::rotate::engine::Clock;
use crate::rotate::time::Moment;
use std::path::Path;

/// A clock that moves when it is told to, in memory or in a file that several processes share.
#[derive(Debug)]
pub struct ManualClock(Cell<Moment>);

impl ManualClock {
    /// In memory.
    pub fn new(at: Moment) -> ManualClock {
        ManualClock(Cell::memory(at))
    }

    /// In a file; goes on where it stood.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn file(path: &Path, at: Moment) -> Result<ManualClock, CellError> {
        Ok(ManualClock(Cell::file(path, &at)?))
    }

    /// Moves on to `at`; never back.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn move_to(&self, at: Moment) -> Result<(), CellError> {
        self.0.with(|now| *now = (*now).max(at))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        // A clock that cannot be read stands at the end of time, so that every lease is over.
        self.0.look().unwrap_or(Moment(i64::MAX))
    }
}
