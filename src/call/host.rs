//! Host names as they may stand in a call: one normal form, and patterns over it. Text that needs any
//! guessing to be a host is no host.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host in its normal form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name: lower-case ASCII labels, no trailing dot.
    Name(String),
    /// An address in its usual spelling; brackets around IPv6.
    Address(IpAddr),
}

/// Why text is no host. Never holds the text, which may come from a scanned file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHost {
    /// Nothing there, or an empty label such as in `a..b` or after a trailing dot.
    #[error("it has an empty part")]
    Empty,
    /// More than DNS holds.
    #[error("it is longer than a host name may be")]
    Long,
    /// A byte other than letters, digits, hyphens and dots, such as `@`, `%`, a blank or a letter beyond ASCII.
    #[error("it has a character that a host name may not hold")]
    Character,
    /// A hyphen at the edge of a label.
    #[error("a part begins or ends with a hyphen")]
    Hyphen,
    /// Digits that a resolver may take for an address: decimal, octal, hexadecimal or short spellings.
    #[error("it is an address in an unusual spelling")]
    Spelling,
    /// A port that is none.
    #[error("its port is none")]
    Port,
    /// A scheme other than `https` and `http`.
    #[error("it is not an https address")]
    Scheme,
}

impl Host {
    /// Reads a host. Letters of ASCII are taken in either case; nothing else is put right.
    ///
    /// # Errors
    /// See [`BadHost`].
    pub fn parse(text: &str) -> Result<Self, BadHost> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(BadHost::Character)?;
            return inner.parse().map(|v6: Ipv6Addr| Host::Address(v6.into())).map_err(|_| BadHost::Spelling);
        }
        if text.len() > 253 {
            return Err(BadHost::Long);
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.') {
            return Err(BadHost::Character);
        }
        for label in text.split('.') {
            match label.as_bytes() {
                [] => return Err(BadHost::Empty),
                [b'-', ..] | [.., b'-'] => return Err(BadHost::Hyphen),
                long if long.len() > 63 => return Err(BadHost::Long),
                _ => {}
            }
        }
        // What ends in a number is an address to resolvers and browsers, in spellings such as `0x7f.1`.
        let last = text.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        let hex = last.strip_prefix("0x").is_some_and(|h| h.bytes().all(|b| b.is_ascii_hexdigit()));
        if hex || last.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().map(|v4: Ipv4Addr| Host::Address(v4.into())).map_err(|_| BadHost::Spelling);
        }
        Ok(Host::Name(text.to_ascii_lowercase()))
    }

    /// Reads a host with an optional port, as it stands in a URL: `host`, `host:8443`, `[::1]:8443`.
    ///
    /// # Errors
    /// See [`BadHost`].
    pub fn parse_with_port(text: &str) -> Result<(Self, Option<u16>), BadHost> {
        let (host, port) = match text.rsplit_once(':') {
            // The colons of an address within brackets are its own.
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (text, None),
        };
        // `parse` alone would take `+443`.
        let number = |p: &str| {
            let plain = !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit());
            p.parse().ok().filter(|&n: &u16| plain && n > 0).ok_or(BadHost::Port)
        };
        Ok((Host::parse(host)?, port.map(number).transpose()?))
    }

    /// Reads what was found in a scanned file: a host, or a URL of which only the host is taken. User
    /// information, escapes and whatever else two readers may read differently are refused.
    ///
    /// # Errors
    /// See [`BadHost`].
    pub fn parse_captured(bytes: &[u8]) -> Result<(Self, Option<u16>), BadHost> {
        let text = std::str::from_utf8(bytes).map_err(|_| BadHost::Character)?;
        let rest = match text.split_once("://") {
            Some((scheme, rest))
                if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http") =>
            {
                rest
            }
            Some(_) => return Err(BadHost::Scheme),
            None => text,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        // A backslash ends the host for some readers and not for others.
        if rest.contains('\\') {
            return Err(BadHost::Character);
        }
        Host::parse_with_port(&rest[..end])
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V4(v4)) => write!(f, "{v4}"),
            Host::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
        }
    }
}

/// Hosts that somebody answers for: one host, or everything below a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    host: Host,
    /// How many labels may stand before the name; none for an exact host.
    labels: Labels,
    port: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Labels {
    None,
    One,
    Any,
}

impl Pattern {
    /// A host of a provider: `api.acme.example`, or `*.acme.example` with one label for the star.
    ///
    /// # Errors
    /// A sentence for the author of the rule.
    pub fn of_provider(text: &str) -> Result<Self, String> {
        let pattern = Pattern::read(text, Labels::One)?;
        match pattern.port {
            Some(_) => Err(format!("`{text}` has a port; a provider's host stands alone")),
            None => Ok(pattern),
        }
    }

    /// A host that the operator allows: `git.corp.example`, `git.corp.example:8443`, or `*.corp.example` with
    /// one label or more for the star.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn of_operator(text: &str) -> Result<Self, String> {
        Pattern::read(text, Labels::Any)
    }

    /// One host, on the usual port.
    pub fn exact(host: Host) -> Self {
        Pattern { host, labels: Labels::None, port: None }
    }

    fn read(text: &str, star: Labels) -> Result<Self, String> {
        let (rest, labels) = match text.strip_prefix("*.") {
            Some(rest) => (rest, star),
            None => (text, Labels::None),
        };
        let (host, port) = Host::parse_with_port(rest).map_err(|e| format!("`{text}` is no host: {e}"))?;
        match &host {
            Host::Name(name) if labels != Labels::None && !name.contains('.') => {
                Err(format!("`{text}` covers a whole top-level domain; name at least two labels"))
            }
            Host::Address(_) if labels != Labels::None => {
                Err(format!("`{text}`: a star cannot stand before an address"))
            }
            _ => Ok(Pattern { host, labels, port }),
        }
    }

    /// Whether a host and its port are covered. A pattern without port covers no port but the usual one.
    pub fn covers(&self, host: &Host, port: Option<u16>) -> bool {
        self.covers_host(host) && (self.port == port || self.port.unwrap_or(443) == port.unwrap_or(443))
    }

    /// Whether a host and its port are covered, where another port than that of HTTPS is the usual one.
    pub fn covers_service(&self, host: &Host, port: u16, usual: u16) -> bool {
        self.covers_host(host) && self.port.unwrap_or(usual) == port
    }

    /// Whether a host is covered, on whatever port.
    pub fn covers_host(&self, host: &Host) -> bool {
        match (self.labels, &self.host, host) {
            (Labels::None, own, host) => own == host,
            (labels, Host::Name(own), Host::Name(name)) => {
                let before = name.strip_suffix(own.as_str()).and_then(|s| s.strip_suffix('.'));
                before.is_some_and(|before| {
                    // A punycode label reads as something else than it is: only an exact entry takes one.
                    let plain = !before.is_empty() && !before.split('.').any(|l| l.starts_with("xn--"));
                    plain && (labels == Labels::Any || !before.contains('.'))
                })
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a value from a scanned file may name the host of a call under an operator's list.
    fn taken(text: &str) -> Option<String> {
        let allow = ["*.corp.example", "gitlab.com", "10.1.2.3", "[fd00::1]", "git.example.org:8443"];
        let patterns: Vec<_> = allow.iter().map(|p| Pattern::of_operator(p).unwrap()).collect();
        let (host, port) = Host::parse_captured(text.as_bytes()).ok()?;
        patterns.iter().any(|p| p.covers(&host, port)).then(|| match port {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        })
    }

    #[test]
    fn a_captured_host_is_taken_only_at_a_dot_boundary() {
        for (text, host) in [
            ("gitlab.com", "gitlab.com"),
            ("GitLab.COM", "gitlab.com"),
            ("https://gitlab.com", "gitlab.com"),
            ("https://gitlab.com/", "gitlab.com"),
            ("HTTPS://gitlab.com/group/project?x=@y#z", "gitlab.com"),
            ("http://gitlab.com/", "gitlab.com"),
            ("gitlab.com:443", "gitlab.com:443"),
            ("git.corp.example", "git.corp.example"),
            ("a.b.corp.example", "a.b.corp.example"),
            ("git.example.org:8443", "git.example.org:8443"),
            ("10.1.2.3", "10.1.2.3"),
            ("https://[FD00::1]/x", "[fd00::1]"),
        ] {
            assert_eq!(taken(text).as_deref(), Some(host), "{text}");
        }
        for text in [
            "",
            ".",
            "..",
            "com",
            "corp.example",
            ".corp.example",
            "*.corp.example",
            "-.corp.example",
            "a-.corp.example",
            "a..corp.example",
            "evilcorp.example",
            "corp.example.evil",
            "git.corp.example.evil.example",
            "git.corp.example.",
            "git.corp.example..",
            "evilgitlab.com",
            "gitlab.com.evil",
            "gitlab.com.evil.example",
            "gitlab.com-evil.example",
            "www.gitlab.com",
            "gitlab.com@evil.example",
            "gitlab.com:443@evil.example",
            "evil.example@gitlab.com",
            "https://gitlab.com@evil.example/",
            "https://gitlab.com:x@evil.example/",
            "https://evil.example#gitlab.com",
            "https://evil.example/gitlab.com",
            "https://evil.example?gitlab.com",
            "https://evil.example\\gitlab.com",
            "https://gitlab.com\\.evil.example",
            "https://gitlab.com\\@evil.example",
            "gitlab.com.",
            "https://gitlab.com./",
            "gitlab%2ecom",
            "gitlab.com%2eevil.example",
            "gitlab.com%00.evil.example",
            "gitlab.com\0.evil.example",
            "gitlab.com\n",
            " gitlab.com",
            "gitlab.com ",
            "gitlab.com\tx",
            "gitlab\u{3002}com",
            "gitlab\u{ff0e}com",
            "\u{ff47}itlab.com",
            "gitlab.c\u{3bf}m",
            "gitlab.com\u{200b}",
            "gi\u{ad}tlab.com",
            "\u{212a}it.corp.example",
            "xn--gitlab-9za.com",
            "xn--80ak6aa92e.corp.example",
            "gitlab.com:8443",
            "gitlab.com:0443x",
            "gitlab.com:",
            "gitlab.com:+443",
            "gitlab.com:0",
            "gitlab.com:65979",
            "gitlab.com:443:443",
            "git.example.org",
            "git.example.org:443",
            "git_lab.corp.example",
            "ftp://gitlab.com",
            "javascript://gitlab.com",
            "//gitlab.com",
            "https:///gitlab.com",
            "https://",
            "10.1.2.03",
            "10.1.515",
            "0x0a010203",
            "167838211",
            "012.1.2.3",
            "10.1.2.3.",
            "10.1.2.3.corp.example.4",
            "[fd00::1",
            "fd00::1",
            "[fd00::1%25eth0]",
            "[::ffff:10.1.2.3]",
        ] {
            assert_eq!(taken(text), None, "{text:?}");
        }
    }

    #[test]
    fn spellings_of_an_address_are_no_names() {
        for text in [
            "2130706433",
            "0x7f000001",
            "0X7F.1",
            "017700000001",
            "0177.0.0.1",
            "127.1",
            "127.0.1",
            "127.0.0.01",
            "0x7f.0.0.1",
            "127.0.0.0x1",
            "1.2.3.4.5",
            "256.1.1.1",
            "0",
            "0x",
            "a.0x7f",
            "a.1",
            "00.0.0.0",
        ] {
            assert_eq!(Host::parse(text), Err(BadHost::Spelling), "{text}");
        }
        assert_eq!(Host::parse("127.0.0.1"), Ok(Host::Address([127, 0, 0, 1].into())));
        assert_eq!(Host::parse("[0:0::0:1]").unwrap().to_string(), "[::1]");
        for name in ["1and1.example", "0x7f.example", "123.example", "a.0x7g"] {
            assert_eq!(Host::parse(name), Ok(Host::Name(name.to_owned())));
        }
    }

    #[test]
    fn the_star_of_a_provider_is_one_label() {
        let one = Pattern::of_provider("*.acme.example").unwrap();
        let host = |text: &str| Host::parse(text).unwrap();
        assert!(one.covers(&host("eu.acme.example"), None));
        for no in ["acme.example", "a.b.acme.example", "evilacme.example", "acme.example.evil"] {
            assert!(!one.covers(&host(no), None), "{no}");
        }
        for bad in
            ["*", "*.", "*.com", "*.1.2.3.4", "a.*.example", "*a.example", "a.example/", "", "*.*.example"]
        {
            assert!(Pattern::of_operator(bad).is_err(), "{bad}");
        }
        assert!(Pattern::of_provider("acme.example:8443").is_err());
    }

    #[test]
    fn length_is_bounded() {
        let label = "a".repeat(63);
        assert!(Host::parse(&format!("{label}.example")).is_ok());
        assert_eq!(Host::parse(&format!("a{label}.example")), Err(BadHost::Long));
        assert_eq!(Host::parse(&[label.as_str(); 4].join(".")), Err(BadHost::Long));
    }
}
