//! Where a rule's request may go: the hosts of its provider, or an endpoint of the organisation in their
//! place. A host found in a scanned file is used only where the organisation allows it.

use super::host::{BadHost, Host, Pattern};
use super::reach::{Reach, Resolve};
use super::{CallError, Prepared};
use crate::model::Secret;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

/// SHA-256 of a rule file.
pub type FileDigest = [u8; 32];

/// Where a request comes from: the provider of its rule, and the file if it is not an embedded one.
#[derive(Clone, Debug)]
pub struct Origin<'a> {
    /// The provider's id.
    pub provider: &'a str,
    /// The hosts that the provider declares.
    pub hosts: &'a [String],
    /// The user's rule file, by digest; none for an embedded rule.
    pub file: Option<FileDigest>,
}

/// A self-hosted endpoint of a provider.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    base: Option<Base>,
    connect: Option<SocketAddr>,
    allow: Vec<Pattern>,
    internal: bool,
    clear_login: bool,
}

#[derive(Clone, Debug)]
struct Base {
    tls: bool,
    host: Host,
    port: Option<u16>,
    path: String,
}

impl Endpoint {
    /// Reads what the organisation's file says of an endpoint.
    ///
    /// `base` takes the place of scheme and host of a rule's URL, its path comes before the rule's. `plain`
    /// must say so if it is `http`. `connect` is the address to which the name leads. `allow` lists hosts that
    /// may be taken from scanned text. `internal` lets all of these have addresses that are not public.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn new(
        base: Option<&str>,
        plain: bool,
        connect: Option<&str>,
        allow: &[String],
        internal: bool,
    ) -> Result<Self, String> {
        let base = base.map(|text| Base::parse(text, plain)).transpose()?;
        if base.is_none() && allow.is_empty() {
            return Err("the endpoint names no host; give it a `base` or `allow`".to_owned());
        }
        if base.is_none() && (plain || connect.is_some()) {
            return Err("`plain` and `connect` belong to a `base`; add one".to_owned());
        }
        let connect = connect.map(|text| {
            text.parse()
                .map_err(|_| format!("connect = `{text}` is no address and port, such as 127.0.0.1:8443"))
        });
        let allow = allow.iter().map(|text| Pattern::of_operator(text)).collect::<Result<_, _>>()?;
        Ok(Endpoint { base, connect: connect.transpose()?, allow, internal, clear_login: false })
    }

    /// Lets a login send its password without TLS to the hosts of `allow`.
    #[must_use]
    pub fn with_clear_login(self, clear_login: bool) -> Self {
        Endpoint { clear_login, ..self }
    }
}

impl Base {
    fn parse(text: &str, plain: bool) -> Result<Self, String> {
        let (tls, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://"), plain) {
            (Some(rest), _, false) => (true, rest),
            (_, Some(rest), true) => (false, rest),
            (_, Some(_), false) => {
                return Err(format!(
                    "base = `{text}` sends credentials in the clear; use https, or say plain = true"
                ));
            }
            (Some(_), _, true) => {
                return Err(format!("plain = true, but base = `{text}` is https; remove one"));
            }
            _ => return Err(format!("base = `{text}` must begin with https://")),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = Host::parse_with_port(authority)
            .map_err(|e| format!("base = `{text}` has no plain host: {e}"))?;
        let path = path.trim_end_matches('/');
        let plain_byte = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
        if !path.bytes().all(plain_byte) || path.split('/').any(|s| s == "." || s == "..") {
            return Err(format!("base = `{text}`: a path holds letters, digits and -._~ only"));
        }
        Ok(Base { tls, host, port, path: path.to_owned() })
    }

    fn default_port(&self) -> u16 {
        self.port.unwrap_or(if self.tls { 443 } else { 80 })
    }
}

/// Why a request has no place to go. Holds no value of the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// A user's rule that the organisation has not listed.
    #[error(
        "the rule stands in a user's file that the organisation does not list: add \"{0}\" to `rules` of [call] in its file"
    )]
    Unlisted(String),
    /// A host that the provider does not declare.
    #[error("the host `{0}` is not among those of the provider")]
    Undeclared(String),
    /// A service that stands on hosts of its users only, which the rule marks by a name under `.invalid`.
    #[error(
        "the service stands on its users' own hosts: set `base` of [endpoint.{0}] in the organisation's file"
    )]
    NoEndpoint(String),
    /// A host from scanned text that nobody allows.
    #[error(
        "a host found in the text is not allowed: add it to `allow` of [endpoint.{0}] in the organisation's file"
    )]
    NotAllowed(String),
    /// A value from scanned text that is no plain host.
    #[error("a host found in the text cannot be used: {0}")]
    Captured(BadHost),
    /// The rule's own host is none.
    #[error("the rule's host cannot be used: {0}")]
    Bad(BadHost),
}

impl From<HostError> for CallError {
    fn from(error: HostError) -> Self {
        CallError::Refused(error.to_string())
    }
}

/// What the organisation says of hosts.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    endpoints: BTreeMap<String, Endpoint>,
    rules: BTreeSet<FileDigest>,
}

impl Hosts {
    /// Endpoints by provider, and the digests of the user's rule files that may be followed.
    pub fn new(endpoints: BTreeMap<String, Endpoint>, rules: BTreeSet<FileDigest>) -> Self {
        Hosts { endpoints, rules }
    }

    /// Whether calls of a provider go to an endpoint of the organisation. An answer that a credential does not
    /// work is then that endpoint's, not the public service's.
    pub fn replaces(&self, provider: &str) -> bool {
        self.endpoints.get(provider).is_some_and(|e| e.base.is_some())
    }

    /// The providers that have an endpoint. A name that no rule has as its provider is likely a slip.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.endpoints.keys().map(String::as_str)
    }

    /// Lets a request go, to its own host or to the one that takes its place; or says why not. `captured` is a
    /// host from the scanned text.
    ///
    /// # Errors
    /// See [`HostError`]. The request is as it was then.
    pub fn admit(
        &self,
        origin: &Origin<'_>,
        captured: Option<&Secret>,
        request: &mut Prepared,
    ) -> Result<(), HostError> {
        if let Some(digest) = origin.file.filter(|d| !self.rules.contains(d)) {
            return Err(HostError::Unlisted(hex(&digest)));
        }
        let own = Host::parse(&request.host).map_err(HostError::Bad)?;
        if !request.tls || !declares(origin.hosts, &own) {
            return Err(HostError::Undeclared(own.to_string()));
        }
        let endpoint = self.endpoints.get(origin.provider);
        let base = endpoint.and_then(|e| e.base.as_ref());
        let Some(captured) = captured else {
            return match base {
                Some(base) => {
                    rebase(request, base);
                    Ok(())
                }
                None if is_nowhere(&own) => Err(HostError::NoEndpoint(origin.provider.to_owned())),
                None => Ok(()),
            };
        };
        let (host, port) = Host::parse_captured(captured.expose()).map_err(HostError::Captured)?;
        if let Some(base) =
            base.filter(|b| b.host == host && (port.is_none() || port == Some(b.default_port())))
        {
            rebase(request, base);
        } else if declares(origin.hosts, &host) && !is_nowhere(&host) && port.is_none_or(|p| p == 443) {
            (request.host, request.port) = (host.to_string(), None);
        } else if endpoint.is_some_and(|e| e.allow.iter().any(|p| p.covers(&host, port))) {
            (request.host, request.port) = (host.to_string(), port);
        } else {
            return Err(HostError::NotAllowed(origin.provider.to_owned()));
        }
        Ok(())
    }

    /// Whether a login may be tried at a host found in scanned text, which only `allow` of the endpoint named after
    /// the protocol can say. True if the password may be sent there without TLS. `usual` is the protocol's port.
    ///
    /// # Errors
    /// [`HostError::NotAllowed`].
    pub fn login(&self, protocol: &str, host: &Host, port: u16, usual: u16) -> Result<bool, HostError> {
        let endpoint = self.endpoints.get(protocol);
        endpoint
            .filter(|e| e.allow.iter().any(|p| p.covers_service(host, port, usual)))
            .map(|e| e.clear_login)
            .ok_or_else(|| HostError::NotAllowed(protocol.to_owned()))
    }

    /// How hosts are reached: names by `resolve`, endpoints where the organisation says.
    pub fn reach(&self, resolve: Arc<dyn Resolve>) -> Reach {
        let mut reach = Reach::new(resolve);
        for endpoint in self.endpoints.values() {
            if endpoint.internal {
                endpoint.allow.iter().for_each(|p| reach.allow_internal(p.clone()));
            }
            let Some(base) = &endpoint.base else { continue };
            if endpoint.internal {
                reach.allow_internal(Pattern::exact(base.host.clone()));
            }
            if let Some(address) = endpoint.connect {
                reach.pin(base.host.clone(), base.default_port(), address);
            }
        }
        reach
    }
}

/// Whether a provider's list covers a host; `*.` stands for one label.
pub fn declares(hosts: &[String], host: &Host) -> bool {
    hosts.iter().any(|text| Pattern::of_provider(text).is_ok_and(|p| p.covers_host(host)))
}

/// Whether a name is one that never exists (RFC 2606).
fn is_nowhere(host: &Host) -> bool {
    matches!(host, Host::Name(name) if name.ends_with(".invalid"))
}

fn rebase(request: &mut Prepared, base: &Base) {
    (request.tls, request.host, request.port) = (base.tls, base.host.to_string(), base.port);
    if !base.path.is_empty() {
        let target = zeroize::Zeroizing::new([base.path.as_bytes(), request.target.expose()].concat());
        request.target = Secret::new(&target);
    }
}

fn hex(digest: &FileDigest) -> String {
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host: &str) -> Prepared {
        Prepared {
            method: "GET".to_owned(),
            tls: true,
            host: host.to_owned(),
            port: None,
            target: Secret::new(b"/api/v4/user"),
            headers: Vec::new(),
            body: None,
        }
    }

    fn hosts(endpoint: Option<Endpoint>) -> Hosts {
        Hosts::new(endpoint.into_iter().map(|e| ("acme".to_owned(), e)).collect(), BTreeSet::from([[7; 32]]))
    }

    fn endpoint(base: Option<&str>, plain: bool, allow: &[&str]) -> Endpoint {
        let allow: Vec<_> = allow.iter().map(|a| (*a).to_owned()).collect();
        Endpoint::new(base, plain, None, &allow, false).unwrap()
    }

    /// Where a request goes.
    fn goes(
        hosts: &Hosts,
        file: Option<FileDigest>,
        host: &str,
        captured: Option<&str>,
    ) -> Result<String, HostError> {
        let declared = ["acme.example".to_owned(), "*.acme.example".to_owned()];
        let origin = Origin { provider: "acme", hosts: &declared, file };
        let mut p = request(host);
        hosts.admit(&origin, captured.map(|c| Secret::new(c.as_bytes())).as_ref(), &mut p)?;
        let scheme = if p.tls { "https" } else { "http" };
        let port = p.port.map(|n| format!(":{n}")).unwrap_or_default();
        Ok(format!("{scheme}://{}{port}{}", p.host, String::from_utf8_lossy(p.target.expose())))
    }

    #[test]
    fn a_rule_reaches_its_providers_hosts_only() {
        let none = hosts(None);
        assert_eq!(goes(&none, None, "acme.example", None).unwrap(), "https://acme.example/api/v4/user");
        assert_eq!(
            goes(&none, None, "eu.acme.example", None).unwrap(),
            "https://eu.acme.example/api/v4/user"
        );
        for host in ["a.b.acme.example", "evilacme.example", "acme.example.evil", "10.0.0.1"] {
            assert_eq!(goes(&none, None, host, None), Err(HostError::Undeclared(host.to_owned())));
        }
        assert_eq!(goes(&none, None, "2130706433", None), Err(HostError::Bad(BadHost::Spelling)));
    }

    #[test]
    fn a_users_rule_is_followed_only_if_it_is_listed() {
        let none = hosts(None);
        assert!(goes(&none, Some([7; 32]), "acme.example", None).is_ok());
        let refused = goes(&none, Some([8; 32]), "acme.example", None).unwrap_err().to_string();
        assert!(refused.contains(&"08".repeat(32)), "{refused}");
        // Not even to the organisation's own endpoint: the rest of the request is the rule's as well.
        let own = hosts(Some(endpoint(Some("https://acme.corp.example"), false, &[])));
        assert!(matches!(goes(&own, Some([8; 32]), "acme.example", None), Err(HostError::Unlisted(_))));
    }

    #[test]
    fn an_endpoint_takes_the_place_of_the_host() {
        for (base, plain, expected) in [
            ("https://acme.corp.example", false, "https://acme.corp.example/api/v4/user"),
            (
                "https://acme.corp.example:8443/sub/path/",
                false,
                "https://acme.corp.example:8443/sub/path/api/v4/user",
            ),
            ("http://localhost:3000", true, "http://localhost:3000/api/v4/user"),
            ("https://[fd00::1]/", false, "https://[fd00::1]/api/v4/user"),
        ] {
            let own = hosts(Some(endpoint(Some(base), plain, &[])));
            assert!(own.replaces("acme") && !own.replaces("other"));
            assert_eq!(goes(&own, None, "acme.example", None).unwrap(), expected);
        }
    }

    #[test]
    fn a_service_without_a_host_of_its_own_needs_an_endpoint() {
        let declared = ["acme.invalid".to_owned()];
        let origin = Origin { provider: "acme", hosts: &declared, file: None };
        let mut p = request("acme.invalid");
        let nowhere = Err(HostError::NoEndpoint("acme".to_owned()));
        assert_eq!(hosts(None).admit(&origin, None, &mut p), nowhere);
        let allowing = hosts(Some(endpoint(None, false, &["*.corp.example"])));
        assert_eq!(allowing.admit(&origin, None, &mut p), nowhere);
        let captured = |text: &str| Secret::new(text.as_bytes());
        assert!(allowing.admit(&origin, Some(&captured("acme.invalid")), &mut p).is_err());
        assert_eq!(allowing.admit(&origin, Some(&captured("git.corp.example")), &mut p), Ok(()));
        assert_eq!(p.host, "git.corp.example");
    }

    #[test]
    fn a_captured_host_changes_the_host_and_nothing_else() {
        let own = hosts(Some(endpoint(
            Some("https://git.corp.example:8443/x"),
            false,
            &["*.dev.example", "a.example:99"],
        )));
        for (captured, expected) in [
            ("git.corp.example", "https://git.corp.example:8443/x/api/v4/user"),
            ("https://git.corp.example:8443/group", "https://git.corp.example:8443/x/api/v4/user"),
            ("http://one.dev.example/evil?path", "https://one.dev.example/api/v4/user"),
            ("two.one.dev.example", "https://two.one.dev.example/api/v4/user"),
            ("a.example:99", "https://a.example:99/api/v4/user"),
            ("us.acme.example", "https://us.acme.example/api/v4/user"),
        ] {
            assert_eq!(goes(&own, None, "acme.example", Some(captured)).unwrap(), expected);
        }
        for captured in
            ["git.corp.example:22", "dev.example", "evildev.example", "us.acme.example:8443", "a.example"]
        {
            assert_eq!(
                goes(&own, None, "acme.example", Some(captured)),
                Err(HostError::NotAllowed("acme".to_owned())),
                "{captured}"
            );
        }
        let at = goes(&own, None, "acme.example", Some("acme.example@evil.example"));
        assert_eq!(at, Err(HostError::Captured(BadHost::Character)));
        // Without an endpoint nothing but the provider's own hosts is taken from text.
        assert!(goes(&hosts(None), None, "acme.example", Some("git.corp.example")).is_err());
        assert!(goes(&hosts(None), None, "acme.example", Some("eu.acme.example")).is_ok());
    }

    #[test]
    fn a_login_goes_to_allowed_hosts_on_their_ports_only() {
        let allow = ["*.db.example", "one.example:6000"];
        let own = hosts(Some(endpoint(None, false, &allow)));
        let may = |host: &str, port| own.login("acme", &Host::parse(host).unwrap(), port, 5432);
        assert_eq!((may("a.db.example", 5432), may("one.example", 6000)), (Ok(false), Ok(false)));
        for (host, port) in
            [("a.db.example", 443), ("one.example", 5432), ("evildb.example", 5432), ("db.example", 5432)]
        {
            assert_eq!(may(host, port), Err(HostError::NotAllowed("acme".to_owned())), "{host}:{port}");
        }
        assert!(own.login("other", &Host::parse("a.db.example").unwrap(), 5432, 5432).is_err());
        let clear = hosts(Some(endpoint(None, false, &allow).with_clear_login(true)));
        assert_eq!(clear.login("acme", &Host::parse("a.db.example").unwrap(), 5432, 5432), Ok(true));
    }

    #[test]
    fn a_wrong_endpoint_is_told_with_its_cure() {
        for (base, plain, connect, allow, told) in [
            (None, false, None, "", "names no host"),
            (None, true, None, "a.example", "belong to a `base`"),
            (None, false, Some("127.0.0.1:1"), "a.example", "belong to a `base`"),
            (Some("http://a.example"), false, None, "", "plain = true"),
            (Some("https://a.example"), true, None, "", "remove one"),
            (Some("a.example"), false, None, "", "must begin with https://"),
            (Some("https://u@a.example"), false, None, "", "no plain host"),
            (Some("https://a.example/x?y"), false, None, "", "a path holds"),
            (Some("https://a.example/../x"), false, None, "", "a path holds"),
            (Some("https://a.example"), false, Some("localhost:8443"), "", "is no address and port"),
            (Some("https://a.example"), false, Some("127.0.0.1"), "", "is no address and port"),
            (Some("https://a.example"), false, None, "*.com", "top-level domain"),
        ] {
            let allow: Vec<String> =
                Some(allow).filter(|a| !a.is_empty()).map(str::to_owned).into_iter().collect();
            let error = Endpoint::new(base, plain, connect, &allow, false).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
