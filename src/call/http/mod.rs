//! Requests over HTTP/1.1 and TLS. Whatever the other side does ends before the deadline, in bounded memory,
//! and as an answer that was read whole or as an error.

mod connect;
mod proxy;
mod reply;

pub use proxy::{Proxy, ProxyError};

use super::{CallError, MOST_BODY, MOST_LIST, Prepared, Reach, Reply, Transport, reserved};
use connect::Link;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::Agent;
use ureq::http::{HeaderName, HeaderValue, Method, Request, Uri};
use zeroize::Zeroizing;

/// How long a connection may take, the agreement on TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// Most bytes of an answer's status line and header fields.
const MOST_HEAD: usize = 32 << 10;
/// Most connections that are kept open for a host, and for how long.
const IDLE: (usize, Duration) = (2, Duration::from_secs(10));
/// What a transport is made with.
#[derive(Debug)]
pub struct HttpOptions {
    /// Which addresses may be reached.
    pub reach: Reach,
    /// Certificates of further authorities, PEM.
    pub roots: Vec<u8>,
    /// The proxy through which everything goes, except what it excepts.
    pub proxy: Option<Proxy>,
    /// How long a connection may take; ten seconds unless said otherwise.
    pub connect: Option<Duration>,
}

/// Why there is no transport.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The further authorities are no PEM certificates.
    #[error("the file of certificates holds none that can be read; it must be PEM")]
    Roots,
    /// The parameters of TLS do not fit each other.
    #[error("TLS cannot be set up: {0}")]
    Tls(rustls::Error),
}

/// Sends requests.
#[derive(Debug)]
pub struct Http {
    /// Keeps connections, for reads.
    kept: Agent,
    /// A fresh connection for each change: on a kept one, which the other side may just be closing, it would not be
    /// certain whether the change was read.
    fresh: Agent,
    proxy: Option<String>,
}

impl Http {
    /// A transport that trusts Mozilla's authorities and the further ones.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub fn new(options: HttpOptions) -> Result<Self, HttpError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if !options.roots.is_empty() {
            let further: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&options.roots).collect();
            let further = further.map_err(|_| HttpError::Roots)?;
            let (added, _) = roots.add_parsable_certificates(further);
            if added == 0 {
                return Err(HttpError::Roots);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(HttpError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let proxy = options.proxy.as_ref().map(Proxy::place);
        let link = Link {
            reach: options.reach,
            tls: Arc::new(tls),
            connect: options.connect.unwrap_or(CONNECT),
            proxy: options.proxy,
        };
        Ok(Http { kept: agent(link.clone(), IDLE.0), fresh: agent(link, 0), proxy })
    }

    /// What the operator should know about how calls are made; the same for every call.
    pub fn notices(&self) -> Vec<String> {
        let notice = |place| {
            format!(
                "calls go through the proxy {place}, which looks names up by itself: pinning is impossible, and which \
                 address a host has is not checked"
            )
        };
        self.proxy.iter().map(notice).collect()
    }

    fn run(
        &self,
        agent: &Agent,
        request: &Prepared,
        deadline: Instant,
        most: u32,
    ) -> Result<Reply, CallError> {
        if deadline <= Instant::now() {
            return Err(CallError::Refused("no time is left".to_owned()));
        }
        let ready = build(request)?;
        connect::begin(deadline);
        let answer = match &request.body {
            Some(body) => agent.run(ready.map(|()| body.expose())),
            // These are sent with a length even if there is nothing to send.
            None if matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") => {
                agent.run(ready.map(|()| [].as_slice()))
            }
            None => agent.run(ready),
        };
        answer.map_err(reply::error).and_then(|response| reply::read(response, most))
    }
}

impl Transport for Http {
    fn send(&self, request: &Prepared, deadline: Instant) -> Result<Reply, CallError> {
        self.run(&self.fresh, request, deadline, MOST_BODY)
    }

    fn read(&self, request: &Prepared, deadline: Instant) -> Result<Reply, CallError> {
        self.run(&self.kept, request, deadline, MOST_BODY)
    }

    fn read_list(&self, request: &Prepared, deadline: Instant, most: u32) -> Result<Reply, CallError> {
        self.run(&self.kept, request, deadline, most.min(MOST_LIST))
    }
}

fn agent(link: Link, idle: usize) -> Agent {
    let config = Agent::config_builder()
        // An answer that points elsewhere is an answer like any other.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        // By default it would be read from the environment.
        .proxy(None)
        .user_agent(concat!("keywheel/", env!("CARGO_PKG_VERSION")))
        .max_response_header_size(MOST_HEAD)
        .input_buffer_size(2 * MOST_HEAD)
        .output_buffer_size(16 << 10)
        .max_idle_connections(8 * idle)
        .max_idle_connections_per_host(idle)
        .max_idle_age(IDLE.1)
        .build();
    Agent::with_parts(config, link, connect::NoResolver)
}

/// The request in ureq's form. What it refuses cannot come from a rule that was checked.
fn build(request: &Prepared) -> Result<Request<()>, CallError> {
    let refuse = |what: &str| CallError::Refused(format!("the request cannot be sent: {what}"));
    let method = match request.method.as_str() {
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" => request.method.parse::<Method>(),
        _ => return Err(refuse("its method is none of GET, HEAD, POST, PUT, PATCH, DELETE")),
    };
    let target = request.target.expose();
    if target.first() != Some(&b'/') || !target.iter().all(|b| b.is_ascii_graphic() && *b != b'#') {
        return Err(refuse("its path has bytes that a URL may not hold"));
    }
    let mut uri = Zeroizing::new(Vec::with_capacity(target.len() + request.host.len() + 16));
    uri.extend_from_slice(if request.tls { b"https://" } else { b"http://" });
    uri.extend_from_slice(request.host.as_bytes());
    let usual = if request.tls { 443 } else { 80 };
    if let Some(port) = request.port.filter(|port| *port != usual) {
        uri.extend_from_slice(format!(":{port}").as_bytes());
    }
    uri.extend_from_slice(target);
    let uri = Uri::try_from(uri.as_slice()).map_err(|_| refuse("its URL is none"))?;
    let mut out = Request::new(());
    *out.method_mut() = method.map_err(|_| refuse("its method is none"))?;
    *out.uri_mut() = uri;
    for (name, value) in &request.headers {
        if reserved(name) {
            return Err(refuse("it sets a header field that is not its own to set"));
        }
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse("a header field's name is none"))?;
        let plain = value.expose().iter().all(|b| (b' '..=b'~').contains(b));
        let mut value = HeaderValue::from_bytes(value.expose())
            .ok()
            .filter(|_| plain)
            .ok_or_else(|| refuse("a header field has bytes that it may not hold"))?;
        value.set_sensitive(true);
        out.headers_mut().append(name, value);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn request(method: &str, host: &str, target: &str, header: (&str, &str)) -> Prepared {
        Prepared {
            method: method.to_owned(),
            tls: true,
            host: host.to_owned(),
            port: None,
            target: Secret::new(target.as_bytes()),
            headers: vec![(header.0.to_owned(), Secret::new(header.1.as_bytes()))],
            body: None,
        }
    }

    #[test]
    fn what_would_change_its_shape_is_not_sent() {
        let fine = ("X-Key", "a b~");
        assert!(build(&request("GET", "a.example", "/x?y=%20", fine)).is_ok());
        for (method, host, target, header) in [
            ("CONNECT", "a.example", "/", fine),
            ("GET /", "a.example", "/", fine),
            ("get", "a.example", "/", fine),
            ("GET", "a.example", "", fine),
            ("GET", "a.example", "x", fine),
            ("GET", "a.example", "/a b", fine),
            ("GET", "a.example", "/a\r\nb", fine),
            ("GET", "a.example", "/a#b", fine),
            ("GET", "a example", "/", fine),
            ("GET", "a.example", "/", ("X-Key", "a\r\nb")),
            ("GET", "a.example", "/", ("X-Key", "a\tb")),
            ("GET", "a.example", "/", ("X Key", "a")),
            ("GET", "a.example", "/", ("X-Key:", "a")),
            ("GET", "a.example", "/", ("", "a")),
            ("GET", "a.example", "/", ("Host", "b.example")),
            ("GET", "a.example", "/", ("Content-Length", "0")),
            ("GET", "a.example", "/", ("Transfer-Encoding", "chunked")),
            ("GET", "a.example", "/", ("user-agent", "x")),
        ] {
            let result = build(&request(method, host, target, header));
            assert!(matches!(result, Err(CallError::Refused(_))), "{method} {host}{target} {header:?}");
        }
    }

    #[test]
    fn further_authorities_must_be_readable() {
        let make = |roots: &[u8]| {
            let reach = Reach::new(Arc::new(crate::call::SystemResolver::default()));
            Http::new(HttpOptions { reach, roots: roots.to_vec(), proxy: None, connect: None }).map(drop)
        };
        assert!(make(b"").is_ok());
        let bad = ["x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"];
        for text in bad {
            assert!(matches!(make(text.as_bytes()), Err(HttpError::Roots)), "{text}");
        }
    }
}
