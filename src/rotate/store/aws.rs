//! AWS Secrets Manager, by its JSON API
//! (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/>).
//!
//! A new value is put under the label `AWSPENDING` and becomes `AWSCURRENT` when that label moves. The move names the
//! version that must lose the label, so that it fails if somebody was quicker. A put has no such condition: what is
//! there is compared just before. `ClientRequestToken` derives from what is expected and what is written, so that a
//! repeated put makes no second version.

use super::aws_json::{AwsJson, AwsSpec, Named, Service};
use super::form::json;
use super::list::{ListError, Listing};
use super::openbao::quoted;
use super::part::Part;
use super::{Doors, OpenError, Place};
use crate::model::Secret;
use crate::rotate::engine::{Call, Content, Store, StoreError};
use serde::Deserialize;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Beside what all services of AWS answer.
static SERVICE: Service = Service {
    name: "secretsmanager",
    target: "secretsmanager",
    refusals: &[
        "DecryptionFailure",
        "EncryptionFailure",
        "InvalidParameterException",
        "InvalidRequestException",
        "LimitExceededException",
        "PreconditionNotMetException",
        "ResourceNotFoundException",
    ],
    busy: &[],
    // The same token with another value.
    conflict: "ResourceExistsException",
};

/// The store.
pub(super) struct SecretsManager {
    api: AwsJson,
    secret: String,
    part: Part,
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
        if place.path.is_empty() {
            let why = "name the secret or give its ARN";
            return Err(OpenError::Place { path: place.path.clone(), why });
        }
        Ok(SecretsManager {
            api: AwsJson::new(&SERVICE, spec, doors)?,
            secret: place.path.clone(),
            part: Part::of(place),
        })
    }

    /// The version under a label; none if nothing has it.
    fn labelled(&self, label: &str, call: Call) -> Result<Option<Version>, StoreError> {
        let body = format!("{{\"SecretId\":{},\"VersionStage\":\"{label}\"}}", *json::spell(&self.secret));
        let reply = self.api.ask("GetSecretValue", &body, call)?;
        if reply.status != 200 {
            return match self.api.error(&reply) {
                // Either no secret or no version; a write tells them apart.
                "ResourceNotFoundException" => Ok(None),
                _ => Err(self.api.refusal(&reply)),
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

    /// Puts a value under labels, the other fields as the current version has them.
    fn put(
        &self,
        call: Call,
        value: &Secret,
        expect: &str,
        labels: &str,
    ) -> Result<(Held, String), StoreError> {
        let held = self.expected(expect, call)?;
        let whole = self.part.set(held.current.as_ref().map(|c| &c.text), value)?;
        let parts = [self.secret.as_bytes(), labels.as_bytes(), expect.as_bytes(), whole.expose()];
        let mut seed = Zeroizing::new(Vec::with_capacity(parts.iter().map(|p| p.len() + 1).sum()));
        for part in parts {
            seed.extend_from_slice(part);
            seed.push(0);
        }
        // 32 to 64 signs; it becomes the version's id.
        let token: String = self.api.mark(&seed).chars().take(64).collect();
        let body = Zeroizing::new(format!(
            "{{\"SecretId\":{},\"ClientRequestToken\":{},\"SecretString\":{},\"VersionStages\":{labels}}}",
            *json::spell(&self.secret),
            *json::spell(&token),
            *quoted(&whole)?
        ));
        let reply = self.api.ask("PutSecretValue", &body, call)?;
        if reply.status != 200 {
            return Err(self.api.refusal(&reply));
        }
        Ok((held, token))
    }
}

impl Store for SecretsManager {
    fn read(&self, call: Call) -> Result<Content, StoreError> {
        let held = self.held(call)?;
        let key = |v: &Option<Version>| v.as_ref().map_or(Ok(None), |v| self.part.get(&v.text));
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
        let reply = self.api.ask("UpdateSecretVersionStage", &body, call)?;
        match (reply.status, self.api.error(&reply)) {
            (200, _) => Ok(format!("{}/-", pending.id)),
            // The version that was current is so no longer.
            (_, "InvalidParameterException") => Err(StoreError::Conflict),
            _ => Err(self.api.refusal(&reply)),
        }
    }

    /// One put under both labels: the value becomes current, and what was pending loses its label.
    fn restore(&self, call: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        let (_, id) = self.put(call, value, expect, "[\"AWSCURRENT\",\"AWSPENDING\"]")?;
        Ok(format!("{id}/-"))
    }
}

/// A page of `ListSecrets`
/// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html>).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    secret_list: Vec<Named>,
    next_token: Option<String>,
}

/// All secrets of the region.
pub(super) fn list(spec: &AwsSpec, doors: Arc<dyn Doors>, call: Call) -> Result<Listing, ListError> {
    let api = AwsJson::new(&SERVICE, spec, doors)?;
    api.list("ListSecrets", "\"MaxResults\":50", "secrets", call, |page: Page| {
        (page.secret_list, page.next_token)
    })
}

#[cfg(test)]
mod tests;
