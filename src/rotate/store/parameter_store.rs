//! Parameter Store of AWS Systems Manager: parameters of type `SecureString`, by its JSON API
//! (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html>, `API_GetParameter` and
//! `API_DescribeParameters` beside it).
//!
//! The store is not staged: readers who name no version get the newest. A put takes no condition. What is there is
//! compared just before, and the number that the answer gives must be the next one; any other says that somebody
//! wrote in between, which is told as unknown, since both writes have happened. Numbers begin again at 1 when a
//! parameter is deleted and made anew, so that a version is the number and a mark of the text.

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
    name: "ssm",
    target: "AmazonSSM",
    refusals: &[
        "HierarchyLevelLimitExceededException",
        "HierarchyTypeMismatchException",
        "IncompatiblePolicyException",
        "InvalidAllowedPatternException",
        "InvalidKeyId",
        "InvalidPolicyAttributeException",
        "InvalidPolicyTypeException",
        "ParameterLimitExceeded",
        "ParameterMaxVersionLimitExceeded",
        "ParameterNotFound",
        "ParameterPatternMismatchException",
        "ParameterVersionNotFound",
        "PoliciesLimitExceededException",
        "UnsupportedParameterType",
    ],
    busy: &["TooManyUpdates"],
    conflict: "ParameterAlreadyExists",
};

/// Most pages of a list of one parameter: pages may be empty.
const MOST_PAGES: usize = 20;
/// What a put sets back to what AWS presumes, or may, unless it is said again.
const KEPT: [&str; 4] = ["AllowedPattern", "Description", "KeyId", "Tier"];

/// The store.
pub(super) struct ParameterStore {
    api: AwsJson,
    name: String,
    part: Part,
}

/// What the newest version is.
struct Held {
    number: u64,
    /// The whole parameter.
    text: Secret,
}

impl ParameterStore {
    pub(super) fn new(spec: &AwsSpec, place: &Place, doors: Arc<dyn Doors>) -> Result<Self, OpenError> {
        // A put takes no ARN, and what follows a colon would choose a version.
        let sign = |b: u8| b.is_ascii_alphanumeric() || b"_.-/".contains(&b);
        if place.path.is_empty() || !place.path.bytes().all(sign) {
            let why = "name the parameter: letters, digits, _.- and /, no ARN and no version";
            return Err(OpenError::Place { path: place.path.clone(), why });
        }
        Ok(ParameterStore {
            api: AwsJson::new(&SERVICE, spec, doors)?,
            name: place.path.clone(),
            part: Part::of(place),
        })
    }

    fn held(&self, call: Call) -> Result<Option<Held>, StoreError> {
        let body = format!("{{\"Name\":{},\"WithDecryption\":true}}", *json::spell(&self.name));
        let reply = self.api.ask("GetParameter", &body, call)?;
        if reply.status != 200 {
            return match self.api.error(&reply) {
                "ParameterNotFound" => Ok(None),
                _ => Err(self.api.refusal(&reply)),
            };
        }
        let text = |name: &str| {
            let steps = ["Parameter".to_owned(), name.to_owned()];
            json::find(&reply.body, &steps).ok().flatten().map(|spot| spot.value)
        };
        if text("Type").is_some_and(|kind| kind.expose() != b"SecureString") {
            let why =
                "the parameter is no SecureString, so that it lies there unencrypted; make it one by hand";
            return Err(StoreError::Refused(why.to_owned()));
        }
        let number = number(&reply.body, &["Parameter", "Version"]);
        match (number, text("Type"), text("Value")) {
            (Some(number), Some(_), Some(text)) => Ok(Some(Held { number, text })),
            _ => Err(StoreError::Unknown("the answer names no version, type or value".to_owned())),
        }
    }

    /// The number, and a mark of the text.
    fn version(&self, number: u64, text: &Secret) -> String {
        format!("{number}/{}", self.api.mark(text.expose()).chars().take(32).collect::<String>())
    }

    /// The members of a put that say again what holds now.
    fn kept(&self, call: Call) -> Result<String, StoreError> {
        let mut token = String::new();
        for _ in 0..MOST_PAGES {
            let body = format!(
                "{{\"ParameterFilters\":[{{\"Key\":\"Name\",\"Option\":\"Equals\",\"Values\":[{}]}}]{token}}}",
                *json::spell(&self.name)
            );
            let reply = self.api.ask("DescribeParameters", &body, call)?;
            if reply.status != 200 {
                return Err(match self.api.refusal(&reply) {
                    StoreError::Refused(why) => StoreError::Refused(format!(
                        "{why} to ssm:DescribeParameters, which tells the key that encrypts the parameter"
                    )),
                    e => e,
                });
            }
            let at = |steps: &[&str]| json::part(&reply.body, steps).ok().flatten();
            if at(&["Parameters", "0"]).is_some() {
                let said = |name: &str| at(&["Parameters", "0", name]).filter(|part| part.starts_with('"'));
                if said("KeyId").is_none() {
                    return Err(StoreError::Refused("it does not tell the key of the parameter".to_owned()));
                }
                let members = KEPT.iter().filter_map(|n| said(n).map(|part| format!(",\"{n}\":{part}")));
                return Ok(members.collect());
            }
            token = match at(&["NextToken"]).filter(|part| part.starts_with('"')) {
                Some(next) => format!(",\"NextToken\":{next}"),
                None => return Err(StoreError::Conflict),
            };
        }
        Err(StoreError::Refused("it gives empty pages without an end".to_owned()))
    }
}

/// The version where there is no parameter.
const NONE: &str = "-";

fn number(body: &str, steps: &[&str]) -> Option<u64> {
    json::part(body, steps).ok().flatten()?.parse().ok()
}

impl Store for ParameterStore {
    fn read(&self, call: Call) -> Result<Content, StoreError> {
        let Some(held) = self.held(call)? else {
            return Ok(Content { version: NONE.to_owned(), ..Content::default() });
        };
        let version = self.version(held.number, &held.text);
        let current = self.part.get(&held.text)?;
        Ok(Content { current, pending: None, version })
    }

    fn write(&self, call: Call, value: &Secret, expect: &str) -> Result<String, StoreError> {
        let Some(held) = self.held(call)? else {
            if expect != NONE {
                return Err(StoreError::Conflict);
            }
            let why =
                "there is no such parameter; make it once, as SecureString, with the key that encrypts it";
            return Err(StoreError::Refused(why.to_owned()));
        };
        if self.version(held.number, &held.text) != expect {
            return Err(StoreError::Conflict);
        }
        let text = self.part.set(Some(&held.text), value)?;
        let kept = self.kept(call)?;
        let body = Zeroizing::new(format!(
            "{{\"Name\":{},\"Value\":{},\"Type\":\"SecureString\",\"Overwrite\":true{kept}}}",
            *json::spell(&self.name),
            *quoted(&text)?
        ));
        let reply = self.api.ask("PutParameter", &body, call)?;
        if reply.status != 200 {
            return Err(self.api.refusal(&reply));
        }
        let next = held.number.saturating_add(1);
        match number(&reply.body, &["Version"]) {
            Some(number) if number == next => Ok(self.version(number, &text)),
            Some(number) => Err(StoreError::Unknown(format!(
                "somebody wrote at the same moment: version {next} was expected, and {number} was written over theirs"
            ))),
            None => Err(StoreError::Unknown("it does not say which version it wrote".to_owned())),
        }
    }
}

/// A page of `DescribeParameters`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    parameters: Vec<Named>,
    next_token: Option<String>,
}

/// All parameters of the region that are encrypted.
pub(super) fn list(spec: &AwsSpec, doors: Arc<dyn Doors>, call: Call) -> Result<Listing, ListError> {
    let api = AwsJson::new(&SERVICE, spec, doors)?;
    let encrypted = "\"ParameterFilters\":[{\"Key\":\"Type\",\"Option\":\"Equals\",\"Values\":[\"SecureString\"]}],\"MaxResults\":50";
    api.list("DescribeParameters", encrypted, "parameters", call, |page: Page| {
        (page.parameters, page.next_token)
    })
}

#[cfg(test)]
mod tests;
