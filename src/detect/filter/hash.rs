//! Checksums, commits and other ids: as random as keys, told by the name before them.

use super::words::{listed, name_before, words};
use super::{Candidate, Outcome, Reason};

/// Lengths of hexadecimal hashes: MD5, SHA-1, SHA-256, SHA-384, SHA-512.
const LENGTHS: [usize; 5] = [32, 40, 64, 96, 128];
/// How much of a name before the value counts.
const REACH: usize = 40;

/// Words for hashes, digits at the end left out.
#[rustfmt::skip]
const HASH: &[&str] = &[
    "sha", "md", "digest", "digests", "commit", "commits", "rev", "revision", "revisions", "integrity",
    "etag", "checksum", "checksums", "chksum", "blob", "blobs", "hash", "hashes", "uuid", "guid",
    "fingerprint", "thumbprint", "sum", "sums", "tree", "oid", "sri", "crc", "blake", "md5sum", "sha1sum",
    "sha256sum", "sha512sum", "b3sum", "gitsha", "githead", "srcrev", "sourcerev", "head", "parent", "merge",
    "compare", "changeset", "traceid", "spanid", "requestid",
];

/// Words that make the whole a secret after all, at the end of a name: `hash_key`, `sha_secret`.
const SECRET: &[&str] = &[
    "key",
    "keys",
    "token",
    "secret",
    "password",
    "passwd",
    "pwd",
    "pass",
    "auth",
    "salt",
    "pepper",
    "credential",
    "credentials",
    "apikey",
];

/// What stands right before a hash in its own notation.
#[rustfmt::skip]
const NOTATIONS: &[&[u8]] = &[
    b"sha1=", b"sha256=", b"sha384=", b"sha512=", b"md5=", b"sha1-", b"sha224-", b"sha256-", b"sha384-",
    b"sha512-", b"sha1:", b"sha256:", b"sha384:", b"sha512:", b"md5:", b"md5-", b"h1:",
];

pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    // A text of its own at the front tells a key from a hash.
    if c.rule.fixed > 0 || c.rule.block {
        return Outcome::Keep;
    }
    let secret = c.secret();
    if has_notation(c)
        || (c.is_generic() && is_uuid(secret))
        || (is_hex_hash(secret) && (has_hash_name(c) || is_pin(c)))
    {
        Outcome::Drop(Reason::HashOrId)
    } else {
        Outcome::Keep
    }
}

fn is_hex_hash(secret: &[u8]) -> bool {
    LENGTHS.contains(&secret.len()) && secret.iter().all(u8::is_ascii_hexdigit)
}

fn is_uuid(secret: &[u8]) -> bool {
    let bare = secret.strip_prefix(b"{").and_then(|s| s.strip_suffix(b"}")).unwrap_or(secret);
    bare.len() == 36
        && bare.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// Whether the run of base64 that the secret is a part of has the mark of a hash before it.
fn has_notation(c: &Candidate<'_>) -> bool {
    let member = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+' | b'/');
    let run = c.before().iter().rev().take(128).take_while(member).count();
    let start = c.span.start - run;
    NOTATIONS.iter().any(|n| {
        // In `sha256-…` the mark ends in a member of the run.
        c.before().ends_with(n)
            || c.hay[..start].ends_with(n)
            || c.hay[start..].starts_with(n)
            || (c.is_generic() && c.secret().starts_with(n))
    })
}

/// `owner/action@commit`.
fn is_pin(c: &Candidate<'_>) -> bool {
    c.span.len() == 40 && !c.is_generic() && c.before().ends_with(b"@")
}

fn has_hash_name(c: &Candidate<'_>) -> bool {
    let name = name_before(c.hay, c.span.start);
    let name = &name[name.len().saturating_sub(REACH)..];
    let mut last = true;
    for word in words(name).rev() {
        if std::mem::take(&mut last) && listed(SECRET, word) {
            return false;
        }
        let stem = &word[..word.iter().rposition(|b| !b.is_ascii_digit()).map_or(0, |i| i + 1)];
        if listed(HASH, stem) || listed(HASH, word) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rule, hex, table};
    use super::*;

    #[test]
    fn hash_words_in_the_name_before() {
        let (a, b) = (hex(1, 40), hex(2, 64));
        let make =
            |list: &[&str]| list.iter().map(|t| t.replace('#', &a).replace('%', &b)).collect::<Vec<_>>();
        let dropped = make(&[
            "commit «#»",
            "\"gitCommit\": \"«#»\"",
            "sha256: «%»",
            "checksum = '«%»'",
            "image@sha256:«%»",
            "https://git/x/commit/«#»",
            "https://git/x/blob/«#»",
            "etag: \"«%»\"",
            "SRCREV = \"«#»\"",
            "fileHash: «%»",
            "MD5SUM=«#»",
            "rev: «#»",
            "uses: actions/checkout@«#»",
        ]);
        let kept = make(&[
            "api_key = \"«#»\"",
            "hash_key: «%»",
            "SHA_SECRET=«%»",
            "md5_salt: «#»",
            "token: «#»",
            "commit=1 token=«#»",
            "commit abc\n«#»",
            "«#»",
            "preview: «#»",
            "shared: «#»",
        ]);
        let refs = |list: &'static [String]| list.iter().map(String::as_str).collect::<Vec<_>>();
        let (dropped, kept) = (refs(dropped.leak()), refs(kept.leak()));
        table(&Rule::structured(0), run, Reason::HashOrId, &dropped, &kept);
        table(&Rule::structured(4), run, Reason::HashOrId, &[], &dropped);
        // Another length is no hash.
        table(&Rule::structured(0), run, Reason::HashOrId, &[], &[&format!("commit «{}»", hex(1, 37))]);
    }

    #[test]
    fn notations_and_uuids() {
        let sri = format!("integrity=\"sha512-«{}==»\"", hex(1, 86));
        let uuid =
            format!("token: «{}-{}-4{}-8{}-{}»", hex(1, 8), hex(2, 4), hex(3, 3), hex(4, 3), hex(5, 12));
        table(&Rule::generic(), run, Reason::HashOrId, &[&sri, &uuid], &["token: «Zk3mQ9xPw1»"]);
        let record = format!("x/y.py,sha256=rB-«{}»,2605", super::super::testing::random(1, 40));
        table(&Rule::structured(0), run, Reason::HashOrId, &[&sri, &record], &[&uuid]);
    }
}
