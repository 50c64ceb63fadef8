//! SSH: public-key authentication, and nothing after it (RFC 4252).
//!
//! A private key does not tell where it opens anything, so it is tried at the accounts that the organisation's file
//! lists, never at a host from scanned text. Whoever answers learns which key was tried, and so whose it may be: hence
//! nobody is asked who does not prove the host key that the file names. No channel is opened, no agent and no password
//! takes part.
//!
//! A key that is let in works. That a server does not accept a key says no more than that: this account does not list
//! it, or not from here, and another may. So a refusal is unknown, however many accounts refuse; nothing that a server
//! can say proves a key dead. A demand for a further proof after the key (partial success) does prove the key.
//!
//! The wire is spoken here because no library fits: those for Rust sign with RSA keys by a crate whose timing leak is
//! open (RUSTSEC-2023-0071), bring an asynchronous runtime, or know only some types of keys. The cryptography is
//! ring's, which TLS brings along; it has every piece, OpenSSH's own cipher among them.

mod account;
mod agree;
mod fields;
mod key;
mod packet;
mod pem;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use account::SshAccount;

use super::{Answer, Fault, Net, Probe, Probed, plain, probed, told_apart};
use crate::call::Values;
use crate::model::{Unknown, Validity};
use account::fingerprint;
use agree::{Agreed, agree};
use fields::{Fields, Message};
use key::Key;
use packet::Packets;
use std::collections::BTreeMap;
use std::time::Instant;

/// Numbers of messages (RFC 4250, section 4.1.2; RFC 5656; RFC 8308).
mod number {
    pub(super) const DISCONNECT: u8 = 1;
    pub(super) const IGNORE: u8 = 2;
    pub(super) const DEBUG: u8 = 4;
    pub(super) const SERVICE_REQUEST: u8 = 5;
    pub(super) const SERVICE_ACCEPT: u8 = 6;
    pub(super) const EXT_INFO: u8 = 7;
    pub(super) const KEXINIT: u8 = 20;
    pub(super) const NEWKEYS: u8 = 21;
    pub(super) const ECDH_INIT: u8 = 30;
    pub(super) const ECDH_REPLY: u8 = 31;
    pub(super) const REQUEST: u8 = 50;
    pub(super) const FAILURE: u8 = 51;
    pub(super) const SUCCESS: u8 = 52;
    pub(super) const BANNER: u8 = 53;
    pub(super) const ACCEPTABLE: u8 = 60;
}

const USERAUTH: &str = "ssh-userauth";
const METHOD: &str = "publickey";

/// A private key, tried at the accounts that the organisation names.
pub struct Ssh<'a> {
    /// Connects.
    pub net: &'a Net,
    /// Where keys are tried, in turn.
    pub accounts: &'a [SshAccount],
}

impl Probe for Ssh<'_> {
    fn name(&self) -> &'static str {
        "ssh"
    }

    fn needs(&self) -> &'static [&'static str] {
        &[]
    }

    fn check(&self, values: &Values, deadline: Instant) -> Probed {
        let key = values.get("secret").ok_or_else(|| Fault::refused("there is no key")).and_then(Key::read);
        let key = match key {
            Ok(key) => key,
            Err(fault) => return probed(String::new(), Err(fault)),
        };
        let mut heaviest: Option<Probed> = None;
        for (n, account) in self.accounts.iter().enumerate() {
            // An account that does not answer leaves the others their share of the time.
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(self.accounts.len() - n).unwrap_or(u32::MAX);
            let came = probed(account.place(), self.try_at(account, &key, Instant::now() + share));
            match &came.validity {
                Validity::Active { .. } => return came,
                // What was not answered is told before what was refused.
                Validity::Unknown(Unknown::Ambiguous) => heaviest = heaviest.or(Some(came)),
                _ if heaviest.as_ref().is_none_or(|h| h.validity == AMBIGUOUS) => heaviest = Some(came),
                _ => {}
            }
        }
        let mut came = heaviest.unwrap_or_else(|| {
            let none = "the organisation's file names no account at which keys are tried ([[verify.ssh]])";
            probed(String::new(), Err(Fault::refused(none)))
        });
        if self.accounts.len() > 1 {
            came.detail = format!(
                "none of {} accounts lets it in; {}: {}",
                self.accounts.len(),
                came.host,
                came.detail
            );
        }
        came
    }
}

const AMBIGUOUS: Validity = Validity::Unknown(Unknown::Ambiguous);

impl Ssh<'_> {
    fn try_at(&self, account: &SshAccount, key: &Key, deadline: Instant) -> Result<Answer, Fault> {
        told_apart("key", key, || key.made_up(), &|key| {
            let link = self.net.named(&account.host, account.port, deadline)?;
            let Agreed { packets, session } = agree(link, &account.pins)?;
            Login { packets, session, account, taken: None }.run(key)
        })
    }
}

/// A session whose keys are agreed on, with a server that proved its name.
struct Login<'a> {
    packets: Packets,
    session: Vec<u8>,
    account: &'a SshAccount,
    /// Signatures that the server takes, if it said so.
    taken: Option<Vec<String>>,
}

impl Login<'_> {
    fn run(mut self, key: &Key) -> Result<Answer, Fault> {
        self.packets.send(Message::new(number::SERVICE_REQUEST).text(USERAUTH).as_bytes())?;
        if self.next()?.first() != Some(&number::SERVICE_ACCEPT) {
            return Err(wrong());
        }
        let mut refused = None;
        for algorithm in key.algorithms() {
            if self.taken.as_ref().is_some_and(|list| !list.iter().any(|name| name == algorithm)) {
                continue;
            }
            match self.with(key, algorithm)? {
                answer @ Answer::In { .. } => {
                    // The answer stands, whether the farewell arrives or not.
                    let farewell = Message::new(number::DISCONNECT).number(11).text("").text("");
                    self.packets.send(farewell.as_bytes()).ok();
                    return Ok(answer);
                }
                answer => refused = Some(answer),
            }
        }
        refused.ok_or_else(|| Fault::ambiguous("the server takes no key of this type"))
    }

    /// Asks whether the key is welcome, and only then signs.
    fn with(&mut self, key: &Key, algorithm: &str) -> Result<Answer, Fault> {
        let request = |signed: bool| {
            Message::new(number::REQUEST)
                .text(&self.account.user)
                .text("ssh-connection")
                .text(METHOD)
                .byte(u8::from(signed))
                .text(algorithm)
                .text(&key.public)
        };
        let (asks, signs) = (request(false), request(true));
        self.packets.send(asks.as_bytes())?;
        let reply = self.next()?;
        match reply.first() {
            Some(&number::FAILURE) => return self.refused(&reply, false),
            Some(&number::ACCEPTABLE) => {
                let expected = Message::new(number::ACCEPTABLE).text(algorithm).text(&key.public);
                if reply != expected.as_bytes() {
                    return Err(Fault::ambiguous("the server speaks of another key"));
                }
            }
            Some(&number::SUCCESS) => {
                return Err(Fault::ambiguous("the server lets this user in without a signature"));
            }
            _ => return Err(wrong()),
        }
        let signed = Message::default().text(&self.session).raw(signs.as_bytes());
        let Some(signature) = key.sign(algorithm, signed.as_bytes()) else {
            return Err(Fault::ambiguous(
                "it asks for the signature of a made-up key, which nobody can make",
            ));
        };
        self.packets.send(signs.text(signature).as_bytes())?;
        let reply = self.next()?;
        match reply.first() {
            Some(&number::SUCCESS) => Ok(self.inside(key, false, "the key is let in")),
            Some(&number::FAILURE) => match self.refused(&reply, true)? {
                Answer::In { .. } => {
                    Ok(self.inside(key, true, "the key is accepted, and a further proof is asked for"))
                }
                answer => Ok(answer),
            },
            _ => Err(wrong()),
        }
    }

    /// What a failure means; `In` for one that asks for a further proof.
    fn refused(&self, reply: &[u8], signed: bool) -> Result<Answer, Fault> {
        let mut fields = Fields::new(&reply[1..]);
        let (methods, partial) = (fields.names().ok_or_else(wrong)?, fields.flag().ok_or_else(wrong)?);
        let account = format!("{}@{}", plain(&self.account.user), self.account.place());
        match (partial, signed) {
            (true, true) => Ok(Answer::In {
                mutual: false,
                restricted: true,
                identity: BTreeMap::new(),
                detail: String::new(),
            }),
            (true, false) => Err(Fault::ambiguous("the server accepts a key without its signature")),
            (false, false) if !methods.contains(&METHOD) => {
                Err(Fault::ambiguous(format!("{account} does not sign in with keys")))
            }
            (false, _) => {
                Ok(Answer::Barred(format!("{account} does not take the key, which may open other accounts")))
            }
        }
    }

    fn inside(&self, key: &Key, restricted: bool, how: &str) -> Answer {
        let account = format!("{}@{}", plain(&self.account.user), self.account.place());
        let identity =
            BTreeMap::from([("account".to_owned(), account), ("key".to_owned(), fingerprint(&key.public))]);
        Answer::In { mutual: false, restricted, identity, detail: format!("SSH: {how}") }
    }

    /// The next message that decides something.
    fn next(&mut self) -> Result<Vec<u8>, Fault> {
        loop {
            let payload = self.packets.receive()?;
            match payload.first() {
                Some(&number::DISCONNECT) => return Err(ended(&payload)),
                // What a banner says is for people.
                Some(&(number::IGNORE | number::DEBUG | number::BANNER)) => {}
                Some(&number::EXT_INFO) => self.taken = signatures(&payload).or(self.taken.take()),
                _ => return Ok(payload),
            }
        }
    }
}

/// Signatures that a server takes (RFC 8308, section 3.1).
fn signatures(payload: &[u8]) -> Option<Vec<String>> {
    let mut fields = Fields::new(&payload[1..]);
    for _ in 0..fields.number()?.min(16) {
        let (name, value) = (fields.text()?, fields.text()?);
        if name == b"server-sig-algs" {
            let list = std::str::from_utf8(value).ok()?;
            return Some(list.split(',').map(str::to_owned).collect());
        }
    }
    None
}

fn wrong() -> Fault {
    Fault::ambiguous("the server does not speak SSH as it should")
}

/// A server that takes its leave (RFC 4253, section 11.1). Its words stay out: they are hostile text.
fn ended(payload: &[u8]) -> Fault {
    let reason = Fields::new(&payload[1..]).number().unwrap_or_default();
    Fault::new(Unknown::Unreachable, format!("the server ended the session (reason {reason} of SSH)"))
}
