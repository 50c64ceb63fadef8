//! Google Secret Manager, by its REST API, version 1
//! (<https://docs.cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets/addVersion>,
//! `projects.secrets.versions/access` beside it).
//!
//! The store is not staged: what is added is what readers of `latest` get. An alias could stage, and its move takes
//! an etag; but then a restore would be two changes, and a step makes one. An added version takes no condition. What
//! is there is compared just before, and the number that the answer gives must be the next one; any other says that
//! somebody wrote in between, which is told as unknown, since both writes have happened. Numbers begin again at 1
//! when a secret is deleted and made anew, so that a version is the number and a mark of the payload.

use super::bearer::{Bearer, SignIn, form};
use super::form::json;
use super::list::{Entry, ListError, Listing, pages, standing};
use super::part::Part;
use super::web::{Web, plain, query, refused, segments};
use super::{Doors, OpenError, Place};
use crate::call::{GoogleKey, Reply, google_jwt};
use crate::model::Secret;
use crate::rotate::engine::{Call, Content, Store, StoreError};
use base64ct::{Base64, Encoding};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zeroize::Zeroizing;

/// `kind = "gcp-secret-manager"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GcpSpec {
    /// Reference of the key file of a service account (JSON), or of an access token that somebody else renews.
    pub credential: String,
    /// Location of regional secrets.
    #[serde(default)]
    pub region: Option<String>,
    /// Base address, if it is not Google's own.
    #[serde(default)]
    pub address: Option<String>,
    /// Allows `http://` in `address`.
    #[serde(default)]
    pub plain: bool,
    /// Reference of the authority's certificates, PEM.
    #[serde(default)]
    pub ca: Option<String>,
}

/// Where tokens are given
/// (<https://developers.google.com/identity/protocols/oauth2/service-account#httprest>).
const LOGIN: &str = "https://oauth2.googleapis.com";
/// What a token may be used for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The store.
pub(super) struct GcpSecrets {
    web: Web,
    login: Web,
    bearer: Bearer,
    /// Path of the secret below the address.
    secret: String,
    part: Part,
}

/// The newest version.
struct Held {
    number: u64,
    /// The whole payload.
    text: Secret,
}

/// The version where there is none.
const NONE: &str = "-";

impl GcpSecrets {
    pub(super) fn new(spec: &GcpSpec, place: &Place, doors: Arc<dyn Doors>) -> Result<Self, OpenError> {
        let wrong = |why| OpenError::Place { path: place.path.clone(), why };
        let name = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        let steps: Vec<&str> = place.path.split('/').collect();
        let [project, secret] = steps[..] else { return Err(wrong("it is project/secret")) };
        if [project, secret].iter().any(|step| step.is_empty() || !step.bytes().all(name)) {
            return Err(wrong("project and secret are letters, digits, - and _"));
        }
        let label = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let (own, path) = match &spec.region {
            None => (
                "https://secretmanager.googleapis.com".to_owned(),
                segments(&["v1", "projects", project, "secrets", secret]),
            ),
            Some(region) if region.is_empty() || !region.bytes().all(label) => {
                return Err(OpenError::Spec(format!("region = `{region}` is none")));
            }
            Some(region) => (
                format!("https://secretmanager.{region}.rep.googleapis.com"),
                segments(&["v1", "projects", project, "locations", region.as_str(), "secrets", secret]),
            ),
        };
        let address = spec.address.as_deref().unwrap_or(&own);
        Ok(GcpSecrets {
            web: Web::new(address, spec.plain, spec.ca.as_deref(), Arc::clone(&doors))?,
            login: Web::new(LOGIN, false, None, doors)?,
            bearer: Bearer::new(&spec.credential),
            secret: path.ok_or(wrong("it is project/secret"))?,
            part: Part::of(place),
        })
    }

    /// A service account's signed statement is exchanged for a token.
    fn sign_in(&self, text: &str) -> Result<SignIn<'_>, StoreError> {
        let (email, pem) = (self.bearer.part(text, "client_email")?, self.bearer.part(text, "private_key")?);
        let audience = format!("{LOGIN}/token");
        if self.bearer.part(text, "token_uri").is_ok_and(|uri| uri.expose() != audience.as_bytes()) {
            let why = format!("the service account's tokens are not given by {LOGIN}");
            return Err(StoreError::Refused(why));
        }
        let kind = b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
        let mut request = form(&self.login, "/token", Secret::new(kind));
        let at = Timestamp::from_millisecond(self.web.doors.now().0)
            .map_err(|_| StoreError::Refused("the clock shows no time that can be signed".to_owned()))?;
        google_jwt(&mut request, &GoogleKey { email: &email, pem: &pem }, &audience, SCOPE, at)
            .map_err(|e| StoreError::Refused(e.to_string()))?;
        Ok((&self.login, request))
    }

    fn ask(&self, method: &str, rest: &str, body: Option<&str>, call: Call) -> Result<Reply, StoreError> {
        self.send(method, &format!("{}{rest}", self.secret), body, call)
    }

    fn send(&self, method: &str, path: &str, body: Option<&str>, call: Call) -> Result<Reply, StoreError> {
        let mut request = self.web.request(method, path);
        if let Some(body) = body {
            request.headers.push(plain("Content-Type", "application/json"));
            request.body = Some(Secret::new(body.as_bytes()));
        }
        self.bearer.ask(&self.web, request, call, &|text: &str| self.sign_in(text))
    }

    /// The newest version; none if there is no secret or it has no version, which a write tells apart.
    fn held(&self, call: Call) -> Result<Option<Held>, StoreError> {
        let reply = self.ask("GET", "/versions/latest:access", None, call)?;
        match (reply.status, error(&reply)) {
            (200, _) => {}
            (404, "NOT_FOUND") => return Ok(None),
            (_, "FAILED_PRECONDITION") => {
                let why =
                    "the newest version is disabled or destroyed, so that nobody can read it; enable it";
                return Err(StoreError::Refused(why.to_owned()));
            }
            _ => return Err(refusal(&reply)),
        }
        let data = json::find(&reply.body, &["payload".to_owned(), "data".to_owned()]).ok().flatten();
        let data = data.and_then(|spot| {
            let coded = std::str::from_utf8(spot.value.expose()).ok()?;
            Some(Secret::new(&Zeroizing::new(Base64::decode_vec(coded).ok()?)))
        });
        match (number(&reply), data) {
            (Some(number), Some(text)) => Ok(Some(Held { number, text })),
            _ => Err(StoreError::Unknown("the answer names no version or no payload".to_owned())),
        }
    }

    /// The number, and a mark of the payload.
    fn version(&self, number: u64, text: &Secret) -> String {
        let mark = self.web.doors.mark(text.expose());
        format!("{number}/{}", mark.chars().take(32).collect::<String>())
    }
}

/// The number at the end of a version's name.
fn number(reply: &Reply) -> Option<u64> {
    let name = json::find(&reply.body, &["name".to_owned()]).ok().flatten()?;
    std::str::from_utf8(name.value.expose()).ok()?.rsplit_once("/versions/")?.1.parse().ok()
}

/// The names of errors (<https://docs.cloud.google.com/apis/design/errors#error_model>) that say that nothing was
/// done.
const REFUSALS: &[&str] =
    &["FAILED_PRECONDITION", "INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED", "UNAUTHENTICATED"];

/// The error's name; empty if it is none that is known.
fn error(reply: &Reply) -> &'static str {
    let status = json::find(&reply.body, &["error".to_owned(), "status".to_owned()]).ok().flatten();
    let status = status.as_ref().and_then(|spot| std::str::from_utf8(spot.value.expose()).ok()).unwrap_or("");
    REFUSALS.iter().chain(&["ABORTED", "RESOURCE_EXHAUSTED"]).find(|n| **n == status).unwrap_or(&"")
}

fn refusal(reply: &Reply) -> StoreError {
    refused(reply, error(reply), "ABORTED", "RESOURCE_EXHAUSTED")
}

impl Store for GcpSecrets {
    fn read(&self, call: Call) -> Result<Content, StoreError> {
        let Some(held) = self.held(call)? else {
            return Ok(Content { version: NONE.to_owned(), ..Content::default() });
        };
        let version = self.version(held.number, &held.text);
        let current = self.part.get(&held.text)?;
        Ok(Content { current, pending: None, version })
    }

    fn write(&self, call: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        let held = self.held(call)?;
        let found = held.as_ref().map_or(NONE.to_owned(), |held| self.version(held.number, &held.text));
        if found != expect {
            return Err(StoreError::Conflict);
        }
        let text = self.part.set(held.as_ref().map(|held| &held.text), value)?;
        let coded = Zeroizing::new(Base64::encode_string(text.expose()));
        let body = Zeroizing::new(format!("{{\"payload\":{{\"data\":\"{}\"}}}}", *coded));
        let reply = self.ask("POST", ":addVersion", Some(&body), call)?;
        if reply.status != 200 {
            return Err(refusal(&reply));
        }
        let next = held.map_or(0, |held| held.number).saturating_add(1);
        match number(&reply) {
            Some(number) if number == next => Ok(self.version(number, &text)),
            Some(number) => Err(StoreError::Unknown(format!(
                "somebody wrote at the same moment: version {next} was expected, and {number} was added after theirs"
            ))),
            None => Err(StoreError::Unknown("it does not say which version it added".to_owned())),
        }
    }
}

/// A page of `projects.secrets.list`
/// (<https://docs.cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets/list>).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    secrets: Vec<Named>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// All secrets of a project.
pub(super) fn list(
    spec: &GcpSpec,
    project: &str,
    doors: Arc<dyn Doors>,
    call: Call,
) -> Result<Listing, ListError> {
    let store = GcpSecrets::new(spec, &standing(format!("{project}/X")), doors)?;
    let strange = || StoreError::Unknown("the answer holds no list of secrets".to_owned());
    let mut listing = Listing::default();
    pages(|token| {
        let asked = [("pageSize", "100")].into_iter().chain(token.map(|t| ("pageToken", t)));
        let asked = query(&asked.collect::<Vec<_>>()).ok_or_else(strange)?;
        let path = format!("{}{asked}", store.secret.strip_suffix("/X").unwrap_or(&store.secret));
        let reply = store.send("GET", &path, None, call)?;
        if reply.status != 200 {
            return Err(refusal(&reply).into());
        }
        let page: Page = serde_json::from_str(&reply.body).map_err(|_| strange())?;
        let names = page.secrets.iter().filter_map(|secret| secret.name.rsplit('/').next());
        listing.add(names.map(|name| Entry::whole(format!("{project}/{name}"))))?;
        Ok(page.next_page_token)
    })?;
    Ok(listing)
}

#[cfg(test)]
mod tests;
