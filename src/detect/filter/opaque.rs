//! Values that are safe to publish: encrypted ones, hashes of passwords, public halves of keys.

use super::words::{name_before, token_start};
use super::{Candidate, Outcome, Reason};
use memchr::memmem;

/// How encrypted values begin, anywhere in the token that holds them.
const ENCRYPTED: &[&[u8]] = &[
    b"$ANSIBLE_VAULT",
    b"ENC[",
    b"ENC(",
    b"vault:v1:",
    b"vault:v2:",
    b"{cipher}",
    b"AQICAH",
    b"AQIDAH",
    b"U2FsdGVkX1",
    b"-----BEGIN AGE ENCRYPTED",
    b"-----BEGIN PGP MESSAGE",
    b"BEGIN ENCRYPTED PRIVATE",
];

/// How hashes of passwords begin.
#[rustfmt::skip]
const HASHES: &[&[u8]] = &[
    b"$2a$", b"$2b$", b"$2x$", b"$2y$", b"$argon2", b"$1$", b"$5$", b"$6$", b"$y$", b"$7$", b"$apr1$",
    b"$pbkdf2", b"$scrypt$", b"$S$", b"$P$", b"$H$", b"pbkdf2_sha", b"pbkdf2:sha", b"scrypt:",
    b"bcrypt_sha256$", b"{SSHA", b"{SHA}", b"{SHA2", b"{bcrypt}", b"{pbkdf2}", b"{argon2", b"SCRAM-SHA-256$",
    b"md5$", b"sha1$", b"sha256$", b"$md5", b"$sha1$", b"$sha256$",
];

/// How public keys and certificates begin.
#[rustfmt::skip]
const PUBLIC: &[&[u8]] = &[
    b"ssh-rsa ", b"ssh-ed25519 ", b"ssh-dss ", b"ecdsa-sha2-", b"sk-ssh-", b"AAAAB3NzaC1", b"AAAAC3NzaC1",
    b"AAAAE2VjZHNh", b"MIIBIjANBgkqhkiG9w0BAQEFAA", b"MIICIjANBgkqhkiG9w0BAQEFAA",
    b"MIGfMA0GCSqGSIb3DQEBAQUAA4", b"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE", b"MCowBQYDK2Vw",
    b"-----BEGIN PUBLIC", b"-----BEGIN RSA PUBLIC", b"-----BEGIN CERT", b"age1", b"xpub",
];

pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    let secret = c.secret();
    if c.rule.block {
        let sealed = memmem::find(secret, b"4,ENCRYPTED").is_some()
            || memmem::find(secret, b"BEGIN ENCRYPTED ").is_some()
            || is_sealed_openssh(secret);
        // A rule for sealed keys says by its severity that it knows.
        return if sealed && !c.rule.minor { Outcome::Drop(Reason::Encrypted) } else { Outcome::Keep };
    }
    if c.rule.is_distinctive() {
        return Outcome::Keep;
    }
    // The pattern may have begun after the `$` or `[` that tells.
    let start = token_start(c.hay, c.span.start);
    let begins = |list: &[&[u8]]| {
        list.iter().any(|p| secret.starts_with(p) || (start < c.span.start && c.hay[start..].starts_with(p)))
    };
    if begins(ENCRYPTED) || name_before(c.hay, c.span.start).eq_ignore_ascii_case(b"secure") {
        Outcome::Drop(Reason::Encrypted)
    } else if c.is_generic() && begins(HASHES) {
        Outcome::Drop(Reason::PasswordHash)
    } else if c.is_generic() && begins(PUBLIC) {
        Outcome::Drop(Reason::PublicKey)
    } else {
        Outcome::Keep
    }
}

/// OpenSSH's own format names its cipher in the first bytes; `none` is an open key.
fn is_sealed_openssh(block: &[u8]) -> bool {
    // The base64 of the magic `openssh-key-v1`, a zero byte and the length of the cipher's name
    // (four: `none`; more: a cipher). One character holds the length.
    const MAGIC: &[u8] = b"b3BlbnNzaC1rZXktdjEAAAAA";
    const NONE: &[u8] = b"BG5vbmU";
    memmem::find(block, MAGIC).is_some_and(|at| {
        let rest = &block[at + MAGIC.len()..];
        rest.len() >= NONE.len() && !rest.starts_with(NONE)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rule, random, table};
    use super::*;

    #[test]
    fn encrypted_values() {
        let r = random(1, 40);
        let dropped: Vec<String> = [
            "password: «ENC[AES256_GCM,data:#]»",
            "password: ENC[AES256_GCM,data:«#»,iv]",
            "token: 'vault:v1:«#»'",
            "token: «vault:v1:#»",
            "key = \"«AQICAH#»\"",
            "secret: '{cipher}«#»'",
            "secure: \"«#»\"",
            "- secure: «#»",
            "pw=«U2FsdGVkX1#»",
        ]
        .iter()
        .map(|t| t.replace('#', &r))
        .collect();
        let kept = [format!("password: «{r}»"), format!("security: «{r}»"), format!("key = vault: «{r}»")];
        table(&Rule::generic(), run, Reason::Encrypted, &as_refs(&dropped), &as_refs(&kept));
        let key = format!("secure: «acm_{r}»");
        table(&Rule::structured(4), run, Reason::Encrypted, &[], &[&key]);
    }

    #[test]
    fn hashes_of_passwords_and_public_keys() {
        let r = random(1, 53);
        let hashes =
            ["«$2b$12$#»", "x: '$2y$10$«#»'", "«$argon2id$v=19$m=65536$#»", "root:«$6$salt$#»", "«{SSHA}#»"]
                .map(|t| t.replace('#', &r));
        table(
            &Rule::generic(),
            run,
            Reason::PasswordHash,
            &as_refs(&hashes),
            &["pw: «$ecret2b$x»", "pw = \"«pa$$1$word»\""],
        );
        let keys = ["«ssh-rsa AAAA#»", "ssh-ed25519 «AAAAC3NzaC1#»", "«age1#»"].map(|t| t.replace('#', &r));
        table(&Rule::generic(), run, Reason::PublicKey, &as_refs(&keys), &[&format!("«{r}»")]);
    }

    #[test]
    fn sealed_key_blocks() {
        let rule = Rule { block: true, ..Rule::structured(10) };
        let kind = "PRIVATE KEY";
        let r = random(1, 64);
        let sealed = [
            format!("«-----BEGIN RSA {kind}-----\nProc-Type: 4,ENCRYPTED\n\n{r}\n-----END RSA {kind}-----»"),
            format!("«-----BEGIN ENCRYPTED {kind}-----\n{r}\n-----END ENCRYPTED {kind}-----»"),
            format!("«-----BEGIN OPENSSH {kind}-----\nb3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHI{r}»"),
        ];
        let open = [
            format!("«-----BEGIN RSA {kind}-----\n{r}\n-----END RSA {kind}-----»"),
            format!("«-----BEGIN OPENSSH {kind}-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ{r}»"),
        ];
        table(&rule, run, Reason::Encrypted, &as_refs(&sealed), &as_refs(&open));
        let knows = Rule { minor: true, ..rule };
        table(&knows, run, Reason::Encrypted, &[], &as_refs(&sealed));
    }

    fn as_refs(list: &[String]) -> Vec<&str> {
        list.iter().map(String::as_str).collect()
    }
}
