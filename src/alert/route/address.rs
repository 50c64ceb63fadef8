//! The address of a route as a request.

use super::{Outcome, refused};
use crate::call::{Host, Prepared};
use crate::model::Secret;

/// A request to `base` and `path`. The base may be a credential: nothing of it is told.
pub(super) fn prepared(method: &str, base: &str, path: &str, plain: bool) -> Result<Prepared, Outcome> {
    let (tls, rest) = match (base.strip_prefix("https://"), base.strip_prefix("http://"), plain) {
        (Some(rest), _, _) => (true, rest),
        (None, Some(rest), true) => (false, rest),
        _ => return Err(refused("the address is no https:// address")),
    };
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (host, port) = Host::parse_with_port(authority)
        .map_err(|e| refused(&format!("the address has no plain host: {e}")))?;
    let slash =
        if target.starts_with('/') || (target.is_empty() && path.starts_with('/')) { "" } else { "/" };
    let target =
        format!("{slash}{}{path}", if path.is_empty() { target } else { target.trim_end_matches('/') });
    Ok(Prepared {
        method: method.to_owned(),
        tls,
        host: host.to_string(),
        port,
        target: Secret::new(target.as_bytes()),
        headers: Vec::new(),
        body: None,
    })
}
