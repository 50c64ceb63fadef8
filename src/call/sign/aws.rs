//! AWS Signature Version 4
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use super::{SignError, text};
use crate::call::Prepared;
use crate::call::template::percent;
use crate::model::Secret;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// An access key.
#[derive(Clone, Copy, Debug)]
pub struct AwsKey<'a> {
    /// Its public id.
    pub id: &'a Secret,
    /// The secret.
    pub secret: &'a Secret,
    /// The session token of temporary keys.
    pub token: Option<&'a Secret>,
}

/// Signs a request for a service in a region: sets `X-Amz-Date`, the session token and `Authorization`.
///
/// # Errors
/// A key whose parts cannot stand in a header field.
pub fn aws_sigv4(
    request: &mut Prepared,
    key: &AwsKey<'_>,
    region: &str,
    service: &str,
    at: Timestamp,
) -> Result<(), SignError> {
    let id = text(key.id, "its id is not text")?;
    let time = at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
    let date = &time[..8];
    let body = request.body.as_ref().map_or(&[][..], Secret::expose);
    let payload = hex(&Sha256::digest(body));
    request.headers.push(("X-Amz-Date".to_owned(), Secret::new(time.as_bytes())));
    if let Some(token) = key.token {
        request.headers.push(("X-Amz-Security-Token".to_owned(), token.clone()));
    }
    if service == "s3" {
        request.headers.push(("X-Amz-Content-Sha256".to_owned(), Secret::new(payload.as_bytes())));
    }
    let (canonical, signed) = canonical(request, service == "s3", &payload);
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(&canonical)));
    let mut signing = Zeroizing::new([b"AWS4", key.secret.expose()].concat());
    for part in [date, region, service, "aws4_request", &to_sign] {
        signing = hmac(&signing, part.as_bytes());
    }
    let signature = hex(&signing);
    let field =
        format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={signed}, Signature={signature}");
    request.headers.push(("Authorization".to_owned(), Secret::new(field.as_bytes())));
    Ok(())
}

/// The canonical request, and the names of the header fields that are signed: all of them.
fn canonical(request: &Prepared, once: bool, payload: &str) -> (Zeroizing<Vec<u8>>, String) {
    let target = request.target.expose();
    let cut = target.iter().position(|&b| b == b'?');
    let (path, query) = target.split_at(cut.unwrap_or(target.len()));
    let mut out = Zeroizing::new(Vec::with_capacity(1024));
    out.extend_from_slice(request.method.as_bytes());
    out.push(b'\n');
    // The path as it is sent is encoded a second time, but for S3.
    for &b in path {
        if b == b'/' || once { out.push(b) } else { percent(b, &mut out) }
    }
    out.push(b'\n');
    let pairs = query.get(1..).unwrap_or_default().split(|&b| b == b'&').filter(|p| !p.is_empty());
    let mut pairs: Vec<_> = pairs
        .map(|pair| {
            let cut = pair.iter().position(|&b| b == b'=').unwrap_or(pair.len());
            (encoded(&pair[..cut]), encoded(pair.get(cut + 1..).unwrap_or_default()))
        })
        .collect();
    pairs.sort_by(|a, b| (&*a.0, &*a.1).cmp(&(&*b.0, &*b.1)));
    for (n, (name, value)) in pairs.iter().enumerate() {
        if n > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
    out.push(b'\n');
    let mut host = request.host.clone();
    if let Some(port) = request.port.filter(|&p| p != if request.tls { 443 } else { 80 }) {
        host = format!("{host}:{port}");
    }
    let mut fields = vec![("host".to_owned(), host.into_bytes())];
    fields.extend(
        request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.expose().to_vec())),
    );
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, value) in &fields {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        // Runs of blanks count as one.
        let words = value.split(|b| *b == b' ').filter(|w| !w.is_empty());
        for (n, word) in words.enumerate() {
            if n > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(word);
        }
        out.push(b'\n');
    }
    let signed = fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    fields.iter_mut().for_each(|(_, value)| zeroize::Zeroize::zeroize(value));
    out.extend_from_slice(format!("\n{signed}\n{payload}").as_bytes());
    (out, signed)
}

/// A part of a query in the one encoding that is signed, whichever it is sent in.
fn encoded(part: &[u8]) -> Zeroizing<Vec<u8>> {
    let digit = |b: Option<&u8>| char::from(*b?).to_digit(16);
    let mut out = Zeroizing::new(Vec::with_capacity(3 * part.len()));
    let mut at = 0;
    while let Some(&b) = part.get(at) {
        let escape =
            (b == b'%').then(|| Some(digit(part.get(at + 1))? * 16 + digit(part.get(at + 2))?)).flatten();
        percent(escape.map_or(b, |e| e as u8), &mut out);
        at += if escape.is_some() { 3 } else { 1 };
    }
    out
}

fn hmac(key: &[u8], text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("because HMAC takes a key of any length");
    mac.update(text);
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signs as AWS's published test suite does, and gives the signature and the fields that it covers.
    fn signed(
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
        token: Option<&str>,
    ) -> (String, String) {
        let mut request = Prepared {
            method: method.to_owned(),
            tls: true,
            host: "example.amazonaws.com".to_owned(),
            port: None,
            target: Secret::new(target.as_bytes()),
            headers: headers.iter().map(|(k, v)| ((*k).to_owned(), Secret::new(v.as_bytes()))).collect(),
            body: (!body.is_empty()).then(|| Secret::new(body.as_bytes())),
        };
        // The suite's own key, in parts, so that it does not look like one here.
        let secret = Secret::new(
            ["wJalrXUtnFEMI", "K7MDENG+bPxRfiCY", "EXAMPLEKEY"].join("/").replacen("CY/", "CY", 1).as_bytes(),
        );
        let (id, token) = (Secret::new(b"AKIDEXAMPLE"), token.map(|t| Secret::new(t.as_bytes())));
        let key = AwsKey { id: &id, secret: &secret, token: token.as_ref() };
        let at = "2015-08-30T12:36:00Z".parse().unwrap();
        aws_sigv4(&mut request, &key, "us-east-1", "service", at).unwrap();
        let (_, field) = request.headers.last().unwrap();
        let field = String::from_utf8(field.expose().to_vec()).unwrap();
        let rest = field
            .strip_prefix("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=")
            .unwrap();
        let (signed, signature) = rest.split_once(", Signature=").unwrap();
        (signature.to_owned(), signed.to_owned())
    }

    #[test]
    fn the_published_examples_are_reproduced() {
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        for (name, (signature, signed), expected, fields) in [
            (
                "get-vanilla",
                signed("GET", "/", &[], "", None),
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
                "host;x-amz-date",
            ),
            (
                "post-vanilla",
                signed("POST", "/", &[], "", None),
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
                "host;x-amz-date",
            ),
            (
                "get-vanilla-query-order-key-case",
                signed("GET", "/?Param2=value2&Param1=value1", &[], "", None),
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
                "host;x-amz-date",
            ),
            (
                "post-x-www-form-urlencoded",
                signed("POST", "/", &form, "Param1=value1", None),
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
                "content-type;host;x-amz-date",
            ),
        ] {
            assert_eq!(signature, expected, "{name}");
            assert_eq!(signed, fields, "{name}");
        }
    }

    #[test]
    fn a_session_token_is_signed() {
        let (one, fields) = signed("GET", "/", &[], "", Some("a token"));
        let (other, _) = signed("GET", "/", &[], "", Some("another"));
        assert_eq!(fields, "host;x-amz-date;x-amz-security-token");
        assert_ne!(one, other);
    }

    #[test]
    fn a_query_is_signed_alike_however_it_is_encoded() {
        assert_eq!(
            signed("GET", "/?a=%7e&b=c%2fd", &[], "", None),
            signed("GET", "/?b=c/d&a=~", &[], "", None)
        );
        assert_eq!(encoded(b"100%").as_slice(), b"100%25");
        assert_eq!(encoded(b"%zz%4").as_slice(), b"%25zz%254");
    }
}
