//! MongoDB: SCRAM over `OP_MSG`
//! (<https://github.com/mongodb/specifications/blob/master/source/auth/auth.md>).

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

const PORT: u16 = 27017;
/// Longest message that a server sends during a login.
const LONGEST: usize = 64 << 10;
const OP_MSG: u32 = 2013;

/// A login at MongoDB with the user and password of a URL; of several members of a set the first is asked.
pub struct Mongodb<'a>(pub &'a Net);

impl Probe for Mongodb<'_> {
    fn name(&self) -> &'static str {
        "mongodb"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["url"]
    }

    fn check(&self, values: &Values, deadline: Instant) -> Probed {
        let target = url::of(values, |url| parse(url, &["mongodb"], true));
        url::asked(target, PORT, |target, port| {
            if target.user.is_empty() {
                return Err(Fault::refused("the URL has no user"));
            }
            // Drivers check the certificate unless they are told not to.
            let loose = ["tlsinsecure", "tlsallowinvalidcertificates", "tlsallowinvalidhostnames"];
            let loose = loose.iter().any(|name| target.option(name) == Some("true"));
            let tls = match target.tls(&["tls", "ssl"]).map_err(|e| Fault::refused(e.to_string()))? {
                None | Some(Tls::Off) => None,
                Some(_) => Some(if loose { Tls::Require } else { Tls::Verify }),
            };
            signed_in(&target.password, &|password| {
                let mut link = self.0.open(self.name(), &target.host, port, PORT, deadline)?;
                if let Some(tls) = tls {
                    link.secure(tls)?;
                }
                Session { link, number: 0 }.run(target, password)
            })
        })
    }
}

struct Session {
    link: Link,
    number: u32,
}

fn wrong() -> Fault {
    Fault::ambiguous("the server does not speak MongoDB as it should")
}

impl Session {
    fn run(mut self, target: &Target, password: &Secret) -> Result<Answer, Fault> {
        let named = |name: &str| target.option(name).filter(|v| !v.is_empty());
        let database =
            named("authsource").or(Some(&*target.path).filter(|p| !p.is_empty())).unwrap_or("admin");
        let user = format!("{database}.{}", target.user);
        let hello = self.command(
            Document::new().int("hello", 1).text("saslSupportedMechs", &user).text("$db", "admin"),
        )?;
        let offered = hello.get("saslSupportedMechs");
        let offers = |name: &str| match offered {
            Some(Value::List(list)) => list.iter().any(|m| m == name),
            // For a user that it does not know it names none.
            _ => false,
        };
        let hash = match named("authmechanism") {
            None if offers("SCRAM-SHA-256") || !offers("SCRAM-SHA-1") => Hash::Sha256,
            None | Some("SCRAM-SHA-1") => Hash::Sha1,
            Some("SCRAM-SHA-256") => Hash::Sha256,
            Some(_) => return Err(Fault::refused("the URL asks for a method that is not SCRAM")),
        };
        let (mechanism, mut scram) = match hash {
            Hash::Sha256 => ("SCRAM-SHA-256", Scram::new(hash, &target.user, password.expose())?),
            Hash::Sha1 => {
                // This method takes a digest for the password, in hexadecimal.
                let text = Md5::new()
                    .chain_update(&target.user)
                    .chain_update(b":mongo:")
                    .chain_update(password.expose());
                let digest: Zeroizing<String> =
                    Zeroizing::new(text.finalize().iter().map(|b| format!("{b:02x}")).collect());
                ("SCRAM-SHA-1", Scram::new(hash, &target.user, digest.as_bytes())?)
            }
        };
        let start = Document::new()
            .int("saslStart", 1)
            .text("mechanism", mechanism)
            .bytes("payload", scram.first().as_bytes())
            .text("$db", database);
        let first = self.command(start)?;
        if let Some(answer) = refused(&first)? {
            return Ok(answer);
        }
        let answer = scram.answer(first.payload()?)?;
        let second = self.go_on(&first, answer.as_bytes(), database)?;
        if let Some(answer) = refused(&second)? {
            return Ok(answer);
        }
        if !scram.proves(second.payload()?) {
            return Err(Fault::ambiguous("the server does not prove that it knows the password"));
        }
        if !second.is_true("done") {
            let last = self.go_on(&first, b"", database)?;
            if refused(&last)?.is_some() || !last.is_true("done") {
                return Err(Fault::ambiguous("the server took the password, and then did not end the login"));
            }
        }
        let identity =
            [("user", &*target.user), ("database", database)].map(|(n, v)| (n.to_owned(), plain(v)));
        let detail = format!("MongoDB: {mechanism} was taken");
        Ok(Answer::In { mutual: true, restricted: false, identity: BTreeMap::from(identity), detail })
    }

    fn go_on(&mut self, first: &Fields, payload: &[u8], database: &str) -> Result<Fields, Fault> {
        let Some(&Value::Number(id)) = first.get("conversationId") else { return Err(wrong()) };
        let next = Document::new().int("saslContinue", 1).int("conversationId", id as i32);
        self.command(next.bytes("payload", payload).text("$db", database))
    }

    fn command(&mut self, document: Document) -> Result<Fields, Fault> {
        let body = document.done();
        self.number += 1;
        let mut message = Zeroizing::new(Vec::with_capacity(body.len() + 21));
        for word in [body.len() as u32 + 21, self.number, 0, OP_MSG, 0] {
            message.extend_from_slice(&word.to_le_bytes());
        }
        message.push(0);
        message.extend_from_slice(&body);
        self.link.write(&message)?;
        let head = self.link.read(21)?;
        let word =
            |n: usize| u32::from_le_bytes([head[4 * n], head[4 * n + 1], head[4 * n + 2], head[4 * n + 3]]);
        let len =
            (word(0) as usize).checked_sub(21).filter(|len| (5..=LONGEST).contains(len)).ok_or_else(wrong)?;
        // Of the flags, a checksum and more to come would change what follows.
        if word(2) != self.number || word(3) != OP_MSG || word(4) & 3 != 0 || head[20] != 0 {
            return Err(wrong());
        }
        read(&self.link.read(len)?).ok_or_else(wrong)
    }
}

/// What a reply says that is not `ok` (<https://www.mongodb.com/docs/manual/reference/error-codes/>).
fn refused(reply: &Fields) -> Result<Option<Answer>, Fault> {
    if matches!(reply.get("ok"), Some(Value::Number(1))) {
        return Ok(None);
    }
    match reply.get("code") {
        Some(Value::Number(18)) => Ok(Some(Answer::Out("18 (AuthenticationFailed) of MongoDB".to_owned()))),
        Some(Value::Number(code @ (91 | 189 | 11600 | 13436))) => {
            Err(Fault::new(Unknown::Unreachable, format!("{code} of MongoDB: not ready")))
        }
        Some(Value::Number(code)) => Err(Fault::ambiguous(format!("{code} of MongoDB"))),
        _ => Err(wrong()),
    }
}

/// A BSON document that is written (<https://bsonspec.org/spec.html>).
struct Document(Zeroizing<Vec<u8>>);

impl Document {
    fn new() -> Self {
        Document(Zeroizing::new(vec![0; 4]))
    }

    fn field(mut self, kind: u8, name: &str, parts: &[&[u8]]) -> Self {
        self.0.push(kind);
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
        parts.iter().for_each(|part| self.0.extend_from_slice(part));
        self
    }

    fn int(self, name: &str, value: i32) -> Self {
        self.field(0x10, name, &[&value.to_le_bytes()])
    }

    fn text(self, name: &str, value: &str) -> Self {
        self.field(0x02, name, &[&(value.len() as u32 + 1).to_le_bytes(), value.as_bytes(), &[0]])
    }

    fn bytes(self, name: &str, value: &[u8]) -> Self {
        self.field(0x05, name, &[&(value.len() as u32).to_le_bytes(), &[0], value])
    }

    fn done(mut self) -> Zeroizing<Vec<u8>> {
        self.0.push(0);
        let len = self.0.len() as u32;
        self.0[..4].copy_from_slice(&len.to_le_bytes());
        self.0
    }
}

/// A value that matters here.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(i64),
    True,
    Bytes(Vec<u8>),
    List(Vec<String>),
    Other,
}

/// The fields of a document, by name.
#[derive(Clone, Debug, Default)]
struct Fields(BTreeMap<String, Value>);

impl Fields {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some(&Value::True)
    }

    fn payload(&self) -> Result<&[u8], Fault> {
        match self.get("payload") {
            Some(Value::Bytes(bytes)) => Ok(bytes),
            _ => Err(wrong()),
        }
    }
}

/// Reads a document; documents within it are passed over, but for lists of texts.
fn read(bytes: &[u8]) -> Option<Fields> {
    let mut fields = Fields::default();
    walk(bytes, |name, kind, value| {
        let number = |n: i64| Value::Number(n);
        let value = match kind {
            0x01 => number(f64::from_le_bytes(value.try_into().ok()?) as i64),
            0x10 => number(i64::from(i32::from_le_bytes(value.try_into().ok()?))),
            0x12 => number(i64::from_le_bytes(value.try_into().ok()?)),
            0x08 if value == [1] => Value::True,
            0x05 => Value::Bytes(value.get(5..)?.to_vec()),
            0x04 => {
                let mut list = Vec::new();
                walk(value, |_, kind, value| {
                    if kind == 0x02 {
                        list.push(
                            String::from_utf8(value.get(4..value.len().checked_sub(1)?)?.to_vec()).ok()?,
                        );
                    }
                    Some(())
                })?;
                Value::List(list)
            }
            _ => Value::Other,
        };
        fields.0.insert(name.to_owned(), value);
        Some(())
    })?;
    Some(fields)
}

/// Goes through the elements of a document. Nothing if a length is not right.
fn walk(bytes: &[u8], mut each: impl FnMut(&str, u8, &[u8]) -> Option<()>) -> Option<()> {
    let length = |at: &[u8]| Some(u32::from_le_bytes(at.get(..4)?.try_into().ok()?) as usize);
    if length(bytes)? != bytes.len() {
        return None;
    }
    let mut rest = bytes.get(4..)?;
    loop {
        let (&kind, after) = rest.split_first()?;
        if kind == 0 {
            return after.is_empty().then_some(());
        }
        let end = memchr::memchr(0, after)?;
        let (name, value) = (std::str::from_utf8(&after[..end]).ok()?, &after[end + 1..]);
        let len = match kind {
            0x01 | 0x09 | 0x11 | 0x12 => 8,
            0x02 | 0x0d | 0x0e => length(value)?.checked_add(4)?,
            0x03 | 0x04 => length(value)?,
            0x05 => length(value)?.checked_add(5)?,
            0x06 | 0x0a => 0,
            0x07 => 12,
            0x08 => 1,
            0x10 => 4,
            0x13 => 16,
            _ => return None,
        };
        each(name, kind, value.get(..len)?)?;
        rest = value.get(len..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{WORD, hostile, net, script, serve, soon, values};
    use super::*;
    use crate::model::Validity;
    use ring::{digest, hmac, pbkdf2};
    use std::io::{Read, Write};
    use std::num::NonZeroU32;
    use std::time::Duration;

    fn check(port: u16, options: &str) -> Probed {
        let url = format!("mongodb://svc:{WORD}@127.0.0.1:{port},other.example/app?{options}");
        Mongodb(&net("mongodb", port)).check(&values(&[("url", &url)]), soon())
    }

    fn message(number: u32, document: Document) -> Vec<u8> {
        let body = document.done();
        let mut out = Vec::new();
        for word in [body.len() as u32 + 21, 99, number, OP_MSG, 0] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.push(0);
        out.extend_from_slice(&body);
        out
    }

    fn ok() -> Document {
        Document::new().field(0x01, "ok", &[&1f64.to_le_bytes()])
    }

    fn failed(code: i32) -> Document {
        Document::new().field(0x01, "ok", &[&0f64.to_le_bytes()]).text("errmsg", "x").int("code", code)
    }

    /// A server that knows one password, by RFC 5802 read from its own side.
    fn server(password: &'static str, honest: bool) -> u16 {
        serve(move |mut stream| {
            let heard = |stream: &mut std::net::TcpStream| -> Option<Vec<u8>> {
                let mut head = [0; 21];
                stream.read_exact(&mut head).ok()?;
                let mut body = vec![0; u32::from_le_bytes(head[..4].try_into().unwrap()) as usize - 21];
                stream.read_exact(&mut body).ok()?;
                Some(body)
            };
            let mut run = || -> Option<()> {
                heard(&mut stream)?;
                stream.write_all(&message(1, ok())).ok()?;
                let first = read(&heard(&mut stream)?)?;
                let first = String::from_utf8(first.payload().ok()?.to_vec()).unwrap();
                let bare = first.strip_prefix("n,,").unwrap();
                let nonce = format!("{}more", bare.split_once(",r=").unwrap().1);
                let server_first = format!("r={nonce},s=c2FsdHNhbHQ=,i=4096");
                let reply = ok().int("conversationId", 7).bytes("payload", server_first.as_bytes());
                stream.write_all(&message(2, reply)).ok()?;
                let last = read(&heard(&mut stream)?)?;
                let last = String::from_utf8(last.payload().ok()?.to_vec()).unwrap();
                let (ending, proof) = last.rsplit_once(",p=").unwrap();
                let mut salted = [0; 32];
                pbkdf2::derive(
                    pbkdf2::PBKDF2_HMAC_SHA256,
                    NonZeroU32::new(4096).unwrap(),
                    b"saltsalt",
                    password.as_bytes(),
                    &mut salted,
                );
                let key = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
                let all = format!("{bare},{server_first},{ending}");
                let stored = digest::digest(&digest::SHA256, key(&salted, b"Client Key").as_ref());
                let mask = key(stored.as_ref(), all.as_bytes());
                let proof = super::super::scram::unbase64(proof).unwrap();
                let client: Vec<u8> = proof.iter().zip(mask.as_ref()).map(|(a, b)| a ^ b).collect();
                let right = digest::digest(&digest::SHA256, &client).as_ref() == stored.as_ref();
                let signature = key(key(&salted, b"Server Key").as_ref(), all.as_bytes());
                let signature = if honest { signature.as_ref().to_vec() } else { vec![0; 32] };
                let reply = if right || !honest {
                    let payload = format!("v={}", super::super::scram::base64(&signature));
                    ok().int("conversationId", 7)
                        .field(0x08, "done", &[&[1]])
                        .bytes("payload", payload.as_bytes())
                } else {
                    failed(18)
                };
                stream.write_all(&message(3, reply)).ok()
            };
            run();
        })
    }

    #[test]
    fn a_login_is_proved_by_both_sides() {
        let probed = check(server(WORD, true), "");
        let Validity::Active { identity, .. } = probed.validity else { panic!("{probed:?}") };
        assert_eq!((&*identity["user"], &*identity["database"]), ("svc", "app"));
        assert_eq!(check(server("another", true), "authSource=admin").validity, Validity::Inactive);
        assert_eq!(check(server(WORD, false), "").validity, Validity::Unknown(Unknown::Ambiguous));
    }

    #[test]
    fn only_code_18_is_dead() {
        use Unknown as U;
        let ambiguous = Validity::Unknown(U::Ambiguous);
        for (name, reply, expected) in [
            ("wrong", failed(18), Validity::Inactive),
            ("not allowed", failed(13), ambiguous.clone()),
            ("going down", failed(91), Validity::Unknown(U::Unreachable)),
            ("no code", Document::new().field(0x01, "ok", &[&0f64.to_le_bytes()]), ambiguous.clone()),
            ("no payload", ok().int("conversationId", 1), ambiguous.clone()),
            (
                "another nonce",
                ok().int("conversationId", 1).bytes("payload", b"r=x,s=c2FsdA==,i=4096"),
                ambiguous.clone(),
            ),
        ] {
            let port = script(&[&message(1, ok()), &message(2, reply)]);
            assert_eq!(check(port, "").validity, expected, "{name}");
        }
        assert_eq!(check(script(&[&message(9, ok())]), "").validity, ambiguous);
        let own = check(script(&[&message(1, ok())]), "authMechanism=MONGODB-X509").validity;
        assert_eq!(own, Validity::Unknown(U::Refused));
    }

    #[test]
    fn broken_documents_are_no_documents() {
        let whole = ok().int("n", 7).text("t", "x").bytes("b", b"y").done();
        let fields = read(&whole).unwrap();
        assert_eq!((fields.get("n"), fields.get("t")), (Some(&Value::Number(7)), Some(&Value::Other)));
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_none(), "{cut}");
        }
        for at in 0..whole.len() {
            let mut other = whole.to_vec();
            other[at] = 0xff;
            // Whatever it comes to, it ends and does not panic.
            read(&other);
        }
    }

    #[test]
    fn hostile_servers_end_in_time_and_prove_nothing() {
        for (name, port) in hostile() {
            let url = format!("mongodb://svc:{WORD}@127.0.0.1:{port}/");
            let begun = Instant::now();
            let probed = Mongodb(&net("mongodb", port))
                .check(&values(&[("url", &url)]), begun + Duration::from_millis(700));
            assert!(matches!(probed.validity, Validity::Unknown(_)), "{name}: {probed:?}");
            assert!(begun.elapsed() < Duration::from_secs(3), "{name}");
        }
    }
}
