//! Google's service accounts: a signed statement that is exchanged for a token
//! (<https://developers.google.com/identity/protocols/oauth2/service-account#httprest>).

use super::{SignError, text};
use crate::call::Prepared;
use crate::call::template::{base64, percent};
use crate::model::Secret;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use zeroize::Zeroizing;

/// Seconds for which the statement holds.
const HOLDS: i64 = 300;

/// The parts of a service account's key file that sign.
#[derive(Clone, Copy, Debug)]
pub struct GoogleKey<'a> {
    /// `client_email`.
    pub email: &'a Secret,
    /// `private_key`, PEM; line breaks may still be written `\n` as in the JSON file.
    pub pem: &'a Secret,
}

/// Adds the form field `assertion`: a JSON Web Token of the account (RS256, RFC 7523).
///
/// # Errors
/// A key that is no RSA key in PKCS #8.
pub fn google_jwt(
    request: &mut Prepared,
    key: &GoogleKey<'_>,
    audience: &str,
    scope: &str,
    at: Timestamp,
) -> Result<(), SignError> {
    let pem = Zeroizing::new(text(key.pem, "it is not text")?.replace("\\n", "\n"));
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| SignError::Key("it is no private key in PEM and PKCS #8"))?;
    let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
        .map_err(|_| SignError::Key("it is no RSA key that can be used"))?;
    let now = at.as_second();
    let claims = serde_json::json!({
        "iss": text(key.email, "its account is not text")?,
        "scope": scope,
        "aud": audience,
        "iat": now,
        "exp": now + HOLDS,
    });
    let mut token = url_base64(br#"{"alg":"RS256","typ":"JWT"}"#);
    token.push(b'.');
    token.extend_from_slice(&url_base64(claims.to_string().as_bytes()));
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &token, &mut signature)
        .map_err(|_| SignError::Key("signing failed"))?;
    token.push(b'.');
    token.extend_from_slice(&url_base64(&signature));

    let mut body = Zeroizing::new(request.body.as_ref().map_or_else(Vec::new, |b| b.expose().to_vec()));
    if !body.is_empty() {
        body.push(b'&');
    }
    body.extend_from_slice(b"assertion=");
    token.iter().for_each(|&b| percent(b, &mut body));
    request.body = Some(Secret::new(&body));
    Ok(())
}

/// Base64 for URLs, without padding (RFC 4648).
fn url_base64(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = base64(bytes);
    out.retain(|&b| b != b'=');
    for b in out.iter_mut() {
        *b = match *b {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    /// A key made for the test; none where `openssl` is not there.
    fn pem() -> Option<String> {
        let args = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
        let output = std::process::Command::new("openssl").args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    fn request() -> Prepared {
        Prepared {
            method: "POST".to_owned(),
            tls: true,
            host: "oauth2.acme.example".to_owned(),
            port: None,
            target: Secret::new(b"/token"),
            headers: Vec::new(),
            body: Some(Secret::new(b"grant_type=jwt")),
        }
    }

    fn sign(pem: &str, request: &mut Prepared) -> Result<(), SignError> {
        let (email, pem) = (Secret::new(b"me@acme.example"), Secret::new(pem.as_bytes()));
        let key = GoogleKey { email: &email, pem: &pem };
        google_jwt(
            request,
            &key,
            "https://oauth2.acme.example/token",
            "read",
            "2030-01-01T00:00:00Z".parse().unwrap(),
        )
    }

    #[test]
    fn the_token_is_signed_by_the_key() {
        let Some(pem) = pem() else {
            println!("skipped: there is no openssl to make a key with");
            return;
        };
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        let public = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap().public().as_ref().to_vec();
        for text in [pem.clone(), pem.replace('\n', "\\n")] {
            let mut request = request();
            sign(&text, &mut request).unwrap();
            let body = String::from_utf8(request.body.unwrap().expose().to_vec()).unwrap();
            let token = body.strip_prefix("grant_type=jwt&assertion=").unwrap();
            let (statement, signature) = token.rsplit_once('.').unwrap();
            let (header, claims) = statement.split_once('.').unwrap();
            let json = |part: &str| serde_json::from_slice::<serde_json::Value>(&decode(part)).unwrap();
            assert_eq!(json(header), serde_json::json!({"alg": "RS256", "typ": "JWT"}));
            let claims = json(claims);
            assert_eq!((&claims["iss"], &claims["scope"]), (&"me@acme.example".into(), &"read".into()));
            assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), HOLDS);
            let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public);
            assert!(key.verify(statement.as_bytes(), &decode(signature)).is_ok());
            assert!(key.verify(b"another", &decode(signature)).is_err());
        }
    }

    fn decode(text: &str) -> Vec<u8> {
        let value = |b: u8| match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => panic!("no sign of base64 for URLs"),
        };
        let mut out = Vec::new();
        for four in text.as_bytes().chunks(4) {
            let word =
                four.iter().enumerate().fold(0u32, |w, (i, &b)| w | u32::from(value(b)) << (18 - 6 * i));
            out.extend_from_slice(&word.to_be_bytes()[1..four.len()]);
        }
        out
    }

    #[test]
    fn what_is_no_rsa_key_does_not_sign() {
        let armour = |what: &str| format!("-----BEGIN {what}-----\nAAAA\n-----END {what}-----\n");
        for pem in ["", "hunter2hunter2hunter2", &armour(concat!("PRIVATE ", "KEY")), &armour("CERTIFICATE")]
        {
            let mut request = request();
            let error = sign(pem, &mut request).unwrap_err();
            assert!(matches!(error, SignError::Key(_)) && !error.to_string().contains("hunter2"));
            assert_eq!(request.body.unwrap().expose(), b"grant_type=jwt");
        }
    }
}
