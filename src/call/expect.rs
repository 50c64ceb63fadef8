//! What an answer means.

use super::Request;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a provider proves whether a credential works.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// The call.
    pub request: Request,
    /// Answers that prove it works.
    #[serde(default)]
    pub active: Vec<Expect>,
    /// Answers that prove it authenticates but may do little.
    #[serde(default)]
    pub restricted: Vec<Expect>,
    /// Answers that prove it does not work. Everything else is unknown.
    #[serde(default)]
    pub inactive: Vec<Expect>,
    /// Where the answer names the owner: word → JSON pointer.
    #[serde(default)]
    pub identity: BTreeMap<String, String>,
    /// Set where the provider's answers carry nothing but a status, with the reason.
    #[serde(default)]
    pub status_only: Option<String>,
    /// Recorded answers and what each must be judged as: the tests of the expectations.
    #[serde(default)]
    pub replies: Vec<Recorded>,
}

/// One pattern of answers. All given parts must hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// One status or several.
    pub status: StatusSet,
    /// JSON pointer → expected text; `*` accepts any value that is there and not null.
    #[serde(default)]
    pub json: BTreeMap<String, String>,
    /// Header field (lower case) → text that its value must contain; `*` accepts any.
    #[serde(default)]
    pub header: BTreeMap<String, String>,
    /// Text that the body must contain.
    #[serde(default)]
    pub contains: Option<String>,
}

impl Expect {
    /// Whether it looks at nothing but the status.
    pub fn is_status_only(&self) -> bool {
        self.json.is_empty() && self.header.is_empty() && self.contains.is_none()
    }

    fn holds(&self, reply: &Reply, body: Option<&serde_json::Value>) -> bool {
        self.status.contains(reply.status)
            && self.json.iter().all(|(pointer, want)| {
                body.and_then(|b| b.pointer(pointer)).is_some_and(|v| match v {
                    serde_json::Value::Null => false,
                    _ if want == "*" => true,
                    serde_json::Value::String(s) => s == want,
                    other => {
                        let text = other.to_string();
                        text == *want
                    }
                })
            })
            && self.header.iter().all(|(name, want)| {
                reply.headers.get(name).is_some_and(|v| want == "*" || v.contains(want.as_str()))
            })
            && self.contains.as_ref().is_none_or(|c| reply.body.contains(c.as_str()))
    }
}

/// A set of HTTP statuses, written as one number or a list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StatusSet {
    /// No status given: never holds.
    #[default]
    None,
    /// One.
    One(u16),
    /// Several.
    Many(Vec<u16>),
}

impl StatusSet {
    /// Whether `status` is in it.
    pub fn contains(&self, status: u16) -> bool {
        match self {
            StatusSet::None => false,
            StatusSet::One(s) => *s == status,
            StatusSet::Many(list) => list.contains(&status),
        }
    }
}

/// A recorded answer and its judgement.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// HTTP status.
    pub status: u16,
    /// Header fields, names in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Body as text.
    #[serde(default)]
    pub body: String,
    /// What it must be judged as.
    pub is: Judgement,
}

impl Recorded {
    /// The answer without its judgement.
    pub fn reply(&self) -> Reply {
        Reply { status: self.status, headers: self.headers.clone(), body: self.body.clone() }
    }
}

/// An answer of a provider.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Body as text.
    pub body: String,
}

/// What one answer proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// It works.
    Active,
    /// It authenticates, with few rights.
    Restricted,
    /// It does not work.
    Inactive,
    /// Nothing.
    Unknown,
}

impl Verify {
    /// Judges an answer. If expectations of different kinds hold at once, nothing is proved.
    pub fn judge(&self, reply: &Reply) -> Judgement {
        let body = serde_json::from_str(&reply.body).ok();
        let any = |list: &[Expect]| list.iter().any(|e| e.holds(reply, body.as_ref()));
        match (any(&self.active), any(&self.restricted), any(&self.inactive)) {
            (true, false, false) => Judgement::Active,
            (false, true, false) => Judgement::Restricted,
            (false, false, true) => Judgement::Inactive,
            _ => Judgement::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verify() -> Verify {
        toml::from_str(
            r#"
            request = { method = "GET", url = "https://api.acme.example/me" }
            active = [{ status = 200, json = { "/id" = "*" } }]
            inactive = [{ status = [401, 403], json = { "/error/code" = "bad_key" } }]
            "#,
        )
        .expect("because the text is fixed")
    }

    fn judge(status: u16, body: &str) -> Judgement {
        verify().judge(&Reply { status, body: body.to_owned(), ..Reply::default() })
    }

    #[test]
    fn only_declared_answers_prove_anything() {
        assert_eq!(judge(200, r#"{"id":7}"#), Judgement::Active);
        assert_eq!(judge(403, r#"{"error":{"code":"bad_key"}}"#), Judgement::Inactive);
        assert_eq!(judge(200, r#"{"id":null}"#), Judgement::Unknown);
        assert_eq!(judge(200, "<html>welcome</html>"), Judgement::Unknown);
        assert_eq!(judge(403, "<html>blocked</html>"), Judgement::Unknown);
        assert_eq!(judge(429, ""), Judgement::Unknown);
    }
}
