//! Packets of SSH: in the clear until keys are agreed on, then sealed (RFC 4253, section 6; RFC 5647 with the names of
//! OpenSSH; OpenSSH's `PROTOCOL.chacha20poly1305`). Ciphers without authentication of their own are not offered.

use super::super::link::Link;
use super::super::{Fault, random};
use super::wrong;
use ring::aead::chacha20_poly1305_openssh::{OpeningKey, SealingKey};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

/// Longest packet: what every side must be able to take (RFC 4253, section 6.1).
const LONGEST: usize = 35_000;
const TAG: usize = 16;
/// Bytes of a length.
const HEAD: usize = 4;

/// A cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cipher {
    ChaCha20Poly1305,
    Aes256Gcm,
    Aes128Gcm,
}

impl Cipher {
    /// All, the best first.
    pub(super) const ALL: [(&'static str, Cipher); 3] = [
        ("chacha20-poly1305@openssh.com", Cipher::ChaCha20Poly1305),
        ("aes256-gcm@openssh.com", Cipher::Aes256Gcm),
        ("aes128-gcm@openssh.com", Cipher::Aes128Gcm),
    ];

    /// Bytes of the key.
    pub(super) fn key_len(self) -> usize {
        match self {
            Cipher::ChaCha20Poly1305 => 64,
            Cipher::Aes256Gcm => 32,
            Cipher::Aes128Gcm => 16,
        }
    }

    fn gcm(self, key: &[u8], iv: &[u8]) -> Option<Box<Gcm>> {
        let algorithm = if self == Cipher::Aes128Gcm { &AES_128_GCM } else { &AES_256_GCM };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
        Some(Box::new(Gcm { key, nonce: iv.get(..12)?.try_into().ok()? }))
    }
}

/// AES-GCM with the counter of packets in its nonce.
struct Gcm {
    key: LessSafeKey,
    nonce: [u8; 12],
}

impl Gcm {
    /// The nonce of this packet; the next one gets the next.
    fn next(&mut self) -> Nonce {
        let now = self.nonce;
        let mut counter = [0; 8];
        counter.copy_from_slice(&now[4..]);
        self.nonce[4..].copy_from_slice(&u64::from_be_bytes(counter).wrapping_add(1).to_be_bytes());
        Nonce::assume_unique_for_key(now)
    }
}

enum Seal {
    None,
    ChaCha(SealingKey),
    Gcm(Box<Gcm>),
}

enum Open {
    None,
    ChaCha(OpeningKey),
    Gcm(Box<Gcm>),
}

/// Packets in both directions.
pub(super) struct Packets {
    link: Link,
    seal: Seal,
    open: Open,
    sent: u32,
    got: u32,
}

impl Packets {
    pub(super) fn new(link: Link) -> Self {
        Packets { link, seal: Seal::None, open: Open::None, sent: 0, got: 0 }
    }

    /// What is sent from here on is sealed. `afresh` begins to count anew, as both sides do that agreed on it.
    pub(super) fn seal(&mut self, cipher: Cipher, key: &[u8], iv: &[u8], afresh: bool) -> Result<(), Fault> {
        self.seal = match cipher {
            Cipher::ChaCha20Poly1305 => Seal::ChaCha(SealingKey::new(key.try_into().map_err(|_| wrong())?)),
            _ => Seal::Gcm(cipher.gcm(key, iv).ok_or_else(wrong)?),
        };
        self.sent = if afresh { 0 } else { self.sent };
        Ok(())
    }

    /// What comes from here on is sealed.
    pub(super) fn open(&mut self, cipher: Cipher, key: &[u8], iv: &[u8], afresh: bool) -> Result<(), Fault> {
        self.open = match cipher {
            Cipher::ChaCha20Poly1305 => Open::ChaCha(OpeningKey::new(key.try_into().map_err(|_| wrong())?)),
            _ => Open::Gcm(cipher.gcm(key, iv).ok_or_else(wrong)?),
        };
        self.got = if afresh { 0 } else { self.got };
        Ok(())
    }

    pub(super) fn send(&mut self, payload: &[u8]) -> Result<(), Fault> {
        // The length counts for the padding only where it is encrypted with the rest.
        let (block, head) = match self.seal {
            Seal::None => (8, HEAD),
            Seal::ChaCha(_) => (8, 0),
            Seal::Gcm(_) => (16, 0),
        };
        let mut padding = block - (head + 1 + payload.len()) % block;
        if padding < 4 {
            padding += block;
        }
        let len = 1 + payload.len() + padding;
        let mut packet = Zeroizing::new(Vec::with_capacity(HEAD + len + TAG));
        packet.extend_from_slice(&(len as u32).to_be_bytes());
        packet.push(padding as u8);
        packet.extend_from_slice(payload);
        let filled = packet.len();
        packet.resize(filled + padding, 0);
        random(&mut packet[filled..])?;
        match &mut self.seal {
            Seal::None => {}
            Seal::ChaCha(key) => {
                let mut tag = [0; TAG];
                key.seal_in_place(self.sent, &mut packet, &mut tag);
                packet.extend_from_slice(&tag);
            }
            Seal::Gcm(gcm) => {
                let nonce = gcm.next();
                let (head, body) = packet.split_at_mut(HEAD);
                let sealed = gcm.key.seal_in_place_separate_tag(nonce, Aad::from(&*head), body);
                let tag = sealed.map_err(|_| wrong())?;
                packet.extend_from_slice(tag.as_ref());
            }
        }
        self.sent = self.sent.wrapping_add(1);
        self.link.write(&packet)
    }

    /// The payload of the next packet, which is not empty.
    pub(super) fn receive(&mut self) -> Result<Vec<u8>, Fault> {
        let forged = || Fault::ambiguous("a packet of the server was changed on the way");
        let head: [u8; HEAD] = self.link.read(HEAD)?.try_into().map_err(|_| wrong())?;
        let (plain, tag) = match &self.open {
            Open::None => (head, 0),
            Open::ChaCha(key) => (key.decrypt_packet_length(self.got, head), TAG),
            Open::Gcm(_) => (head, TAG),
        };
        let len = u32::from_be_bytes(plain) as usize;
        if !(5..=LONGEST).contains(&len) {
            return Err(wrong());
        }
        let mut packet = Zeroizing::new(head.to_vec());
        packet.extend_from_slice(&Zeroizing::new(self.link.read(len + tag)?));
        match &mut self.open {
            Open::None => {}
            Open::ChaCha(key) => {
                let tag: [u8; TAG] = packet[HEAD + len..].try_into().map_err(|_| wrong())?;
                key.open_in_place(self.got, &mut packet[..HEAD + len], &tag).map_err(|_| forged())?;
            }
            Open::Gcm(gcm) => {
                let nonce = gcm.next();
                let (head, body) = packet.split_at_mut(HEAD);
                gcm.key.open_in_place(nonce, Aad::from(&*head), body).map_err(|_| forged())?;
            }
        }
        self.got = self.got.wrapping_add(1);
        let body = &packet[HEAD..HEAD + len];
        let end = body.len().checked_sub(usize::from(body[0])).filter(|end| *end > 1).ok_or_else(wrong)?;
        Ok(body[1..end].to_vec())
    }

    /// A line before the first packet.
    pub(super) fn line(&mut self, most: usize) -> Result<String, Fault> {
        self.link.line(most)
    }

    /// Bytes before the first packet.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.link.write(bytes)
    }
}
