//! Kinds whose inside can be read: JSON web tokens and armoured key blocks.

use super::{Adjust, Candidate, Outcome, Reason};
use crate::model::Confidence;
use crate::rule::checksum::bytes::base64_decode;
use memchr::memmem;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// Shortest body of a private key: 32 bytes in the tightest wrapping.
const SHORTEST_BODY: usize = 40;

pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    let secret = c.secret();
    if c.rule.block || secret.starts_with(b"-----BEGIN") {
        return block(secret);
    }
    if secret.starts_with(b"eyJ") { token(secret) } else { Outcome::Keep }
}

/// What the header of a token says of itself; one of them is always there.
const MEMBERS: [&[u8]; 4] = [b"\"alg\"", b"\"typ\"", b"\"kid\"", b"\"enc\""];

/// A token of three or five parts has a header that tells how to read it.
fn token(secret: &[u8]) -> Outcome {
    let mut parts = secret.split(|&b| b == b'.');
    let (Some(header), Some(payload), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
        return Outcome::Keep;
    };
    // A character too many at the end does not hide what the rest says.
    let whole = &header[..header.len() - usize::from(header.len() % 4 == 1)];
    let told = base64_decode(whole).is_some_and(|h| MEMBERS.iter().any(|m| memmem::find(&h, m).is_some()));
    if !told {
        return Outcome::Drop(Reason::Structure);
    }
    match base64_decode(payload).as_deref().and_then(expiry) {
        // It was a credential; whether it still matters is for a person to say.
        Some(at) if at < now() => {
            Outcome::Adjust(Adjust { confidence: Some(Confidence::Medium), ..Adjust::default() })
        }
        _ => Outcome::Keep,
    }
}

/// The number after `"exp":`.
fn expiry(json: &[u8]) -> Option<u64> {
    let rest = json[memmem::find(json, b"\"exp\"")? + 5..].trim_ascii_start().strip_prefix(b":")?;
    let rest = rest.trim_ascii_start();
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// Seconds since 1970, read once: all findings of a run are judged by the same clock.
fn now() -> u64 {
    static NOW: OnceLock<u64> = OnceLock::new();
    *NOW.get_or_init(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()))
}

/// A block without a body, or with one that is left out, is an illustration.
fn block(secret: &[u8]) -> Outcome {
    const DASHES: &[u8] = b"-----";
    let Some(begin) = secret.strip_prefix(DASHES) else { return Outcome::Keep };
    let Some(label) = memmem::find(begin, DASHES) else { return Outcome::Keep };
    let body = &begin[label + DASHES.len()..];
    let body = &body[..memmem::find(body, b"-----END").unwrap_or(body.len())];
    if memmem::find(body, b"...").is_some() || memmem::find(body, "…".as_bytes()).is_some() {
        return Outcome::Drop(Reason::Placeholder);
    }
    let characters = body.iter().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')).count();
    if characters < SHORTEST_BODY { Outcome::Drop(Reason::Length) } else { Outcome::Keep }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rule, random, table, with};
    use super::*;
    use crate::rule::checksum::bytes::{BASE64_URL, base64_encode};

    fn jwt(header: &str, payload: &str) -> String {
        let part = |s: &str| String::from_utf8(base64_encode(s.as_bytes(), BASE64_URL, false)).unwrap();
        format!("«{}.{}.{}»", part(header), part(payload), random(1, 43))
    }

    #[test]
    fn a_web_token_has_a_header_that_tells_how_to_read_it() {
        let rule = Rule::structured(3);
        let good = jwt(r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"sub":"1","exp":99999999999}"#);
        let spaced = jwt("{ \"typ\": \"JWT\", \"alg\" : \"none\" }\n", "{}");
        let bare = jwt(r#"{"typ": "TCV2"}"#, "{}");
        let other = jwt(r#"{"name":"x"}"#, "{}");
        let cut = jwt(r#"{"al"#, "{}");
        table(
            &rule,
            run,
            Reason::Structure,
            &[&other, &cut, "«eyJhbG.x.y»"],
            &[&good, &spaced, &bare, "«eyJhIjoiMTIzNDU2Nzg5»", "«abc.def.ghi»"],
        );
    }

    #[test]
    fn an_expired_one_is_less_sure() {
        let old = jwt(r#"{"alg":"HS256"}"#, r#"{"iat":1,"exp" : 1500000000,"sub":"x"}"#);
        let outcome = with(&Rule::structured(3), &old, run);
        assert!(matches!(outcome, Outcome::Adjust(a) if a.confidence == Some(Confidence::Medium)));
    }

    #[test]
    fn illustrations_of_key_blocks_are_dropped() {
        let rule = Rule { block: true, ..Rule::structured(10) };
        let make = |body: &str| format!("«-----BEGIN {0}-----\n{body}\n-----END {0}-----»", "PRIVATE KEY");
        let (real, short, elided) = (
            make(&random(1, 64)),
            make(&random(1, 20)),
            make(&format!("{}...\n{}", random(1, 64), random(2, 64))),
        );
        let escaped = real.replace('\n', "\\n");
        table(&rule, run, Reason::Length, &[&short, &make("")], &[&real, &escaped]);
        table(&rule, run, Reason::Placeholder, &[&elided], &[]);
    }
}
