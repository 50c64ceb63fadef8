//! A connection string whose login is exchanged: who signs in, where, and the same for another role.

use super::super::scram;
use super::super::url::{BadUrl, Target, parse};
use super::super::{Answer, signed_in};
use super::session::Begun;
use super::{Net, PORT, SCHEMES, begin};
use crate::model::Secret;
use std::fmt::Write as _;
use std::time::Instant;
use zeroize::Zeroizing;

/// What a login with a connection string proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedIn {
    /// A whole session at that database.
    In,
    /// The role and password are refused, or the role may not sign in. The code says which.
    Out(String),
    /// Nothing is proved.
    Unclear(String),
}

/// Why a value is no connection string that can be used. Holds none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection string is not used: {0}")]
pub struct BadLogin(#[from] BadUrl);

/// A connection string of PostgreSQL: a URL, or libpq's `key=value` form.
pub struct Login {
    text: Zeroizing<String>,
    target: Target,
}

impl Login {
    /// Reads one.
    ///
    /// # Errors
    /// [`BadLogin`].
    pub fn read(value: &Secret) -> Result<Login, BadLogin> {
        let target = parse(value, &SCHEMES, false)?;
        let text = std::str::from_utf8(value.expose()).map_err(|_| BadUrl::Text)?;
        Ok(Login { text: Zeroizing::new(text.to_owned()), target })
    }

    /// The role that signs in.
    pub fn user(&self) -> &str {
        &self.target.user
    }

    /// Its password.
    pub fn password(&self) -> &Secret {
        &self.target.password
    }

    /// Host and port.
    pub fn place(&self) -> String {
        format!("{}:{}", self.target.host, self.target.port.unwrap_or(PORT))
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// The same connection for another role. The password must be letters and digits.
    ///
    /// # Errors
    /// The result would not be read as the same place with that login.
    pub fn with(&self, user: &str, password: &Secret) -> Result<Secret, BadLogin> {
        let word = std::str::from_utf8(password.expose()).map_err(|_| BadUrl::Text)?;
        if !word.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(BadLogin(BadUrl::Escape));
        }
        let mut out = Zeroizing::new(String::with_capacity(self.text.len() + 3 * user.len() + word.len()));
        match self.text.split_once("://").filter(|(scheme, _)| !scheme.contains([' ', '='])) {
            Some((scheme, rest)) => {
                let (_, place) = rest.split_once('@').ok_or(BadUrl::Ambiguous)?;
                let _ = write!(out, "{scheme}://{}:{word}@{place}", escaped(user));
            }
            None => {
                for (n, pair) in self.text.split(' ').enumerate() {
                    out.push_str(if n == 0 { "" } else { " " });
                    match pair.split_once('=').map(|(name, _)| name) {
                        Some("user") => out.extend(["user=", user]),
                        Some("password") => out.extend(["password=", word]),
                        _ => out.push_str(pair),
                    }
                }
            }
        }
        let made = Secret::new(out.as_bytes());
        let read = parse(&made, &SCHEMES, false)?;
        if !read.is_place_of(&self.target) || read.user != user || read.password != *password {
            return Err(BadLogin(BadUrl::Ambiguous));
        }
        Ok(made)
    }

    /// Signs in, and nothing else.
    pub fn sign_in(&self, net: &Net, deadline: Instant) -> SignedIn {
        let came = signed_in(&self.target.password, &|password| {
            Ok(match begin(net, &self.target, password, deadline)? {
                Begun::In(session) => session.leave(),
                Begun::Over(answer) => refused_inside(answer),
                Begun::Barred(at) => Answer::Out(format!("{at}: the role may not sign in")),
            })
        });
        match came {
            Ok(Answer::In { .. }) => SignedIn::In,
            Ok(Answer::Out(why) | Answer::Absent(why)) => SignedIn::Out(why),
            Ok(Answer::Barred(why)) => SignedIn::Unclear(why),
            Err(fault) => SignedIn::Unclear(fault.detail),
        }
    }
}

/// A password that is right where no session comes about, such as at a database that the role may not use: of no use
/// to a service, and not dead either.
fn refused_inside(answer: Answer) -> Answer {
    match answer {
        Answer::In { detail, .. } => Answer::Barred(detail),
        other => other,
    }
}

/// Percent escapes for whatever is no letter or digit.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, b| {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' => out.push(char::from(b)),
            _ => {
                let _ = write!(out, "%{b:02X}");
            }
        }
        out
    })
}

/// What PostgreSQL keeps in place of a password
/// (<https://www.postgresql.org/docs/current/catalog-pg-authid.html>): given this, a server learns no password, so
/// that none stands in its log or statistics.
///
/// # Errors
/// The password is not printable ASCII, or the system gives no random bytes.
pub fn scram_verifier(password: &Secret) -> Result<Zeroizing<String>, String> {
    scram::verifier(password.expose()).map_err(|fault| fault.detail)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::WORD;
    use super::*;

    fn with(text: &str, user: &str, password: &str) -> Result<String, BadLogin> {
        let login = Login::read(&Secret::new(text.as_bytes()))?;
        let made = login.with(user, &Secret::new(password.as_bytes()))?;
        Ok(String::from_utf8(made.expose().to_vec()).unwrap())
    }

    #[test]
    fn only_the_login_changes() {
        for (before, after) in [
            (
                "postgres://USER@db.example/app?sslmode=verify-full&x=a@b#f",
                "postgres://NEW@db.example/app?sslmode=verify-full&x=a@b#f",
            ),
            ("postgresql+asyncpg://USER@[::1]:6000/", "postgresql+asyncpg://NEW@[::1]:6000/"),
        ] {
            let fill =
                |text: &str| text.replace("USER", &format!("svc%5fa:{WORD}")).replace("NEW", "s%22b:n3w");
            assert_eq!(with(&fill(before), "s\"b", "n3w").unwrap(), fill(after));
        }
        let pairs = format!("host=db.example user=svc_a  password={WORD} dbname=app sslmode=require");
        let new = "n3w";
        let expected = format!("host=db.example user=svc_b  password={new} dbname=app sslmode=require");
        assert_eq!(with(&pairs, "svc_b", new).unwrap(), expected);
    }

    #[test]
    fn what_would_be_read_otherwise_is_not_made() {
        let url = format!("postgres://svc_a:{WORD}@db.example/app");
        let pairs = format!("host=db.example user=svc_a password={WORD}");
        for (text, user, password) in [
            (url.as_str(), "svc_b", "a@evil.example/"),
            (&pairs, "svc b", "n3w"),
            (&pairs, "svc_b host=evil.example", "n3w"),
            (&url, "svc_b\n", "n3w"),
            (&url, "svc_b", ""),
        ] {
            assert!(with(text, user, password).is_err(), "{user}");
        }
        assert!(Login::read(&Secret::new(b"nonsense")).is_err());
        let told = format!(
            "{}",
            Login::read(&Secret::new(format!("mysql://u:{WORD}@h/").as_bytes())).err().unwrap()
        );
        assert!(!told.contains(WORD), "{told}");
    }
}
