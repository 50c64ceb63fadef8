//! Secrets of Azure Key Vault, by its REST API
//! (<https://learn.microsoft.com/en-us/rest/api/keyvault/secrets/set-secret/set-secret>,
//! <https://learn.microsoft.com/en-us/rest/api/keyvault/secrets/get-secret/get-secret>).
//!
//! The store is not staged: readers who name no version get the newest. A set takes no condition. What is there is
//! compared just before, and read again just after; if that shows another version than the one just set, somebody
//! wrote as well, which is told as unknown. A write of somebody else between the look and the set goes unseen: the
//! vault keeps it as an earlier version. Ids of versions are made up by the vault and none comes back.

use super::bearer::{Bearer, SignIn, form};
use super::form::json;
use super::list::{Entry, ListError, Listing, pages, standing};
use super::openbao::quoted;
use super::part::Part;
use super::web::{Web, plain, refused, segments};
use super::{Doors, OpenError, Place};
use crate::call::{Place as In, Reply, Values, render};
use crate::model::Secret;
use crate::rotate::engine::{Call, Content, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zeroize::Zeroizing;

/// `kind = "azure-key-vault"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AzureSpec {
    /// The vault, such as `https://acme.vault.azure.net`.
    pub address: String,
    /// Reference of a service principal, in the JSON form of `az ad sp create-for-rbac` (`appId`, `password`,
    /// `tenant`), or of an access token that somebody else renews.
    pub credential: String,
    /// Allows `http://` in `address`.
    #[serde(default)]
    pub plain: bool,
    /// Reference of the authority's certificates, PEM.
    #[serde(default)]
    pub ca: Option<String>,
}

/// What the hosts of a cloud's vaults end with, and where its tokens are given
/// (<https://learn.microsoft.com/en-us/entra/identity-platform/authentication-national-cloud>).
const CLOUDS: &[(&str, &str)] = &[
    ("vault.azure.net", "https://login.microsoftonline.com"),
    ("vault.azure.cn", "https://login.partner.microsoftonline.cn"),
    ("vault.usgovcloudapi.net", "https://login.microsoftonline.us"),
];

const VERSION: &str = "api-version=7.4";

/// Where tokens are given, and for what.
struct Login {
    web: Web,
    vaults: &'static str,
}

/// The store.
pub(super) struct KeyVault {
    web: Web,
    /// None for an address that is no vault of a cloud that is known.
    login: Option<Login>,
    bearer: Bearer,
    /// Path of the secret below the address.
    secret: String,
    part: Part,
}

/// The newest version.
struct Held {
    id: String,
    /// The whole secret.
    text: Secret,
    /// The members of a set that say again what is known of the secret.
    kept: String,
}

/// The version where there is no secret.
const NONE: &str = "-";

impl KeyVault {
    pub(super) fn new(spec: &AzureSpec, place: &Place, doors: Arc<dyn Doors>) -> Result<Self, OpenError> {
        let wrong = |why| OpenError::Place { path: place.path.clone(), why };
        let name = &place.path;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(wrong("name the secret: letters, digits and -"));
        }
        let web = Web::new(&spec.address, spec.plain, spec.ca.as_deref(), Arc::clone(&doors))?;
        let host = &web.server.host;
        let cloud = CLOUDS.iter().find(|(vaults, _)| {
            host.strip_suffix(*vaults).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        });
        let login = match cloud {
            Some(&(vaults, login)) => Some(Login { web: Web::new(login, false, None, doors)?, vaults }),
            None => None,
        };
        Ok(KeyVault {
            login,
            web,
            bearer: Bearer::new(&spec.credential),
            secret: segments(&["secrets", name.as_str()]).ok_or(wrong("name the secret"))?,
            part: Part::of(place),
        })
    }

    /// The flow of client credentials
    /// (<https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>).
    fn sign_in(&self, text: &str) -> Result<SignIn<'_>, StoreError> {
        let refused = |why: &str| StoreError::Refused(why.to_owned());
        let Some(Login { web, vaults }) = &self.login else {
            return Err(refused(
                "a service principal signs in to vaults of Azure only; give an access token",
            ));
        };
        let tenant = self.bearer.part(text, "tenant")?;
        let tenant = std::str::from_utf8(tenant.expose()).unwrap_or_default().to_owned();
        let plain = tenant.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
        let path = segments(&[tenant.as_str(), "oauth2", "v2.0", "token"]).filter(|_| plain);
        let path = path.ok_or_else(|| refused("the `tenant` of the credential is none"))?;
        let mut values = Values::new();
        values.set("id", self.bearer.part(text, "appId")?);
        values.set("secret", self.bearer.part(text, "password")?);
        let body = format!(
            "grant_type=client_credentials&scope=https%3A%2F%2F{vaults}%2F.default&client_id={{{{ id }}}}\
             &client_secret={{{{ secret }}}}"
        );
        let body = render(&body, &values, In::Url).map_err(|e| StoreError::Refused(e.to_string()))?;
        Ok((web, form(web, &path, body)))
    }

    fn ask(&self, method: &str, body: Option<&str>, call: Call) -> Result<Reply, StoreError> {
        self.send(method, &format!("{}?{VERSION}", self.secret), body, call)
    }

    fn send(&self, method: &str, path: &str, body: Option<&str>, call: Call) -> Result<Reply, StoreError> {
        let mut request = self.web.request(method, path);
        if let Some(body) = body {
            request.headers.push(plain("Content-Type", "application/json"));
            request.body = Some(Secret::new(body.as_bytes()));
        }
        self.bearer.ask(&self.web, request, call, &|text: &str| self.sign_in(text))
    }

    fn held(&self, call: Call) -> Result<Option<Held>, StoreError> {
        let reply = self.ask("GET", None, call)?;
        match (reply.status, error(&reply)) {
            (200, _) => {}
            (404, "SecretNotFound") => return Ok(None),
            _ => return Err(refusal(&reply)),
        }
        let part = |name: &str| json::part(&reply.body, &[name]).ok().flatten();
        if part("managed") == Some("true") {
            let why = "the secret belongs to a certificate of the vault and cannot be set";
            return Err(StoreError::Refused(why.to_owned()));
        }
        let mut kept = String::new();
        for (name, begins) in [("contentType", '"'), ("tags", '{')] {
            if let Some(part) = part(name).filter(|part| part.starts_with(begins)) {
                kept.push_str(&format!(",\"{name}\":{part}"));
            }
        }
        let value = json::find(&reply.body, &["value".to_owned()]).ok().flatten().map(|spot| spot.value);
        match (id(&reply), value) {
            (Some(id), Some(text)) => Ok(Some(Held { id, text, kept })),
            _ => Err(StoreError::Unknown("the answer names no version or no value".to_owned())),
        }
    }
}

/// The version at the end of an identifier.
fn id(reply: &Reply) -> Option<String> {
    let id = json::find(&reply.body, &["id".to_owned()]).ok().flatten()?;
    let version = std::str::from_utf8(id.value.expose()).ok()?.split("/secrets/").nth(1)?.split_once('/')?.1;
    let good = !version.is_empty() && version.bytes().all(|b| b.is_ascii_alphanumeric());
    good.then(|| version.to_owned())
}

/// The names of errors that say that nothing was done
/// (<https://learn.microsoft.com/en-us/azure/key-vault/general/rest-error-codes>), those within another first.
const REFUSALS: &[&str] = &[
    "AccessDenied",
    "ForbiddenByConnection",
    "ForbiddenByFirewall",
    "ForbiddenByPolicy",
    "ForbiddenByRbac",
    "ObjectIsBeingDeleted",
    "ObjectIsDeletedButRecoverable",
    "SecretDisabled",
    "BadParameter",
    "Forbidden",
    "SecretNotFound",
    "Unauthorized",
];

/// The innermost error's name; empty if none is known.
fn error(reply: &Reply) -> &'static str {
    let named = |steps: &[&str]| {
        let steps: Vec<String> = steps.iter().map(|s| (*s).to_owned()).collect();
        let code = json::find(&reply.body, &steps).ok().flatten()?;
        let code = std::str::from_utf8(code.value.expose()).ok()?;
        REFUSALS.iter().chain(&["Conflict", "Throttled"]).find(|n| **n == code)
    };
    named(&["error", "innererror", "code"]).or_else(|| named(&["error", "code"])).copied().unwrap_or_default()
}

fn refusal(reply: &Reply) -> StoreError {
    refused(reply, error(reply), "Conflict", "Throttled")
}

impl Store for KeyVault {
    fn read(&self, call: Call) -> Result<Content, StoreError> {
        let Some(held) = self.held(call)? else {
            return Ok(Content { version: NONE.to_owned(), ..Content::default() });
        };
        let current = self.part.get(&held.text)?;
        Ok(Content { current, pending: None, version: held.id })
    }

    fn write(&self, call: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        let held = self.held(call)?;
        if held.as_ref().map_or(NONE, |held| held.id.as_str()) != expect {
            return Err(StoreError::Conflict);
        }
        let text = self.part.set(held.as_ref().map(|held| &held.text), value)?;
        let kept = held.map(|held| held.kept).unwrap_or_default();
        let body = Zeroizing::new(format!("{{\"value\":{}{kept}}}", *quoted(&text)?));
        let reply = self.ask("PUT", Some(&body), call)?;
        if reply.status != 200 {
            return Err(refusal(&reply));
        }
        let written = id(&reply)
            .ok_or_else(|| StoreError::Unknown("it does not say which version it set".to_owned()))?;
        let again =
            self.held(call).map_err(|e| StoreError::Unknown(format!("set, and not seen again: {e}")))?;
        match again {
            Some(held) if held.id == written => Ok(written),
            _ => Err(StoreError::Unknown(
                "somebody wrote at the same moment: another version is the newest already".to_owned(),
            )),
        }
    }
}

/// A page of the list of secrets
/// (<https://learn.microsoft.com/en-us/rest/api/keyvault/secrets/get-secrets/get-secrets>).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    value: Vec<Named>,
    next_link: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    /// Whether it belongs to a certificate.
    #[serde(default)]
    managed: bool,
}

/// All secrets of the vault that can be set.
pub(super) fn list(spec: &AzureSpec, doors: Arc<dyn Doors>, call: Call) -> Result<Listing, ListError> {
    let store = KeyVault::new(spec, &standing("X".to_owned()), doors)?;
    let strange = || StoreError::Unknown("the answer holds no list of secrets".to_owned());
    let mut listing = Listing::default();
    pages(|next| {
        // The next page is named by its whole address: only what it says behind the path is taken, so that the
        // token goes to the vault and nowhere else.
        let asked = match next {
            Some(link) => link.split_once('?').map(|(_, asked)| asked).ok_or_else(strange)?,
            None => VERSION,
        };
        let plain = |b: u8| b.is_ascii_graphic() && b != b'#';
        if !asked.bytes().all(plain) {
            return Err(strange().into());
        }
        let reply = store.send("GET", &format!("/secrets?{asked}"), None, call)?;
        if reply.status != 200 {
            return Err(refusal(&reply).into());
        }
        let page: Page = serde_json::from_str(&reply.body).map_err(|_| strange())?;
        let own = page.value.into_iter().filter(|secret| !secret.managed);
        let names =
            own.filter_map(|secret| secret.id.rsplit_once("/secrets/").map(|(_, name)| name.to_owned()));
        listing.add(names.map(Entry::whole))?;
        Ok(page.next_link)
    })?;
    Ok(listing)
}

#[cfg(test)]
mod tests;
