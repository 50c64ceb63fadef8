//! SCRAM (RFC 5802, RFC 7677): a login in which neither side gives the password away, and the server proves that it
//! knows it too.

use super::{Fault, random};
use crate::model::Secret;
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// Iterations that are taken from a server. Fewer than RFC 5802 advises make the answer easy to search, more only
/// hold us up.
const ITERATIONS: std::ops::RangeInclusive<u32> = 4096..=1_000_000;

/// Which hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    fn parts(self) -> (hmac::Algorithm, &'static digest::Algorithm, pbkdf2::Algorithm) {
        match self {
            Hash::Sha1 => (
                hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                &digest::SHA1_FOR_LEGACY_USE_ONLY,
                pbkdf2::PBKDF2_HMAC_SHA1,
            ),
            Hash::Sha256 => (hmac::HMAC_SHA256, &digest::SHA256, pbkdf2::PBKDF2_HMAC_SHA256),
        }
    }
}

/// What a server keeps of a new password (RFC 5803): with a salt of its own and the fewest iterations that are common,
/// since a password that was drawn at random gains nothing by more. The password must be printable ASCII.
pub(super) fn verifier(password: &[u8]) -> Result<Zeroizing<String>, Fault> {
    let mut salt = [0; 16];
    random(&mut salt)?;
    verifier_with(password, &salt)
}

fn verifier_with(password: &[u8], salt: &[u8]) -> Result<Zeroizing<String>, Fault> {
    if !printable(password) {
        return Err(Fault::refused("a password beyond ASCII is not set: it has several forms"));
    }
    let count = *ITERATIONS.start();
    let (mac, hash, stretch) = Hash::Sha256.parts();
    let times = NonZeroU32::new(count).ok_or_else(|| Fault::refused("no iterations"))?;
    let salted = salted(hash, stretch, times, salt, password);
    let salted = hmac::Key::new(mac, &salted);
    let stored = digest::digest(hash, hmac::sign(&salted, b"Client Key").as_ref());
    let server = hmac::sign(&salted, b"Server Key");
    let (salt, stored, server) = (base64(salt), base64(stored.as_ref()), base64(server.as_ref()));
    Ok(Zeroizing::new(format!("SCRAM-SHA-256${count}:{salt}${stored}:{server}")))
}

fn printable(password: &[u8]) -> bool {
    password.iter().all(|b| matches!(b, b' '..=b'~'))
}

fn salted(
    hash: &'static digest::Algorithm,
    stretch: pbkdf2::Algorithm,
    count: NonZeroU32,
    salt: &[u8],
    password: &[u8],
) -> Zeroizing<Vec<u8>> {
    let mut salted = Zeroizing::new(vec![0; hash.output_len()]);
    pbkdf2::derive(stretch, count, salt, password, &mut salted);
    salted
}

/// A login under way.
pub(super) struct Scram {
    hash: Hash,
    password: Secret,
    nonce: String,
    bare: String,
    /// The server's key, and what it must have signed.
    expected: Option<(hmac::Key, String)>,
}

impl Scram {
    /// Begins. The password must be printable ASCII: of others there are several normal forms, and the wrong one
    /// would make a living password look dead.
    pub(super) fn new(hash: Hash, user: &str, password: &[u8]) -> Result<Self, Fault> {
        let mut bytes = [0; 18];
        random(&mut bytes)?;
        Scram::with_nonce(hash, user, password, &base64(&bytes))
    }

    fn with_nonce(hash: Hash, user: &str, password: &[u8], nonce: &str) -> Result<Self, Fault> {
        if !printable(password) {
            return Err(Fault::refused("a password beyond ASCII is not tried: it has several forms"));
        }
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let bare = format!("n={user},r={nonce}");
        Ok(Scram { hash, password: Secret::new(password), nonce: nonce.to_owned(), bare, expected: None })
    }

    /// The first message. The channel is not bound: what terminates TLS need not be what knows the password.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.bare)
    }

    /// The answer to the server's first message.
    pub(super) fn answer(&mut self, server: &[u8]) -> Result<String, Fault> {
        let wrong = || Fault::ambiguous("the server does not speak SCRAM as it should");
        let server = std::str::from_utf8(server).map_err(|_| wrong())?;
        let mut parts = server.split(',');
        let mut part = |name: &str| parts.next().and_then(|p| p.strip_prefix(name)).ok_or_else(wrong);
        let (nonce, salt, count) = (part("r=")?, part("s=")?, part("i=")?);
        if !nonce.starts_with(&self.nonce) || nonce.len() <= self.nonce.len() {
            return Err(wrong());
        }
        let salt = unbase64(salt).ok_or_else(wrong)?;
        let count = count.parse().ok().filter(|n| ITERATIONS.contains(n)).and_then(NonZeroU32::new);
        let count =
            count.ok_or_else(|| Fault::ambiguous("the server asks for too few or too many iterations"))?;
        let (mac, hash, stretch) = self.hash.parts();
        let salted = hmac::Key::new(mac, &salted(hash, stretch, count, &salt, self.password.expose()));
        let client = hmac::sign(&salted, b"Client Key");
        let stored = digest::digest(hash, client.as_ref());
        let ending = format!("c=biws,r={nonce}");
        let all = format!("{},{server},{ending}", self.bare);
        let signature = hmac::sign(&hmac::Key::new(mac, stored.as_ref()), all.as_bytes());
        let proof: Vec<u8> = client.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server_key = hmac::sign(&salted, b"Server Key");
        self.expected = Some((hmac::Key::new(mac, server_key.as_ref()), all));
        Ok(format!("{ending},p={}", base64(&proof)))
    }

    /// Whether the server's last message proves that it knows the password.
    pub(super) fn proves(&self, server: &[u8]) -> bool {
        let given = server.strip_prefix(b"v=").and_then(|v| std::str::from_utf8(v).ok());
        let given = given.and_then(|v| unbase64(v.split(',').next().unwrap_or_default()));
        match (given, &self.expected) {
            (Some(given), Some((key, all))) => hmac::verify(key, all.as_bytes(), &given).is_ok(),
            _ => false,
        }
    }
}

const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 (RFC 4648).
pub(super) fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word = three.iter().enumerate().fold(0u32, |w, (i, &b)| w | u32::from(b) << (16 - 8 * i));
        for i in 0..4 {
            let sign = SIGNS[(word >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= three.len() { char::from(sign) } else { '=' });
        }
    }
    out
}

pub(super) fn unbase64(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    for four in text.as_bytes().chunks(4) {
        let mut word = 0u32;
        for (i, b) in four.iter().enumerate() {
            word |= (SIGNS.iter().position(|s| s == b)? as u32) << (18 - 6 * i);
        }
        if four.len() == 1 {
            return None;
        }
        out.extend_from_slice(&word.to_be_bytes()[1..four.len()]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_exchanges_are_reproduced() {
        // RFC 5802, section 5, and RFC 7677, section 3; the password of both is `pencil`.
        let mut one = Scram::with_nonce(Hash::Sha1, "user", b"pencil", "fyko+d2lbbFgONRv9qkxdawL").unwrap();
        assert_eq!(one.first(), "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
        let answer =
            one.answer(b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096").unwrap();
        let nonce = "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j";
        assert_eq!(answer, format!("{nonce},p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="));
        assert!(one.proves(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ="));
        assert!(
            !one.proves(b"v=smF9pqV8S7suAoZWja4dJRkFsKQ=") && !one.proves(b"e=other") && !one.proves(b"")
        );

        let mut two = Scram::with_nonce(Hash::Sha256, "user", b"pencil", "rOprNGfwEbeRWgbNEkqO").unwrap();
        let nonce = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let answer = two.answer(format!("{nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096").as_bytes()).unwrap();
        assert_eq!(answer, format!("c=biws,{nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
        assert!(two.proves(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
    }

    #[test]
    fn a_verifier_is_what_the_published_exchange_implies() {
        // RFC 7677, section 3: salt and password as there; the client's proof must lead back to StoredKey.
        let salt = unbase64("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let kept = verifier_with(b"pencil", &salt).unwrap();
        let (head, keys) = kept.split_once("gQ==$").unwrap();
        assert_eq!(head, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6");
        let (stored, server) = keys.split_once(':').unwrap();
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let all = format!(
            "n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
        );
        let sign = |key: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), all.as_bytes());
        assert_eq!(
            base64(sign(&unbase64(server).unwrap()).as_ref()),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
        let stored = unbase64(stored).unwrap();
        let proof = unbase64("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let client: Vec<u8> = proof.iter().zip(sign(&stored).as_ref()).map(|(a, b)| a ^ b).collect();
        assert_eq!(digest::digest(&digest::SHA256, &client).as_ref(), stored);
        assert_ne!(verifier(b"pencil").unwrap(), verifier(b"pencil").unwrap(), "the salt is drawn anew");
        assert!(verifier("pä".as_bytes()).is_err());
    }

    #[test]
    fn a_server_that_cheats_gets_no_proof() {
        let fresh = || Scram::with_nonce(Hash::Sha256, "u", b"p", "abc").unwrap();
        for server in [
            "r=abcd,s=QUJD,i=1",
            "r=abcd,s=QUJD,i=4294967295",
            "r=abcd,s=QUJD,i=99999999999",
            "r=abc,s=QUJD,i=4096",
            "r=other,s=QUJD,i=4096",
            "r=abcd,s=!,i=4096",
            "s=QUJD,i=4096,r=abcd",
            "m=x,r=abcd,s=QUJD,i=4096",
            "",
        ] {
            assert!(fresh().answer(server.as_bytes()).is_err(), "{server}");
        }
        assert!(!fresh().proves(b"v="));
        assert!(Scram::new(Hash::Sha1, "u", "pä".as_bytes()).is_err());
        assert_eq!(Scram::with_nonce(Hash::Sha1, "a,b=c", b"p", "x").unwrap().first(), "n,,n=a=2Cb=3Dc,r=x");
        let (a, b) = (Scram::new(Hash::Sha1, "u", b"p").unwrap(), Scram::new(Hash::Sha1, "u", b"p").unwrap());
        assert_ne!(a.nonce, b.nonce);
    }

    #[test]
    fn base64_there_and_back() {
        for text in ["", "f", "fo", "foo", "foob", "fooba", "foobar", "\u{0}\u{ff}\u{10}"] {
            assert_eq!(unbase64(&base64(text.as_bytes())).unwrap(), text.as_bytes());
        }
        assert_eq!(base64(b"fooba"), "Zm9vYmE=");
        assert!(unbase64("A").is_none() && unbase64("A*==").is_none());
    }
}
