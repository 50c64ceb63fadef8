//! Google's service accounts: a statement signed with the key, for a token that is thrown away
//! (<https://developers.google.com/identity/protocols/oauth2/service-account#httprest>).

use super::{Answer, Fault, Probe, Probed, among, plain, probed, unclear};
use crate::call::{Clock, GoogleKey, Hosts, Origin, Pattern, Prepared, Reply, Transport, Values, google_jwt};
use crate::model::Secret;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Instant;

const HOST: &str = "oauth2.googleapis.com";
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
/// Lets its holder read the account's own address, and no more.
const SCOPE: &str = "https://www.googleapis.com/auth/userinfo.email";

/// A service account's key.
pub struct GoogleServiceAccount<'a> {
    /// Sends.
    pub transport: &'a dyn Transport,
    /// Where to, if the organisation has an endpoint of its own.
    pub hosts: &'a Hosts,
    /// If there are any, the only hosts that are asked.
    pub only: &'a [Pattern],
    /// Tells the time that is signed.
    pub clock: &'a dyn Clock,
}

impl Probe for GoogleServiceAccount<'_> {
    fn name(&self) -> &'static str {
        "google-service-account"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["client_email"]
    }

    fn check(&self, values: &Values, deadline: Instant) -> Probed {
        probed(HOST.to_owned(), self.ask(values, deadline))
    }
}

impl GoogleServiceAccount<'_> {
    fn ask(&self, values: &Values, deadline: Instant) -> Result<Answer, Fault> {
        let missing = || Fault::refused("a part of the key is missing");
        let email = values.get("client_email").ok_or_else(missing)?;
        let key = GoogleKey { email, pem: values.get("secret").ok_or_else(missing)? };
        let kind = Secret::new(b"application/x-www-form-urlencoded");
        let mut request = Prepared {
            method: "POST".to_owned(),
            tls: true,
            host: HOST.to_owned(),
            port: None,
            target: Secret::new(b"/token"),
            headers: vec![("Content-Type".to_owned(), kind)],
            body: Some(Secret::new(b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer")),
        };
        let refused = |e: &dyn std::fmt::Display| Fault::refused(e.to_string());
        let origin = Origin { provider: "google", hosts: &[HOST.to_owned()], file: None };
        self.hosts.admit(&origin, None, &mut request).map_err(|e| refused(&e))?;
        among(self.only, &request.host)?;
        google_jwt(&mut request, &key, AUDIENCE, SCOPE, self.clock.wall()).map_err(|e| refused(&e))?;
        judge(&self.transport.read(&request, deadline)?, email, self.hosts.replaces("google"))
    }
}

fn judge(reply: &Reply, email: &Secret, own: bool) -> Result<Answer, Fault> {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or(Value::Null);
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    if reply.status == 200 && !text("access_token").is_empty() {
        let account = plain(&String::from_utf8_lossy(email.expose()));
        let identity = BTreeMap::from([("account".to_owned(), account)]);
        let detail = "the account got a token".to_owned();
        return Ok(Answer::In { mutual: true, restricted: false, identity, detail });
    }
    // What these mean: https://developers.google.com/identity/protocols/oauth2/service-account#error-codes. A clock
    // that is wrong is `invalid_grant` as well, so that the description decides.
    let dead = ["Invalid JWT Signature.", "Invalid grant: account not found"];
    match (reply.status, text("error"), text("error_description").trim()) {
        (400, "invalid_grant", why) if !own && dead.contains(&why) => {
            Ok(Answer::Out(format!("invalid_grant: {why}")))
        }
        (400 | 401, error, _) if !error.is_empty() => {
            Err(Fault::ambiguous(format!("it says {}", plain(error))))
        }
        _ => Err(unclear(reply)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Answers, reply, values};
    use super::*;
    use crate::call::SystemClock;
    use crate::model::{Unknown, Validity};
    use std::time::Duration;

    #[test]
    fn only_what_says_so_is_dead() {
        let email = Secret::new(b"ci@acme.iam.example");
        let grant =
            |why: &str| serde_json::json!({"error": "invalid_grant", "error_description": why}).to_string();
        let ask = |status, body: &str, own| {
            probed(String::new(), judge(&reply(status, body), &email, own)).validity
        };
        let active = ask(200, r#"{"access_token":"t","expires_in":3599}"#, false);
        assert!(
            matches!(active, Validity::Active { identity, .. } if identity["account"] == "ci@acme.iam.example")
        );
        for (status, body, expected) in [
            (400, grant("Invalid JWT Signature."), Validity::Inactive),
            (400, grant("Invalid grant: account not found"), Validity::Inactive),
            (
                400,
                grant("Invalid JWT: Token must be a short-lived token (60 minutes)"),
                Validity::Unknown(Unknown::Ambiguous),
            ),
            (401, r#"{"error":"disabled_client"}"#.to_owned(), Validity::Unknown(Unknown::Ambiguous)),
            (200, "{}".to_owned(), Validity::Unknown(Unknown::Ambiguous)),
            (200, r#"{"access_token":7}"#.to_owned(), Validity::Unknown(Unknown::Ambiguous)),
            (400, "<html>x</html>".to_owned(), Validity::Unknown(Unknown::Blocked)),
            (403, "<html>x</html>".to_owned(), Validity::Unknown(Unknown::Blocked)),
            (429, String::new(), Validity::Unknown(Unknown::RateLimited)),
            (503, String::new(), Validity::Unknown(Unknown::Unreachable)),
        ] {
            assert_eq!(ask(status, &body, false), expected, "{body}");
        }
        // The organisation's own endpoint speaks for itself only.
        assert_eq!(ask(400, &grant("Invalid JWT Signature."), true), Validity::Unknown(Unknown::Ambiguous));
    }

    #[test]
    fn what_cannot_sign_is_not_sent() {
        let network = Answers::new(vec![]);
        let probe = GoogleServiceAccount {
            transport: &network,
            hosts: &Hosts::default(),
            only: &[],
            clock: &SystemClock,
        };
        let soon = Instant::now() + Duration::from_secs(5);
        let probed = probe.check(&values(&[("secret", "no key"), ("client_email", "a@acme.example")]), soon);
        assert_eq!(probed.validity, Validity::Unknown(Unknown::Refused));
        assert!(network.asked().is_empty() && !probed.detail.contains("no key"));
    }
}
