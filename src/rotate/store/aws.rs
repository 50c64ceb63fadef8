//! AWS Secrets Manager, by its JSON API
//! (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/>).
//!
//! A new value is put under the label `AWSPENDING` and becomes `AWSCURRENT` when that label moves. The move names the
//! version that must lose the label, so that it fails if somebody was quicker. A put has no such condition: what is
//! there is compared just before. `ClientRequestToken` derives from what is expected and what is written, so that a
//! repeated put makes no second version.

use super::form::json;
use super::openbao::{member, quoted};
use super::web::{Web, failed, plain};
use super::{Doors, OpenError, Place};
use crate::call::{AwsKey, Prepared, Reply, aws_sigv4};
use crate::model::Secret;
use crate::rotate::engine::{Call, Content, Store, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zeroize::Zeroizing;

/// `kind = "aws-secrets-manager"`.
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

/// A credential that signs requests.
struct Credential {
    id: Secret,
    secret: Secret,
    token: Option<Secret>,
}

/// The store.
pub(super) struct SecretsManager {
    web: Web,
    region: String,
    credential: String,
    secret: String,
    field: Option<String>,
}

/// One labelled version.
struct Version {
    id: String,
    /// The whole secret.
    text: Secret,
}

/// What the labels say.
struct Held {
    current: Option<Version>,
    /// Only if it is another version than the current one.
    pending: Option<Version>,
}

impl Held {
    fn version(&self) -> String {
        let id = |v: &Option<Version>| v.as_ref().map_or("-".to_owned(), |v| v.id.clone());
        format!("{}/{}", id(&self.current), id(&self.pending))
    }
}

impl SecretsManager {
    pub(super) fn new(spec: &AwsSpec, place: &Place, doors: Arc<dyn Doors>) -> Result<Self, OpenError> {
        let label = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if spec.region.is_empty() || !spec.region.bytes().all(label) {
            return Err(OpenError::Spec(format!("region = `{}` is none", spec.region)));
        }
        if place.path.is_empty() {
            let why = "name the secret or give its ARN";
            return Err(OpenError::Place { path: place.path.clone(), why });
        }
        let suffix = if spec.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let own = format!("https://secretsmanager.{}.{suffix}", spec.region);
        let address = spec.address.as_deref().unwrap_or(&own);
        Ok(SecretsManager {
            web: Web::new(address, spec.plain, spec.ca.as_deref(), doors)?,
            region: spec.region.clone(),
            credential: spec.credential.clone(),
            secret: place.path.clone(),
            field: place.field.clone().filter(|f| !f.is_empty()),
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

    fn ask(&self, action: &str, body: &str, call: Call) -> Result<Reply, StoreError> {
        let mut request: Prepared = self.web.request("POST", "/");
        request.headers = vec![
            plain("Content-Type", "application/x-amz-json-1.1"),
            plain("X-Amz-Target", &format!("secretsmanager.{action}")),
        ];
        request.body = Some(Secret::new(body.as_bytes()));
        let found = self.key()?;
        let key = AwsKey { id: &found.id, secret: &found.secret, token: found.token.as_ref() };
        let now = self.web.doors.now().0;
        let at = Timestamp::from_millisecond(now)
            .map_err(|_| StoreError::Refused("the clock shows no time that can be signed".to_owned()))?;
        aws_sigv4(&mut request, &key, &self.region, "secretsmanager", at)
            .map_err(|e| StoreError::Refused(e.to_string()))?;
        self.web.send(&request, call)
    }

    /// The version under a label; none if nothing has it.
    fn labelled(&self, label: &str, call: Call) -> Result<Option<Version>, StoreError> {
        let body = format!("{{\"SecretId\":{},\"VersionStage\":\"{label}\"}}", *json::spell(&self.secret));
        let reply = self.ask("GetSecretValue", &body, call)?;
        if reply.status != 200 {
            return match error(&reply) {
                // Either no secret or no version; a write tells them apart.
                "ResourceNotFoundException" => Ok(None),
                _ => Err(refusal(&reply)),
            };
        }
        let text = |name: &str| json::find(&reply.body, &[name.to_owned()]);
        let id = text("VersionId").ok().flatten();
        let value = text("SecretString").ok().flatten();
        let Some(id) = id.and_then(|id| String::from_utf8(id.value.expose().to_vec()).ok()) else {
            return Err(StoreError::Unknown("the answer names no version".to_owned()));
        };
        let value = value.ok_or_else(|| StoreError::Refused("the secret is binary, not text".to_owned()))?;
        Ok(Some(Version { id, text: value.value }))
    }

    fn held(&self, call: Call) -> Result<Held, StoreError> {
        let current = self.labelled("AWSCURRENT", call)?;
        let pending = self.labelled("AWSPENDING", call)?;
        let same = |p: &Version| current.as_ref().is_some_and(|c| c.id == p.id);
        Ok(Held { pending: pending.filter(|p| !same(p)), current })
    }

    fn expected(&self, expect: &str, call: Call) -> Result<Held, StoreError> {
        let held = self.held(call)?;
        if held.version() == expect { Ok(held) } else { Err(StoreError::Conflict) }
    }

    /// The key in a version's text.
    fn key_in(&self, version: &Version) -> Result<Option<Secret>, StoreError> {
        let Some(field) = &self.field else { return Ok(Some(version.text.clone())) };
        let text = std::str::from_utf8(version.text.expose()).unwrap_or_default();
        let spot = json::find(text, std::slice::from_ref(field));
        Ok(spot.map_err(|e| StoreError::Refused(e.to_string()))?.map(|spot| spot.value))
    }

    /// Puts a value under labels, the other fields as the current version has them.
    fn put(
        &self,
        call: Call,
        value: &Secret,
        expect: &str,
        labels: &str,
    ) -> Result<(Held, String), StoreError> {
        let held = self.expected(expect, call)?;
        let whole = match (&self.field, &held.current) {
            (None, _) => value.clone(),
            (Some(field), current) => {
                let text = current.as_ref().map_or(&b"{}"[..], |c| c.text.expose());
                let text = std::str::from_utf8(text).unwrap_or_default();
                Secret::new(member(text, field, &quoted(value)?)?.as_bytes())
            }
        };
        let parts = [self.secret.as_bytes(), labels.as_bytes(), expect.as_bytes(), whole.expose()];
        let mut seed = Zeroizing::new(Vec::with_capacity(parts.iter().map(|p| p.len() + 1).sum()));
        for part in parts {
            seed.extend_from_slice(part);
            seed.push(0);
        }
        // 32 to 64 signs; it becomes the version's id.
        let token: String = self.web.doors.mark(&seed).chars().take(64).collect();
        let body = Zeroizing::new(format!(
            "{{\"SecretId\":{},\"ClientRequestToken\":{},\"SecretString\":{},\"VersionStages\":{labels}}}",
            *json::spell(&self.secret),
            *json::spell(&token),
            *quoted(&whole)?
        ));
        let reply = self.ask("PutSecretValue", &body, call)?;
        if reply.status != 200 {
            return Err(refusal(&reply));
        }
        Ok((held, token))
    }
}

/// The error's name, without what a service may put before it.
fn error(reply: &Reply) -> &'static str {
    let kind = json::find(&reply.body, &["__type".to_owned()]).ok().flatten();
    let kind = kind.as_ref().and_then(|spot| std::str::from_utf8(spot.value.expose()).ok()).unwrap_or("");
    let name = kind.rsplit('#').next().unwrap_or_default();
    REFUSALS.iter().chain(BUSY).chain(&["ResourceExistsException"]).find(|n| **n == name).unwrap_or(&"")
}

/// Errors that say that nothing was done, from each action's page and the common errors.
const REFUSALS: &[&str] = &[
    "AccessDeniedException",
    "DecryptionFailure",
    "EncryptionFailure",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidParameterException",
    "InvalidRequestException",
    "InvalidSignatureException",
    "LimitExceededException",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "PreconditionNotMetException",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
    "ValidationException",
];

/// Errors that ask to come back.
const BUSY: &[&str] = &["RequestExpired", "ThrottlingException", "TooManyRequestsException"];

fn refusal(reply: &Reply) -> StoreError {
    let name = error(reply);
    let why = format!("it answers {} {name}", reply.status);
    match name {
        // The same token with another value.
        "ResourceExistsException" => StoreError::Conflict,
        "" => match failed(reply, " without an error that is known") {
            // What has no name proves nothing: something between us and AWS may have said it.
            StoreError::Refused(why) => StoreError::Unknown(why),
            e => e,
        },
        name if BUSY.contains(&name) => StoreError::Retry(why),
        _ if reply.status >= 500 => StoreError::Unknown(why),
        _ => StoreError::Refused(why),
    }
}

impl Store for SecretsManager {
    fn read(&self, call: Call) -> Result<Content, StoreError> {
        let held = self.held(call)?;
        let key = |v: &Option<Version>| v.as_ref().map_or(Ok(None), |v| self.key_in(v));
        Ok(Content { current: key(&held.current)?, pending: key(&held.pending)?, version: held.version() })
    }

    fn write(&self, call: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        let (held, id) = self.put(call, value, expect, "[\"AWSPENDING\"]")?;
        let current = held.current.map_or("-".to_owned(), |c| c.id);
        Ok(format!("{current}/{id}"))
    }

    fn promote(&self, call: Call, expect: &str) -> Result<String, StoreError> {
        let held = self.expected(expect, call)?;
        let Some(pending) = held.pending else {
            return Err(StoreError::Refused("nothing is pending".to_owned()));
        };
        let from = held.current.as_ref().map(|c| format!(",\"RemoveFromVersionId\":{}", *json::spell(&c.id)));
        let body = format!(
            "{{\"SecretId\":{},\"VersionStage\":\"AWSCURRENT\",\"MoveToVersionId\":{}{}}}",
            *json::spell(&self.secret),
            *json::spell(&pending.id),
            from.unwrap_or_default()
        );
        let reply = self.ask("UpdateSecretVersionStage", &body, call)?;
        match (reply.status, error(&reply)) {
            (200, _) => Ok(format!("{}/-", pending.id)),
            // The version that was current is so no longer.
            (_, "InvalidParameterException") => Err(StoreError::Conflict),
            _ => Err(refusal(&reply)),
        }
    }

    /// One put under both labels: the value becomes current, and what was pending loses its label.
    fn restore(&self, call: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        let (_, id) = self.put(call, value, expect, "[\"AWSCURRENT\",\"AWSPENDING\"]")?;
        Ok(format!("{id}/-"))
    }
}

#[cfg(test)]
mod tests;
