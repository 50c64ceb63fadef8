//! Private keys as they stand in files, and what they sign (RFC 8332, RFC 5656, RFC 8709). SHA-1 signs nothing.

use super::super::{Fault, random};
use super::fields::{Fields, Message};
use super::pem;
use crate::model::Secret;
use ring::rand::SystemRandom;
use ring::rsa::KeyPairComponents;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair, RsaPublicKeyComponents,
};
use zeroize::Zeroizing;

const ED25519: &str = "ssh-ed25519";
const RSA: &str = "ssh-rsa";
const MAGIC: &[u8] = b"openssh-key-v1\0";
/// Most bytes of a number of RSA; a key of 8192 bits has them.
const LONGEST: usize = 1024;

/// Curves: the algorithm's name, the curve's, the length of a number, its object identifier as DER.
static CURVES: [(&str, &str, usize, &EcdsaSigningAlgorithm, &[u8]); 2] = [
    (
        "ecdsa-sha2-nistp256",
        "nistp256",
        32,
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
    ),
    (
        "ecdsa-sha2-nistp384",
        "nistp384",
        48,
        &ECDSA_P384_SHA384_FIXED_SIGNING,
        &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
    ),
];

/// A key that can sign in, or one that was made up for comparison.
pub(super) struct Key {
    /// The public key as it goes over the wire.
    pub(super) public: Vec<u8>,
    signs: Signs,
}

enum Signs {
    Ed25519(Ed25519KeyPair),
    Ecdsa(usize, EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
    /// A public key of RSA to which nobody has the private one: making such a pair takes a library of its own, and a
    /// server that knows its keys refuses it before it asks for a signature.
    Nobody,
}

impl Key {
    /// Reads a key from scanned text: OpenSSH's own form, PKCS#8, PKCS#1 or SEC 1.
    ///
    /// # Errors
    /// It is none, is encrypted, or is of a type that signs in nowhere or cannot be used here; never any of it.
    pub(super) fn read(secret: &Secret) -> Result<Self, Fault> {
        let (label, der) = pem::read(secret.expose())?;
        let other = || Fault::refused("the key is damaged, or of a type that is not tried");
        match label.as_str() {
            "OPENSSH PRIVATE KEY" => openssh(&der),
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der).map(Key::rsa).map_err(|e| no_rsa(&e)),
            "EC PRIVATE KEY" => {
                (0..CURVES.len()).find_map(|n| Key::ecdsa(n, &wrapped(CURVES[n].4, &der))).ok_or_else(other)
            }
            "PRIVATE KEY" => {
                if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
                    return Ok(Key::ed25519(pair));
                }
                if let Some(key) = (0..CURVES.len()).find_map(|n| Key::ecdsa(n, &der)) {
                    return Ok(key);
                }
                RsaKeyPair::from_pkcs8(&der).map(Key::rsa).map_err(|e| no_rsa(&e))
            }
            "ENCRYPTED PRIVATE KEY" => Err(encrypted()),
            _ => Err(other()),
        }
    }

    /// A key of the same type that nobody has.
    pub(super) fn made_up(&self) -> Result<Self, Fault> {
        let failed = || Fault::refused("no key could be made up for comparison");
        match &self.signs {
            Signs::Ed25519(_) => {
                let mut seed = Zeroizing::new([0; 32]);
                random(&mut *seed)?;
                Ed25519KeyPair::from_seed_unchecked(&*seed).map(Key::ed25519).map_err(|_| failed())
            }
            Signs::Ecdsa(n, _) => {
                let made = EcdsaKeyPair::generate_pkcs8(CURVES[*n].3, &SystemRandom::new());
                Key::ecdsa(*n, made.map_err(|_| failed())?.as_ref()).ok_or_else(failed)
            }
            Signs::Rsa(pair) => {
                let mut n = vec![0; pair.public().modulus_len()];
                random(&mut n)?;
                let len = n.len();
                // As long as the real one, and odd as every one is.
                n[0] |= 0x80;
                n[len - 1] |= 1;
                Ok(Key { public: rsa_public(&[1, 0, 1], &n), signs: Signs::Nobody })
            }
            Signs::Nobody => Err(failed()),
        }
    }

    fn ed25519(pair: Ed25519KeyPair) -> Self {
        let public = Message::default().text(ED25519).text(pair.public_key());
        Key { public: public.as_bytes().to_vec(), signs: Signs::Ed25519(pair) }
    }

    fn ecdsa(n: usize, pkcs8: &[u8]) -> Option<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(CURVES[n].3, pkcs8, &SystemRandom::new()).ok()?;
        Some(Key::of_curve(n, pair))
    }

    fn of_curve(n: usize, pair: EcdsaKeyPair) -> Self {
        let (name, curve, ..) = CURVES[n];
        let public = Message::default().text(name).text(curve).text(pair.public_key());
        Key { public: public.as_bytes().to_vec(), signs: Signs::Ecdsa(n, pair) }
    }

    fn rsa(pair: RsaKeyPair) -> Self {
        let parts: RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
        Key { public: rsa_public(&parts.e, &parts.n), signs: Signs::Rsa(Box::new(pair)) }
    }

    /// Signatures that it makes, the best first.
    pub(super) fn algorithms(&self) -> &'static [&'static str] {
        match &self.signs {
            Signs::Ed25519(_) => &[ED25519],
            Signs::Ecdsa(0, _) => &["ecdsa-sha2-nistp256"],
            Signs::Ecdsa(..) => &["ecdsa-sha2-nistp384"],
            Signs::Rsa(_) | Signs::Nobody => &["rsa-sha2-512", "rsa-sha2-256"],
        }
    }

    /// Signs, if it can.
    pub(super) fn sign(&self, algorithm: &str, data: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        let signed = match &self.signs {
            Signs::Ed25519(pair) => pair.sign(data).as_ref().to_vec(),
            Signs::Ecdsa(n, pair) => {
                let fixed = pair.sign(&random, data).ok()?;
                let (r, s) = fixed.as_ref().split_at(CURVES[*n].2);
                Message::default().integer(r).integer(s).as_bytes().to_vec()
            }
            Signs::Rsa(pair) => {
                let padding: &dyn signature::RsaEncoding = match algorithm {
                    "rsa-sha2-512" => &signature::RSA_PKCS1_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut out = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, data, &mut out).ok()?;
                out
            }
            Signs::Nobody => return None,
        };
        Some(Message::default().text(algorithm).text(signed).as_bytes().to_vec())
    }
}

fn rsa_public(e: &[u8], n: &[u8]) -> Vec<u8> {
    Message::default().text(RSA).integer(e).integer(n).as_bytes().to_vec()
}

pub(super) fn encrypted() -> Fault {
    Fault::refused("the key is encrypted, and its passphrase is not known")
}

fn no_rsa(error: &ring::error::KeyRejected) -> Fault {
    // Its words are of a fixed few, such as TooSmall.
    Fault::refused(format!("the RSA key cannot be used here: {error}"))
}

/// OpenSSH's own form (its `PROTOCOL.key`).
fn openssh(bytes: &[u8]) -> Result<Key, Fault> {
    let damaged = || Fault::refused("the key is damaged");
    let mut fields = Fields::new(bytes.strip_prefix(MAGIC).ok_or_else(damaged)?);
    let (Some(cipher), Some(kdf), Some(_), Some(count)) =
        (fields.text(), fields.text(), fields.text(), fields.number())
    else {
        return Err(damaged());
    };
    if cipher != b"none" || kdf != b"none" {
        return Err(encrypted());
    }
    if count != 1 {
        return Err(Fault::refused("the file holds several keys"));
    }
    fields.text().ok_or_else(damaged)?;
    let mut own = Fields::new(fields.text().ok_or_else(damaged)?);
    // Twice the same number: after a decryption this would tell whether the passphrase was right.
    if own.number().ok_or_else(damaged)? != own.number().ok_or_else(damaged)? {
        return Err(damaged());
    }
    let kind = own.text().ok_or_else(damaged)?;
    if kind == ED25519.as_bytes() {
        let (public, private) = (own.text().ok_or_else(damaged)?, own.text().ok_or_else(damaged)?);
        let seed = private.get(..32).ok_or_else(damaged)?;
        return Ed25519KeyPair::from_seed_and_public_key(seed, public)
            .map(Key::ed25519)
            .map_err(|_| damaged());
    }
    if let Some(n) = CURVES.iter().position(|(name, ..)| kind == name.as_bytes()) {
        let (_, point) = (own.text().ok_or_else(damaged)?, own.text().ok_or_else(damaged)?);
        let short = own.integer().ok_or_else(damaged)?;
        let mut private = Zeroizing::new(vec![0; CURVES[n].2.checked_sub(short.len()).ok_or_else(damaged)?]);
        private.extend_from_slice(short);
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(CURVES[n].3, &private, point, &random);
        return pair.map(|pair| Key::of_curve(n, pair)).map_err(|_| damaged());
    }
    if kind == RSA.as_bytes() {
        let mut next = || own.integer().ok_or_else(damaged);
        let (n, e, d, inverse, p, q) = (next()?, next()?, next()?, next()?, next()?, next()?);
        if [n, d, p, q].iter().any(|part| part.len() > LONGEST) {
            return Err(damaged());
        }
        let (d_p, d_q) = (less_one(d, p), less_one(d, q));
        let parts = KeyPairComponents {
            public_key: RsaPublicKeyComponents { n, e },
            d,
            p,
            q,
            dP: &d_p[..],
            dQ: &d_q[..],
            qInv: inverse,
        };
        return RsaKeyPair::from_components(&parts).map(Key::rsa).map_err(|e| no_rsa(&e));
    }
    Err(Fault::refused(match kind {
        k if k.starts_with(b"sk-") => "the key belongs to a security key, without which it signs nothing",
        b"ssh-dss" => "the key is of DSA, which servers no longer take",
        _ => "the key is of a type that is not tried",
    }))
}

/// `value` modulo `prime` − 1, for a prime that is odd: the exponents that OpenSSH's form leaves out. Bit by bit; it
/// runs twice a key.
fn less_one(value: &[u8], prime: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut modulus = Zeroizing::new(prime.to_vec());
    if let Some(last) = modulus.last_mut() {
        *last &= 0xfe;
    }
    // One byte longer, so that doubling has room.
    let mut rest = Zeroizing::new(vec![0u8; modulus.len() + 1]);
    for byte in value {
        for bit in (0..8).rev() {
            let mut carry = (byte >> bit) & 1;
            for b in rest.iter_mut().rev() {
                let next = *b >> 7;
                *b = (*b << 1) | carry;
                carry = next;
            }
            if rest[0] != 0 || rest[1..] >= modulus[..] {
                let mut borrow = 0;
                for (b, m) in rest.iter_mut().rev().zip(modulus.iter().rev().chain(&[0])) {
                    let (one, under) = b.overflowing_sub(*m);
                    let (two, again) = one.overflowing_sub(borrow);
                    (*b, borrow) = (two, u8::from(under || again));
                }
            }
        }
    }
    let zeros = rest.iter().take_while(|b| **b == 0).count();
    Zeroizing::new(rest[zeros..].to_vec())
}

/// A key of SEC 1 within PKCS#8, which names its curve (RFC 5958, RFC 5480).
fn wrapped(curve: &[u8], key: &[u8]) -> Zeroizing<Vec<u8>> {
    const PUBLIC_KEY: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    let algorithm = der(0x30, &[PUBLIC_KEY, curve].concat());
    let version: &[u8] = &[0x02, 0x01, 0x00];
    let inner = Zeroizing::new([version, &algorithm[..], &der(0x04, key)[..]].concat());
    der(0x30, &inner)
}

/// An element of DER, of less than 64 KiB.
fn der(tag: u8, content: &[u8]) -> Zeroizing<Vec<u8>> {
    let [high, low] = (content.len() as u16).to_be_bytes();
    let head: &[u8] = match content.len() {
        0..=0x7f => &[tag, low],
        0x80..=0xff => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    Zeroizing::new([head, content].concat())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{armoured, ed25519};
    use super::*;

    #[test]
    fn the_rest_of_a_division_by_one_less() {
        let rest = |value: u128, prime: u64| {
            let out = less_one(&value.to_be_bytes(), &prime.to_be_bytes()[..]);
            out.iter().fold(0u128, |all, b| all << 8 | u128::from(*b))
        };
        for (value, prime) in [
            (0u128, 0xffff_ffff_ffff_ffc5u64),
            (0x1_0000_0000_0000_0001, 0xffff_ffff_ffff_ffc5),
            (u128::MAX, 0xffff_ffff_ffff_ffc5),
            (0x1234_5678_9abc_def0_1122_3344_5566_7788, 0x8000_0000_0000_001d),
            (0xffff_ffff_ffff_ffc4, 0xffff_ffff_ffff_ffc5),
        ] {
            assert_eq!(rest(value, prime), value % u128::from(prime - 1), "{value:x} {prime:x}");
        }
    }

    #[test]
    fn what_cannot_sign_in_is_told_by_its_reason() {
        let said = |text: &str| match Key::read(&Secret::new(text.as_bytes())) {
            Ok(_) => panic!("a key: {text}"),
            Err(fault) => {
                assert_eq!(fault.why, crate::model::Unknown::Refused);
                fault.detail
            }
        };
        let openssh = |cipher: &str, count: u32, kind: &str| {
            let own = Message::default().number(5).number(5).text(kind).text("x");
            let file = Message::default().raw(MAGIC).text(cipher).text(cipher).text("").number(count);
            let file = file.text("public").text(own.as_bytes());
            armoured("OPENSSH PRIVATE KEY", file.as_bytes())
        };
        for (text, word) in [
            (openssh("aes256-ctr", 1, ED25519), "encrypted"),
            (openssh("none", 2, ED25519), "several"),
            (openssh("none", 1, "ssh-dss"), "DSA"),
            (openssh("none", 1, "sk-ssh-ed25519@openssh.com"), "security key"),
            (openssh("none", 1, "ecdsa-sha2-nistp521"), "type"),
            (openssh("none", 1, ED25519), "damaged"),
            (armoured("ENCRYPTED PRIVATE KEY", b"0123"), "encrypted"),
            (armoured("DSA PRIVATE KEY", b"0123"), "type"),
            (armoured("RSA PRIVATE KEY", b"0123"), "RSA"),
            (armoured("EC PRIVATE KEY", b"0123"), "damaged"),
        ] {
            assert!(said(&text).contains(word), "{word}: {}", said(&text));
        }
        // Cut anywhere, a key is none.
        let whole = ed25519(3);
        let (_, bytes) = pem::read(whole.as_bytes()).unwrap();
        assert!(Key::read(&Secret::new(whole.as_bytes())).is_ok());
        for cut in 0..bytes.len() - 40 {
            said(&armoured("OPENSSH PRIVATE KEY", &bytes[..cut]));
        }
    }

    #[test]
    fn a_made_up_key_is_of_the_same_type_and_another() {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
        for text in [ed25519(1), armoured("PRIVATE KEY", pkcs8.as_ref())] {
            let key = Key::read(&Secret::new(text.as_bytes())).unwrap();
            let (one, two) = (key.made_up().unwrap(), key.made_up().unwrap());
            assert_eq!((one.algorithms(), one.public.len()), (key.algorithms(), key.public.len()));
            assert!(one.public != key.public && one.public != two.public);
            assert!(one.sign(one.algorithms()[0], b"x").is_some());
        }
    }
}
