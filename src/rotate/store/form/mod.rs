//! Where one value stands in a file, and how another is written in its place. Everything else stays as it is,
//! byte for byte.

mod dotenv;
pub(super) mod json;
mod properties;
mod toml;
mod yaml;

use crate::model::Secret;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::Path;
use zeroize::Zeroizing;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// `NAME=value` lines.
    Dotenv,
    /// JSON; the field is a pointer (RFC 6901) or a name at the top.
    Json,
    /// YAML; the field is as for JSON.
    Yaml,
    /// TOML; the field is as for JSON.
    Toml,
    /// Java properties.
    Properties,
}

/// Why a value cannot be found or written. Holds nothing of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FormError(pub(super) &'static str);

/// A value in a text.
#[derive(Debug)]
pub(super) struct Spot {
    /// The bytes that spell it, quotes included.
    pub(super) span: Range<usize>,
    /// What it says.
    pub(super) value: Secret,
    quote: Quote,
}

/// What stands around a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
    /// A back quote: only some readers of `.env` know it.
    Back,
}

impl Form {
    /// The form that a file's name speaks of; without one it is `NAME=value`.
    pub fn of(path: &Path) -> Form {
        match path.extension().and_then(|e| e.to_str()) {
            Some("json") => Form::Json,
            Some("yaml" | "yml") => Form::Yaml,
            Some("toml") => Form::Toml,
            Some("properties") => Form::Properties,
            _ => Form::Dotenv,
        }
    }

    /// Finds the value of a field.
    ///
    /// # Errors
    /// The text cannot be read, or it does not say clearly which value it is.
    pub(super) fn find(self, text: &str, field: &str) -> Result<Option<Spot>, FormError> {
        match self {
            Form::Dotenv => dotenv::find(text, field),
            Form::Properties => properties::find(text, field),
            Form::Json => json::find(text, &pointer(field)?),
            Form::Toml => toml::find(text, &pointer(field)?),
            Form::Yaml => yaml::find(text, &pointer(field)?),
        }
    }

    /// The fields that have a text; none in a form whose fields are not listed.
    ///
    /// # Errors
    /// The text cannot be read.
    pub(super) fn fields(self, text: &str) -> Result<Option<Vec<String>>, FormError> {
        match self {
            Form::Dotenv => Ok(Some(dotenv::names(text))),
            Form::Json => json::texts(text).map(Some),
            Form::Properties | Form::Toml | Form::Yaml => Ok(None),
        }
    }

    /// The text with another value for a field.
    ///
    /// # Errors
    /// The field is not there, or the value cannot be written there so that every reader reads it.
    pub(super) fn set(self, text: &str, field: &str, value: &Secret) -> Result<Zeroizing<String>, FormError> {
        let spot = self.find(text, field)?.ok_or(FormError("the file has no such field"))?;
        let plain =
            std::str::from_utf8(value.expose()).map_err(|_| FormError("the new value is not UTF-8"))?;
        if plain.is_empty() || plain.chars().any(char::is_control) {
            return Err(FormError("the new value is empty or has control characters"));
        }
        let spelled = match self {
            Form::Dotenv => dotenv::spell(spot.quote, plain)?,
            Form::Properties => properties::spell(plain),
            Form::Json => json::spell(plain),
            Form::Toml => toml::spell(spot.quote, plain),
            Form::Yaml => yaml::spell(spot.quote, plain),
        };
        let out = splice(text, &spot.span, &spelled);
        // What was written is read again: a value that another reader would take for something else is found here.
        match self.find(&out, field)? {
            Some(again) if again.value == *value => Ok(out),
            _ => Err(FormError("the new value cannot be written in this form")),
        }
    }
}

/// The text with `span` replaced, in memory that is wiped.
pub(super) fn splice(text: &str, span: &Range<usize>, with: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len() + with.len()));
    out.push_str(&text[..span.start]);
    out.push_str(with);
    out.push_str(&text[span.end..]);
    out
}

/// The steps of a pointer; a field without `/` at its head is one name.
pub(super) fn pointer(field: &str) -> Result<Vec<String>, FormError> {
    let Some(rest) = field.strip_prefix('/') else {
        return Ok(vec![field.to_owned()]);
    };
    let bad = rest.match_indices('~').any(|(at, _)| !rest[at + 1..].starts_with(['0', '1']));
    if bad {
        return Err(FormError("the field is no JSON pointer: `~` is followed by 0 or 1 only"));
    }
    Ok(rest.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect())
}

/// Text of a secret, in memory that is wiped, with room so that it is not moved while it grows.
fn room(value: &str) -> Zeroizing<String> {
    Zeroizing::new(String::with_capacity(6 * value.len() + 2))
}

#[cfg(test)]
mod tests;
