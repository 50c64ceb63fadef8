//! PostgreSQL: the start of a session (<https://www.postgresql.org/docs/current/protocol-flow.html>). A check does
//! nothing after it; whoever turns roles over goes on with statements.

mod console;
mod login;
mod session;

pub use console::{Console, ConsoleError, Row};
pub use login::{BadLogin, Login, SignedIn, scram_verifier};

use super::url::{self, Target, Tls, parse};
use super::{Fault, Net, Probe, Probed, signed_in};
use crate::call::Values;
use crate::model::Secret;
use session::{Begun, Session};
use std::time::Instant;

const PORT: u16 = 5432;
const SCHEMES: [&str; 2] = ["postgres", "postgresql"];

/// A login at PostgreSQL with the user and password of a URL, or of libpq's `key=value` form.
pub struct Postgres<'a>(pub &'a Net);

impl Probe for Postgres<'_> {
    fn name(&self) -> &'static str {
        PROTOCOL
    }

    fn needs(&self) -> &'static [&'static str] {
        &["url"]
    }

    fn check(&self, values: &Values, deadline: Instant) -> Probed {
        let target = url::of(values, |url| parse(url, &SCHEMES, false));
        url::asked(target, PORT, |target, _| {
            signed_in(&target.password, &|password| match begin(self.0, target, password, deadline)? {
                Begun::In(session) => Ok(session.leave()),
                Begun::Over(answer) => Ok(answer),
                Begun::Barred(at) => Err(Fault::ambiguous(format!(
                    "{at}: the password was taken, but the role may not sign in"
                ))),
            })
        })
    }
}

/// The protocol's name, in rules and in `[endpoint.NAME]`.
const PROTOCOL: &str = "postgres";

/// Signs in at the place of a connection string with this password.
fn begin(net: &Net, target: &Target, password: &Secret, deadline: Instant) -> Result<Begun, Fault> {
    if target.user.is_empty() {
        return Err(Fault::refused("the URL has no user"));
    }
    let tls = target.tls(&["sslmode", "ssl"]).map_err(|e| Fault::refused(e.to_string()))?;
    let link = net.open(PROTOCOL, &target.host, target.port.unwrap_or(PORT), PORT, deadline)?;
    Session::new(link, &target.user).begin(&target.path, password, tls.unwrap_or(Tls::Prefer))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{WORD, hostile, net, script, soon, values};
    use super::*;
    use crate::model::{Unknown, Validity};
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
