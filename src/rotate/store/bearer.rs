//! Credentials that are exchanged for a token of an hour or so, or are one (RFC 6749 section 5.1, RFC 6750).

use super::form::json;
use super::web::{Web, failed, header, plain};
use crate::call::{Prepared, Reply};
use crate::model::Secret;
use crate::rotate::engine::{Call, StoreError};
use crate::rotate::time::{Moment, Span};
use std::sync::{Mutex, PoisonError};

/// A token that a login gave.
struct Pass {
    token: Secret,
    until: Moment,
}

/// What opens a store: the reference of a JSON object that signs in, or of an access token as it stands.
pub(super) struct Bearer {
    reference: String,
    pass: Mutex<Option<Pass>>,
}

/// A token and the seconds that it lasts.
pub(super) type Granted = (Secret, u64);

impl Bearer {
    pub(super) fn new(reference: &str) -> Bearer {
        Bearer { reference: reference.to_owned(), pass: Mutex::new(None) }
    }

    /// Sends a request with a token. `login` gets the JSON object; what it gives is kept until shortly before its
    /// end, and given up early if the server takes it no more.
    pub(super) fn ask(
        &self,
        web: &Web,
        mut request: Prepared,
        call: Call,
        login: &dyn Fn(&str) -> Result<Granted, StoreError>,
    ) -> Result<Reply, StoreError> {
        let own = request.headers.len();
        let mut fresh = false;
        loop {
            let (token, kept) = self.token(web, login)?;
            request.headers.truncate(own);
            request.headers.push(header("Authorization", "Bearer ", &token)?);
            let reply = web.send(&request, call)?;
            if reply.status != 401 || !kept || fresh {
                return Ok(reply);
            }
            // Nothing was changed, so that it may be asked once more.
            *self.pass.lock().unwrap_or_else(PoisonError::into_inner) = None;
            fresh = true;
        }
    }

    /// The token to call with, and whether it comes from an earlier login.
    fn token(
        &self,
        web: &Web,
        login: &dyn Fn(&str) -> Result<Granted, StoreError>,
    ) -> Result<(Secret, bool), StoreError> {
        let now = web.doors.now();
        let mut pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pass) = pass.as_ref().filter(|pass| now < pass.until) {
            return Ok((pass.token.clone(), true));
        }
        let found = web.fetch(&self.reference)?;
        let text = std::str::from_utf8(found.expose()).unwrap_or_default();
        if !text.trim_start().starts_with('{') {
            return Ok((found, false));
        }
        let (token, lasts) = login(text)?;
        // Given up a little early, so that it does not end during a call. One that ends at once is not kept.
        let until = now + Span::seconds(lasts.min(3600).saturating_sub(60));
        *pass = Some(Pass { token: token.clone(), until });
        Ok((token, false))
    }

    /// A field of the JSON object.
    pub(super) fn part(&self, text: &str, name: &str) -> Result<Secret, StoreError> {
        let spot = json::find(text, &[name.to_owned()]).ok().flatten().map(|spot| spot.value);
        spot.ok_or_else(|| StoreError::Refused(format!("{} has no `{name}`", self.reference)))
    }
}

/// A request for a token.
pub(super) fn form(web: &Web, path: &str, body: Secret) -> Prepared {
    let mut request = web.request("POST", path);
    request.headers.push(plain("Content-Type", "application/x-www-form-urlencoded"));
    request.body = Some(body);
    request
}

/// Asks for a token. A login changes nothing in the store: whatever comes of it, the step may be tried again.
pub(super) fn grant(web: &Web, request: &Prepared, call: Call) -> Result<Granted, StoreError> {
    let reply = web.send(request, call).map_err(|e| match e {
        StoreError::Unknown(why) => StoreError::Retry(format!("the login has no answer: {why}")),
        e => e,
    })?;
    if reply.status != 200 {
        return Err(match failed(&reply, " to the login") {
            StoreError::Unknown(why) => StoreError::Retry(why),
            e => e,
        });
    }
    let token = json::find(&reply.body, &["access_token".to_owned()]).ok().flatten().map(|spot| spot.value);
    let token = token.ok_or_else(|| StoreError::Retry("the login gives no token".to_owned()))?;
    let lasts = json::part(&reply.body, &["expires_in"]).ok().flatten();
    Ok((token, lasts.and_then(|n| n.parse().ok()).unwrap_or(0)))
}
