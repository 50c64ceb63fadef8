//! The seam to a place where a key lands.

use super::provider::Call;
use crate::model::Secret;

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// What readers get; none where nothing is there or it cannot be read back.
    pub current: Option<Secret>,
    /// What waits to be promoted.
    pub pending: Option<Secret>,
    /// Names this state of the store. Every write changes it and none comes back: a read that shows an earlier one
    /// is taken for stale. Empty where the store has none. One that begins with `=` names the value alone: it may come
    /// back, and is never taken for stale.
    pub version: String,
}

/// Why a store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The version is another than expected; nothing was changed.
    #[error("the store holds another version than expected")]
    Conflict,
    /// Later perhaps; nothing was changed.
    #[error("the store asks to try later: {0}")]
    Retry(String),
    /// No right to it; nothing was changed.
    #[error("the store refused: {0}")]
    Refused(String),
    /// Nothing is proved.
    #[error("no usable answer of the store: {0}")]
    Unknown(String),
}

/// A place where a key lands. Each method makes at most one change and tries it once.
pub trait Store {
    /// What it holds.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn read(&self, call: Call) -> Result<Content, StoreError>;

    /// Writes `value` if the version is still `expect`, and gives the new version. A staged store keeps it
    /// pending.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn write(&self, call: Call, value: &Secret, expect: &str) -> Result<String, StoreError>;

    /// Gives the pending value to readers if the version is still `expect`. Where a write reaches readers at once
    /// there is nothing to give.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn promote(&self, call: Call, expect: &str) -> Result<String, StoreError> {
        let _ = (call, expect);
        Err(StoreError::Refused("nothing is pending in this store".to_owned()))
    }

    /// Makes `value` what readers get, and drops what is pending, if the version is still `expect`. Where nothing
    /// is ever pending that is a write like another.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn restore(&self, call: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        self.write(call, value, expect)
    }
}
