//! A secret of Infisical, by its API
//! (<https://infisical.com/docs/api-reference/endpoints/secrets/update>,
//! <https://infisical.com/docs/api-reference/endpoints/universal-auth/login>): version 4, and `v3/secrets/raw` of
//! servers that do not know it yet.
//!
//! The platform counts versions and compares nothing: the version is read just before a write and again after it. If
//! somebody wrote in between, the answer is that nothing is proved, with the reason, and the next read decides. A
//! write that a policy turns into a request for approval changes nothing for readers: it is refused, and the request
//! is left to be closed. The store is not staged; Infisical keeps earlier versions.

use super::form::json;
use super::openbao::quoted;
use super::pass::{Login, Pass};
use super::web::{Web, failed, header, plain, query, segments};
use super::{Doors, OpenError, Place};
use crate::call::Reply;
use crate::model::Secret;
use crate::rotate::engine::{Call, Content, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

/// `kind = "infisical"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InfisicalSpec {
    /// Base address, if it is not Infisical's own in the US: `https://eu.infisical.com`, or one's own server.
    #[serde(default)]
    pub address: Option<String>,
    /// Allows `http://` in `address`.
    #[serde(default)]
    pub plain: bool,
    /// Reference of the authority's certificates, PEM.
    #[serde(default)]
    pub ca: Option<String>,
    /// Reference of an access token. Exactly one of `token` and `identity`.
    #[serde(default)]
    pub token: Option<String>,
    /// The login of a machine identity.
    #[serde(default)]
    pub identity: Option<Identity>,
}

/// `identity = { client-id = "file:…", client-secret = "file:…" }`: Universal Auth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Identity {
    /// Reference of the client id.
    pub client_id: String,
    /// Reference of the client secret.
    pub client_secret: String,
}

enum Key {
    Token(String),
    Identity(Identity),
}

/// The store.
pub(super) struct Infisical {
    web: Web,
    key: Key,
    pass: Pass,
    project: String,
    environment: String,
    folder: String,
    /// The secret's name as a segment of a path.
    name: String,
    /// Whether the server was found not to know version 4.
    old: AtomicBool,
}

/// What lies under the name.
struct Held {
    value: Secret,
    id: String,
    count: u64,
}

impl Held {
    /// A secret that is deleted and made again counts anew, under another id.
    fn version(&self) -> String {
        format!("{}/{}", self.id, self.count)
    }
}

impl Infisical {
    pub(super) fn new(spec: &InfisicalSpec, place: &Place, doors: Arc<dyn Doors>) -> Result<Self, OpenError> {
        let wrong = |why| OpenError::Place { path: place.path.clone(), why };
        let parts: Vec<&str> = place.path.split('/').collect();
        let [project, environment, folders @ ..] = parts.as_slice() else {
            return Err(wrong("it is `project-id/environment`, with /folder where the secret is in one"));
        };
        if segments(&parts).is_none() {
            return Err(wrong("a step of it is empty or made of dots"));
        }
        let field = place.field.as_deref().unwrap_or_default();
        let name = segments(&[field]).ok_or(wrong("the secret's name belongs in `field`"))?;
        let key = match (&spec.token, &spec.identity) {
            (Some(token), None) => Key::Token(token.clone()),
            (None, Some(identity)) => Key::Identity(identity.clone()),
            _ => return Err(OpenError::Spec("give it either `token` or `identity`".to_owned())),
        };
        let address = spec.address.as_deref().unwrap_or("https://us.infisical.com");
        Ok(Infisical {
            web: Web::new(address, spec.plain, spec.ca.as_deref(), doors)?,
            key,
            pass: Pass::default(),
            project: (*project).to_owned(),
            environment: (*environment).to_owned(),
            folder: format!("/{}", folders.join("/")),
            name,
            old: AtomicBool::new(false),
        })
    }

    fn token(&self, call: Call) -> Result<(Secret, bool), StoreError> {
        let identity = match &self.key {
            Key::Token(reference) => return Ok((self.web.fetch(reference)?, false)),
            Key::Identity(identity) => identity,
        };
        self.pass.token(&self.web, call, || {
            let (id, secret) =
                (self.web.fetch(&identity.client_id)?, self.web.fetch(&identity.client_secret)?);
            let body = Zeroizing::new(format!(
                "{{\"clientId\":{},\"clientSecret\":{}}}",
                *quoted(&id)?,
                *quoted(&secret)?
            ));
            let mut request = self.web.request("POST", "/api/v1/auth/universal-auth/login");
            request.headers = vec![plain("Content-Type", "application/json")];
            request.body = Some(Secret::new(body.as_bytes()));
            Ok(Login { request, token: &["accessToken"], lasts: &["expiresIn"] })
        })
    }

    /// What reads the secret, or, with a value, writes it.
    fn send(&self, value: Option<&Secret>, token: &Secret, call: Call) -> Result<Reply, StoreError> {
        let (path, project) = match self.old.load(Ordering::Relaxed) {
            true => ("/api/v3/secrets/raw", "workspaceId"),
            false => ("/api/v4/secrets", "projectId"),
        };
        let path = format!("{path}{}", self.name);
        let mut request = match value {
            None => {
                let asked = query(&[
                    (project, &self.project),
                    ("environment", &self.environment),
                    ("secretPath", &self.folder),
                    ("viewSecretValue", "true"),
                    ("expandSecretReferences", "false"),
                    ("include_imports", "false"),
                ]);
                let asked = asked.ok_or_else(|| StoreError::Refused("the place has no name".to_owned()))?;
                self.web.request("GET", &format!("{path}{asked}"))
            }
            Some(_) => self.web.request("PATCH", &path),
        };
        request.headers =
            vec![plain("Accept", "application/json"), header("Authorization", "Bearer ", token)?];
        if let Some(value) = value {
            let body = Zeroizing::new(format!(
                "{{\"{project}\":{},\"environment\":{},\"secretPath\":{},\"type\":\"shared\",\"secretValue\":{}}}",
                *json::spell(&self.project),
                *json::spell(&self.environment),
                *json::spell(&self.folder),
                *quoted(value)?
            ));
            request.headers.push(plain("Content-Type", "application/json"));
            request.body = Some(Secret::new(body.as_bytes()));
        }
        self.web.send(&request, call)
    }

    /// One call, made again where its refusal proves that nothing was done: with a new token if a kept one ended, by
    /// the older interface if the server has no other.
    fn ask(&self, value: Option<&Secret>, call: Call) -> Result<Reply, StoreError> {
        let (token, kept) = self.token(call)?;
        let reply = self.send(value, &token, call)?;
        if kept && matches!(reply.status, 401 | 403) {
            self.pass.forget();
            return self.send(value, &self.token(call)?.0, call);
        }
        // Its words for a path that no version of it serves; a secret that is not there has others.
        let unrouted = reply.status == 404 && message(&reply).starts_with("Route ");
        if unrouted && !self.old.swap(true, Ordering::Relaxed) {
            return self.send(value, &token, call);
        }
        Ok(reply)
    }

    fn held(&self, call: Call) -> Result<Held, StoreError> {
        let reply = self.ask(None, call)?;
        if reply.status != 200 {
            return Err(failed(&reply, ""));
        }
        let part = |name| json::part(&reply.body, &["secret", name]).ok().flatten();
        if part("secretValueHidden") == Some("true") {
            return Err(StoreError::Refused("the identity may not see the value".to_owned()));
        }
        let text = |name: &str| json::find(&reply.body, &["secret".to_owned(), name.to_owned()]);
        let value = text("secretValue").ok().flatten().ok_or_else(strange)?.value;
        if refers(&value) {
            return Err(StoreError::Refused("the secret refers to another one; name that one".to_owned()));
        }
        let id = text("id").ok().flatten().ok_or_else(strange)?.value;
        let id = String::from_utf8(id.expose().to_vec()).map_err(|_| strange())?;
        let count = json::number(&reply.body, &["secret", "version"]).ok_or_else(strange)?;
        Ok(Held { value, id, count })
    }
}

/// Whether a value names other secrets (`${…}`), whose values Infisical gives in its place.
fn refers(value: &Secret) -> bool {
    value.expose().windows(2).any(|two| two == b"${")
}

/// The sentence of an error.
fn message(reply: &Reply) -> String {
    let spot = json::find(&reply.body, &["message".to_owned()]).ok().flatten();
    spot.map(|spot| String::from_utf8_lossy(spot.value.expose()).into_owned()).unwrap_or_default()
}

fn strange() -> StoreError {
    StoreError::Unknown("the answer is none of Infisical's".to_owned())
}

impl Store for Infisical {
    fn read(&self, call: Call) -> Result<Content, StoreError> {
        let held = self.held(call)?;
        Ok(Content { version: held.version(), current: Some(held.value), pending: None })
    }

    fn write(&self, call: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        let blank = |b: Option<&u8>| b.is_none_or(u8::is_ascii_whitespace);
        if refers(value) || blank(value.expose().first()) || blank(value.expose().last()) {
            let why = "the value has `${` in it or blanks around it, which Infisical would not keep as it is";
            return Err(StoreError::Refused(why.to_owned()));
        }
        let before = self.held(call)?;
        if before.version() != expect {
            return Err(StoreError::Conflict);
        }
        let reply = self.ask(Some(value), call)?;
        if reply.status != 200 {
            return Err(failed(&reply, ""));
        }
        if json::part(&reply.body, &["approval"]).ok().flatten().is_some() {
            let why = "a policy made a request for approval of it; close that, and let the identity bypass the policy";
            return Err(StoreError::Refused(why.to_owned()));
        }
        let unsure = |why: &str| StoreError::Unknown(format!("it was written, and {why}"));
        let after = self.held(call).map_err(|_| unsure("its new version is not known"))?;
        if after.id != before.id || after.count != before.count + 1 || after.value != *value {
            return Err(unsure("somebody else wrote at the same time: look at its earlier versions"));
        }
        Ok(after.version())
    }
}

#[cfg(test)]
mod tests;
