//! Signatures that templates cannot express. A signer works on a request whose holes are filled and whose
//! host is settled.

mod aws;
mod google;

pub use aws::{AwsKey, aws_sigv4};
pub use google::{GoogleKey, google_jwt};

use super::{AwsSign, GoogleSign, Place, Prepared, RenderError, Sign, Values, render};
use crate::model::Secret;
use jiff::Timestamp;

/// Why a request could not be signed. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// A template could not be filled.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The key is none that can sign.
    #[error("the key cannot sign: {0}")]
    Key(&'static str),
}

/// Signs a request as its rule says.
///
/// # Errors
/// See [`SignError`].
pub(super) fn apply(
    how: &Sign,
    values: &Values,
    request: &mut Prepared,
    at: Timestamp,
) -> Result<(), SignError> {
    let fill = |template: &str| render(template, values, Place::Body);
    match how {
        Sign::AwsSigv4(AwsSign { key_id, secret, token, region, service }) => {
            // An optional part that nothing gives is left out.
            let token = match token {
                Some(template) => match fill(template) {
                    Err(RenderError::Missing(_)) => None,
                    filled => Some(filled?),
                },
                None => None,
            };
            let (key_id, secret) = (fill(key_id)?, fill(secret)?);
            let key = AwsKey { id: &key_id, secret: &secret, token: token.as_ref() };
            aws_sigv4(request, &key, region, service, at)
        }
        Sign::GoogleJwt(GoogleSign { email, key, audience, scope }) => {
            let (email, key) = (fill(email)?, fill(key)?);
            google_jwt(request, &GoogleKey { email: &email, pem: &key }, audience, scope, at)
        }
    }
}

/// Whether a signer sets a header field, so that it goes before a request is signed again.
pub(super) fn sets(name: &str) -> bool {
    ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"]
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own))
}

/// Text of a secret, if it is text.
fn text<'a>(secret: &'a Secret, why: &'static str) -> Result<&'a str, SignError> {
    std::str::from_utf8(secret.expose()).map_err(|_| SignError::Key(why))
}
