//! What a log's lines mean, as data: built in, or a file of the operator.

use crate::rule::{Class, Columns};
use serde::Deserialize;

/// LiteLLM's spend logs: `/spend/logs?summarize=false`, or its table as lines.
/// <https://docs.litellm.ai/docs/proxy/cost_tracking>
const LITELLM: &str = r#"
form = "json"
provider = "litellm"
class = "gateway"
[columns]
at = "/startTime"
key = "/api_key"
id = "/request_id"
model = "/model"
place = "/requester_ip_address"
input = ["/prompt_tokens"]
output = ["/completion_tokens"]
cost = "/spend"
failed = { at = "/status", is = ["failure"] }
"#;

/// OpenBao's audit log: each reading of a secret of a key-value engine. Whoever reads a key need not use it, and
/// whoever keeps it need not read it again, so this is a weak source. <https://openbao.org/docs/audit/>
const OPENBAO: &str = r#"
form = "jsonl"
provider = "openbao"
class = "weak"
only = [
  { at = "/type", is = ["response"] },
  { at = "/request/operation", is = ["read"] },
  { at = "/request/mount_type", is = ["kv"] },
]
[columns]
at = "/time"
key = "/request/path"
id = "/request/id"
place = "/request/remote_address"
failed = { at = "/error", is = ["*"] }
"#;

/// What a log's lines mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// How it is written.
    pub form: Form,
    /// Whose keys they are: a provider's id.
    pub provider: String,
    /// How near it is to the keys.
    #[serde(default = "gateway")]
    pub class: Class,
    /// Which lines count: all of these must hold.
    #[serde(default)]
    pub only: Vec<Only>,
    /// What a line holds. In a table a pointer is `/` and the head of a column.
    pub columns: Columns,
}

fn gateway() -> Class {
    Class::Gateway
}

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// A line of JSON each.
    Jsonl,
    /// One document with a list.
    Json,
    /// A table with a head line.
    Csv,
}

/// A condition on a line.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Only {
    /// JSON pointer.
    pub at: String,
    /// The values that fit.
    pub is: Vec<String>,
}

/// Why a mapping cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MappingError(String);

impl Mapping {
    /// A built-in one, `litellm`, `litellm-lines` or `openbao`.
    pub fn named(name: &str) -> Option<Mapping> {
        let (text, form) = match name {
            "litellm" => (LITELLM, Form::Json),
            "litellm-lines" => (LITELLM, Form::Jsonl),
            "openbao" => (OPENBAO, Form::Jsonl),
            _ => return None,
        };
        let mapping = Mapping::parse(text).expect("because the built-in ones are tested");
        Some(Mapping { form, ..mapping })
    }

    /// Reads one.
    ///
    /// # Errors
    /// A sentence for its author.
    pub fn parse(text: &str) -> Result<Mapping, MappingError> {
        let mapping: Mapping =
            toml::from_str(text).map_err(|e| MappingError(e.to_string().trim_end().to_owned()))?;
        let c = &mapping.columns;
        let wrong = |text: &str| Err(MappingError(text.to_owned()));
        if mapping.provider.is_empty() || mapping.provider.len() > 64 {
            return wrong("`provider` names the provider whose keys they are");
        }
        if c.key.is_some() == c.account.is_some() {
            return wrong("either `key` or `account` of [columns] tells whose use a line is");
        }
        let pointers =
            [&c.key, &c.account, &c.model, &c.place, &c.id, &c.requests, &c.cost, &c.currency, &c.errors]
                .into_iter()
                .flatten()
                .chain(&c.input)
                .chain(&c.output)
                .chain([&c.at])
                .chain(mapping.only.iter().map(|o| &o.at))
                .chain(c.failed.as_ref().map(|f| &f.at));
        if let Some(bad) = pointers.into_iter().find(|p| !p.starts_with('/')) {
            return Err(MappingError(format!("`{bad}` is no pointer; it begins with `/`")));
        }
        Ok(mapping)
    }

    /// Whether a line counts.
    pub(super) fn wants(&self, value: &serde_json::Value) -> bool {
        self.only.iter().all(|only| {
            value
                .pointer(&only.at)
                .and_then(serde_json::Value::as_str)
                .is_some_and(|v| only.is.iter().any(|w| w == v))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_ones_can_be_read() {
        for name in ["litellm", "litellm-lines", "openbao"] {
            assert!(Mapping::named(name).is_some(), "{name}");
        }
        assert!(Mapping::named("else").is_none());
    }

    #[test]
    fn slips_are_told() {
        let told = |text: &str| Mapping::parse(text).unwrap_err().to_string();
        let head = "form = 'csv'\nprovider = 'acme'\n";
        assert!(told(&format!("{head}[columns]\nat = '/t'")).contains("either `key`"));
        assert!(told(&format!("{head}[columns]\nat = 't'\nkey = '/k'")).contains("no pointer"));
        assert!(told(&format!("{head}[columns]\nat = '/t'\nkey = '/k'\nkye = 1")).contains("unknown field"));
    }
}
