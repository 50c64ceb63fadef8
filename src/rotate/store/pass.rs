//! Tokens that a login gives, kept until shortly before they end.

use super::form::json;
use super::web::{Web, failed};
use crate::call::Prepared;
use crate::model::Secret;
use crate::rotate::engine::{Call, StoreError};
use crate::rotate::time::{Moment, Span};
use std::sync::{Mutex, PoisonError};

/// The token of one store.
#[derive(Default)]
pub(super) struct Pass(Mutex<Option<(Secret, Moment)>>);

/// How to sign in.
pub(super) struct Login {
    pub(super) request: Prepared,
    /// Where the answer has the token.
    pub(super) token: &'static [&'static str],
    /// Where it has the seconds for which that is good.
    pub(super) lasts: &'static [&'static str],
}

impl Pass {
    /// The token to call with, and whether it comes from an earlier login.
    pub(super) fn token(
        &self,
        web: &Web,
        call: Call,
        login: impl FnOnce() -> Result<Login, StoreError>,
    ) -> Result<(Secret, bool), StoreError> {
        if let Some(token) = self.kept(web) {
            return Ok((token, true));
        }
        let (now, login) = (web.doors.now(), login()?);
        // A login changes nothing in the store: whatever comes of it, the step may be tried again.
        let reply = web.send(&login.request, call).map_err(|e| match e {
            StoreError::Unknown(why) => StoreError::Retry(format!("the login has no answer: {why}")),
            e => e,
        })?;
        if reply.status != 200 {
            return Err(match failed(&reply, " to the login") {
                StoreError::Unknown(why) => StoreError::Retry(why),
                e => e,
            });
        }
        let steps: Vec<String> = login.token.iter().map(|step| (*step).to_owned()).collect();
        let token = json::find(&reply.body, &steps).ok().flatten().map(|spot| spot.value);
        let token = token.ok_or_else(|| StoreError::Retry("the login gives no token".to_owned()))?;
        let lasts = json::number(&reply.body, login.lasts).unwrap_or(0);
        // Given up a little early, so that it does not end during a call. One that ends at once is not kept.
        let until = now + Span::seconds(lasts.min(3600).saturating_sub(30));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((token.clone(), until));
        Ok((token, false))
    }

    /// The token of an earlier login, while it is good.
    pub(super) fn kept(&self, web: &Web) -> Option<Secret> {
        let pass = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = web.doors.now();
        pass.as_ref().filter(|(_, until)| now < *until).map(|(token, _)| token.clone())
    }

    /// Forgets a token that is refused: the next call signs in anew.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
