//! What the stores of AWS have in common: a JSON interface whose requests are signed, and what its errors prove.

use super::form::json;
use super::list::{Entry, ListError, Listing, pages};
use super::web::{Web, plain, refused};
use super::{Doors, OpenError};
use crate::call::{AwsKey, Prepared, Reply, aws_sigv4};
use crate::model::Secret;
use crate::rotate::engine::{Call, StoreError};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `kind = "aws-secrets-manager"` and `kind = "aws-parameter-store"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AwsSpec {
    /// Region.
    pub region: String,
    /// Reference of the credential, in the JSON form of `aws configure export-credentials --format process`:
    /// `AccessKeyId`, `SecretAccessKey` and perhaps `SessionToken`.
    pub credential: String,
    /// Base address, if it is not the region's own: a private endpoint or an emulator.
    #[serde(default)]
    pub address: Option<String>,
    /// Allows `http://` in `address`.
    #[serde(default)]
    pub plain: bool,
    /// Reference of the authority's certificates, PEM.
    #[serde(default)]
    pub ca: Option<String>,
}

/// One service of AWS.
pub(super) struct Service {
    /// Its name in the host and in what is signed.
    pub(super) name: &'static str,
    /// What its actions' names begin with.
    pub(super) target: &'static str,
    /// Its own errors that say that nothing was done, from the pages of the actions.
    pub(super) refusals: &'static [&'static str],
    /// Its own errors that ask to come back.
    pub(super) busy: &'static [&'static str],
    /// The error that says that somebody was quicker.
    pub(super) conflict: &'static str,
}

/// Errors that say that nothing was done, of all services
/// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html>).
const REFUSALS: &[&str] = &[
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "UnrecognizedClientException",
    "ValidationException",
];

/// Errors that ask to come back.
const BUSY: &[&str] = &["RequestExpired", "ThrottlingException", "TooManyRequestsException"];

/// A credential that signs requests.
struct Credential {
    id: Secret,
    secret: Secret,
    token: Option<Secret>,
}

/// A service in a region.
pub(super) struct AwsJson {
    service: &'static Service,
    web: Web,
    region: String,
    credential: String,
}

impl AwsJson {
    pub(super) fn new(
        service: &'static Service,
        spec: &AwsSpec,
        doors: Arc<dyn Doors>,
    ) -> Result<Self, OpenError> {
        let label = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if spec.region.is_empty() || !spec.region.bytes().all(label) {
            return Err(OpenError::Spec(format!("region = `{}` is none", spec.region)));
        }
        let suffix = if spec.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let own = format!("https://{}.{}.{suffix}", service.name, spec.region);
        let address = spec.address.as_deref().unwrap_or(&own);
        Ok(AwsJson {
            service,
            web: Web::new(address, spec.plain, spec.ca.as_deref(), doors)?,
            region: spec.region.clone(),
            credential: spec.credential.clone(),
        })
    }

    fn key(&self) -> Result<Credential, StoreError> {
        let found = self.web.fetch(&self.credential)?;
        let text = std::str::from_utf8(found.expose()).unwrap_or_default();
        let part = |name: &str| json::find(text, &[name.to_owned()]).ok().flatten().map(|spot| spot.value);
        match (part("AccessKeyId"), part("SecretAccessKey")) {
            (Some(id), Some(secret)) => Ok(Credential { id, secret, token: part("SessionToken") }),
            _ => Err(StoreError::Refused(format!(
                "{} holds no JSON with AccessKeyId and SecretAccessKey",
                self.credential
            ))),
        }
    }

    pub(super) fn ask(&self, action: &str, body: &str, call: Call) -> Result<Reply, StoreError> {
        let mut request: Prepared = self.web.request("POST", "/");
        request.headers = vec![
            plain("Content-Type", "application/x-amz-json-1.1"),
            plain("X-Amz-Target", &format!("{}.{action}", self.service.target)),
        ];
        request.body = Some(Secret::new(body.as_bytes()));
        let found = self.key()?;
        let key = AwsKey { id: &found.id, secret: &found.secret, token: found.token.as_ref() };
        let now = self.web.doors.now().0;
        let at = Timestamp::from_millisecond(now)
            .map_err(|_| StoreError::Refused("the clock shows no time that can be signed".to_owned()))?;
        aws_sigv4(&mut request, &key, &self.region, self.service.name, at)
            .map_err(|e| StoreError::Refused(e.to_string()))?;
        self.web.send(&request, call)
    }

    /// See [`Doors::mark`].
    pub(super) fn mark(&self, bytes: &[u8]) -> String {
        self.web.doors.mark(bytes)
    }

    /// The error's name, without what a service may put before it; empty if it is none that is known.
    pub(super) fn error(&self, reply: &Reply) -> &'static str {
        let kind = json::find(&reply.body, &["__type".to_owned()]).ok().flatten();
        let kind = kind.as_ref().and_then(|spot| std::str::from_utf8(spot.value.expose()).ok()).unwrap_or("");
        let name = kind.rsplit('#').next().unwrap_or_default();
        let own = self.service.refusals.iter().chain(self.service.busy).chain([&self.service.conflict]);
        REFUSALS.iter().chain(BUSY).chain(own).find(|n| **n == name).unwrap_or(&"")
    }

    /// What an answer means that is no success.
    pub(super) fn refusal(&self, reply: &Reply) -> StoreError {
        let name = self.error(reply);
        // AWS asks to come back with errors of the server as well.
        if BUSY.contains(&name) || self.service.busy.contains(&name) {
            return StoreError::Retry(format!("it answers {} {name}", reply.status));
        }
        match name == self.service.conflict {
            true => StoreError::Conflict,
            false => refused(reply, name, "", ""),
        }
    }
    /// The names that `action` lists, page by page; `what` they are is for an answer that cannot be read.
    pub(super) fn list<P: DeserializeOwned>(
        &self,
        action: &str,
        body: &str,
        what: &str,
        call: Call,
        read: impl Fn(P) -> (Vec<Named>, Option<String>),
    ) -> Result<Listing, ListError> {
        let mut listing = Listing::default();
        pages(|token| {
            let next = token.map(|t| format!(",\"NextToken\":{}", *json::spell(t))).unwrap_or_default();
            let reply = self.ask(action, &format!("{{{body}{next}}}"), call)?;
            if reply.status != 200 {
                return Err(self.refusal(&reply).into());
            }
            let page = serde_json::from_str(&reply.body)
                .map_err(|_| StoreError::Unknown(format!("the answer holds no list of {what}")))?;
            let (names, next) = read(page);
            listing.add(names.into_iter().map(|one| Entry::whole(one.name)))?;
            Ok(next)
        })?;
        Ok(listing)
    }
}

/// An entry of a list.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    name: String,
}
