//! OpenBao and HashiCorp Vault, key-value engine version 2, by their HTTP API
//! (<https://openbao.org/api-docs/secret/kv/kv-v2/>, <https://openbao.org/api-docs/auth/approle/>).
//!
//! The store is not staged. A write with check-and-set replaces the whole content at once, and the new key was
//! proved before it: a pending copy would win nothing. Custom metadata is no place for one, since it is shown to
//! whoever may list; a second path would be a second copy of a live key, which outlives a crash and needs a policy
//! of its own. The engine keeps earlier versions, and the journal keeps the old value sealed.

use super::form::json;
use super::pass::{self, Pass};
use super::web::{Web, failed, header, plain, segments};
use super::{Doors, OpenError, Place};
use crate::call::Reply;
use crate::model::Secret;
use crate::rotate::engine::{Call, Content, Store, StoreError};
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

enum Login {
    Token(String),
    Role(AppRole),
}

/// The store.
pub(super) struct Openbao {
    web: Web,
    namespace: Option<String>,
    login: Login,
    pass: Pass,
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
        let login = match (&spec.token, &spec.approle) {
            (Some(token), None) => Login::Token(token.clone()),
            (None, Some(role)) => Login::Role(role.clone()),
            _ => return Err(OpenError::Spec("give it either `token` or `approle`".to_owned())),
        };
        Ok(Openbao {
            web: Web::new(&spec.address, spec.plain, spec.ca.as_deref(), doors)?,
            namespace: spec.namespace.clone(),
            login,
            pass: Pass::default(),
            data: format!("/v1{data}"),
            field: field.ok_or(wrong("say which field in `field`"))?,
        })
    }

    /// The token to call with, and whether it comes from an earlier login.
    fn token(&self, call: Call) -> Result<(Secret, bool), StoreError> {
        let role = match &self.login {
            Login::Token(reference) => return Ok((self.web.fetch(reference)?, false)),
            Login::Role(role) => role,
        };
        self.pass.token(&self.web, call, || {
            let (role_id, secret_id) = (self.web.fetch(&role.role_id)?, self.web.fetch(&role.secret_id)?);
            let mount: Vec<&str> = ["v1", "auth"].into_iter().chain(role.mount.split('/')).collect();
            let path =
                segments(&mount).ok_or_else(|| StoreError::Refused("the login's mount is empty".into()))?;
            let body = Zeroizing::new(format!(
                "{{\"role_id\":{},\"secret_id\":{}}}",
                *quoted(&role_id)?,
                *quoted(&secret_id)?
            ));
            let mut request = self.web.request("POST", &format!("{path}/login"));
            request.headers = self.headers(None)?;
            request.body = Some(Secret::new(body.as_bytes()));
            Ok(pass::Login { request, token: &["auth", "client_token"], lasts: &["auth", "lease_duration"] })
        })
    }

    fn headers(&self, token: Option<&Secret>) -> Result<Vec<(String, Secret)>, StoreError> {
        // Servers behind an agent may demand it: a browser led here cannot send it.
        let mut out = vec![plain("Content-Type", "application/json"), plain("X-Vault-Request", "true")];
        if let Some(namespace) = &self.namespace {
            out.push(header("X-Vault-Namespace", "", &Secret::new(namespace.as_bytes()))?);
        }
        if let Some(token) = token {
            out.push(header("X-Vault-Token", "", token)?);
        }
        Ok(out)
    }

    fn ask(&self, method: &str, body: Option<&str>, call: Call) -> Result<Reply, StoreError> {
        let (mut token, kept) = self.token(call)?;
        let mut request = self.web.request(method, &self.data);
        request.body = body.map(|b| Secret::new(b.as_bytes()));
        request.headers = self.headers(Some(&token))?;
        let reply = self.web.send(&request, call)?;
        if reply.status != 403 || !kept {
            return Ok(reply);
        }
        // The token was taken back early. Nothing was changed, so that it may be asked with a new one.
        self.pass.forget();
        token = self.token(call)?.0;
        request.headers = self.headers(Some(&token))?;
        self.web.send(&request, call)
    }

    fn held(&self, call: Call) -> Result<Held, StoreError> {
        let reply = self.ask("GET", None, call)?;
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
            _ => Err(self.failed(&reply)),
        }
    }

    /// An answer that is no success. The body's sentences come from the server and are not passed on.
    fn failed(&self, reply: &Reply) -> StoreError {
        match reply.status {
            400 if reply.body.contains("check-and-set parameter did not match") => StoreError::Conflict,
            // A replica that has not caught up.
            412 => StoreError::Retry("it answers 412: it has not caught up with its own writes".to_owned()),
            // Standbys of a replicated cluster take no calls.
            472 | 473 => StoreError::Retry(format!("it answers {}: it is a standby", reply.status)),
            503 if reply.body.contains("sealed") => StoreError::Retry("it is sealed".to_owned()),
            _ => failed(reply, ""),
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
        let reply = self.ask("POST", Some(&body), call)?;
        match (reply.status, json::number(&reply.body, &["data", "version"])) {
            (200, Some(version)) => Ok(version.to_string()),
            (200..=299, _) => Err(StoreError::Unknown("it does not say which version it wrote".to_owned())),
            _ => Err(self.failed(&reply)),
        }
    }
}

#[cfg(test)]
mod tests;
