//! OpenBao and HashiCorp Vault, key-value engine version 2, by their HTTP API
//! (<https://openbao.org/api-docs/secret/kv/kv-v2/>, <https://openbao.org/api-docs/auth/approle/>).
//!
//! The store is not staged. A write with check-and-set replaces the whole content at once, and the new key was
//! proved before it: a pending copy would win nothing. Custom metadata is no place for one, since it is shown to
//! whoever may list; a second path would be a second copy of a live key, which outlives a crash and needs a policy
//! of its own. The engine keeps earlier versions, and the journal keeps the old value sealed.

pub(in crate::rotate) mod api;
mod list;

pub(super) use list::{fields, list};

use super::form::json;
use super::web::segments;
use super::{Doors, OpenError, Place};
use crate::model::Secret;
use crate::rotate::engine::{Call, Content, Store, StoreError};
use api::Api;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zeroize::Zeroizing;

/// `kind = "openbao"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OpenbaoSpec {
    /// Base address, such as `https://bao.corp.example:8200`.
    pub address: String,
    /// Allows `http://`: keys are sent in the clear.
    #[serde(default)]
    pub plain: bool,
    /// Reference of the authority's certificates, PEM.
    #[serde(default)]
    pub ca: Option<String>,
    /// Namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Mount of the engine, if it has a `/` in it; else the first step of a place's path.
    #[serde(default)]
    pub mount: Option<String>,
    /// Reference of a token. Exactly one of `token` and `approle`.
    #[serde(default)]
    pub token: Option<String>,
    /// The login of a machine.
    #[serde(default)]
    pub approle: Option<AppRole>,
}

/// `approle = { role-id = "file:…", secret-id = "file:…" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AppRole {
    /// Reference of the role's id.
    pub role_id: String,
    /// Reference of the secret id.
    pub secret_id: String,
    /// Mount of the method.
    #[serde(default = "approle")]
    pub mount: String,
}

fn approle() -> String {
    "approle".to_owned()
}

/// The store.
pub(super) struct Openbao {
    api: Api,
    /// Path of the data below the address.
    data: String,
    field: String,
}

/// What lies at the path.
struct Held {
    version: u64,
    /// The object of fields as it came; none if the newest version is deleted or there is none.
    fields: Option<Zeroizing<String>>,
}

impl Openbao {
    pub(super) fn new(spec: &OpenbaoSpec, place: &Place, doors: Arc<dyn Doors>) -> Result<Self, OpenError> {
        let wrong = |why| OpenError::Place { path: place.path.clone(), why };
        let (mount, path) = match &spec.mount {
            Some(mount) => (mount.as_str(), place.path.as_str()),
            None => place.path.split_once('/').ok_or(wrong("it is `mount/path`"))?,
        };
        let names: Vec<&str> = mount.split('/').chain(["data"]).chain(path.split('/')).collect();
        let data = segments(&names).ok_or(wrong("a step of it is empty or made of dots"))?;
        let field = place.field.clone().filter(|f| !f.is_empty());
        Ok(Openbao {
            api: Api::new(spec, doors)?,
            data: format!("/v1{data}"),
            field: field.ok_or(wrong("say which field in `field`"))?,
        })
    }

    fn held(&self, call: Call) -> Result<Held, StoreError> {
        let reply = self.api.ask("GET", &self.data, None, call)?;
        let version = json::number(&reply.body, &["data", "metadata", "version"]);
        let strange =
            || StoreError::Unknown("the answer is none of this engine; is it version 2?".to_owned());
        match (reply.status, version) {
            (200, Some(version)) => {
                let fields = json::part(&reply.body, &["data", "data"]).ok().flatten().ok_or_else(strange)?;
                let fields = fields.starts_with('{').then(|| Zeroizing::new(fields.to_owned()));
                Ok(Held { version, fields })
            }
            // The newest version is deleted: it still counts.
            (404, Some(version)) => Ok(Held { version, fields: None }),
            // Nothing was ever there.
            (404, None) if empty_errors(&reply.body) => Ok(Held { version: 0, fields: None }),
            (200, None) => Err(strange()),
            _ => Err(api::refusal(&reply)),
        }
    }
}

/// `{"errors":[]}`, which the engine answers where nothing is; a mount that is not there gives a sentence.
fn empty_errors(body: &str) -> bool {
    json::part(body, &["errors"]).ok().flatten().is_some_and(|e| {
        e.strip_prefix('[').and_then(|e| e.strip_suffix(']')).is_some_and(|e| e.trim().is_empty())
    })
}

/// A secret as a JSON text.
pub(super) fn quoted(value: &Secret) -> Result<Zeroizing<String>, StoreError> {
    let text = std::str::from_utf8(value.expose());
    text.map(json::spell).map_err(|_| StoreError::Refused("the value is not UTF-8".to_owned()))
}

/// An object of fields with one of them set to a text that is spelled already; the others stay as they stand.
pub(super) fn member(object: &str, field: &str, spelled: &str) -> Result<Zeroizing<String>, StoreError> {
    let refused = |why: &str| StoreError::Refused(why.to_owned());
    let strange = || refused("what is there is no object of fields");
    match json::part(object, &[field]).map_err(|e| refused(&e.to_string()))? {
        Some(old) => {
            let start = old.as_ptr() as usize - object.as_ptr() as usize;
            Ok(super::form::splice(object, &(start..start + old.len()), spelled))
        }
        None => {
            let inner =
                object.trim().strip_prefix('{').and_then(|o| o.strip_suffix('}')).ok_or_else(strange)?;
            let comma = if inner.trim().is_empty() { "" } else { "," };
            Ok(Zeroizing::new(format!("{{{inner}{comma}{}:{spelled}}}", *json::spell(field))))
        }
    }
}

impl Store for Openbao {
    fn read(&self, call: Call) -> Result<Content, StoreError> {
        let held = self.held(call)?;
        let current = match &held.fields {
            Some(fields) => json::find(fields, std::slice::from_ref(&self.field))
                .map_err(|e| StoreError::Refused(e.to_string()))?
                .map(|spot| spot.value),
            None => None,
        };
        Ok(Content { current, pending: None, version: held.version.to_string() })
    }

    fn write(&self, call: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        let held = self.held(call)?;
        if held.version.to_string() != expect {
            return Err(StoreError::Conflict);
        }
        let spelled = quoted(value)?;
        let fields = match &held.fields {
            Some(fields) => member(fields, &self.field, &spelled)?,
            None => Zeroizing::new(format!("{{{}:{}}}", *json::spell(&self.field), *spelled)),
        };
        let body =
            Zeroizing::new(format!("{{\"options\":{{\"cas\":{}}},\"data\":{}}}", held.version, *fields));
        let reply = self.api.ask("POST", &self.data, Some(&body), call)?;
        match (reply.status, json::number(&reply.body, &["data", "version"])) {
            (200, Some(version)) => Ok(version.to_string()),
            (200..=299, _) => Err(StoreError::Unknown("it does not say which version it wrote".to_owned())),
            _ => Err(api::refusal(&reply)),
        }
    }
}

#[cfg(test)]
mod tests;
