//! The beginning of a session of SSH: versions, algorithms, keys, and the proof that the server holds its host key
//! (RFC 4253, RFC 5656, RFC 8731; strict key exchange as OpenSSH's `PROTOCOL` says). Both sides' messages go into
//! what the server signs, so that nobody on the way can choose for them.

use super::super::link::Link;
use super::super::{Fault, random};
use super::account::Pin;
use super::fields::{Fields, Message};
use super::packet::{Cipher, Packets};
use super::{ended, number, wrong};
use ring::agreement::{self, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, X25519};
use ring::digest;
use ring::rand::SystemRandom;
use ring::signature::{self, RsaPublicKeyComponents, VerificationAlgorithm};
use zeroize::Zeroizing;

/// What this side says of itself. No system, no version: a server needs neither.
pub(super) const OWN: &str = "SSH-2.0-Keywheel";
/// Most lines that a server says before its version, and bytes of each.
const GREETING: (usize, usize) = (32, 1024);
const STRICT: (&str, &str) = ("kex-strict-c-v00@openssh.com", "kex-strict-s-v00@openssh.com");
/// Ciphers of the list authenticate by themselves, and no other is taken; a list may not be empty all the same.
const MACS: &[&str] = &["hmac-sha2-256-etm@openssh.com", "hmac-sha2-256"];

/// Ways to agree on a key.
static WAYS: [(&str, &agreement::Algorithm, &digest::Algorithm); 4] = [
    ("curve25519-sha256", &X25519, &digest::SHA256),
    ("curve25519-sha256@libssh.org", &X25519, &digest::SHA256),
    ("ecdh-sha2-nistp256", &ECDH_P256, &digest::SHA256),
    ("ecdh-sha2-nistp384", &ECDH_P384, &digest::SHA384),
];

/// Signatures of a host, and the type of key that makes them. SHA-1 is not among them.
const HOST: [(&str, &str); 5] = [
    ("ssh-ed25519", "ssh-ed25519"),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
    ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"),
    ("rsa-sha2-512", "ssh-rsa"),
    ("rsa-sha2-256", "ssh-rsa"),
];

/// Whether a type of host key can be proved here.
pub(super) fn knows(kind: &str) -> bool {
    HOST.iter().any(|(_, own)| *own == kind)
}

/// What both sides agreed on.
pub(super) struct Agreed {
    pub(super) packets: Packets,
    /// Names this session; signatures hold for no other.
    pub(super) session: Vec<u8>,
}

/// Greets, agrees on keys, and goes on only with a server that proves one of the pinned host keys.
pub(super) fn agree(link: Link, pins: &[Pin]) -> Result<Agreed, Fault> {
    let mut packets = Packets::new(link);
    packets.write(format!("{OWN}\r\n").as_bytes())?;
    let theirs = greeting(&mut packets)?;

    let signatures: Vec<&str> =
        HOST.iter().filter(|(_, kind)| pins.iter().any(|p| p.may_be(kind))).map(|(name, _)| *name).collect();
    let own = offer(&signatures)?;
    packets.send(own.as_bytes())?;
    let offered = packets.receive()?;
    if offered.first() == Some(&number::DISCONNECT) {
        return Err(ended(&offered));
    }
    let chosen = Chosen::of(&offered, &signatures)?;
    if chosen.guessed {
        packets.receive()?;
    }

    let failed = || Fault::ambiguous("no key could be agreed on with the server");
    let (_, curve, hash) = chosen.way;
    let private = EphemeralPrivateKey::generate(curve, &SystemRandom::new()).map_err(|_| failed())?;
    let public = private.compute_public_key().map_err(|_| failed())?;
    packets.send(Message::new(number::ECDH_INIT).text(public.as_ref()).as_bytes())?;
    let reply = chatter(&mut packets, chosen.strict)?;
    let mut fields = Fields::new(&reply);
    let (Some(number::ECDH_REPLY), Some(host), Some(point), Some(signed)) =
        (fields.byte(), fields.text(), fields.text(), fields.text())
    else {
        return Err(wrong());
    };
    let secret = agreement::agree_ephemeral(private, &UnparsedPublicKey::new(curve, point), |k| {
        Message::default().integer(k)
    })
    .map_err(|_| failed())?;
    let exchange = Message::default()
        .text(OWN)
        .text(&theirs)
        .text(own.as_bytes())
        .text(&offered)
        .text(host)
        .text(public.as_ref())
        .text(point)
        .raw(secret.as_bytes());
    let exchange = digest::digest(hash, exchange.as_bytes());
    Pin::among(pins, host)?;
    proved(host, signed, chosen.signature, exchange.as_ref())?;

    packets.send(&[number::NEWKEYS])?;
    let keys = Keys { hash, secret: &secret, exchange: exchange.as_ref() };
    let (cipher, strict) = (chosen.sends, chosen.strict);
    packets.seal(cipher, &keys.of(b'C', cipher.key_len()), &keys.of(b'A', 12), strict)?;
    if chatter(&mut packets, strict)? != [number::NEWKEYS] {
        return Err(wrong());
    }
    let cipher = chosen.receives;
    packets.open(cipher, &keys.of(b'D', cipher.key_len()), &keys.of(b'B', 12), strict)?;
    Ok(Agreed { packets, session: exchange.as_ref().to_vec() })
}

/// The server's version, after whatever it says to people.
fn greeting(packets: &mut Packets) -> Result<String, Fault> {
    for _ in 0..GREETING.0 {
        let line = packets.line(GREETING.1)?;
        if !line.starts_with("SSH-") {
            continue;
        }
        let plain = line.len() <= 253 && line.bytes().all(|b| (b' '..=b'~').contains(&b));
        let known = line.starts_with("SSH-2.0-") || line.starts_with("SSH-1.99-");
        return if plain && known { Ok(line) } else { Err(wrong()) };
    }
    Err(wrong())
}

/// The algorithms of this side.
fn offer(signatures: &[&str]) -> Result<Message, Fault> {
    let mut cookie = [0; 16];
    random(&mut cookie)?;
    let mut ways: Vec<&str> = WAYS.iter().map(|(name, ..)| *name).collect();
    ways.extend(["ext-info-c", STRICT.0]);
    let ciphers = Cipher::ALL.map(|(name, _)| name);
    Ok(Message::new(number::KEXINIT)
        .raw(&cookie)
        .names(&ways)
        .names(signatures)
        .names(&ciphers)
        .names(&ciphers)
        .names(MACS)
        .names(MACS)
        .names(&["none"])
        .names(&["none"])
        .names(&[])
        .names(&[])
        .byte(0)
        .number(0))
}

/// What comes of both sides' algorithms: the first of ours that the server has too.
struct Chosen {
    way: (&'static str, &'static agreement::Algorithm, &'static digest::Algorithm),
    signature: &'static str,
    sends: Cipher,
    receives: Cipher,
    strict: bool,
    /// Whether the server sent a packet of another way that it took for granted.
    guessed: bool,
}

impl Chosen {
    fn of(offered: &[u8], signatures: &[&str]) -> Result<Self, Fault> {
        let mut fields = Fields::new(offered);
        let mut lists = Vec::with_capacity(10);
        if fields.byte() != Some(number::KEXINIT) || fields.bytes::<16>().is_none() {
            return Err(wrong());
        }
        for _ in 0..10 {
            lists.push(fields.names().ok_or_else(wrong)?);
        }
        let follows = fields.flag().ok_or_else(wrong)?;
        let none = |what: &str| Fault::ambiguous(format!("the server has no {what} that is known here"));
        let way = *WAYS.iter().find(|(n, ..)| lists[0].contains(n)).ok_or_else(|| none("key exchange"))?;
        let (signature, _) = *HOST
            .iter()
            .find(|(n, _)| signatures.contains(n) && lists[1].contains(n))
            .ok_or_else(|| none("host key of a pinned type, or none"))?;
        let cipher = |list: &[&str]| Cipher::ALL.iter().find(|(n, _)| list.contains(n)).map(|(_, c)| *c);
        let (sends, receives) = (cipher(&lists[2]), cipher(&lists[3]));
        if !lists[6].contains(&"none") || !lists[7].contains(&"none") {
            return Err(none("connection without compression"));
        }
        Ok(Chosen {
            way,
            signature,
            sends: sends.ok_or_else(|| none("cipher"))?,
            receives: receives.ok_or_else(|| none("cipher"))?,
            strict: lists[0].contains(&STRICT.1),
            guessed: follows && (lists[0].first() != Some(&way.0) || lists[1].first() != Some(&signature)),
        })
    }
}

/// The next packet of the exchange. Where both sides are strict, nothing may come between.
fn chatter(packets: &mut Packets, strict: bool) -> Result<Vec<u8>, Fault> {
    loop {
        let payload = packets.receive()?;
        match payload.first() {
            Some(&number::DISCONNECT) => return Err(ended(&payload)),
            Some(&(number::IGNORE | number::DEBUG)) if !strict => {}
            _ => return Ok(payload),
        }
    }
}

/// Checks the host's signature.
fn proved(host: &[u8], signed: &[u8], expected: &str, exchange: &[u8]) -> Result<(), Fault> {
    let unproved = || Fault::ambiguous("the server does not prove its host key");
    let (mut key, mut sign) = (Fields::new(host), Fields::new(signed));
    let (kind, algorithm) = (key.text().ok_or_else(unproved)?, sign.text().ok_or_else(unproved)?);
    let own = HOST.iter().find(|(name, _)| *name == expected).map_or("", |(_, kind)| kind);
    if kind != own.as_bytes() || algorithm != expected.as_bytes() {
        return Err(unproved());
    }
    let signed = sign.text().ok_or_else(unproved)?;
    let check = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8], signed: &[u8]| {
        signature::UnparsedPublicKey::new(algorithm, key).verify(exchange, signed).map_err(|_| unproved())
    };
    match expected {
        "ssh-ed25519" => check(&signature::ED25519, key.text().ok_or_else(unproved)?, signed),
        "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" => {
            let (_, point) = (key.text().ok_or_else(unproved)?, key.text().ok_or_else(unproved)?);
            let small = expected.ends_with("256");
            let mut parts = Fields::new(signed);
            let mut fixed = Vec::new();
            for _ in 0..2 {
                let part = parts.integer().ok_or_else(unproved)?;
                let zeros =
                    (if small { 32usize } else { 48 }).checked_sub(part.len()).ok_or_else(unproved)?;
                fixed.resize(fixed.len() + zeros, 0);
                fixed.extend_from_slice(part);
            }
            let algorithm: &'static dyn VerificationAlgorithm =
                if small { &signature::ECDSA_P256_SHA256_FIXED } else { &signature::ECDSA_P384_SHA384_FIXED };
            check(algorithm, point, &fixed)
        }
        _ => {
            let (e, n) = (key.integer().ok_or_else(unproved)?, key.integer().ok_or_else(unproved)?);
            let algorithm = if expected == "rsa-sha2-512" {
                &signature::RSA_PKCS1_2048_8192_SHA512
            } else {
                &signature::RSA_PKCS1_2048_8192_SHA256
            };
            RsaPublicKeyComponents { n, e }.verify(algorithm, exchange, signed).map_err(|_| unproved())
        }
    }
}

/// Where keys come from (RFC 4253, section 7.2). This is the first exchange of the connection, so that what was
/// exchanged names the session too.
pub(super) struct Keys<'a> {
    pub(super) hash: &'static digest::Algorithm,
    pub(super) secret: &'a Message,
    pub(super) exchange: &'a [u8],
}

impl Keys<'_> {
    pub(super) fn of(&self, letter: u8, len: usize) -> Zeroizing<Vec<u8>> {
        let begin = || Message::default().raw(self.secret.as_bytes()).raw(self.exchange);
        let mut key = Zeroizing::new(Vec::with_capacity(len + self.hash.output_len()));
        let mut input = begin().byte(letter).raw(self.exchange);
        while key.len() < len {
            key.extend_from_slice(digest::digest(self.hash, input.as_bytes()).as_ref());
            input = begin().raw(&key);
        }
        key.truncate(len);
        key
    }
}
