//! What the stores behind HTTP have in common: a server, a request, and what becomes of one that fails.

use super::{Doors, OpenError};
use crate::call::{CallError, MOST_LIST, Place, Prepared, Reply, Values, render};
use crate::model::Secret;
use crate::rotate::engine::{Call, StoreError};
use std::sync::Arc;

/// A server that the organisation's file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Whether the connection is TLS. Plain HTTP only where the file says `plain = true`.
    pub tls: bool,
    /// Host, lower case, no port.
    pub host: String,
    /// Port, if named.
    pub port: Option<u16>,
    /// Reference of the certificates (PEM) that the server's own is signed by, if no public authority does.
    pub ca: Option<String>,
}

/// A server and what its paths begin with.
pub(super) struct Web {
    pub(super) server: Server,
    base: String,
    pub(super) doors: Arc<dyn Doors>,
}

impl Web {
    /// Reads an address: `https://host[:port][/path]`.
    pub(super) fn new(
        address: &str,
        plain: bool,
        ca: Option<&str>,
        doors: Arc<dyn Doors>,
    ) -> Result<Web, OpenError> {
        let wrong = |why: &str| OpenError::Spec(format!("address = `{address}` {why}"));
        let (tls, rest) = match (address.strip_prefix("https://"), address.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) if plain => (false, rest),
            (_, Some(_)) => {
                return Err(wrong("would send keys in the clear; use https, or say plain = true"));
            }
            _ => return Err(wrong("must begin with https://")),
        };
        let (authority, base) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| wrong("has no port after the colon"))?))
            }
            _ => (authority, None),
        };
        let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let good = match inner {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)),
        };
        if host.is_empty() || !good {
            return Err(wrong("has no plain host"));
        }
        let base = base.trim_end_matches('/');
        let path = base.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/".contains(&b));
        if !path || base.split('/').any(|step| step == "." || step == "..") {
            return Err(wrong("has a path with other signs than letters, digits and -._~"));
        }
        let host = host.to_ascii_lowercase();
        let server = Server { tls, host, port, ca: ca.map(str::to_owned) };
        Ok(Web { server, base: base.to_owned(), doors })
    }

    /// A request to a path of the server. `path` is taken as it stands: see [`segments`].
    pub(super) fn request(&self, method: &str, path: &str) -> Prepared {
        Prepared {
            method: method.to_owned(),
            tls: self.server.tls,
            host: self.server.host.clone(),
            port: self.server.port,
            target: Secret::new(format!("{}{path}", self.base).as_bytes()),
            headers: Vec::new(),
            body: None,
        }
    }

    /// Sends a request.
    pub(super) fn send(&self, request: &Prepared, call: Call) -> Result<Reply, StoreError> {
        let transport = self.doors.transport(&self.server).map_err(StoreError::Refused)?;
        transport.send(request, call.deadline).map_err(unsent)
    }

    /// Sends a request that changes nothing, whose answer may be a long list.
    pub(super) fn look(&self, request: &Prepared, call: Call) -> Result<Reply, StoreError> {
        let transport = self.doors.transport(&self.server).map_err(StoreError::Refused)?;
        transport.read_list(request, call.deadline, MOST_LIST).map_err(unsent)
    }

    /// The value behind a reference.
    pub(super) fn fetch(&self, reference: &str) -> Result<Secret, StoreError> {
        self.doors.fetch(reference).map_err(|why| StoreError::Refused(format!("{reference}: {why}")))
    }
}

/// What it means that no answer came.
fn unsent(error: CallError) -> StoreError {
    match error {
        CallError::Refused(why) => StoreError::Refused(why),
        e if e.is_unsent() => StoreError::Retry(e.to_string()),
        e => StoreError::Unknown(e.to_string()),
    }
}

/// A header field whose value is a prefix and a secret.
pub(super) fn header(name: &str, before: &str, value: &Secret) -> Result<(String, Secret), StoreError> {
    let mut values = Values::new();
    values.set("value", value.clone());
    let value = render(&format!("{before}{{{{ value }}}}"), &values, Place::Header).map_err(|_| {
        StoreError::Refused(format!("the credential cannot stand in the header field {name}"))
    })?;
    Ok((name.to_owned(), value))
}

/// A header field without a secret in it.
pub(super) fn plain(name: &str, value: &str) -> (String, Secret) {
    (name.to_owned(), Secret::new(value.as_bytes()))
}

/// Names as segments of a path, each percent-encoded; none if one of them is empty or would be resolved away.
pub(super) fn segments(names: &[&str]) -> Option<String> {
    let mut out = String::new();
    for name in names {
        let mut values = Values::new();
        values.set("name", Secret::new(name.as_bytes()));
        let one = render("/{{ name }}", &values, Place::Url).ok()?;
        out.push_str(std::str::from_utf8(one.expose()).ok()?);
    }
    Some(out)
}

/// Names and values as a query, each value percent-encoded; none if one of them is empty or made of dots.
pub(super) fn query(pairs: &[(&str, &str)]) -> Option<String> {
    let mut out = String::new();
    for (name, value) in pairs {
        let before = if out.is_empty() { '?' } else { '&' };
        let value = segments(&[*value])?;
        out.push_str(&format!("{before}{name}={}", value.strip_prefix('/')?));
    }
    Some(out)
}

/// What an answer means by the name of its error, which is empty if it is none that the store knows. What has no such
/// name proves nothing: something between us and the store may have said it.
pub(super) fn refused(reply: &Reply, name: &str, conflict: &str, busy: &str) -> StoreError {
    let why = format!("it answers {} {name}", reply.status);
    match name {
        "" => match failed(reply, " without an error that is known") {
            StoreError::Refused(why) => StoreError::Unknown(why),
            e => e,
        },
        _ if reply.status >= 500 => StoreError::Unknown(why),
        name if name == conflict => StoreError::Conflict,
        name if name == busy => StoreError::Retry(why),
        _ => StoreError::Refused(why),
    }
}

/// What an answer means that is none of those that the store knows: whether it is certain that nothing changed.
pub(super) fn failed(reply: &Reply, known: &str) -> StoreError {
    let why = format!("it answers {}{known}", reply.status);
    match reply.status {
        429 => StoreError::Retry(why),
        400..=407 | 409..=428 | 430..=499 => StoreError::Refused(why),
        // 408, an error of the server or of something between: it may have done it.
        _ => StoreError::Unknown(why),
    }
}
