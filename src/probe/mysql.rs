//! MySQL and MariaDB: the greeting, our answer to it, and nothing after it
//! (<https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html>).
//!
//! The capability `LOCAL_FILES` is never set, so that no server may ask for a file; the method
//! `mysql_clear_password` is never followed.
//!
//! No answer proves a password dead: an account is a name *and* the hosts it may come from, and who has the right
//! password and comes from elsewhere is refused with the same words as who has a wrong one
//! (<https://dev.mysql.com/doc/refman/8.4/en/connection-access.html>,
//! <https://dev.mysql.com/doc/refman/8.4/en/problems-connecting.html>).

use super::link::Link;
use super::url::{self, Target, Tls, parse};
use super::{Answer, Fault, Net, Probe, Probed, plain, signed_in};
use crate::call::Values;
use crate::model::{Secret, Unknown};
use ring::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use std::collections::BTreeMap;
use std::time::Instant;
use zeroize::Zeroizing;

const PORT: u16 = 3306;
/// Longest packet that a server sends during a login.
const LONGEST: usize = 16 << 10;
const NATIVE: &str = "mysql_native_password";
const SHA2: &str = "caching_sha2_password";
/// Capabilities, by the bits of the protocol.
const TLS: u32 = 0x800;
const PLUGINS: u32 = 0x8_0000;
/// `LONG_PASSWORD`, `PROTOCOL_41`, `SECURE_CONNECTION`, `PLUGIN_AUTH`.
const OURS: u32 = 0x1 | 0x200 | 0x8000 | PLUGINS;

/// A login at MySQL or MariaDB with the user and password of a URL. It names no database: whether one is there says
/// nothing of the password.
pub struct Mysql<'a>(pub &'a Net);

impl Probe for Mysql<'_> {
    fn name(&self) -> &'static str {
        "mysql"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["url"]
    }

    fn check(&self, values: &Values, deadline: Instant) -> Probed {
        let target = url::of(values, |url| parse(url, &["mysql", "mysql2", "mariadb"], false));
        url::asked(target, PORT, |target, port| {
            let tls = target
                .tls(&["sslmode", "ssl", "usessl", "tls"])
                .map_err(|e| Fault::refused(e.to_string()))?;
            signed_in(&target.password, &|password| {
                let link = self.0.open(self.name(), &target.host, port, PORT, deadline)?;
                Session { link, next: 0, sent: false }.run(target, password, tls.unwrap_or(Tls::Prefer))
            })
        })
    }
}

/// What a server says first.
struct Greeting {
    version: String,
    capabilities: u32,
    nonce: Vec<u8>,
    plugin: String,
}

struct Session {
    link: Link,
    /// Number of the next packet.
    next: u8,
    /// Whether something that the password goes into was sent.
    sent: bool,
}

fn wrong() -> Fault {
    Fault::ambiguous("the server does not speak MySQL as it should")
}

impl Session {
    fn run(mut self, target: &Target, password: &Secret, tls: Tls) -> Result<Answer, Fault> {
        let first = self.packet()?;
        if first.first() == Some(&0xff) {
            return self.refused(&first);
        }
        let greeting = greeting(&first).ok_or_else(wrong)?;
        let has = greeting.capabilities & TLS != 0;
        let mut capabilities = OURS;
        match tls {
            Tls::Require | Tls::Verify if !has => {
                return Err(Fault::refused("the server has no TLS, which the URL asks for"));
            }
            Tls::Prefer | Tls::Require | Tls::Verify if has => {
                capabilities |= TLS;
                let head = head(capabilities);
                self.send(&head)?;
                self.link.secure(tls)?;
            }
            _ => {}
        }
        let mut plugin = if greeting.plugin == SHA2 { SHA2.to_owned() } else { NATIVE.to_owned() };
        let proof = scrambled(&plugin, password.expose(), &greeting.nonce);
        let mut answer = Zeroizing::new(head(capabilities).to_vec());
        answer.extend_from_slice(target.user.as_bytes());
        answer.push(0);
        answer.push(proof.len() as u8);
        answer.extend_from_slice(&proof);
        answer.extend_from_slice(plugin.as_bytes());
        answer.push(0);
        self.sent = true;
        self.send(&answer)?;
        let mut switched = false;
        loop {
            let packet = self.packet()?;
            match packet.split_first() {
                Some((0x00, _)) => {
                    // The answer stands, whether the farewell (COM_QUIT) arrives or not.
                    self.next = 0;
                    self.send(&[1]).ok();
                    let identity = BTreeMap::from([
                        ("user".to_owned(), plain(&target.user)),
                        ("server version".to_owned(), plain(&greeting.version)),
                    ]);
                    let detail = format!("MySQL: {plugin} was taken");
                    return Ok(Answer::In { mutual: false, restricted: false, identity, detail });
                }
                Some((0xff, _)) => return self.refused(&packet),
                Some((0xfe, rest)) if !switched => {
                    switched = true;
                    let mut parts = rest.splitn(2, |b| *b == 0);
                    plugin = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
                    if plugin != NATIVE && plugin != SHA2 {
                        let named = plain(&plugin);
                        return Err(Fault::refused(format!(
                            "the server asks for the method `{named}`, which is not followed"
                        )));
                    }
                    let nonce = parts.next().unwrap_or_default();
                    let nonce = nonce.strip_suffix(&[0]).unwrap_or(nonce);
                    if nonce.len() != 20 {
                        return Err(wrong());
                    }
                    let proof = scrambled(&plugin, password.expose(), nonce);
                    self.send(&proof)?;
                }
                // The server has it in its memory: what was sent is enough.
                Some((0x01, [3])) if plugin == SHA2 => {}
                // It has not, and needs the password itself, once.
                Some((0x01, [4])) if plugin == SHA2 => {
                    if !self.link.is_tls() {
                        return Err(Fault::refused("the server asks for the password itself without TLS"));
                    }
                    self.link.may_send_password()?;
                    let text = Zeroizing::new([password.expose(), &[0]].concat());
                    self.send(&text)?;
                }
                _ => return Err(wrong()),
            }
        }
    }

    /// What an error means (<https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>).
    fn refused(&self, packet: &[u8]) -> Result<Answer, Fault> {
        let code = packet.get(1..3).map(|c| u16::from_le_bytes([c[0], c[1]])).ok_or_else(wrong)?;
        let at = format!("{code} of MySQL");
        match code {
            1045 if self.sent => Ok(Answer::Barred(at)),
            // The password was right, and must be changed before anything else.
            1820 | 1862 if self.sent => Ok(Answer::In {
                mutual: false,
                restricted: true,
                identity: BTreeMap::new(),
                detail: format!("{at}: the password is right, and has expired"),
            }),
            1129 | 1130 => Err(Fault::new(Unknown::Blocked, format!("{at}: nobody is let in from here"))),
            1040 | 1203 | 1226 | 1053 => {
                Err(Fault::new(Unknown::Unreachable, format!("{at}: no room or not ready")))
            }
            _ => Err(Fault::ambiguous(at)),
        }
    }

    fn send(&mut self, body: &[u8]) -> Result<(), Fault> {
        let mut packet = Zeroizing::new((body.len() as u32).to_le_bytes()[..3].to_vec());
        packet.push(self.next);
        packet.extend_from_slice(body);
        self.next = self.next.wrapping_add(1);
        self.link.write(&packet)
    }

    fn packet(&mut self) -> Result<Vec<u8>, Fault> {
        let head = self.link.read(4)?;
        let len = u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize;
        if len > LONGEST || len == 0 || head[3] != self.next {
            return Err(wrong());
        }
        self.next = self.next.wrapping_add(1);
        self.link.read(len)
    }
}

/// The part of our answer that also asks for TLS: capabilities, longest packet, UTF-8.
fn head(capabilities: u32) -> [u8; 32] {
    let mut head = [0; 32];
    head[..4].copy_from_slice(&capabilities.to_le_bytes());
    head[4..8].copy_from_slice(&(LONGEST as u32).to_le_bytes());
    head[8] = 45;
    head
}

fn greeting(packet: &[u8]) -> Option<Greeting> {
    let rest = packet.strip_prefix(&[10])?;
    let end = memchr::memchr(0, rest)?;
    let (version, rest) = (String::from_utf8_lossy(&rest[..end]).into_owned(), &rest[end + 1..]);
    // Number of the connection, eight bytes of the nonce, a zero.
    let mut nonce = rest.get(4..12)?.to_vec();
    let low = u16::from_le_bytes([*rest.get(13)?, *rest.get(14)?]);
    let high = u16::from_le_bytes([*rest.get(18)?, *rest.get(19)?]);
    let capabilities = u32::from(low) | u32::from(high) << 16;
    // Without these it is a server of before 2010, whose login gives the password away.
    if capabilities & 0x8000 == 0 || capabilities & 0x200 == 0 {
        return None;
    }
    nonce.extend_from_slice(rest.get(31..43)?);
    let name = rest.get(44..).unwrap_or_default();
    let name = &name[..memchr::memchr(0, name).unwrap_or(name.len())];
    let plugin = if capabilities & PLUGINS == 0 {
        NATIVE.to_owned()
    } else {
        String::from_utf8_lossy(name).into_owned()
    };
    Some(Greeting { version, capabilities, nonce, plugin })
}

/// The proof of a method: a digest of the password that holds for one nonce.
fn scrambled(plugin: &str, password: &[u8], nonce: &[u8]) -> Zeroizing<Vec<u8>> {
    let digest = |algorithm: &'static Algorithm, parts: &[&[u8]]| {
        let mut context = Context::new(algorithm);
        parts.iter().for_each(|part| context.update(part));
        context.finish()
    };
    let (algorithm, sha2) = if plugin == SHA2 { (&SHA256, true) } else { (&SHA1_FOR_LEGACY_USE_ONLY, false) };
    let one = digest(algorithm, &[password]);
    let two = digest(algorithm, &[one.as_ref()]);
    let three = if sha2 {
        digest(algorithm, &[two.as_ref(), nonce])
    } else {
        digest(algorithm, &[nonce, two.as_ref()])
    };
    Zeroizing::new(one.as_ref().iter().zip(three.as_ref()).map(|(a, b)| a ^ b).collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{WORD, hostile, net, serve, soon, values};
    use super::*;
    use crate::model::Validity;
    use std::io::{Read, Write};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    fn check(port: u16, options: &str) -> Probed {
        let url = format!("mysql://svc:{WORD}@127.0.0.1:{port}/app?{options}");
        Mysql(&net("mysql", port)).check(&values(&[("url", &url)]), soon())
    }

    fn packet(number: u8, body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32).to_le_bytes()[..3], &[number], body].concat()
    }

    fn hello(plugin: &str, capabilities: u32) -> Vec<u8> {
        let caps = capabilities.to_le_bytes();
        let mut body = b"\x0a8.0.1-fake\0\x01\0\0\0abcdefgh\0".to_vec();
        body.extend_from_slice(&[caps[0], caps[1], 45, 2, 0, caps[2], caps[3], 21]);
        body.extend_from_slice(&[0; 10]);
        body.extend_from_slice(b"ijklmnopqrst\0");
        body.extend_from_slice(plugin.as_bytes());
        body.push(0);
        packet(0, &body)
    }

    /// A server that greets, and then reads before each of its packets.
    fn fake(plugin: &str, capabilities: u32, bodies: &[&[u8]]) -> u16 {
        let hello = hello(plugin, capabilities);
        let bodies: Vec<Vec<u8>> = bodies.iter().map(|b| b.to_vec()).collect();
        serve(move |mut stream| {
            stream.write_all(&hello).ok();
            for (n, body) in bodies.iter().enumerate() {
                let mut buf = [0; 1024];
                if stream.read(&mut buf).unwrap_or(0) == 0
                    || stream.write_all(&packet(2 * n as u8 + 2, body)).is_err()
                {
                    return;
                }
            }
        })
    }

    fn error(code: u16) -> Vec<u8> {
        [&[0xff][..], &code.to_le_bytes(), b"#28000x"].concat()
    }

    #[test]
    fn nothing_proves_a_password_dead() {
        use Unknown as U;
        let switch = |plugin: &str| [&[0xfe][..], plugin.as_bytes(), b"\0abcdefghijklmnopqrst\0"].concat();
        let unknown = |why| Validity::Unknown(why);
        for (name, bodies, expected) in [
            ("wrong, or not from here", vec![error(1045)], unknown(U::Ambiguous)),
            ("the same after a switch", vec![switch(NATIVE), error(1045)], unknown(U::Ambiguous)),
            ("locked", vec![error(3118)], unknown(U::Ambiguous)),
            ("by socket", vec![error(1698)], unknown(U::Ambiguous)),
            ("blocked", vec![error(1129)], unknown(U::Blocked)),
            ("not from here", vec![error(1130)], unknown(U::Blocked)),
            ("too many", vec![error(1040)], unknown(U::Unreachable)),
            ("clear text", vec![switch("mysql_clear_password")], unknown(U::Refused)),
            ("old password", vec![vec![0xfe]], unknown(U::Refused)),
            ("sha256_password", vec![switch("sha256_password")], unknown(U::Refused)),
            ("switch twice", vec![switch(NATIVE), switch(NATIVE)], unknown(U::Ambiguous)),
            (
                "short nonce",
                vec![[&[0xfe][..], NATIVE.as_bytes(), b"\0ab\0"].concat()],
                unknown(U::Ambiguous),
            ),
            ("wants a file", vec![b"\xfb/etc/passwd".to_vec()], unknown(U::Ambiguous)),
            ("lets all in", vec![vec![0; 7]], unknown(U::Ambiguous)),
            ("the password itself", vec![switch(SHA2), vec![1, 4]], unknown(U::Refused)),
        ] {
            let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
            assert_eq!(check(fake(NATIVE, OURS, &bodies), "").validity, expected, "{name}");
        }
    }

    #[test]
    fn who_is_let_in_where_a_made_up_password_is_not_has_the_right_one() {
        let (hello, logins) = (hello(NATIVE, OURS), AtomicUsize::new(0));
        let port = serve(move |mut stream| {
            let first = logins.fetch_add(1, Ordering::SeqCst) == 0;
            stream.write_all(&hello).ok();
            let mut buf = [0; 1024];
            let _told = stream.read(&mut buf).unwrap_or(0);
            stream.write_all(&packet(2, &if first { vec![0; 7] } else { error(1045) })).ok();
            // Until the other side has read it.
            let _told = stream.read(&mut buf).unwrap_or(0);
        });
        let probed = check(port, "");
        assert!(matches!(probed.validity, Validity::Active { restricted: false, .. }), "{probed:?}");
    }

    #[test]
    fn a_greeting_that_refuses_or_gives_passwords_away_is_not_answered() {
        let greets = |bytes: Vec<u8>| {
            serve(move |mut stream| {
                stream.write_all(&bytes).ok();
                let mut buf = [0; 64];
                assert_eq!(stream.read(&mut buf).unwrap_or(0), 0, "something was sent");
            })
        };
        let refused = check(greets(packet(0, &error(1045))), "").validity;
        assert_eq!(refused, Validity::Unknown(Unknown::Ambiguous));
        let old = check(greets(hello(NATIVE, 0x200)), "").validity;
        assert_eq!(old, Validity::Unknown(Unknown::Ambiguous));
        let plain = check(greets(hello(NATIVE, OURS)), "ssl-mode=REQUIRED").validity;
        assert_eq!(plain, Validity::Unknown(Unknown::Refused));
    }

    #[test]
    fn no_capability_lets_a_server_read_files() {
        // LOCAL_FILES is bit 7, as the protocol's list has it; a database would be bit 3, a clear password bit 28.
        assert_eq!(OURS & (0x80 | 0x8 | 0x1000_0000), 0);
    }

    #[test]
    fn proofs_are_those_of_the_protocol() {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let nonce: Vec<u8> = (1..=20).collect();
        // Worked out with Python's hashlib by the formulas of the protocol's pages.
        assert_eq!(hex(&scrambled(NATIVE, WORD.as_bytes(), &nonce)), NATIVE_PROOF);
        assert_eq!(hex(&scrambled(SHA2, WORD.as_bytes(), &nonce)), SHA2_PROOF);
    }

    const NATIVE_PROOF: &str = "05bc17981b3c7a88ad3e085887e5a1d97e6e77f3";
    const SHA2_PROOF: &str = "40bd6591c57c215bfa5e16ffb971760aedddda54256672cf675ed92d4f855c5d";

    #[test]
    fn hostile_servers_end_in_time_and_prove_nothing() {
        for (name, port) in hostile() {
            let url = format!("mysql://svc:{WORD}@127.0.0.1:{port}/app");
            let begun = Instant::now();
            let probed = Mysql(&net("mysql", port))
                .check(&values(&[("url", &url)]), begun + Duration::from_millis(700));
            assert!(matches!(probed.validity, Validity::Unknown(_)), "{name}: {probed:?}");
            assert!(begun.elapsed() < Duration::from_secs(3), "{name}");
        }
    }
}
