//! Checks of credentials that HTTP data does not express: a login at a database or mail server, a signature that a
//! rule cannot declare. Each is one file behind [`Probe`].
//!
//! A login goes to a host that stands in scanned text, so that it needs the organisation's word: `allow` of the
//! endpoint named after the protocol. (SSH keys come without a host, and are tried where the organisation says.) It
//! goes to an address that was checked, keeps the TLS that the text asks for, never gives a password as it is to
//! somebody unproved, and does nothing but sign in. The one exception is the [`Console`] of PostgreSQL, with which an
//! administrator's own credential turns roles over. Whatever the other side does ends before the deadline, in bounded
//! memory. What it does not clearly refuse is unknown.

mod aws;
mod google;
mod link;
mod mongodb;
mod mysql;
mod net;
mod postgres;
mod redis;
mod scram;
mod smtp;
mod ssh;
mod url;

#[cfg(test)]
mod testing;

pub use aws::AwsSts;
pub use google::GoogleServiceAccount;
pub use mongodb::Mongodb;
pub use mysql::Mysql;
pub use net::Net;
pub use postgres::{BadLogin, Console, ConsoleError, Login, Postgres, Row, SignedIn, scram_verifier};
pub use redis::Redis;
pub use smtp::Smtp;
pub use ssh::{Ssh, SshAccount};

use crate::call::{CallError, Host, Pattern, Reply, Values};
use crate::model::{Secret, Unknown, Validity};
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::BTreeMap;
use std::time::Instant;
use zeroize::Zeroizing;

/// One native check, named by rules in `verify.probe`.
pub trait Probe: Sync {
    /// The name that rules use.
    fn name(&self) -> &'static str;

    /// Names of the values that it needs besides `secret`.
    fn needs(&self) -> &'static [&'static str];

    /// Asks. What the other side says of the owner must hold no secret; it is looked through once more.
    fn check(&self, values: &Values, deadline: Instant) -> Probed;
}

/// What a probe came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// The verdict; `NotChecked` is taken for a refusal to send.
    pub validity: Validity,
    /// Whom it asked; empty if nobody.
    pub host: String,
    /// What decided, in words of ours: `28P01 of PostgreSQL`.
    pub detail: String,
    /// Whether an endpoint of the organisation answered in the place of the public service: that it does not know a
    /// credential proves death only to who has one of its own.
    pub elsewhere: bool,
}

/// Why there is no verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    why: Unknown,
    detail: String,
}

impl Fault {
    fn new(why: Unknown, detail: impl Into<String>) -> Self {
        Fault { why, detail: detail.into() }
    }

    /// Nothing of the credential was sent, since our own rules forbid it.
    fn refused(detail: impl Into<String>) -> Self {
        Fault::new(Unknown::Refused, detail)
    }

    /// An answer that proves nothing.
    fn ambiguous(detail: impl Into<String>) -> Self {
        Fault::new(Unknown::Ambiguous, detail)
    }
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        let why = match &error {
            CallError::Refused(_) => Unknown::Refused,
            CallError::Limited(_) => Unknown::RateLimited,
            CallError::Unconnected(_) | CallError::Lost(_) => Unknown::Unreachable,
            CallError::Unreadable(_) => Unknown::Ambiguous,
        };
        Fault::new(why, error.to_string())
    }
}

/// A clear answer to a login.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// It was let in.
    In {
        /// Whether the server proved that it knows the credential as well, so that it cannot be one that lets
        /// everybody in.
        mutual: bool,
        restricted: bool,
        identity: BTreeMap<String, String>,
        detail: String,
    },
    /// It was refused for what it is.
    Out(String),
    /// As `Out`, by an endpoint of the organisation in the place of the public service.
    Absent(String),
    /// It was refused, for what it is or for where it came from.
    Barred(String),
}

/// Signs in with the password, and where it is let in without proof once more with a made-up one: a server that
/// lets everybody in proves nothing.
fn signed_in(password: &Secret, login: &dyn Fn(&Secret) -> Result<Answer, Fault>) -> Result<Answer, Fault> {
    told_apart("password", password, || made_up(password.len()), login)
}

/// As [`signed_in`], with whatever else is shown in the place of a password.
fn told_apart<C>(
    what: &str,
    real: &C,
    made_up: impl FnOnce() -> Result<C, Fault>,
    login: &dyn Fn(&C) -> Result<Answer, Fault>,
) -> Result<Answer, Fault> {
    let answer = login(real)?;
    if !matches!(answer, Answer::In { mutual: false, .. }) {
        return Ok(answer);
    }
    match login(&made_up()?) {
        Ok(Answer::Out(_) | Answer::Absent(_) | Answer::Barred(_)) => Ok(answer),
        Ok(Answer::In { .. }) => Err(Fault::ambiguous(format!("it lets a made-up {what} in as well"))),
        Err(fault) => Err(Fault::new(
            fault.why,
            format!("it let the {what} in, but a made-up one got no clear answer: {}", fault.detail),
        )),
    }
}

/// A password that nobody has, about as long.
fn made_up(len: usize) -> Result<Secret, Fault> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyzABCDEFGH";
    let mut bytes = Zeroizing::new(vec![0; len.clamp(16, 64)]);
    random(&mut bytes)?;
    bytes.iter_mut().for_each(|b| *b = LETTERS[usize::from(*b) % LETTERS.len()]);
    Ok(Secret::new(&bytes))
}

fn random(bytes: &mut [u8]) -> Result<(), Fault> {
    SystemRandom::new().fill(bytes).map_err(|_| Fault::refused("the system gives no random bytes"))
}

/// Puts what came of it into words.
fn probed(host: String, came: Result<Answer, Fault>) -> Probed {
    let elsewhere = matches!(came, Ok(Answer::Absent(_)));
    let (validity, detail) = match came {
        Ok(Answer::In { restricted, identity, detail, .. }) => {
            (Validity::Active { restricted, identity }, detail)
        }
        Ok(Answer::Out(detail) | Answer::Absent(detail)) => (Validity::Inactive, detail),
        Ok(Answer::Barred(detail)) => (
            Validity::Unknown(Unknown::Ambiguous),
            format!("{detail}: refused, for what it is or for where it came from"),
        ),
        Err(Fault { why, detail }) => (Validity::Unknown(why), detail),
    };
    Probed { validity, host, detail, elsewhere }
}

/// Keeps to the only hosts that are asked, if the operator named any.
fn among(only: &[Pattern], host: &str) -> Result<(), Fault> {
    let listed = || Host::parse(host).is_ok_and(|h| only.iter().any(|p| p.covers_host(&h)));
    if only.is_empty() || listed() {
        return Ok(());
    }
    Err(Fault::refused(format!("{host} is not among `hosts` of [verify]")))
}

/// What an HTTP answer means that says nothing of the credential.
fn unclear(reply: &Reply) -> Fault {
    let (why, text) = match reply.status {
        429 => (Unknown::RateLimited, "it asks to slow down"),
        500..=599 => (Unknown::Unreachable, "it says that it is down"),
        _ if reply.body.trim_start().starts_with("<html") || reply.body.trim_start().starts_with("<!") => {
            (Unknown::Blocked, "a page for people came in place of an answer")
        }
        _ => (Unknown::Ambiguous, "the answer proves nothing"),
    };
    Fault::new(why, format!("{text} (status {})", reply.status))
}

/// Text of another for a reader: a few plain characters.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn inside(mutual: bool) -> Answer {
        Answer::In { mutual, restricted: false, identity: BTreeMap::new(), detail: String::new() }
    }

    #[test]
    fn who_lets_everybody_in_proves_nothing() {
        let password = Secret::new(b"correct horse 9");
        let tried = RefCell::new(Vec::new());
        let run = |mutual: bool, second: Result<Answer, Fault>| {
            tried.borrow_mut().clear();
            signed_in(&password, &|given| {
                tried.borrow_mut().push(given.clone());
                if *given == password { Ok(inside(mutual)) } else { second.clone() }
            })
        };
        for refused in [Answer::Out("x".to_owned()), Answer::Barred("x".to_owned())] {
            assert_eq!(run(false, Ok(refused)), Ok(inside(false)));
            assert_eq!(tried.borrow().len(), 2);
        }
        assert_eq!(run(false, Ok(inside(false))).unwrap_err().why, Unknown::Ambiguous);
        let slow = Fault::new(Unknown::RateLimited, "slow");
        assert_eq!(run(false, Err(slow)).unwrap_err().why, Unknown::RateLimited);
        assert_eq!(run(true, Ok(inside(true))), Ok(inside(true)));
        assert_eq!(tried.borrow().len(), 1);
        assert_ne!(made_up(20), made_up(20));
    }
}
