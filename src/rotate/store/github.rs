//! Secrets of GitHub Actions: of a repository, of one of its environments, or of an organisation
//! (<https://docs.github.com/en/rest/actions/secrets>).
//!
//! A secret can be written and not read. Its version is the time of its last change together with the id of the key
//! that it is sealed for. The time has whole seconds and a write takes no condition: the version is compared just
//! before.

use super::form::json;
use super::list::{Entry, ListError, Listing, standing};
use super::web::{Web, failed, header, plain, segments};
use super::{Doors, OpenError, Place};
use crate::call::Reply;
use crate::model::Secret;
use crate::rotate::engine::{Call, Content, Store, StoreError};
use base64ct::{Base64, Encoding};
use crypto_box::PublicKey;
use crypto_box::aead::rand_core::{self, CryptoRng, RngCore};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `kind = "github-actions"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GithubSpec {
    /// Reference of a token that may write the secrets.
    pub credential: String,
    /// Base address of the API, if it is not GitHub's own: `https://HOST/api/v3`.
    #[serde(default)]
    pub address: Option<String>,
    /// Allows `http://` in `address`.
    #[serde(default)]
    pub plain: bool,
    /// Reference of the authority's certificates, PEM.
    #[serde(default)]
    pub ca: Option<String>,
}

/// Most pages of repositories that see a secret of an organisation.
const MOST_PAGES: usize = 50;

/// The store.
pub(super) struct Actions {
    web: Web,
    credential: String,
    /// Path of the secrets below the address.
    secrets: String,
    name: String,
    organisation: bool,
}

/// The key that values are sealed for.
struct Sealer {
    id: String,
    key: PublicKey,
}

/// What is said of a secret.
struct Said {
    updated: String,
    visibility: Option<String>,
}

impl Actions {
    pub(super) fn new(spec: &GithubSpec, place: &Place, doors: Arc<dyn Doors>) -> Result<Self, OpenError> {
        let wrong = |why| OpenError::Place { path: place.path.clone(), why };
        let parts: Vec<&str> = place.path.splitn(3, '/').collect();
        let path = match parts.as_slice() {
            [organisation] => segments(&["orgs", organisation, "actions", "secrets"]),
            [owner, name] => segments(&["repos", owner, name, "actions", "secrets"]),
            [owner, name, environment] => {
                segments(&["repos", owner, name, "environments", environment, "secrets"])
            }
            _ => None,
        };
        let name = place.field.clone().unwrap_or_default();
        // https://docs.github.com/en/actions/reference/security/secrets#naming-your-secrets
        let good = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.to_ascii_uppercase().starts_with("GITHUB_");
        if !good {
            return Err(wrong("the secret's name belongs in `field`: letters, digits and _"));
        }
        let address = spec.address.as_deref().unwrap_or("https://api.github.com");
        Ok(Actions {
            web: Web::new(address, spec.plain, spec.ca.as_deref(), doors)?,
            credential: spec.credential.clone(),
            secrets: path.ok_or(wrong("it is owner/repository, with /environment, or an organisation"))?,
            name,
            organisation: parts.len() == 1,
        })
    }

    fn ask(&self, method: &str, rest: &str, body: Option<&str>, call: Call) -> Result<Reply, StoreError> {
        let between = if rest.starts_with('?') { "" } else { "/" };
        let mut request = self.web.request(method, &format!("{}{between}{rest}", self.secrets));
        request.headers = vec![
            plain("Accept", "application/vnd.github+json"),
            plain("X-GitHub-Api-Version", "2022-11-28"),
            header("Authorization", "Bearer ", &self.web.fetch(&self.credential)?)?,
        ];
        if let Some(body) = body {
            request.headers.push(plain("Content-Type", "application/json"));
            request.body = Some(Secret::new(body.as_bytes()));
        }
        self.web.send(&request, call)
    }

    fn said(&self, call: Call) -> Result<Option<Said>, StoreError> {
        let reply = self.ask("GET", &self.name, None, call)?;
        match reply.status {
            200 => {
                let updated = text(&reply, "updated_at").ok_or_else(strange)?;
                Ok(Some(Said { updated, visibility: text(&reply, "visibility") }))
            }
            404 => Ok(None),
            _ => Err(refusal(&reply)),
        }
    }

    fn sealer(&self, call: Call) -> Result<Sealer, StoreError> {
        let reply = self.ask("GET", "public-key", None, call)?;
        if reply.status != 200 {
            return Err(refusal(&reply));
        }
        let id = text(&reply, "key_id").ok_or_else(strange)?;
        let key = text(&reply, "key").and_then(|key| Base64::decode_vec(&key).ok());
        let key: [u8; 32] = key.and_then(|key| key.try_into().ok()).ok_or_else(strange)?;
        Ok(Sealer { id, key: PublicKey::from(key) })
    }

    /// The repositories that see a secret of an organisation, so that they still do after a write.
    fn seen_by(&self, call: Call) -> Result<String, StoreError> {
        let mut ids: Vec<u64> = Vec::new();
        for page in 1..=MOST_PAGES {
            let rest = format!("{}/repositories?per_page=100&page={page}", self.name);
            let reply = self.ask("GET", &rest, None, call)?;
            if reply.status != 200 {
                return Err(refusal(&reply));
            }
            let body: Repositories = serde_json::from_str(&reply.body).map_err(|_| strange())?;
            ids.extend(body.repositories.iter().map(|r| r.id));
            if ids.len() >= body.total_count {
                return Ok(serde_json::Value::from(ids).to_string());
            }
            if body.repositories.is_empty() {
                return Err(strange());
            }
        }
        Err(StoreError::Refused("more than 5,000 repositories see the secret".to_owned()))
    }
}

#[derive(Deserialize)]
struct Repositories {
    total_count: usize,
    repositories: Vec<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    id: u64,
}

fn version(said: Option<&Said>, sealer: &Sealer) -> String {
    format!("{} {}", said.map_or("none", |s| s.updated.as_str()), sealer.id)
}

fn text(reply: &Reply, name: &str) -> Option<String> {
    let spot = json::find(&reply.body, &[name.to_owned()]).ok().flatten()?;
    String::from_utf8(spot.value.expose().to_vec()).ok()
}

fn strange() -> StoreError {
    StoreError::Unknown("the answer is none of GitHub's".to_owned())
}

/// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>: a limit is a 403 or 429.
fn refusal(reply: &Reply) -> StoreError {
    let spent = reply.headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
    if reply.status == 403 && (spent || reply.headers.contains_key("retry-after")) {
        return StoreError::Retry("its rate limit is reached".to_owned());
    }
    failed(reply, "")
}

/// Bytes of the operating system. Where it has none they are zero, and `broken` says so.
struct System {
    broken: bool,
}

impl RngCore for System {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }
    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.broken |= getrandom::fill(dest).is_err();
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for System {}

/// A sealed box (libsodium's `crypto_box_seal`) in base64.
fn seal(key: &PublicKey, value: &Secret) -> Result<String, StoreError> {
    let mut system = System { broken: false };
    let sealed = key.seal(&mut system, value.expose());
    match sealed {
        Ok(sealed) if !system.broken => Ok(Base64::encode_string(&sealed)),
        _ => Err(StoreError::Refused("the value could not be sealed".to_owned())),
    }
}

impl Store for Actions {
    fn read(&self, call: Call) -> Result<Content, StoreError> {
        let (said, sealer) = (self.said(call)?, self.sealer(call)?);
        Ok(Content { version: version(said.as_ref(), &sealer), ..Content::default() })
    }

    fn write(&self, call: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        let (said, sealer) = (self.said(call)?, self.sealer(call)?);
        if version(said.as_ref(), &sealer) != expect {
            return Err(StoreError::Conflict);
        }
        let sealed = seal(&sealer.key, value)?;
        let mut body = format!("{{\"encrypted_value\":\"{sealed}\",\"key_id\":{}", *json::spell(&sealer.id));
        if self.organisation {
            // Whom it is shown to must be said again with each write.
            let visibility = said.and_then(|s| s.visibility).ok_or_else(|| {
                StoreError::Refused("the organisation has no such secret; make it once by hand".to_owned())
            })?;
            body.push_str(&format!(",\"visibility\":{}", *json::spell(&visibility)));
            if visibility == "selected" {
                body.push_str(&format!(",\"selected_repository_ids\":{}", self.seen_by(call)?));
            }
        }
        body.push('}');
        let reply = self.ask("PUT", &self.name, Some(&body), call)?;
        if !matches!(reply.status, 201 | 204) {
            return Err(refusal(&reply));
        }
        // Written; if its new version cannot be had, the next read finds it.
        let unsure = |_| StoreError::Unknown("it was written, and its new version is not known".to_owned());
        let said = self.said(call).map_err(unsure)?;
        Ok(version(said.as_ref(), &sealer))
    }
}

/// A page of secrets (<https://docs.github.com/en/rest/actions/secrets#list-repository-secrets>).
#[derive(Deserialize)]
struct Page {
    total_count: usize,
    secrets: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// All secrets of a repository, environment or organisation.
pub(super) fn list(
    spec: &GithubSpec,
    path: &str,
    doors: Arc<dyn Doors>,
    call: Call,
) -> Result<Listing, ListError> {
    let store = Actions::new(spec, &standing(path.to_owned()), doors)?;
    let mut listing = Listing::default();
    for page in 1..=MOST_PAGES {
        let reply = store.ask("GET", &format!("?per_page=100&page={page}"), None, call)?;
        if reply.status != 200 {
            return Err(refusal(&reply).into());
        }
        let body: Page = serde_json::from_str(&reply.body).map_err(|_| strange())?;
        let empty = body.secrets.is_empty();
        listing.add(body.secrets.into_iter().map(|secret| Entry::named(path, secret.name)))?;
        if listing.entries.len() >= body.total_count {
            return Ok(listing);
        }
        if empty {
            return Err(strange().into());
        }
    }
    Err(ListError::Endless)
}

#[cfg(test)]
mod tests;
