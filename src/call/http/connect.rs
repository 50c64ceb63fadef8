//! Connections: to an address that was checked, in time, with TLS. Every read and write keeps to the deadline
//! of the call, so that a server cannot hold it by sending a byte now and then.

use super::Proxy;
use crate::call::{CallError, Host, Reach};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, ClientConnection, StreamOwned};
use std::cell::Cell;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

thread_local! {
    /// The call that this thread is at: when it ends, and whether any of it may have been sent. ureq does a call
    /// within the caller's thread and hands nothing of ours through to the connection.
    static CALL: Cell<Option<(Instant, bool)>> = const { Cell::new(None) };
}

/// Begins a call of this thread.
pub(super) fn begin(deadline: Instant) {
    CALL.set(Some((deadline, false)));
}

/// Whether some of this thread's call may have been sent.
pub(super) fn is_sent() -> bool {
    CALL.get().is_none_or(|(_, sent)| sent)
}

fn deadline() -> Instant {
    CALL.get().map_or_else(Instant::now, |(deadline, _)| deadline)
}

/// Makes connections.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) reach: Reach,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) connect: Duration,
    pub(super) proxy: Option<Proxy>,
}

impl Connector for Link {
    type Out = Stream;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Stream>, Error> {
        let io = self.open(details.uri).map_err(|e| Error::Other(Box::new(e)))?;
        let config = details.config;
        Ok(Some(Stream {
            io,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
        }))
    }
}

impl Link {
    fn open(&self, uri: &Uri) -> Result<Io, CallError> {
        let until = deadline().min(Instant::now() + self.connect);
        let name = uri.host().unwrap_or_default();
        let tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let host = self.reach.may_name(name)?;
        let socket = match self.proxy.as_ref().filter(|p| !p.excepts(&host)) {
            Some(proxy) => {
                let places = self.reach.proxy(&proxy.host, proxy.port, until)?;
                let mut socket = tcp(&places, until, "the proxy")?;
                let opened = proxy.open(&mut socket, &host, port);
                opened.map_err(|why| CallError::Unconnected(why.to_owned()))?;
                socket
            }
            None => tcp(&self.reach.addresses(name, port, until)?, until, "the host")?,
        };
        if tls { self.secure(socket, &host) } else { Ok(Io::Plain(socket.for_calls())) }
    }

    /// Agrees on TLS before anything of the request is written.
    fn secure(&self, mut socket: Socket, host: &Host) -> Result<Io, CallError> {
        let name = match host {
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| {
                CallError::Refused("the host's name cannot stand in a certificate".to_owned())
            })?,
            Host::Address(address) => ServerName::from(*address),
        };
        let failed = |e: io::Error| CallError::Unconnected(told(&e).to_owned());
        let mut tls = ClientConnection::new(Arc::clone(&self.tls), name)
            .map_err(|_| CallError::Unconnected("TLS could not begin".to_owned()))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).map_err(failed)?;
        }
        Ok(Io::Tls(Box::new(StreamOwned::new(tls, socket.for_calls()))))
    }
}

fn tcp(places: &[SocketAddr], until: Instant, whom: &str) -> Result<Socket, CallError> {
    let mut last = io::ErrorKind::TimedOut;
    for (n, place) in places.iter().enumerate() {
        // Half of what is left for each but the last, so that a dead address does not take the whole time.
        let left = until.saturating_duration_since(Instant::now());
        let share = if n + 1 == places.len() { left } else { left / 2 };
        if share.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(place, share) {
            Ok(stream) => {
                // Only costs time if it fails.
                stream.set_nodelay(true).ok();
                return Ok(Socket { stream, until: Some(until) });
            }
            Err(e) => last = e.kind(),
        }
    }
    Err(CallError::Unconnected(format!("{whom} took no connection: {last}")))
}

/// What to say of a failed agreement on TLS. What the server says of itself stays out: it is hostile text.
fn told(error: &io::Error) -> &'static str {
    use CertificateError as C;
    match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => match why {
            C::NotValidForName | C::NotValidForNameContext { .. } => {
                "the server's certificate is for another host"
            }
            C::UnknownIssuer => "the server's certificate is by an authority that is not trusted",
            C::Expired | C::ExpiredContext { .. } => "the server's certificate is out of date",
            C::NotValidYet | C::NotValidYetContext { .. } => "the server's certificate is not valid yet",
            _ => "the server's certificate is not valid",
        },
        Some(_) => "the server did not agree on TLS",
        None if matches!(error.kind(), io::ErrorKind::TimedOut) => "the server did not agree on TLS in time",
        None => "the connection ended before TLS was agreed on",
    }
}

/// A socket whose reads and writes end in time.
pub(super) struct Socket {
    stream: TcpStream,
    /// The end of the connecting; afterwards each call has its own.
    until: Option<Instant>,
}

impl Socket {
    fn for_calls(mut self) -> Self {
        self.until = None;
        self
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.until.unwrap_or_else(deadline).saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buf).map_err(in_time)
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(buf).map_err(in_time)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// The system says `WouldBlock` of a socket whose time is over.
fn in_time(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}

enum Io {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

/// A connection as ureq uses it.
pub(super) struct Stream {
    io: Io,
    buffers: LazyBuffers,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl Transport for Stream {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        CALL.set(Some((deadline(), true)));
        let output = &self.buffers.output()[..amount];
        let written = match &mut self.io {
            Io::Plain(socket) => socket.write_all(output),
            Io::Tls(tls) => tls.write_all(output).and_then(|()| tls.flush()),
        };
        written.map_err(lost)
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let input = self.buffers.input_append_buf();
        let read = match &mut self.io {
            Io::Plain(socket) => socket.read(input),
            Io::Tls(tls) => tls.read(input),
        };
        let amount = read.map_err(lost)?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        let stream = match &self.io {
            Io::Plain(socket) => &socket.stream,
            Io::Tls(tls) => &tls.sock.stream,
        };
        // What is there unasked cannot be an answer to the next request.
        let idle = |e: &io::Error| e.kind() == io::ErrorKind::WouldBlock;
        stream.set_nonblocking(true).is_ok()
            && stream.peek(&mut [0]).as_ref().is_err_and(idle)
            && stream.set_nonblocking(false).is_ok()
    }

    fn is_tls(&self) -> bool {
        matches!(self.io, Io::Tls(_))
    }
}

/// ureq takes an early end of the connection for the end of a body without length. An end that TLS does not
/// confirm may be somebody else's cut, so it goes past ureq as our own error.
fn lost(error: io::Error) -> Error {
    let why = match error.kind() {
        io::ErrorKind::TimedOut => "the time was over",
        io::ErrorKind::UnexpectedEof => "the connection ended in the middle",
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            "the connection was cut"
        }
        io::ErrorKind::InvalidData => "what came is not TLS",
        _ => "the connection failed",
    };
    Error::Other(Box::new(CallError::Lost(why.to_owned())))
}

/// ureq asks for addresses before it asks for a connection; ours looks them up by itself, if it needs to.
#[derive(Debug)]
pub(super) struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        Ok(self.empty())
    }
}
