//! SMTP: `AUTH` after TLS, and no mail (RFC 5321, RFC 3207, RFC 4954).

use super::link::Link;
use super::scram::base64;
use super::url::{self, Target, Tls, parse};
use super::{Answer, Fault, Net, Probe, Probed, plain, signed_in};
use crate::call::Values;
use crate::model::{Secret, Unknown};
use std::collections::BTreeMap;
use std::time::Instant;
use zeroize::Zeroizing;

/// Submission, and submission within TLS (RFC 8314).
const PORTS: (u16, u16) = (587, 465);
/// Longest line of a reply, and most lines of one.
const LONGEST: usize = 2048;
const LINES: usize = 64;

/// A login at a mail server with the user and password of a URL.
pub struct Smtp<'a>(pub &'a Net);

impl Probe for Smtp<'_> {
    fn name(&self) -> &'static str {
        "smtp"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["url"]
    }

    fn check(&self, values: &Values, deadline: Instant) -> Probed {
        let target = url::of(values, |url| parse(url, &["smtp", "smtps"], false));
        let within = target.as_ref().is_ok_and(|t| t.scheme == "smtps" || t.port == Some(PORTS.1));
        let usual = if within { PORTS.1 } else { PORTS.0 };
        url::asked(target, usual, |target, port| {
            if target.user.is_empty() {
                return Err(Fault::refused("the URL has no user"));
            }
            signed_in(&target.password, &|password| {
                let mut link = self.0.open(self.name(), &target.host, port, usual, deadline)?;
                if within {
                    link.secure(Tls::Verify)?;
                }
                login(&mut link, target, password)
            })
        })
    }
}

/// A reply: its code, and its lines without that.
struct Reply {
    code: u16,
    lines: Vec<String>,
}

fn login(link: &mut Link, target: &Target, password: &Secret) -> Result<Answer, Fault> {
    expect(reply(link)?, 220)?;
    let mut offers = hello(link)?;
    if !link.is_tls() && offers.iter().any(|line| line.eq_ignore_ascii_case("STARTTLS")) {
        expect(command(link, "STARTTLS")?, 220)?;
        link.secure(Tls::Verify)?;
        // What was said before TLS may be anybody's.
        offers = hello(link)?;
    }
    link.may_send_password()?;
    let methods: Vec<String> = offers
        .iter()
        .filter_map(|line| line.get(..5).filter(|w| w.eq_ignore_ascii_case("AUTH ")).and(line.get(5..)))
        .flat_map(|list| list.split(' ').map(str::to_ascii_uppercase).collect::<Vec<_>>())
        .collect();
    let user = target.user.as_bytes();
    let last = if methods.iter().any(|m| m == "PLAIN") {
        let triple = Zeroizing::new([&[0], user, &[0], password.expose()].concat());
        command(link, &Zeroizing::new(format!("AUTH PLAIN {}", base64(&triple))))?
    } else if methods.iter().any(|m| m == "LOGIN") {
        expect(command(link, "AUTH LOGIN")?, 334)?;
        expect(command(link, &base64(user))?, 334)?;
        command(link, &Zeroizing::new(base64(password.expose())))?
    } else {
        return Err(Fault::ambiguous("the server offers no login with a password"));
    };
    let answer = judge(&last, target);
    // The answer stands, whether the farewell arrives or not.
    link.write(b"QUIT\r\n").ok();
    answer
}

/// What a reply to `AUTH` means (RFC 4954, section 6; the second number is RFC 3463's).
fn judge(reply: &Reply, target: &Target) -> Result<Answer, Fault> {
    let text = reply.lines.first().map(String::as_str).unwrap_or_default();
    let status = text.split(' ').next().filter(|w| w.starts_with(['4', '5']) && w.contains('.'));
    let at = format!("{} {} of SMTP", reply.code, plain(status.unwrap_or_default()));
    match (reply.code, status) {
        (235, _) => {
            let identity = BTreeMap::from([("user".to_owned(), plain(&target.user))]);
            Ok(Answer::In { mutual: false, restricted: false, identity, detail: "235 of SMTP".to_owned() })
        }
        // Others stand for a login that is switched off, or that the server wants in another way.
        (535, None | Some("5.7.8")) => Ok(Answer::Out(at)),
        (421 | 454, _) => Err(Fault::new(Unknown::Unreachable, at)),
        _ => Err(Fault::ambiguous(at)),
    }
}

fn hello(link: &mut Link) -> Result<Vec<String>, Fault> {
    let reply = expect(command(link, "EHLO localhost")?, 250)?;
    // The first line greets.
    Ok(reply.lines.into_iter().skip(1).collect())
}

fn command(link: &mut Link, text: &str) -> Result<Reply, Fault> {
    link.write(&Zeroizing::new(format!("{text}\r\n").into_bytes()))?;
    reply(link)
}

fn expect(reply: Reply, code: u16) -> Result<Reply, Fault> {
    match reply.code {
        own if own == code => Ok(reply),
        421 | 450 | 451 | 454 => Err(Fault::new(Unknown::Unreachable, format!("{} of SMTP", reply.code))),
        554 => Err(Fault::new(Unknown::Blocked, "554 of SMTP: nobody is let in from here")),
        other => Err(Fault::ambiguous(format!("{other} of SMTP where {code} belongs"))),
    }
}

fn reply(link: &mut Link) -> Result<Reply, Fault> {
    let wrong = || Fault::ambiguous("the server does not speak SMTP as it should");
    let mut lines = Vec::new();
    let mut first = None;
    while lines.len() < LINES {
        let line = link.line(LONGEST)?;
        let (head, rest) = line.split_at_checked(3).ok_or_else(wrong)?;
        let code: u16 = head.parse().map_err(|_| wrong())?;
        if *first.get_or_insert(code) != code {
            return Err(wrong());
        }
        let last = match rest.bytes().next() {
            Some(b'-') => false,
            Some(b' ') | None => true,
            _ => return Err(wrong()),
        };
        lines.push(rest.get(1..).unwrap_or_default().to_owned());
        if last {
            return Ok(Reply { code, lines });
        }
    }
    Err(wrong())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{WORD, hostile, net, serve, soon, values};
    use super::*;
    use crate::model::Validity;
    use std::io::{BufRead, BufReader, Write};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    fn check(port: u16) -> Probed {
        let url = format!("smtp://svc:{WORD}@127.0.0.1:{port}");
        Smtp(&net("smtp", port)).check(&values(&[("url", &url)]), soon())
    }

    /// A server that offers these and answers AUTH so; what it was told is kept.
    fn fake(offers: &'static str, auth: &'static [&'static str]) -> (u16, Arc<Mutex<Vec<String>>>) {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&told);
        let port = serve(move |mut stream| {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            stream.write_all(b"220 fake\r\n").ok();
            let mut answers = auth.iter();
            while let Some(Ok(line)) = lines.next() {
                heard.lock().unwrap().push(line.clone());
                let answer = if line.starts_with("EHLO") { Some(offers) } else { answers.next().copied() };
                let Some(answer) = answer else { return };
                if stream.write_all(format!("{answer}\r\n").as_bytes()).is_err() {
                    return;
                }
            }
        });
        (port, told)
    }

    #[test]
    fn only_a_wrong_password_is_dead() {
        use Unknown as U;
        const PLAIN: &str = "250-fake\r\n250 AUTH PLAIN LOGIN";
        const LOGIN: &str = "250-fake\r\n250 auth LOGIN";
        let unknown = |why| Validity::Unknown(why);
        for (offers, auth, expected) in [
            (PLAIN, &["535 5.7.8 bad"][..], Validity::Inactive),
            (PLAIN, &["535 bad"], Validity::Inactive),
            (PLAIN, &["535-5.7.8 bad\r\n535 5.7.8 more"], Validity::Inactive),
            (PLAIN, &["535 5.7.139 switched off for the tenant"], unknown(U::Ambiguous)),
            (PLAIN, &["534 5.7.9 a password of the application is needed"], unknown(U::Ambiguous)),
            (PLAIN, &["454 4.7.0 later"], unknown(U::Unreachable)),
            (PLAIN, &["421 4.3.2 going down"], unknown(U::Unreachable)),
            (PLAIN, &["550 no"], unknown(U::Ambiguous)),
            (PLAIN, &["235 in"], unknown(U::Ambiguous)),
            (LOGIN, &["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "535 5.7.8 bad"], Validity::Inactive),
            (LOGIN, &["535 5.7.8 bad"], unknown(U::Ambiguous)),
            ("250-fake\r\n250 AUTH CRAM-MD5", &[], unknown(U::Ambiguous)),
            ("250 fake", &[], unknown(U::Ambiguous)),
            ("554 go away", &[], unknown(U::Blocked)),
            ("250-fake\r\n251 AUTH PLAIN", &[], unknown(U::Ambiguous)),
        ] {
            assert_eq!(check(fake(offers, auth).0).validity, expected, "{offers} {auth:?}");
        }
    }

    #[test]
    fn no_password_goes_before_tls_that_was_offered() {
        let (port, told) =
            fake("250-fake\r\n250-STARTTLS\r\n250 AUTH PLAIN", &["220 go on\r\n250 AUTH PLAIN"]);
        assert!(matches!(check(port).validity, Validity::Unknown(_)));
        assert_eq!(*told.lock().unwrap(), ["EHLO localhost", "STARTTLS"]);
        let (port, told) = fake("250-fake\r\n250-STARTTLS\r\n250 AUTH PLAIN", &["454 no TLS now"]);
        assert_eq!(check(port).validity, Validity::Unknown(Unknown::Unreachable));
        assert_eq!(told.lock().unwrap().len(), 2);
    }

    #[test]
    fn hostile_servers_end_in_time_and_prove_nothing() {
        for (name, port) in hostile() {
            for scheme in ["smtp", "smtps"] {
                let url = format!("{scheme}://svc:{WORD}@127.0.0.1:{port}");
                let begun = Instant::now();
                let probed = Smtp(&net("smtp", port))
                    .check(&values(&[("url", &url)]), begun + Duration::from_millis(500));
                assert!(matches!(probed.validity, Validity::Unknown(_)), "{name}: {probed:?}");
                assert!(begun.elapsed() < Duration::from_secs(3), "{name}");
            }
        }
    }
}
