//! A server of SSH on loopback that does what a test wants, and keys made from a number.

use super::super::link::{Link, Roots};
use super::super::testing::serve;
use super::agree::Keys;
use super::fields::{Fields, Message};
use super::packet::{Cipher, Packets};
use super::{SshAccount, account, number};
use crate::call::Host;
use base64ct::{Base64, Encoding};
use ring::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey, X25519};
use ring::digest;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Bytes in the armour of a private key.
pub(super) fn armoured(label: &str, bytes: &[u8]) -> String {
    let body = Base64::encode_string(bytes);
    let lines: Vec<&str> = body.as_bytes().chunks(64).map(|l| std::str::from_utf8(l).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn pair(number: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap()
}

pub(super) fn public(number: u8) -> Vec<u8> {
    let pair = pair(number);
    Message::default().text("ssh-ed25519").text(pair.public_key()).as_bytes().to_vec()
}

/// A file of OpenSSH with the key of a number.
pub(super) fn ed25519(number: u8) -> String {
    let pair = pair(number);
    let both = [&[number; 32][..], pair.public_key().as_ref()].concat();
    let own = Message::default().number(7).number(7).text("ssh-ed25519").text(pair.public_key());
    let own = own.text(both).text("comment").raw(&[1, 2, 3]);
    let file = Message::default().raw(b"openssh-key-v1\0").text("none").text("none").text("").number(1);
    armoured("OPENSSH PRIVATE KEY", file.text(public(number)).text(own.as_bytes()).as_bytes())
}

/// The number of the double's host key.
pub(super) const HOST: u8 = 200;

/// How the double behaves before anybody signs in.
#[derive(Clone, Copy)]
pub(super) struct Manners {
    pub(super) cipher: &'static str,
    pub(super) strict: bool,
    /// Sends what a lenient side passes over.
    pub(super) chatty: bool,
    /// Signs something else than it should.
    pub(super) lies: bool,
    /// Damages its first sealed packet.
    pub(super) damages: bool,
}

pub(super) const WELL: Manners = Manners {
    cipher: "chacha20-poly1305@openssh.com",
    strict: true,
    chatty: false,
    lies: false,
    damages: false,
};

/// What the server answers to a request to sign in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) user: String,
    pub(super) signed: bool,
    pub(super) algorithm: String,
    pub(super) public: Vec<u8>,
    /// Whether the signature holds.
    pub(super) proved: bool,
}

/// A server whose answers to each request are `answer`'s: payloads to send.
pub(super) fn double(
    manners: Manners,
    answer: impl Fn(&Asked) -> Vec<Vec<u8>> + Send + Sync + 'static,
) -> u16 {
    serve(move |stream| {
        talk(stream, manners, &answer);
    })
}

/// Ends, with nothing said, when the other side hangs up or says what it should not.
fn talk(stream: TcpStream, manners: Manners, answer: &dyn Fn(&Asked) -> Vec<Vec<u8>>) -> Option<()> {
    let host = Host::parse("127.0.0.1").unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    let mut packets = Packets::new(Link::new(stream, host, Roots::new(&[]).unwrap(), false, until));
    let own = "SSH-2.0-double";
    packets.write(format!("hello\r\n{own}\r\n").as_bytes()).ok()?;
    let theirs = packets.line(300).ok()?;
    let ways =
        if manners.strict { "curve25519-sha256,kex-strict-s-v00@openssh.com" } else { "curve25519-sha256" };
    let mut offer = Message::new(number::KEXINIT).raw(&[9; 16]).text(ways).text("rsa-sha2-512,ssh-ed25519");
    for list in [manners.cipher, manners.cipher, "hmac-sha1", "hmac-sha1", "none", "none", "", ""] {
        offer = offer.text(list);
    }
    let offer = offer.byte(0).number(0);
    packets.send(offer.as_bytes()).ok()?;
    let asked = packets.receive().ok()?;
    let init = packets.receive().ok()?;
    let mut fields = Fields::new(&init);
    fields.byte().filter(|n| *n == number::ECDH_INIT)?;
    let point = fields.text()?;
    let private = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).ok()?;
    let mine = private.compute_public_key().ok()?;
    let secret = agreement::agree_ephemeral(private, &UnparsedPublicKey::new(&X25519, point), |k| {
        Message::default().integer(k)
    })
    .ok()?;
    let exchange = Message::default().text(theirs).text(own).text(&asked).text(offer.as_bytes());
    let exchange = exchange.text(public(HOST)).text(point).text(mine.as_ref()).raw(secret.as_bytes());
    let exchange = digest::digest(&digest::SHA256, exchange.as_bytes());
    let signed: &[u8] = if manners.lies { b"something else" } else { exchange.as_ref() };
    let signature = Message::default().text("ssh-ed25519").text(pair(HOST).sign(signed));
    if manners.chatty {
        packets.send(Message::new(number::IGNORE).text("noise").as_bytes()).ok()?;
    }
    let reply = Message::new(number::ECDH_REPLY).text(public(HOST)).text(mine.as_ref());
    packets.send(reply.text(signature.as_bytes()).as_bytes()).ok()?;
    packets.send(&[number::NEWKEYS]).ok()?;
    let keys = Keys { hash: &digest::SHA256, secret: &secret, exchange: exchange.as_ref() };
    let cipher = Cipher::ALL.iter().find(|(name, _)| *name == manners.cipher)?.1;
    let mut key = keys.of(b'D', cipher.key_len());
    if manners.damages {
        key[0] ^= 1;
    }
    packets.seal(cipher, &key, &keys.of(b'B', 12), manners.strict).ok()?;
    (packets.receive().ok()? == [number::NEWKEYS]).then_some(())?;
    packets.open(cipher, &keys.of(b'C', cipher.key_len()), &keys.of(b'A', 12), manners.strict).ok()?;
    packets.receive().ok().filter(|p| p[0] == number::SERVICE_REQUEST)?;
    if manners.chatty {
        let extensions = Message::new(number::EXT_INFO).number(1).text("server-sig-algs");
        packets.send(extensions.text("ssh-ed25519,rsa-sha2-256").as_bytes()).ok()?;
    }
    packets.send(Message::new(number::SERVICE_ACCEPT).text("ssh-userauth").as_bytes()).ok()?;
    if manners.chatty {
        packets.send(Message::new(number::BANNER).text("\x1b[31mhello").text("").as_bytes()).ok()?;
    }
    loop {
        let request = packets.receive().ok().filter(|p| p[0] == number::REQUEST)?;
        for payload in answer(&read(&request, exchange.as_ref())?) {
            packets.send(&payload).ok()?;
        }
    }
}

fn read(request: &[u8], session: &[u8]) -> Option<Asked> {
    let mut fields = Fields::new(&request[1..]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (user, _, _) = (text(fields.text()?), fields.text()?, fields.text()?);
    let (signed, algorithm, public) = (fields.flag()?, text(fields.text()?), fields.text()?.to_vec());
    let said = request.len() - fields.rest().len();
    let proved = signed && {
        let data = Message::default().text(session).raw(&request[..said]);
        let mut signature = Fields::new(fields.text()?);
        let (_, bytes) = (signature.text()?, signature.text()?);
        let mut key = Fields::new(&public);
        let (kind, key) = (key.text()?, key.text()?);
        kind == b"ssh-ed25519"
            && ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key)
                .verify(data.as_bytes(), bytes)
                .is_ok()
    };
    Some(Asked { user, signed, algorithm, public, proved })
}

/// The double as the organisation's file names it.
pub(super) fn at(port: u16, host_key: u8) -> SshAccount {
    let pin = account::fingerprint(&public(host_key));
    SshAccount::new("git", &format!("127.0.0.1:{port}"), &[pin], true).unwrap()
}
