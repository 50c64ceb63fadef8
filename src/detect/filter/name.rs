//! Names that only look secret. The last word of a name decides: `key_length` is a length.

use super::words::{listed, name_span, words};
use super::{Candidate, Outcome, Reason};

/// Last words that name an attribute of a secret, or something else altogether.
#[rustfmt::skip]
const ATTRIBUTES: &[&str] = &[
    "algorithm", "alg", "alias", "arn", "author", "authority", "attempts", "bits", "bytes", "class",
    "column", "count", "created", "date", "days", "description", "dir", "directory", "duration", "enabled",
    "encoding", "endpoint", "env", "error", "errors", "example", "expiration", "expression", "configuration",
    "configurations", "settings", "units", "used", "manager", "mgr", "expires", "expiry", "field", "fields",
    "file", "filename", "format", "function", "group", "handler", "header", "help", "hint", "host", "id",
    "identifier", "ids", "index", "input", "issuer", "kind", "label", "length", "len", "level", "limit",
    "link", "location", "max", "message", "method", "min", "mode", "module", "name", "names", "namespace",
    "number", "option", "options", "owner", "page", "param", "parameter", "parser", "path", "pattern",
    "placeholder", "policy", "port", "prefix", "property", "provider", "range", "ref", "reference", "regex",
    "region", "required", "reset", "role", "rotation", "route", "rule", "rules", "schema", "scope", "scopes",
    "screen", "selector", "service", "size", "slot", "source", "spec", "specs", "state", "status", "store",
    "strength", "suffix", "table", "template", "text", "time", "timeout", "title", "tooltip", "ttl", "type",
    "types", "uri", "url", "urls", "usage", "user", "username", "validation", "validator", "vault",
    "version", "view", "visible", "width",
];

/// Words that turn the last one into something that is no secret: `primary_key`, `max_tokens`.
#[rustfmt::skip]
const QUALIFIERS: &[(&str, &str)] = &[
    ("primary", "key"), ("foreign", "key"), ("public", "key"), ("sort", "key"), ("partition", "key"),
    ("range", "key"), ("hash", "key"), ("row", "key"), ("cache", "key"), ("map", "key"), ("object", "key"),
    ("dict", "key"), ("translation", "key"), ("i18n", "key"), ("registry", "key"), ("hot", "key"),
    ("shortcut", "key"), ("arrow", "key"), ("enter", "key"), ("group", "key"), ("natural", "key"),
    ("unique", "key"), ("index", "key"), ("site", "key"), ("publishable", "key"), ("csrf", "token"),
    ("idempotency", "token"), ("change", "token"), ("confirmation", "token"), ("brace", "token"),
    ("paren", "token"), ("xsrf", "token"), ("next", "token"), ("page", "token"), ("continuation", "token"),
    ("max", "tokens"), ("total", "tokens"), ("prompt", "tokens"), ("pad", "token"), ("eos", "token"),
    ("bos", "token"), ("unk", "token"), ("sep", "token"), ("mask", "token"), ("cls", "token"),
    ("special", "token"), ("syntax", "token"),
];

/// Nobody calls less a password.
const SHORTEST: usize = 4;

pub(super) fn is_attribute(word: &[u8]) -> bool {
    listed(ATTRIBUTES, word)
}

pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    if !c.is_generic() {
        return Outcome::Keep;
    }
    let value = c.secret();
    if value.len() < SHORTEST {
        return Outcome::Drop(Reason::Length);
    }
    let name = name_span(c.hay, c.span.start);
    // `AWS::IAM::AccessKey` is a type.
    if !name.is_empty() && c.hay[..name.start].ends_with(b"::") {
        return Outcome::Drop(Reason::Attribute);
    }
    let mut backwards = words(&c.hay[name]).rev();
    let Some(last) = backwards.next() else { return Outcome::Keep };
    let before = backwards.next();
    if is_public_key(before, last) {
        return Outcome::Drop(Reason::PublicKey);
    }
    let qualified = before.is_some_and(|before| {
        QUALIFIERS.iter().any(|(q, w)| {
            q.as_bytes().eq_ignore_ascii_case(before) && w.as_bytes().eq_ignore_ascii_case(last)
        })
    });
    if qualified || is_attribute(last) { Outcome::Drop(Reason::Attribute) } else { Outcome::Keep }
}

/// `publicKey`, `pubkey256`.
fn is_public_key(before: Option<&[u8]>, last: &[u8]) -> bool {
    let digits = last.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let stem = &last[..last.len() - digits];
    stem.eq_ignore_ascii_case(b"pubkey")
        || stem.eq_ignore_ascii_case(b"publickey")
        || stem.eq_ignore_ascii_case(b"key") && before.is_some_and(|b| b.eq_ignore_ascii_case(b"public"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rule, table};
    use super::*;

    #[test]
    fn the_last_word_decides() {
        table(
            &Rule::generic(),
            run,
            Reason::Attribute,
            &[
                "key_length = «4096bits»",
                "token_url: «x1y2z3a4»",
                "\"secretName\": \"«my-tls-cert1»\"",
                "key-id: «abc123def»",
                "tokenType=«Bearer1»",
                "passwordPolicy: «strict99»",
                "PASSWORD_FILE=«run.secrets.db1»",
                "primary_key='«user_id9»'",
                "\"AWS::IAM::AccessKey\": \"«62d91b17309e76c8»\"",
                "csrfToken: '«Zk3mQ9xPw1»'",
                "max_tokens: «4096a»",
                "keyVaultName: «prod-kv-01»",
            ],
            &[
                "api_key = «Zk3mQ9xPw1»",
                "db.password: «Zk3mQ9xPw1»",
                "URL_TOKEN=«Zk3mQ9xPw1»",
                "name_secret: «Zk3mQ9xPw1»",
                "«Zk3mQ9xPw1»",
                "keyPassword '«Zk3mQ9xPw1»'",
            ],
        );
        table(&Rule::structured(0), run, Reason::Attribute, &[], &["key_id = «Zk3mQ9xPw1»"]);
    }

    #[test]
    fn public_keys_are_no_secrets() {
        table(
            &Rule::generic(),
            run,
            Reason::PublicKey,
            &[
                "public_key = \"«Zk3mQ9xPw1»\"",
                "const pubkey256 = '«Zk3mQ9xPw1»'",
                "PublicKey(\"«Zk3mQ9xPw1»\")",
            ],
            &["public_key_password = \"«Zk3mQ9xPw1»\"", "republickeys: «Zk3mQ9xPw1»"],
        );
    }
}
