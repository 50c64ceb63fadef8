//! PostgreSQL: the start of a session, and nothing after it
//! (<https://www.postgresql.org/docs/current/protocol-flow.html>).

use super::link::Link;
use super::scram::{Hash, Scram};
use super::url::{self, Target, Tls, parse};
use super::{Answer, Fault, Net, Probe, Probed, plain, signed_in};
use crate::call::Values;
use crate::model::{Secret, Unknown};
use md5::{Digest, Md5};
use std::collections::BTreeMap;
use std::time::Instant;
use zeroize::Zeroizing;

const PORT: u16 = 5432;
/// Longest message that a server sends during a login.
const LONGEST: usize = 16 << 10;

/// A login at PostgreSQL with the user and password of a URL, or of libpq's `key=value` form.
pub struct Postgres<'a>(pub &'a Net);

impl Probe for Postgres<'_> {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["url"]
    }

    fn check(&self, values: &Values, deadline: Instant) -> Probed {
        let target = url::of(values, |url| parse(url, &["postgres", "postgresql"], false));
        url::asked(target, PORT, |target, port| {
            if target.user.is_empty() {
                return Err(Fault::refused("the URL has no user"));
            }
            let tls = target.tls(&["sslmode", "ssl"]).map_err(|e| Fault::refused(e.to_string()))?;
            signed_in(&target.password, &|password| {
                let link = self.0.open(self.name(), &target.host, port, PORT, deadline)?;
                Session { link, target, sent: false, proved: false, let_in: false, known: BTreeMap::new() }
                    .run(password, tls.unwrap_or(Tls::Prefer))
            })
        })
    }
}

struct Session<'a> {
    link: Link,
    target: &'a Target,
    /// Whether something that the password goes into was sent.
    sent: bool,
    /// Whether the server proved that it knows the password.
    proved: bool,
    let_in: bool,
    known: BTreeMap<String, String>,
}

impl Session<'_> {
    fn run(mut self, password: &Secret, tls: Tls) -> Result<Answer, Fault> {
        self.encrypt(tls)?;
        let target = self.target;
        let database = if target.path.is_empty() { &target.user } else { &target.path };
        let mut start = 196_608u32.to_be_bytes().to_vec();
        for (name, value) in
            [("user", &target.user), ("database", database), ("application_name", &"keywheel".to_owned())]
        {
            for text in [name, value.as_str()] {
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
                b'Z' if self.let_in => {
                    // The answer stands, whether the farewell arrives or not.
                    self.send(Some(b'X'), &[]).ok();
                    return Ok(self.inside("it is let in"));
                }
                _ => return Err(Fault::ambiguous("the server does not speak PostgreSQL as it should")),
            }
        }
    }

    fn inside(self, how: &str) -> Answer {
        let mut identity = self.known;
        identity.insert("user".to_owned(), plain(&self.target.user));
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
                let inner = hex(&Md5::new()
                    .chain_update(password.expose())
                    .chain_update(&self.target.user)
                    .finalize());
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
    fn refused(self, body: &[u8]) -> Result<Answer, Fault> {
        let mut fields = body.split(|b| *b == 0);
        let code = fields.find_map(|f| f.strip_prefix(b"C")).map(|c| plain(&String::from_utf8_lossy(c)));
        let code = code.unwrap_or_default();
        let at = format!("{code} of PostgreSQL");
        match code.as_str() {
            "28P01" | "28000" if self.sent && !self.let_in => Ok(Answer::Out(at)),
            // The same code stands for pg_hba.conf, which is about who may come from where.
            "28000" if !self.let_in => {
                Err(Fault::new(Unknown::Blocked, format!("{at}: nobody is let in from here")))
            }
            "28000" => {
                Err(Fault::ambiguous(format!("{at}: the password was taken, but the role may not sign in")))
            }
            "3D000" | "42501" | "53300" if self.let_in => {
                Ok(self.inside(&format!("the password was taken before {code}")))
            }
            "53300" | "53400" | "57P03" | "57P01" => {
                Err(Fault::new(Unknown::Unreachable, format!("{at}: no room or not ready")))
            }
            _ => Err(Fault::ambiguous(at)),
        }
    }

    fn send(&mut self, tag: Option<u8>, body: &[u8]) -> Result<(), Fault> {
        let mut message = Zeroizing::new(Vec::with_capacity(body.len() + 5));
        message.extend(tag);
        message.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        message.extend_from_slice(body);
        self.link.write(&message)
    }

    fn message(&mut self) -> Result<(u8, Vec<u8>), Fault> {
        let head = self.link.read(5)?;
        let len = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        match len.checked_sub(4).filter(|len| *len <= LONGEST) {
            Some(len) => Ok((head[0], self.link.read(len)?)),
            None => Err(Fault::ambiguous("the server does not speak PostgreSQL as it should")),
        }
    }
}

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{WORD, hostile, net, script, soon, values};
    use super::*;
    use crate::model::Validity;
    use std::time::Duration;

    fn check(port: u16, options: &str) -> Probed {
        let url = format!("postgres://svc:{WORD}@127.0.0.1:{port}/app?{options}");
        Postgres(&net("postgres", port)).check(&values(&[("url", &url), ("secret", WORD)]), soon())
    }

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        [&[tag][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
    }

    fn error(code: &str) -> Vec<u8> {
        message(b'E', format!("SFATAL\0C{code}\0Mx\0\0").as_bytes())
    }

    fn ask(kind: u32, rest: &[u8]) -> Vec<u8> {
        message(b'R', &[&kind.to_be_bytes()[..], rest].concat())
    }

    #[test]
    fn errors_count_only_where_the_password_was_tried() {
        use Unknown as U;
        let md5 = ask(5, b"salt");
        let unknown = |why| Validity::Unknown(why);
        let ready = |code| [ask(0, b""), error(code)].concat();
        for (name, answers, expected) in [
            ("wrong password", vec![md5.clone(), error("28P01")], Validity::Inactive),
            ("no such role", vec![md5.clone(), error("28000")], Validity::Inactive),
            ("pg_hba", vec![error("28000")], unknown(U::Blocked)),
            ("28P01 before it was asked for", vec![error("28P01")], unknown(U::Ambiguous)),
            ("too many", vec![error("53300")], unknown(U::Unreachable)),
            ("starting", vec![error("57P03")], unknown(U::Unreachable)),
            ("a code of ours", vec![md5.clone(), error("XX000")], unknown(U::Ambiguous)),
            ("trust", vec![ask(0, b"")], unknown(U::Ambiguous)),
            ("kerberos", vec![ask(7, b"")], unknown(U::Ambiguous)),
            ("twice", vec![md5.clone(), md5.clone()], unknown(U::Ambiguous)),
            ("no known SCRAM", vec![ask(10, b"SCRAM-SHA-9\0\0")], unknown(U::Ambiguous)),
            ("SCRAM let go", vec![ask(10, b"SCRAM-SHA-256\0\0"), ask(0, b"")], unknown(U::Ambiguous)),
            ("SCRAM to clear", vec![ask(10, b"SCRAM-SHA-256\0\0"), ask(3, b"")], unknown(U::Ambiguous)),
            ("ready too early", vec![message(b'Z', b"I")], unknown(U::Ambiguous)),
            // It lets a made-up password in as well.
            (
                "lets all in",
                vec![md5.clone(), [ask(0, b""), message(b'Z', b"I")].concat()],
                unknown(U::Ambiguous),
            ),
            ("role may not", vec![md5.clone(), ready("28000")], unknown(U::Ambiguous)),
            ("short", vec![message(b'R', b"")], unknown(U::Ambiguous)),
        ] {
            let answers: Vec<&[u8]> = answers.iter().map(Vec::as_slice).collect();
            assert_eq!(check(script(&answers), "sslmode=disable").validity, expected, "{name}");
        }
    }

    #[test]
    fn tls_is_not_given_up() {
        for (mode, expected) in
            [("require", Unknown::Refused), ("verify-full", Unknown::Refused), ("odd", Unknown::Refused)]
        {
            let probed = check(script(&[b"N", &error("28P01")]), &format!("sslmode={mode}"));
            assert_eq!(probed.validity, Validity::Unknown(expected), "{mode}");
        }
        // Bytes that follow the `S` in the clear belong to somebody on the way.
        let spoken = [b"S".as_slice(), &ask(0, b"")].concat();
        assert_eq!(check(script(&[&spoken]), "").validity, Validity::Unknown(Unknown::Ambiguous));
    }

    #[test]
    fn hosts_that_nobody_allowed_are_not_asked() {
        let port = script(&[]);
        let own = net("postgres", port);
        for url in [
            format!("postgres://u:{WORD}@127.0.0.2:{port}/"),
            format!("postgres://u:{WORD}@127.0.0.1/"),
            format!("postgres://u:{WORD}@evil.example/"),
            format!("mysql://u:{WORD}@127.0.0.1:{port}/"),
        ] {
            let probed = Postgres(&own).check(&values(&[("url", &url)]), soon());
            assert_eq!(probed.validity, Validity::Unknown(Unknown::Refused), "{url}");
            assert!(!probed.detail.contains(WORD), "{}", probed.detail);
        }
        let url = format!("postgres://u:{WORD}@127.0.0.1:{port}/");
        let other = Postgres(&net("mysql", port)).check(&values(&[("url", &url)]), soon());
        assert_eq!(other.validity, Validity::Unknown(Unknown::Refused));
    }

    #[test]
    fn hostile_servers_end_in_time_and_prove_nothing() {
        for (name, port) in hostile() {
            for mode in ["", "sslmode=disable"] {
                let url = format!("postgres://svc:{WORD}@127.0.0.1:{port}/app?{mode}");
                let begun = Instant::now();
                let probed = Postgres(&net("postgres", port))
                    .check(&values(&[("url", &url)]), begun + Duration::from_millis(700));
                assert!(matches!(probed.validity, Validity::Unknown(_)), "{name}: {probed:?}");
                assert!(begun.elapsed() < Duration::from_secs(3), "{name}");
            }
        }
    }
}
