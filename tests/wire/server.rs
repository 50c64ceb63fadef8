//! Servers made at test time, with an authority of their own.

use keywheel::call::{
    CallError, Host, Http, HttpOptions, Limited, Limits, Prepared, Reach, Resolve, SystemClock,
};
use keywheel::model::Secret;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

/// The host that every test calls.
pub(crate) const HOST: &str = "api.acme.example";

/// An authority and its certificate as PEM.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    fn server(&self, name: &str, years: (i32, i32)) -> Arc<ServerConfig> {
        self.server_of(&[name], years)
    }

    fn server_of(&self, names: &[&str], years: (i32, i32)) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let chain: Vec<CertificateDer<'static>> =
            vec![params.signed_by(&key, &self.issuer).unwrap().der().clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Arc::new(config)
    }
}

static TRUSTED: LazyLock<Authority> = LazyLock::new(Authority::new);
static GOOD: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| TRUSTED.server(HOST, (2020, 2090)));

/// The authority of every good server, as PEM.
#[allow(dead_code, reason = "only one of the binaries that share this file gives it to a process")]
pub(crate) fn authority() -> &'static str {
    &TRUSTED.pem
}

/// The certificates of servers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Certificate {
    Good,
    OtherHost,
    OtherAuthority,
    Expired,
    Early,
}

impl Certificate {
    fn config(self) -> Arc<ServerConfig> {
        match self {
            Certificate::Good => Arc::clone(&GOOD),
            Certificate::OtherHost => TRUSTED.server("api.evil.example", (2020, 2090)),
            Certificate::OtherAuthority => Authority::new().server(HOST, (2020, 2090)),
            Certificate::Expired => TRUSTED.server(HOST, (2001, 2002)),
            Certificate::Early => TRUSTED.server(HOST, (2080, 2090)),
        }
    }
}

/// A connection with TLS agreed on.
pub(crate) type Tls = StreamOwned<ServerConnection, TcpStream>;

/// A server on loopback. It lives as long as the test binary.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves each connection as it is, on its own thread.
    pub(crate) fn raw(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Server::start(move |stream, _| serve(stream))
    }

    /// The same, with what was heard.
    #[allow(dead_code, reason = "only one of the binaries that share this file has such a server")]
    pub(crate) fn hearing(serve: impl Fn(TcpStream, &Mutex<Vec<String>>) + Send + Sync + 'static) -> Self {
        Server::start(serve)
    }

    /// Serves each connection after TLS.
    pub(crate) fn tls(certificate: Certificate, serve: impl Fn(&mut Tls) + Send + Sync + 'static) -> Self {
        let config = certificate.config();
        Server::start(move |stream, _| {
            serve(&mut StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream));
        })
    }

    /// Reads one request after the other and writes the same bytes to each, then closes if `close`.
    pub(crate) fn answering(bytes: impl Into<Vec<u8>>, close: bool) -> Self {
        let bytes = bytes.into();
        let config = Certificate::Good.config();
        Server::start(move |stream, heard| {
            let mut tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            while let Some(request) = request(&mut tls) {
                heard.lock().unwrap().push(request);
                if tls.write_all(&bytes).and_then(|()| tls.flush()).is_err() || close {
                    break;
                }
            }
            tls.conn.send_close_notify();
            tls.flush().ok();
        })
    }

    /// Stands in for any host: writes what `answer` gives for each request, or closes where it gives nothing.
    #[allow(dead_code, reason = "only one of the binaries that share this file has such a server")]
    pub(crate) fn standing_in(
        name: &str,
        answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let config = TRUSTED.server(name, (2020, 2090));
        Server::start(move |stream, heard| {
            let mut tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            while let Some(request) = request(&mut tls) {
                let bytes = answer(&request);
                heard.lock().unwrap().push(request);
                let Some(bytes) = bytes else { return };
                if tls.write_all(bytes.as_bytes()).and_then(|()| tls.flush()).is_err() {
                    return;
                }
            }
        })
    }

    /// Serves each connection after TLS, under the names of several hosts.
    #[allow(dead_code, reason = "only one of the binaries that share this file has such a server")]
    pub(crate) fn of_hosts(hosts: &[&str], serve: impl Fn(&mut Tls) + Send + Sync + 'static) -> Self {
        let config = TRUSTED.server_of(hosts, (2020, 2090));
        Server::start(move |stream, _| {
            serve(&mut StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream));
        })
    }

    fn start(serve: impl Fn(TcpStream, &Mutex<Vec<String>>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, heard) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (count, list, serve) = (Arc::clone(&accepted), Arc::clone(&heard), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                let (serve, list) = (Arc::clone(&serve), Arc::clone(&list));
                std::thread::spawn(move || serve(stream, &list));
            }
        });
        Server { address, accepted, heard }
    }

    /// How many connections it took.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// The requests that it read.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// One request: its head, and as much body as it says.
pub(crate) fn request(stream: &mut impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length =
        head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some(head + std::str::from_utf8(&body).unwrap())
}

/// No name leads anywhere, so that a test that looks one up fails.
pub(crate) struct Nowhere;

impl Resolve for Nowhere {
    fn resolve(&self, _: &str, _: Instant) -> Result<Vec<IpAddr>, CallError> {
        Err(CallError::Unconnected("the name has no address".to_owned()))
    }
}

/// A reach in which the host is at an address, if one is given.
pub(crate) fn reach(address: Option<SocketAddr>) -> Reach {
    let mut reach = Reach::new(Arc::new(Nowhere));
    for port in [80, 443] {
        if let Some(address) = address {
            reach.pin(Host::parse(HOST).unwrap(), port, address);
        }
    }
    reach
}

pub(crate) fn options(reach: Reach) -> HttpOptions {
    HttpOptions { reach, roots: TRUSTED.pem.clone().into_bytes(), proxy: None, connect: None }
}

/// A transport that trusts the test's authority and finds the host at an address.
pub(crate) fn http(address: Option<SocketAddr>) -> Http {
    Http::new(options(reach(address))).unwrap()
}

/// A transport that finds several hosts at one address.
#[allow(dead_code, reason = "only one of the binaries that share this file has such a server")]
pub(crate) fn http_of(hosts: &[&str], address: SocketAddr) -> Http {
    let mut reach = reach(None);
    for host in hosts {
        reach.pin(Host::parse(host).unwrap(), 443, address);
    }
    Http::new(options(reach)).unwrap()
}

/// The same within limits that do not slow a test down.
pub(crate) fn limited(address: Option<SocketAddr>) -> Limited<Http> {
    Limited::new(http(address), Limits { rate: 1000.0, ..Limits::default() }, Arc::new(SystemClock))
}

/// A synthetic key.
pub(crate) fn key() -> String {
    ["acme", "Zq8tVn3LxW5rPk2JhY7d"].join("_")
}

/// A request with the key in every part that can hold it.
pub(crate) fn prepared(method: &str) -> Prepared {
    let secret = |text: String| Secret::new(text.as_bytes());
    Prepared {
        method: method.to_owned(),
        tls: true,
        host: HOST.to_owned(),
        port: None,
        target: secret(format!("/me?key={}", key())),
        headers: vec![("Authorization".to_owned(), secret(format!("Bearer {}", key())))],
        body: (method != "GET").then(|| secret(format!("key={}", key()))),
    }
}

pub(crate) fn soon(seconds: f64) -> Instant {
    Instant::now() + Duration::from_secs_f64(seconds)
}
