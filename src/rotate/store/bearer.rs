//! Credentials that are exchanged for a token of an hour or so, or are one (RFC 6749 section 5.1, RFC 6750).

use super::form::json;
use super::pass::{Login, Pass};
use super::web::{Web, header, plain};
use crate::call::{Prepared, Reply};
use crate::model::Secret;
use crate::rotate::engine::{Call, StoreError};

/// What opens a store: the reference of a JSON object that signs in, or of an access token as it stands.
pub(super) struct Bearer {
    reference: String,
    pass: Pass,
}

/// Where to sign in with the JSON object, and how.
pub(super) type SignIn<'a> = (&'a Web, Prepared);

impl Bearer {
    pub(super) fn new(reference: &str) -> Bearer {
        Bearer { reference: reference.to_owned(), pass: Pass::default() }
    }

    /// Sends a request with a token. `login` gets the JSON object; what it gives is kept until shortly before its
    /// end, and given up early if the server takes it no more.
    pub(super) fn ask<'a>(
        &self,
        web: &Web,
        mut request: Prepared,
        call: Call,
        login: &dyn Fn(&str) -> Result<SignIn<'a>, StoreError>,
    ) -> Result<Reply, StoreError> {
        let own = request.headers.len();
        let mut fresh = false;
        loop {
            let (token, kept) = self.token(web, call, login)?;
            request.headers.truncate(own);
            request.headers.push(header("Authorization", "Bearer ", &token)?);
            let reply = web.send(&request, call)?;
            if reply.status != 401 || !kept || fresh {
                return Ok(reply);
            }
            // Nothing was changed, so that it may be asked once more.
            self.pass.forget();
            fresh = true;
        }
    }

    /// The token to call with, and whether it comes from an earlier login.
    fn token<'a>(
        &self,
        web: &Web,
        call: Call,
        login: &dyn Fn(&str) -> Result<SignIn<'a>, StoreError>,
    ) -> Result<(Secret, bool), StoreError> {
        if let Some(token) = self.pass.kept(web) {
            return Ok((token, true));
        }
        let found = web.fetch(&self.reference)?;
        let text = std::str::from_utf8(found.expose()).unwrap_or_default();
        if !text.trim_start().starts_with('{') {
            return Ok((found, false));
        }
        let (web, request) = login(text)?;
        let login = Login { request, token: &["access_token"], lasts: &["expires_in"] };
        self.pass.token(web, call, || Ok(login))
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
