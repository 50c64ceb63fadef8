//! A key that is a whole secret of a store, or one field of the JSON object that the secret is.

use super::Place;
use super::form::json;
use super::openbao::{member, quoted};
use crate::model::Secret;
use crate::rotate::engine::StoreError;

/// Which part of a secret the key is.
pub(super) struct Part(Option<String>);

impl Part {
    /// The field of a place; without one the whole.
    pub(super) fn of(place: &Place) -> Part {
        Part(place.field.clone().filter(|field| !field.is_empty()))
    }

    /// The key in a secret.
    pub(super) fn get(&self, whole: &Secret) -> Result<Option<Secret>, StoreError> {
        let Some(field) = &self.0 else { return Ok(Some(whole.clone())) };
        let text = std::str::from_utf8(whole.expose()).unwrap_or_default();
        let spot = json::find(text, std::slice::from_ref(field));
        Ok(spot.map_err(|e| StoreError::Refused(e.to_string()))?.map(|spot| spot.value))
    }

    /// The secret with another key in it; the other fields stay as they stand.
    pub(super) fn set(&self, whole: Option<&Secret>, value: &Secret) -> Result<Secret, StoreError> {
        let Some(field) = &self.0 else { return Ok(value.clone()) };
        let text = std::str::from_utf8(whole.map_or(&b"{}"[..], Secret::expose)).unwrap_or_default();
        Ok(Secret::new(member(text, field, &quoted(value)?)?.as_bytes()))
    }
}
