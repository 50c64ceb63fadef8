//! The operator's proxy: what it is, and how a way through it is opened (`CONNECT`, RFC 9110).

use crate::call::host::{Host, Pattern};
use crate::call::template::base64;
use crate::model::Secret;
use std::fmt;
use std::io::{self, Read, Write};
use zeroize::Zeroizing;

/// Most bytes of a proxy's answer.
const MOST_ANSWER: usize = 8 << 10;

/// A proxy that opens ways to other hosts. `Debug` shows where it is only.
#[derive(Clone)]
pub struct Proxy {
    pub(super) host: Host,
    pub(super) port: u16,
    login: Option<Secret>,
    except: Vec<Pattern>,
    all_excepted: bool,
}

/// Why text names no proxy that can be used. Never holds the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Another scheme than `http`.
    #[error("the proxy must be http://host:port; TLS to the proxy itself and SOCKS are not spoken")]
    Scheme,
    /// No plain host or port.
    #[error("the proxy has no plain host and port")]
    Host,
    /// A user or password with broken escapes.
    #[error("the proxy's user or password has a broken %-escape")]
    Login,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", self.place())
    }
}

impl Proxy {
    /// Reads what the variables `HTTPS_PROXY` and `NO_PROXY` hold, in the form that curl takes.
    ///
    /// # Errors
    /// See [`ProxyError`].
    pub fn parse(proxy: &str, except: &str) -> Result<Self, ProxyError> {
        let rest = match proxy.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(ProxyError::Scheme),
            None => proxy,
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let (host, port) = Host::parse_with_port(place).map_err(|_| ProxyError::Host)?;
        let login = login.map(|text| {
            let plain = unescape(text).ok_or(ProxyError::Login)?;
            let pair =
                if plain.contains(&b':') { plain } else { Zeroizing::new([&plain[..], b":"].concat()) };
            Ok(Secret::new(&base64(&pair)))
        });
        let entries = except.split([',', ' ']).map(str::trim).filter(|e| !e.is_empty());
        // `.example` and `example` both stand for the name and what is below it, as they do for curl.
        let names = entries.clone().map(|e| e.trim_start_matches("*.").trim_start_matches('.'));
        let except = names
            .flat_map(|name| [Pattern::of_operator(name), Pattern::of_operator(&format!("*.{name}"))])
            .filter_map(Result::ok)
            .collect();
        Ok(Proxy {
            host,
            port: port.unwrap_or(80),
            login: login.transpose()?,
            except,
            all_excepted: entries.clone().any(|e| e == "*"),
        })
    }

    /// Whether a host is called directly.
    pub(super) fn excepts(&self, host: &Host) -> bool {
        self.all_excepted || self.except.iter().any(|p| p.covers_host(host))
    }

    /// Where it is, without login.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Opens a way to a host.
    ///
    /// # Errors
    /// What went wrong, for the reader; nothing was sent to the host.
    pub(super) fn open(
        &self,
        stream: &mut (impl Read + Write),
        host: &Host,
        port: u16,
    ) -> Result<(), &'static str> {
        let mut ask =
            Zeroizing::new(format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes());
        if let Some(login) = &self.login {
            ask.extend_from_slice(b"Proxy-Authorization: Basic ");
            ask.extend_from_slice(login.expose());
            ask.extend_from_slice(b"\r\n");
        }
        ask.extend_from_slice(b"\r\n");
        stream.write_all(&ask).map_err(|_| "the proxy closed the connection")?;
        let head = head(stream).map_err(|_| "the proxy gave no answer that can be read")?;
        match status(&head) {
            Some(b"200") => Ok(()),
            Some(b"407") => Err("the proxy wants another login"),
            Some(b"403") => Err("the proxy does not let the host be called"),
            _ => Err("the proxy opened no way to the host"),
        }
    }
}

/// The bytes up to the empty line, one by one: what follows is not the proxy's any more.
fn head(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MOST_ANSWER {
            return Err(io::ErrorKind::InvalidData.into());
        }
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}

fn status(head: &[u8]) -> Option<&[u8]> {
    let line = head.strip_prefix(b"HTTP/1.")?;
    let (status, rest) = line.get(2..)?.split_at_checked(3)?;
    (matches!(line[0], b'0' | b'1') && line[1] == b' ' && matches!(rest.first(), Some(b' ' | b'\r')))
        .then_some(status)
}

fn unescape(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'%' => {
                let digit = |b: Option<u8>| char::from(b?).to_digit(16);
                (digit(bytes.next())? * 16 + digit(bytes.next())?) as u8
            }
            b => b,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Both(io::Cursor<Vec<u8>>, Vec<u8>);

    impl Read for Both {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0.read(buf)
        }
    }

    impl Write for Both {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.1.write(buf)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn open(proxy: &str, answer: &[u8]) -> (Result<(), &'static str>, String) {
        let mut stream = Both(io::Cursor::new(answer.to_vec()), Vec::new());
        let proxy = Proxy::parse(proxy, "").unwrap();
        let result = proxy.open(&mut stream, &Host::parse("a.example").unwrap(), 443);
        (result, String::from_utf8(stream.1).unwrap())
    }

    #[test]
    fn a_way_is_open_only_after_a_plain_yes() {
        let (result, sent) =
            open("http://me:p%40ss@p.example:3128/", b"HTTP/1.1 200 Connection established\r\n\r\n");
        assert_eq!(result, Ok(()));
        let login = base64(b"me:p@ss");
        let login = String::from_utf8_lossy(&login);
        assert_eq!(
            sent,
            format!(
                "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nProxy-Authorization: Basic {login}\r\n\r\n"
            )
        );
        assert_eq!(open("p.example", b"HTTP/1.0 200\r\n\r\n").0, Ok(()));
        for answer in [
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            "HTTP/1.1 302 x\r\n\r\n",
            "HTTP/1.1 2000 x\r\n\r\n",
            "HTTP/2 200 x\r\n\r\n",
            "SSH-2.0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
            "",
            "\r\n\r\n",
        ] {
            assert!(open("p.example", answer.as_bytes()).0.is_err(), "{answer}");
        }
        let endless = [b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &[b'y'; 2 * MOST_ANSWER]].concat();
        assert!(open("p.example", &endless).0.is_err());
    }

    #[test]
    fn exceptions_are_names_and_what_is_below() {
        let proxy = Proxy::parse(
            "http://p.example:3128",
            "corp.example, .dev.example,10.0.0.1 localhost,*.a.example",
        )
        .unwrap();
        let excepts = |host: &str| proxy.excepts(&Host::parse(host).unwrap());
        for host in [
            "corp.example",
            "git.corp.example",
            "x.dev.example",
            "dev.example",
            "10.0.0.1",
            "localhost",
            "b.a.example",
        ] {
            assert!(excepts(host), "{host}");
        }
        for host in ["evilcorp.example", "corp.example.evil", "10.0.0.2", "example"] {
            assert!(!excepts(host), "{host}");
        }
        assert!(Proxy::parse("p.example", "*").unwrap().excepts(&Host::parse("any.example").unwrap()));
    }

    #[test]
    fn what_is_no_proxy_is_told_without_its_text() {
        for (text, expected) in [
            ("https://p.example", ProxyError::Scheme),
            ("socks5://p.example", ProxyError::Scheme),
            ("http://u:hunter2@p example", ProxyError::Host),
            ("http://u:hunter2@", ProxyError::Host),
            (concat!("http://u:", "hunter2%4@p.example"), ProxyError::Login),
        ] {
            let error = Proxy::parse(text, "").unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("hunter2"));
        }
        let shown = format!("{:?}", Proxy::parse("http://u:hunter2@p.example", "").unwrap());
        assert_eq!(shown, "Proxy(p.example:80)");
    }
}
