//! A request template. Values are trees and strings with `{{ name }}` holes, never text that is
//! pasted together.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One declared HTTP request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// `https://` and a host the provider declares; holes stand for one path segment or query value.
    pub url: String,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Form fields, sent as `application/x-www-form-urlencoded`.
    #[serde(default)]
    pub form: BTreeMap<String, String>,
    /// A JSON body.
    #[serde(default)]
    pub json: Option<Body>,
    /// Basic authentication: user and password are joined and encoded after their holes are filled.
    #[serde(default)]
    pub basic: Option<Basic>,
    /// A signature that templates cannot express.
    #[serde(default)]
    pub sign: Option<Sign>,
}

/// How a request is signed after its holes are filled.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// AWS Signature Version 4.
    AwsSigv4(AwsSign),
    /// The form field `assertion`: a JSON Web Token of a Google service account.
    GoogleJwt(GoogleSign),
}

/// What AWS Signature Version 4 takes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsSign {
    /// Template of the access key's id.
    pub key_id: String,
    /// Template of its secret.
    pub secret: String,
    /// Template of the session token of temporary keys; left out if nothing gives it.
    #[serde(default)]
    pub token: Option<String>,
    /// Such as `us-east-1`.
    pub region: String,
    /// Such as `sts`.
    pub service: String,
}

/// What a token of a Google service account takes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoogleSign {
    /// Template of `client_email`.
    pub email: String,
    /// Template of `private_key`.
    pub key: String,
    /// The endpoint that takes the token.
    pub audience: String,
    /// What is asked for, by blanks.
    pub scope: String,
}

/// The two parts of basic authentication (RFC 7617).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// User name; may be empty.
    #[serde(default)]
    pub user: String,
    /// Password; may be empty.
    #[serde(default)]
    pub password: String,
}

/// A JSON body whose strings may hold holes.
pub type Body = toml::Value;

impl Request {
    /// Every string that may hold a hole, with the name of the field it stands in.
    pub fn templates(&self) -> Vec<(String, &str)> {
        let mut out = vec![("url".to_owned(), self.url.as_str())];
        out.extend(self.headers.iter().map(|(k, v)| (format!("headers.{k}"), v.as_str())));
        out.extend(self.form.iter().map(|(k, v)| (format!("form.{k}"), v.as_str())));
        if let Some(body) = &self.json {
            leaves(body, "json", &mut out);
        }
        if let Some(basic) = &self.basic {
            out.push(("basic.user".to_owned(), basic.user.as_str()));
            out.push(("basic.password".to_owned(), basic.password.as_str()));
        }
        match &self.sign {
            Some(Sign::AwsSigv4(sign)) => {
                out.push(("sign.key_id".to_owned(), sign.key_id.as_str()));
                out.push(("sign.secret".to_owned(), sign.secret.as_str()));
                out.extend(sign.token.iter().map(|t| ("sign.token".to_owned(), t.as_str())));
            }
            Some(Sign::GoogleJwt(sign)) => {
                out.push(("sign.email".to_owned(), sign.email.as_str()));
                out.push(("sign.key".to_owned(), sign.key.as_str()));
            }
            None => {}
        }
        out
    }

    /// The host part of the URL, if it is an `https` URL without user information.
    pub fn host(&self) -> Option<&str> {
        let rest = self.url.strip_prefix("https://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let host = authority.split(':').next()?;
        (!host.is_empty() && !authority.contains('@')).then_some(host)
    }
}

fn leaves<'a>(value: &'a Body, at: &str, out: &mut Vec<(String, &'a str)>) {
    match value {
        Body::String(s) => out.push((at.to_owned(), s)),
        Body::Array(items) => {
            items.iter().enumerate().for_each(|(i, v)| leaves(v, &format!("{at}[{i}]"), out))
        }
        Body::Table(table) => table.iter().for_each(|(k, v)| leaves(v, &format!("{at}.{k}"), out)),
        _ => {}
    }
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text that is sent as it stands.
    Text(&'a str),
    /// A name to be filled in, through filters from left to right.
    Hole {
        /// The name.
        name: &'a str,
        /// The filters.
        filters: Vec<Filter>,
    },
}

/// What a hole may do to its value. Escaping is not among them: the place of a hole decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Standard base64 with padding.
    Base64,
    /// A tree of JSON in the place of a whole text of a JSON body; a field whose tree is `null` is left out.
    Json,
}

/// Takes a template apart, or says what is wrong with it. A hole is a name, optionally piped through a filter;
/// other text between braces is refused, so that a slip cannot be sent to a provider.
///
/// # Errors
/// A sentence for the author of the rule.
pub fn pieces(template: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut out = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find("{{") {
        let inner = &rest[at + 2..];
        let end = inner.find("}}").ok_or_else(|| format!("`{template}` has `{{{{` without `}}}}`"))?;
        let mut parts = inner[..end].split('|').map(str::trim);
        let name = parts.next().unwrap_or_default();
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        {
            return Err(format!("`{{{{{}}}}}` in `{template}` is not a name", &inner[..end]));
        }
        let filters = parts.map(|filter| match filter {
            "base64" => Ok(Filter::Base64),
            "json" => Ok(Filter::Json),
            _ => Err(format!("`{template}` uses the filter `{filter}`; there are base64 and json")),
        });
        out.push(Piece::Text(&rest[..at]));
        out.push(Piece::Hole { name, filters: filters.collect::<Result<_, _>>()? });
        rest = &inner[end + 2..];
    }
    if rest.contains("}}") {
        return Err(format!("`{template}` has `}}}}` without `{{{{`"));
    }
    out.push(Piece::Text(rest));
    Ok(out)
}

/// The name in a template that is nothing but a tree: `{{ name | json }}`.
///
/// # Errors
/// As [`pieces`], and a tree that is not alone.
pub fn tree(template: &str) -> Result<Option<&str>, String> {
    let pieces = pieces(template)?;
    let mut holes = pieces.iter().filter_map(|piece| match piece {
        Piece::Hole { name, filters } => Some((*name, filters.contains(&Filter::Json), filters.len())),
        Piece::Text(_) => None,
    });
    let alone = pieces.iter().all(|p| matches!(p, Piece::Text("") | Piece::Hole { .. }));
    match (holes.next(), holes.next()) {
        (Some((name, true, 1)), None) if alone => Ok(Some(name)),
        (first, second) if first.into_iter().chain(second).chain(holes).any(|(_, json, _)| json) => {
            Err(format!("`{template}`: the filter json stands for a whole value, with nothing beside it"))
        }
        _ => Ok(None),
    }
}

/// The names in the holes of a template.
///
/// # Errors
/// As [`pieces`].
pub fn holes(template: &str) -> Result<Vec<&str>, String> {
    Ok(pieces(template)?
        .into_iter()
        .filter_map(|p| match p {
            Piece::Hole { name, .. } => Some(name),
            Piece::Text(_) => None,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_strict() {
        assert_eq!(holes("Basic {{ account }}:{{ secret | base64 }}"), Ok(vec!["account", "secret"]));
        for bad in ["{{ secret", "secret }}", "{{ Secret }}", "{{ a b }}", "{{ secret | shell }}", "{{}}"] {
            assert!(holes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_host_is_only_read_from_a_plain_https_url() {
        let host = |url: &str| {
            let r: Request = toml::from_str(&format!("method = 'GET'\nurl = '{url}'")).ok()?;
            r.host().map(str::to_owned)
        };
        assert_eq!(host("https://api.acme.example/v1?x=1").as_deref(), Some("api.acme.example"));
        assert_eq!(host("https://api.acme.example@evil.example/"), None);
        assert_eq!(host("http://api.acme.example/"), None);
    }
}
