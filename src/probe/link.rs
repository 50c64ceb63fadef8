//! A connection of a login: in time, in bounded memory, and with TLS from the moment the protocol says so.

use super::Fault;
use super::url::Tls;
use crate::call::{Host, HttpError};
use crate::model::Unknown;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme, StreamOwned,
};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Most bytes that one login reads. The longest of them takes a few hundred.
const MOST: usize = 256 << 10;

/// The authorities that are trusted.
#[derive(Clone, Debug)]
pub(super) struct Roots(Arc<WebPkiServerVerifier>);

impl Roots {
    pub(super) fn new(further: &[u8]) -> Result<Self, HttpError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if !further.is_empty() {
            let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(further).collect();
            if roots.add_parsable_certificates(list.map_err(|_| HttpError::Roots)?).0 == 0 {
                return Err(HttpError::Roots);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Ok(Roots(verifier.map_err(|_| HttpError::Roots)?))
    }
}

/// Looks at a certificate as always, and where the text does not ask for that, goes on and remembers how it was.
#[derive(Debug)]
struct Watched {
    roots: Roots,
    strict: bool,
    proved: AtomicBool,
}

impl ServerCertVerifier for Watched {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.roots.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Ok(verified) => {
                self.proved.store(true, Ordering::Release);
                Ok(verified)
            }
            Err(error) if self.strict => Err(error),
            Err(_) => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.roots.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.roots.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.roots.0.supported_verify_schemes()
    }
}

/// A socket whose reads and writes end in time.
struct Socket {
    stream: TcpStream,
    deadline: Instant,
}

impl Socket {
    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buf)
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

enum Io {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
    /// Between the two: the agreement on TLS failed.
    Closed,
}

/// A connection.
pub(super) struct Link {
    io: Io,
    host: Host,
    roots: Roots,
    /// Whether a password may be sent here without TLS.
    clear: bool,
    proved: bool,
    /// Bytes that came and were not asked for yet.
    ahead: Zeroizing<Vec<u8>>,
    at: usize,
    left: usize,
}

impl Link {
    pub(super) fn new(stream: TcpStream, host: Host, roots: Roots, clear: bool, deadline: Instant) -> Self {
        let io = Io::Plain(Socket { stream, deadline });
        Link { io, host, roots, clear, proved: false, ahead: Zeroizing::new(Vec::new()), at: 0, left: MOST }
    }

    /// Whether what is sent is encrypted.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self.io, Io::Tls(_))
    }

    /// Refuses to give a password as it is to somebody on the way, or to a server that did not prove its name.
    pub(super) fn may_send_password(&self) -> Result<(), Fault> {
        if self.proved || self.clear {
            return Ok(());
        }
        Err(Fault::refused(if self.is_tls() {
            "the server asks for the password itself, and its certificate is not by an authority that is trusted"
        } else {
            "the server asks for the password itself without TLS; `clear-login` of its endpoint lets it"
        }))
    }

    /// Agrees on TLS. What came before was said by nobody in particular, so nothing of it may be left.
    pub(super) fn secure(&mut self, tls: Tls) -> Result<(), Fault> {
        if self.at < self.ahead.len() {
            return Err(Fault::ambiguous("the server spoke on before TLS was agreed on"));
        }
        let Io::Plain(mut socket) = std::mem::replace(&mut self.io, Io::Closed) else {
            return Err(Fault::ambiguous("the server asks for TLS twice"));
        };
        let name = match &self.host {
            Host::Name(name) => ServerName::try_from(name.clone())
                .map_err(|_| Fault::refused("the host's name cannot stand in a certificate"))?,
            Host::Address(address) => ServerName::from(*address),
        };
        let strict = tls == Tls::Verify;
        let watched = Arc::new(Watched { roots: self.roots.clone(), strict, proved: AtomicBool::new(false) });
        let verifier: Arc<dyn ServerCertVerifier> = watched.clone();
        let failed = || Fault::new(Unknown::Unreachable, "TLS could not begin");
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| failed())?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        let mut client = ClientConnection::new(Arc::new(config), name).map_err(|_| failed())?;
        while client.is_handshaking() {
            client.complete_io(&mut socket).map_err(|e| no_tls(&e))?;
        }
        self.proved = watched.proved.load(Ordering::Acquire);
        self.io = Io::Tls(Box::new(StreamOwned::new(client, socket)));
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let written = match &mut self.io {
            Io::Plain(socket) => socket.write_all(bytes),
            Io::Tls(tls) => tls.write_all(bytes).and_then(|()| tls.flush()),
            Io::Closed => Err(io::ErrorKind::NotConnected.into()),
        };
        written.map_err(|e| lost(&e))
    }

    /// Exactly so many bytes.
    pub(super) fn read(&mut self, len: usize) -> Result<Vec<u8>, Fault> {
        if len > MOST {
            return Err(Fault::ambiguous("the server announced more than a login takes"));
        }
        while self.ahead.len() - self.at < len {
            self.more()?;
        }
        let bytes = self.ahead[self.at..self.at + len].to_vec();
        self.at += len;
        Ok(bytes)
    }

    /// A line without its end.
    pub(super) fn line(&mut self, most: usize) -> Result<String, Fault> {
        let mut seen = 0;
        loop {
            let rest = &self.ahead[self.at..];
            if let Some(end) = memchr::memchr(b'\n', &rest[seen..]) {
                let end = seen + end;
                let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
                let line = String::from_utf8_lossy(line).into_owned();
                self.at += end + 1;
                return Ok(line);
            }
            seen = rest.len();
            if seen > most {
                return Err(Fault::ambiguous("a line of the server is longer than any should be"));
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Result<(), Fault> {
        if self.left == 0 {
            return Err(Fault::ambiguous("the server said more than a login takes"));
        }
        self.ahead.drain(..self.at);
        self.at = 0;
        let mut buf = Zeroizing::new([0; 4096]);
        let most = self.left.min(buf.len());
        let read = match &mut self.io {
            Io::Plain(socket) => socket.read(&mut buf[..most]),
            Io::Tls(tls) => tls.read(&mut buf[..most]),
            Io::Closed => Err(io::ErrorKind::NotConnected.into()),
        };
        match read {
            Ok(0) => Err(Fault::new(Unknown::Unreachable, "the connection ended in the middle")),
            Ok(amount) => {
                self.left -= amount;
                self.ahead.extend_from_slice(&buf[..amount]);
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(e) => Err(lost(&e)),
        }
    }
}

/// The system says `WouldBlock` of a socket whose time is over.
fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

fn lost(error: &io::Error) -> Fault {
    let why = match error.kind() {
        _ if is_late(error) => "the time was over",
        io::ErrorKind::UnexpectedEof => "the connection ended in the middle",
        _ => "the connection was cut",
    };
    Fault::new(Unknown::Unreachable, why)
}

/// What the server says of itself stays out: it is hostile text.
fn no_tls(error: &io::Error) -> Fault {
    let why = match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) => "the server's certificate is not valid for this host",
        Some(_) => "the server did not agree on TLS",
        None if is_late(error) => "the server did not agree on TLS in time",
        None => "the connection ended before TLS was agreed on",
    };
    Fault::new(Unknown::Unreachable, why)
}
