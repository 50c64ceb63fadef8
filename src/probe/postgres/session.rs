//! The wire of a session: messages, TLS, what the server asks of the password, and whether it lets one in.

use super::super::link::Link;
use super::super::scram::{Hash, Scram};
use super::super::url::Tls;
use super::super::{Answer, Fault, plain};
use crate::model::{Secret, Unknown};
use md5::{Digest, Md5};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Longest message that a server sends during a login, or in answer to one of our statements.
const LONGEST: usize = 16 << 10;

/// What a login came to.
pub(super) enum Begun {
    /// The server waits for statements.
    In(Session),
    /// A clear answer, and the session is over.
    Over(Answer),
    /// The password was taken, and then the role was not let in: the error's code.
    Barred(String),
}

/// A session.
pub(super) struct Session {
    link: Link,
    user: String,
    /// Whether something that the password goes into was sent.
    sent: bool,
    /// Whether the server proved that it knows the password.
    proved: bool,
    let_in: bool,
    known: BTreeMap<String, String>,
}

impl Session {
    pub(super) fn new(link: Link, user: &str) -> Session {
        let known = BTreeMap::new();
        Session { link, user: user.to_owned(), sent: false, proved: false, let_in: false, known }
    }

    /// Signs in at a database; without a name at the user's own.
    pub(super) fn begin(mut self, database: &str, password: &Secret, tls: Tls) -> Result<Begun, Fault> {
        self.encrypt(tls)?;
        let database = if database.is_empty() { self.user.as_str() } else { database };
        let mut start = 196_608u32.to_be_bytes().to_vec();
        for (name, value) in
            [("user", self.user.as_str()), ("database", database), ("application_name", "keywheel")]
        {
            for text in [name, value] {
                start.extend_from_slice(text.as_bytes());
                start.push(0);
            }
        }
        start.push(0);
        self.send(None, &start)?;
        let mut scram = None;
        loop {
            let (tag, body) = self.message()?;
            match tag {
                b'R' => self.asked(&body, password, &mut scram)?,
                b'E' => return self.refused(&body),
                // ParameterStatus: what a server tells everybody who is in.
                b'S' => {
                    let mut texts = body.split(|b| *b == 0).map(String::from_utf8_lossy);
                    let (name, value) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
                    if let "server_version" | "is_superuser" = &*name {
                        self.known.insert(name.replace('_', " "), plain(&value));
                    }
                }
                // BackendKeyData, NoticeResponse, NegotiateProtocolVersion.
                b'K' | b'N' | b'v' => {}
                b'Z' if self.let_in => return Ok(Begun::In(self)),
                _ => return Err(Fault::ambiguous("the server does not speak PostgreSQL as it should")),
            }
        }
    }

    /// Ends a session that served to sign in only.
    pub(super) fn leave(mut self) -> Answer {
        self.close();
        self.inside("it is let in")
    }

    /// Says farewell. What was answered stands, whether it arrives or not.
    pub(super) fn close(&mut self) {
        self.send(Some(b'X'), &[]).ok();
    }

    fn inside(self, how: &str) -> Answer {
        let mut identity = self.known;
        identity.insert("user".to_owned(), plain(&self.user));
        Answer::In { mutual: self.proved, restricted: false, identity, detail: format!("PostgreSQL: {how}") }
    }

    fn encrypt(&mut self, tls: Tls) -> Result<(), Fault> {
        if tls == Tls::Off {
            return Ok(());
        }
        self.send(None, &80_877_103u32.to_be_bytes())?;
        match self.link.read(1)?[0] {
            b'S' => self.link.secure(tls),
            b'N' if tls == Tls::Prefer => Ok(()),
            b'N' => Err(Fault::refused("the server has no TLS, which the URL asks for")),
            _ => Err(Fault::ambiguous("the server does not speak PostgreSQL as it should")),
        }
    }

    /// What the server wants of the password.
    fn asked(&mut self, body: &[u8], password: &Secret, scram: &mut Option<Scram>) -> Result<(), Fault> {
        let wrong = || Fault::ambiguous("the server does not speak PostgreSQL as it should");
        let (kind, rest) = body.split_at_checked(4).ok_or_else(wrong)?;
        let kind = u32::from_be_bytes([kind[0], kind[1], kind[2], kind[3]]);
        match (kind, scram) {
            (0, None) if !self.sent => {
                Err(Fault::ambiguous("the server lets this user in without a password"))
            }
            (0, Some(_)) if !self.proved => Err(Fault::ambiguous("the server let go of its proof")),
            (0, _) => {
                self.let_in = true;
                Ok(())
            }
            _ if self.let_in => Err(wrong()),
            (3, None) => {
                self.link.may_send_password()?;
                self.password(password.expose())
            }
            (5, None) => {
                let salt = rest.get(..4).ok_or_else(wrong)?;
                let inner =
                    hex(&Md5::new().chain_update(password.expose()).chain_update(&self.user).finalize());
                let outer = hex(&Md5::new().chain_update(inner.as_bytes()).chain_update(salt).finalize());
                self.password(Zeroizing::new(format!("md5{}", *outer)).as_bytes())
            }
            (10, scram @ None) => {
                if !rest.split(|b| *b == 0).any(|name| name == b"SCRAM-SHA-256") {
                    return Err(Fault::ambiguous("the server offers no SCRAM that is known here"));
                }
                // The server knows the user from the start of the session.
                let begun = Scram::new(Hash::Sha256, "", password.expose())?;
                let first = begun.first();
                let mut message = b"SCRAM-SHA-256\0".to_vec();
                message.extend_from_slice(&(first.len() as u32).to_be_bytes());
                message.extend_from_slice(first.as_bytes());
                *scram = Some(begun);
                self.send(Some(b'p'), &message)
            }
            (11, Some(scram)) if !self.sent => {
                let answer = scram.answer(rest)?;
                self.sent = true;
                self.send(Some(b'p'), answer.as_bytes())
            }
            (12, Some(scram)) if self.sent => {
                self.proved = scram.proves(rest);
                self.proved
                    .then_some(())
                    .ok_or_else(|| Fault::ambiguous("the server does not prove that it knows the password"))
            }
            (2 | 6 | 7 | 8 | 9, _) => Err(Fault::ambiguous("the server wants another proof than a password")),
            _ => Err(wrong()),
        }
    }

    fn password(&mut self, text: &[u8]) -> Result<(), Fault> {
        if self.sent {
            return Err(Fault::ambiguous("the server asks for the password twice"));
        }
        self.sent = true;
        let text = Zeroizing::new([text, &[0]].concat());
        self.send(Some(b'p'), &text)
    }

    /// What an error means (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
    fn refused(self, body: &[u8]) -> Result<Begun, Fault> {
        let code = field(body, b'C');
        let at = format!("{code} of PostgreSQL");
        match code.as_str() {
            "28P01" | "28000" if self.sent && !self.let_in => Ok(Begun::Over(Answer::Out(at))),
            // The same code stands for pg_hba.conf, which is about who may come from where.
            "28000" if !self.let_in => {
                Err(Fault::new(Unknown::Blocked, format!("{at}: nobody is let in from here")))
            }
            "28000" => Ok(Begun::Barred(at)),
            "3D000" | "42501" | "53300" if self.let_in => {
                Ok(Begun::Over(self.inside(&format!("the password was taken before {code}"))))
            }
            "53300" | "53400" | "57P03" | "57P01" => {
                Err(Fault::new(Unknown::Unreachable, format!("{at}: no room or not ready")))
            }
            _ => Err(Fault::ambiguous(at)),
        }
    }

    pub(super) fn send(&mut self, tag: Option<u8>, body: &[u8]) -> Result<(), Fault> {
        let mut message = Zeroizing::new(Vec::with_capacity(body.len() + 5));
        message.extend(tag);
        message.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        message.extend_from_slice(body);
        self.link.write(&message)
    }

    /// The next message: what kind it is, and what it says.
    pub(super) fn message(&mut self) -> Result<(u8, Vec<u8>), Fault> {
        let head = self.link.read(5)?;
        let len = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        match len.checked_sub(4).filter(|len| *len <= LONGEST) {
            Some(len) => Ok((head[0], self.link.read(len)?)),
            None => Err(Fault::ambiguous("the server does not speak PostgreSQL as it should")),
        }
    }
}

/// A field of an error, in a few plain characters.
pub(super) fn field(body: &[u8], tag: u8) -> String {
    let found = body.split(|b| *b == 0).find_map(|f| f.strip_prefix(&[tag]));
    found.map(|text| plain(&String::from_utf8_lossy(text))).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
