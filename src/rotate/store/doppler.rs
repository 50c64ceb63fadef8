//! A secret of a Doppler config, by its API (<https://docs.doppler.com/reference/api>,
//! <https://docs.doppler.com/reference/secrets-update>).
//!
//! The platform compares and sets: a change request with `originalValue` is only processed if that is still the
//! value. A secret has no version, so that a keyed digest of its value stands for one; it may come back, and says so
//! by its `=`. The store is not staged: a write replaces the value at once, and Doppler's log keeps the earlier one.

use super::form::json;
use super::list::{Entry, ListError, Listing, standing};
use super::openbao::quoted;
use super::web::{Web, failed, header, plain, query};
use super::{Doors, OpenError, Place};
use crate::call::Reply;
use crate::model::Secret;
use crate::rotate::engine::{Call, Content, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zeroize::Zeroizing;

/// `kind = "doppler"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DopplerSpec {
    /// Reference of a token that may read and write the config: a service token of it, or one of a service account.
    pub credential: String,
    /// Base address of the API, if it is not Doppler's own.
    #[serde(default)]
    pub address: Option<String>,
    /// Allows `http://` in `address`.
    #[serde(default)]
    pub plain: bool,
    /// Reference of the authority's certificates, PEM.
    #[serde(default)]
    pub ca: Option<String>,
}

/// The store.
pub(super) struct Doppler {
    web: Web,
    credential: String,
    project: String,
    config: String,
    name: String,
    /// Path and query of the secret below the address.
    secret: String,
}

/// What the config holds under the name.
struct Held {
    value: Secret,
    version: String,
}

impl Doppler {
    pub(super) fn new(spec: &DopplerSpec, place: &Place, doors: Arc<dyn Doors>) -> Result<Self, OpenError> {
        let wrong = |why| OpenError::Place { path: place.path.clone(), why };
        let parts: Vec<&str> = place.path.split('/').collect();
        let [project, config] = parts.as_slice() else { return Err(wrong("it is `project/config`")) };
        let name = place.field.clone().unwrap_or_default();
        // https://docs.doppler.com/docs/secrets: upper-case letters, digits and underscores.
        let good = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            && !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit());
        if !good {
            return Err(wrong("the secret's name belongs in `field`: capital letters, digits and _"));
        }
        let asked = query(&[("project", project), ("config", config), ("name", &name)]);
        let asked = asked.ok_or(wrong("it is `project/config`, and neither is empty or made of dots"))?;
        let address = spec.address.as_deref().unwrap_or("https://api.doppler.com");
        Ok(Doppler {
            web: Web::new(address, spec.plain, spec.ca.as_deref(), doors)?,
            credential: spec.credential.clone(),
            project: (*project).to_owned(),
            config: (*config).to_owned(),
            name,
            secret: format!("/v3/configs/config/secret{asked}"),
        })
    }

    fn ask(&self, method: &str, path: &str, body: Option<&str>, call: Call) -> Result<Reply, StoreError> {
        let mut request = self.web.request(method, path);
        request.headers = vec![
            plain("Accept", "application/json"),
            header("Authorization", "Bearer ", &self.web.fetch(&self.credential)?)?,
        ];
        if let Some(body) = body {
            request.headers.push(plain("Content-Type", "application/json"));
            request.body = Some(Secret::new(body.as_bytes()));
        }
        self.web.send(&request, call)
    }

    fn version(&self, value: &Secret) -> String {
        format!("={}", self.web.doors.mark(value.expose()))
    }

    fn held(&self, call: Call) -> Result<Held, StoreError> {
        let reply = self.ask("GET", &self.secret, None, call)?;
        if reply.status != 200 {
            return Err(failed(&reply, ""));
        }
        let part = |name| json::part(&reply.body, &["value", name]).map_err(|_| strange());
        let value = text(part("raw")?.ok_or_else(strange)?)?.ok_or_else(|| {
            StoreError::Refused("this token may not see the value; take a service token".to_owned())
        })?;
        // A value that refers to other secrets is not where the key lives.
        let computed = part("computed")?.map(text).transpose()?.flatten();
        if computed.is_some_and(|computed| computed != value) {
            return Err(StoreError::Refused("the secret refers to another one; name that one".to_owned()));
        }
        Ok(Held { version: self.version(&value), value })
    }
}

/// A JSON text; none where `null` stands.
fn text(part: &str) -> Result<Option<Secret>, StoreError> {
    let read: Option<Zeroizing<String>> = serde_json::from_str(part).map_err(|_| strange())?;
    Ok(read.map(|text| Secret::new(text.as_bytes())))
}

fn strange() -> StoreError {
    StoreError::Unknown("the answer is none of Doppler's".to_owned())
}

impl Store for Doppler {
    fn read(&self, call: Call) -> Result<Content, StoreError> {
        let held = self.held(call)?;
        Ok(Content { current: Some(held.value), pending: None, version: held.version })
    }

    fn write(&self, call: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        if value.expose().windows(2).any(|two| two == b"${") {
            let why = "the value has `${` in it, which Doppler would take for a reference";
            return Err(StoreError::Refused(why.to_owned()));
        }
        let held = self.held(call)?;
        if held.version != expect {
            return Err(StoreError::Conflict);
        }
        let name = json::spell(&self.name);
        let body = Zeroizing::new(format!(
            "{{\"project\":{},\"config\":{},\"change_requests\":[{{\"name\":{},\"originalName\":{},\
             \"value\":{},\"originalValue\":{}}}]}}",
            *json::spell(&self.project),
            *json::spell(&self.config),
            *name,
            *name,
            *quoted(value)?,
            *quoted(&held.value)?
        ));
        let reply = self.ask("POST", "/v3/configs/config/secrets", Some(&body), call)?;
        match reply.status {
            200 => Ok(self.version(value)),
            409 => Err(StoreError::Conflict),
            // Which answer tells of another original value is not documented: the secret tells.
            400 | 412 | 422 => match self.held(call) {
                Ok(now) if now.version != expect => Err(StoreError::Conflict),
                _ => Err(failed(&reply, "")),
            },
            _ => Err(failed(&reply, "")),
        }
    }
}

/// The names of a config's secrets (<https://docs.doppler.com/reference/secrets-names>).
#[derive(Deserialize)]
struct Names {
    names: Vec<String>,
}

/// All secrets of a config.
pub(super) fn list(
    spec: &DopplerSpec,
    path: &str,
    doors: Arc<dyn Doors>,
    call: Call,
) -> Result<Listing, ListError> {
    let store = Doppler::new(spec, &standing(path.to_owned()), doors)?;
    let asked = query(&[("project", &store.project), ("config", &store.config)]).ok_or_else(strange)?;
    let reply = store.ask("GET", &format!("/v3/configs/config/secrets/names{asked}"), None, call)?;
    if reply.status != 200 {
        return Err(failed(&reply, "").into());
    }
    let names: Names = serde_json::from_str(&reply.body).map_err(|_| strange())?;
    let mut listing = Listing::default();
    // Doppler adds names of its own, which hold no secret.
    let own = names.names.into_iter().filter(|name| !name.starts_with("DOPPLER_"));
    listing.add(own.map(|name| Entry::named(path, name)))?;
    Ok(listing)
}

#[cfg(test)]
mod tests;
