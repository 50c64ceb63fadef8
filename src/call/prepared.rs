//! A request whose holes are filled.

use super::request::tree;
use super::template::{base64, percent, render};
use super::{Body, Place, Request, Values};
use crate::model::Secret;
use std::fmt;
use zeroize::Zeroizing;

/// A request ready to be sent. Its parts may hold secrets, so `Debug` shows method and host only.
#[derive(Clone)]
pub struct Prepared {
    /// `GET`, `POST`, …
    pub method: String,
    /// Whether the connection is TLS. Plain HTTP only reaches an endpoint that the operator named so.
    pub tls: bool,
    /// Host name, lower case, no port.
    pub host: String,
    /// Port, if the URL or the operator's endpoint names one.
    pub port: Option<u16>,
    /// Path and query, `/` at least.
    pub target: Secret,
    /// Header fields without `Host` and lengths, in order.
    pub headers: Vec<(String, Secret)>,
    /// Body bytes; their kind is a header field.
    pub body: Option<Secret>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({} {})", self.method, self.host)
    }
}

/// Header fields that are the transport's own business.
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Whether a header field is the transport's own business, so that no rule may set it.
pub fn reserved(name: &str) -> bool {
    RESERVED.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// Why a template could not become a request. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The template itself is wrong; `rules check` refuses such a rule.
    #[error("{0}")]
    Template(String),
    /// A hole has no value.
    #[error("nothing gives `{0}`")]
    Missing(String),
    /// A value that would change the shape of the request.
    #[error("`{name}` cannot stand in {place:?}: {why}")]
    Unfit {
        /// Name of the hole.
        name: String,
        /// Where it stands.
        place: Place,
        /// What is wrong with the value.
        why: &'static str,
    },
    /// The URL has no plain `https` host.
    #[error("the URL must be https:// and a plain host")]
    Url,
}

impl Request {
    /// Fills every hole. The request is not signed: a `signer` works on what this returns.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn render(&self, values: &Values) -> Result<Prepared, RenderError> {
        let rest = self.url.strip_prefix("https://").ok_or(RenderError::Url)?;
        let cut = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(cut);
        if authority.contains('@') || target.contains('#') {
            return Err(RenderError::Url);
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| RenderError::Url)?)),
            None => (authority, None),
        };
        let host = render(host, values, Place::Host)?;
        let host = String::from_utf8(host.expose().to_ascii_lowercase()).map_err(|_| RenderError::Url)?;
        let slash = if target.starts_with('/') { "" } else { "/" };
        let target = render(&format!("{slash}{target}"), values, Place::Url)?;
        let mut headers = Vec::new();
        for (name, template) in &self.headers {
            headers.push((name.clone(), render(template, values, Place::Header)?));
        }
        if let Some(basic) = &self.basic {
            let mut pair = Zeroizing::new(render(&basic.user, values, Place::Body)?.expose().to_vec());
            pair.push(b':');
            pair.extend_from_slice(render(&basic.password, values, Place::Body)?.expose());
            let mut field = Zeroizing::new(b"Basic ".to_vec());
            field.extend_from_slice(&base64(&pair));
            headers.push(("Authorization".to_owned(), Secret::new(&field)));
        }
        let body = match (&self.json, self.form.is_empty()) {
            (Some(tree), _) => {
                let mut out = Zeroizing::new(Vec::new());
                json(tree, values, &mut out)?;
                kind(&mut headers, "application/json");
                Some(Secret::new(&out))
            }
            (None, false) => {
                let mut out = Zeroizing::new(Vec::new());
                for (name, template) in &self.form {
                    if !out.is_empty() {
                        out.push(b'&');
                    }
                    name.bytes().for_each(|b| percent(b, &mut out));
                    out.push(b'=');
                    render(template, values, Place::Body)?
                        .expose()
                        .iter()
                        .for_each(|&b| percent(b, &mut out));
                }
                kind(&mut headers, "application/x-www-form-urlencoded");
                Some(Secret::new(&out))
            }
            (None, true) => None,
        };
        Ok(Prepared { method: self.method.clone(), tls: true, host, port, target, headers, body })
    }
}

fn kind(headers: &mut Vec<(String, Secret)>, value: &str) {
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        headers.push(("Content-Type".to_owned(), Secret::new(value.as_bytes())));
    }
}

/// Writes a body tree as JSON. Texts are escaped here, so that a value stays one text.
fn json(body: &Body, values: &Values, out: &mut Vec<u8>) -> Result<(), RenderError> {
    let text = |s: &str, out: &mut Vec<u8>| -> Result<(), RenderError> {
        let value = render(s, values, Place::Body)?;
        out.push(b'"');
        for &b in value.expose() {
            match b {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', b]),
                0..0x20 => out.extend_from_slice(format!("\\u{b:04x}").as_bytes()),
                _ => out.push(b),
            }
        }
        out.push(b'"');
        Ok(())
    };
    match body {
        Body::String(s) => match whole(body, values)? {
            Some(value) => out.extend_from_slice(value.expose()),
            None => text(s, out)?,
        },
        Body::Array(items) => {
            out.push(b'[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                json(item, values, out)?;
            }
            out.push(b']');
        }
        Body::Table(fields) => {
            out.push(b'{');
            let mut first = true;
            for (name, item) in fields {
                if whole(item, values)?.is_some_and(|tree| tree.expose() == b"null") {
                    continue;
                }
                if !std::mem::take(&mut first) {
                    out.push(b',');
                }
                out.extend_from_slice(serde_json::Value::from(name.as_str()).to_string().as_bytes());
                out.push(b':');
                json(item, values, out)?;
            }
            out.push(b'}');
        }
        Body::Integer(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Body::Float(n) => out.extend_from_slice(serde_json::Value::from(*n).to_string().as_bytes()),
        Body::Boolean(b) => out.extend_from_slice(b.to_string().as_bytes()),
        Body::Datetime(d) => text(&d.to_string(), out)?,
    }
    Ok(())
}

/// The tree that takes the place of a text that is nothing but `{{ name | json }}`.
fn whole<'v>(item: &Body, values: &'v Values) -> Result<Option<&'v Secret>, RenderError> {
    let Body::String(template) = item else { return Ok(None) };
    let Some(name) = tree(template).map_err(RenderError::Template)? else { return Ok(None) };
    let value = values.get(name).ok_or_else(|| RenderError::Missing(name.to_owned()))?;
    if serde_json::from_slice::<serde::de::IgnoredAny>(value.expose()).is_err() {
        let why = "it is not JSON";
        return Err(RenderError::Unfit { name: name.to_owned(), place: Place::Body, why });
    }
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(toml: &str) -> Result<Prepared, RenderError> {
        let request: Request = toml::from_str(toml).unwrap();
        let mut values = Values::new();
        values.set("secret", Secret::new(b"s\"e&c")).set("region", Secret::new(b"EU1"));
        request.render(&values)
    }

    fn shown(secret: &Secret) -> &str {
        std::str::from_utf8(secret.expose()).unwrap()
    }

    #[test]
    fn parts_are_filled_by_their_own_rules() {
        let p = prepared(
            "method = 'POST'\nurl = 'https://{{ region }}.acme.example:8443?key={{ secret }}'\n\
             json = { name = 'k', n = 3, deep = { value = ['{{ secret }}'] } }",
        )
        .unwrap();
        assert_eq!(
            (p.host.as_str(), p.port, shown(&p.target)),
            ("eu1.acme.example", Some(8443), "/?key=s%22e%26c")
        );
        let body: serde_json::Value = serde_json::from_slice(p.body.as_ref().unwrap().expose()).unwrap();
        assert_eq!(body, serde_json::json!({"name": "k", "n": 3, "deep": {"value": ["s\"e&c"]}}));
        assert!(!format!("{p:?}").contains("s%22"));

        let p =
            prepared("method = 'POST'\nurl = 'https://a.example/t'\nform = { k = '{{ secret }}' }").unwrap();
        assert_eq!(shown(p.body.as_ref().unwrap()), "k=s%22e%26c");

        let p =
            prepared("method = 'GET'\nurl = 'https://a.example/'\nbasic = { user = 'me', password = 'you' }")
                .unwrap();
        assert_eq!(shown(&p.headers[0].1), "Basic bWU6eW91");
    }

    #[test]
    fn a_url_that_is_not_plain_https_is_refused() {
        for url in
            ["http://a.example/", "https://a@b.example/", "https://a.example/#f", "https://a.example:99999/"]
        {
            assert_eq!(
                prepared(&format!("method = 'GET'\nurl = '{url}'")).err(),
                Some(RenderError::Url),
                "{url}"
            );
        }
    }
}
