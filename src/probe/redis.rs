//! Redis and Valkey: `AUTH`, and who that makes us (<https://redis.io/docs/latest/commands/auth/>).

use super::link::Link;
use super::url::{self, Target, Tls, parse};
use super::{Answer, Fault, Net, Probe, Probed, plain, signed_in};
use crate::call::Values;
use crate::model::{Secret, Unknown};
use std::collections::BTreeMap;
use std::time::Instant;
use zeroize::Zeroizing;

const PORT: u16 = 6379;
/// Longest line that a server sends during a login.
const LONGEST: usize = 4096;

/// A login at Redis or Valkey with the user and password of a URL.
pub struct Redis<'a>(pub &'a Net);

impl Probe for Redis<'_> {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["url"]
    }

    fn check(&self, values: &Values, deadline: Instant) -> Probed {
        let target = url::of(values, |url| parse(url, &["redis", "rediss", "valkey", "valkeys"], false));
        url::asked(target, PORT, |target, port| {
            // The scheme says whether there is TLS; drivers then check the certificate.
            let named = target.tls(&["tls", "ssl"]).map_err(|e| Fault::refused(e.to_string()))?;
            let tls = target.scheme.ends_with("ss")
                || target.scheme == "valkeys"
                || named.is_some_and(|t| t != Tls::Off);
            signed_in(&target.password, &|password| {
                let mut link = self.0.open(self.name(), &target.host, port, PORT, deadline)?;
                if tls {
                    link.secure(Tls::Verify)?;
                }
                login(&mut link, target, password)
            })
        })
    }
}

fn login(link: &mut Link, target: &Target, password: &Secret) -> Result<Answer, Fault> {
    // The password goes as it is: there is no other way.
    link.may_send_password()?;
    let user = target.user.as_bytes();
    let words: &[&[u8]] =
        if user.is_empty() { &[b"AUTH", password.expose()] } else { &[b"AUTH", user, password.expose()] };
    match command(link, words)? {
        Ok(text) if text == "OK" => {}
        Ok(_) => return Err(Fault::ambiguous("the server does not speak Redis as it should")),
        Err(error) => return refused(&error),
    }
    let mut identity = BTreeMap::new();
    // Servers before 6 have no users, and a user may lack the right to ask; it is let in all the same.
    if let Ok(name) = command(link, &[b"ACL", b"WHOAMI"])?
        && !name.is_empty()
    {
        identity.insert("user".to_owned(), plain(&name));
    }
    Ok(Answer::In { mutual: false, restricted: false, identity, detail: "Redis: AUTH was taken".to_owned() })
}

/// What an error of `AUTH` means.
fn refused(error: &str) -> Result<Answer, Fault> {
    let word = plain(error.split(' ').next().unwrap_or_default());
    if word == "WRONGPASS" || error == "ERR invalid password" {
        return Ok(Answer::Out(format!("{word} of Redis")));
    }
    let open = ["without any password configured", "but no password is set"];
    if open.iter().any(|text| error.contains(text)) {
        return Err(Fault::ambiguous("the server has no password, so that it says nothing of this one"));
    }
    Err(match word.as_str() {
        "LOADING" | "MASTERDOWN" | "BUSY" => Fault::new(Unknown::Unreachable, format!("{word} of Redis")),
        "DENIED" => Fault::new(Unknown::Blocked, "DENIED of Redis: nobody is let in from elsewhere"),
        _ => Fault::ambiguous(format!("{word} of Redis")),
    })
}

/// Sends a command, and reads a simple answer or its error.
fn command(link: &mut Link, words: &[&[u8]]) -> Result<Result<String, String>, Fault> {
    let mut message = Zeroizing::new(format!("*{}\r\n", words.len()).into_bytes());
    for word in words {
        message.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        message.extend_from_slice(word);
        message.extend_from_slice(b"\r\n");
    }
    link.write(&message)?;
    let line = link.line(LONGEST)?;
    let wrong = || Fault::ambiguous("the server does not speak Redis as it should");
    match line.split_at_checked(1) {
        Some(("+", text)) => Ok(Ok(text.to_owned())),
        Some(("-", text)) => Ok(Err(text.to_owned())),
        Some(("$", len)) => {
            let len = len.parse().ok().filter(|len| *len <= LONGEST).ok_or_else(wrong)?;
            let text = String::from_utf8(link.read(len)?).map_err(|_| wrong())?;
            if link.read(2)? == b"\r\n" { Ok(Ok(text)) } else { Err(wrong()) }
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{WORD, hostile, net, script, soon, values};
    use super::*;
    use crate::model::Validity;
    use std::time::Duration;

    fn check(port: u16, scheme: &str) -> Probed {
        let url = format!("{scheme}://svc:{WORD}@127.0.0.1:{port}/0");
        Redis(&net("redis", port)).check(&values(&[("url", &url)]), soon())
    }

    #[test]
    fn only_a_wrong_password_is_dead() {
        use Unknown as U;
        let taken: &[&[u8]] = &[b"+OK\r\n", b"$3\r\nsvc\r\n"];
        for (name, answers, expected) in [
            ("wrong", &[b"-WRONGPASS invalid username-password pair\r\n".as_slice()][..], Validity::Inactive),
            ("wrong before 6", &[b"-ERR invalid password\r\n"], Validity::Inactive),
            (
                "open",
                &[b"-ERR AUTH <password> called without any password configured for the default user.\r\n"],
                Validity::Unknown(U::Ambiguous),
            ),
            ("loading", &[b"-LOADING Redis is loading\r\n"], Validity::Unknown(U::Unreachable)),
            (
                "protected",
                &[b"-DENIED Redis is running in protected mode\r\n"],
                Validity::Unknown(U::Blocked),
            ),
            ("other", &[b"-ERR unknown command\r\n"], Validity::Unknown(U::Ambiguous)),
            ("another word", &[b"+PONG\r\n"], Validity::Unknown(U::Ambiguous)),
            ("a long text", &[b"$99999999\r\n"], Validity::Unknown(U::Ambiguous)),
            ("lets all in", taken, Validity::Unknown(U::Ambiguous)),
        ] {
            assert_eq!(check(script(answers), "redis").validity, expected, "{name}");
        }
        assert!(matches!(check(script(taken), "rediss").validity, Validity::Unknown(_)));
    }

    #[test]
    fn hostile_servers_end_in_time_and_prove_nothing() {
        for (name, port) in hostile() {
            let url = format!("redis://:{WORD}@127.0.0.1:{port}");
            let begun = Instant::now();
            let probed = Redis(&net("redis", port))
                .check(&values(&[("url", &url)]), begun + Duration::from_millis(700));
            assert!(matches!(probed.validity, Validity::Unknown(_)), "{name}: {probed:?}");
            assert!(begun.elapsed() < Duration::from_secs(3), "{name}");
        }
    }
}
