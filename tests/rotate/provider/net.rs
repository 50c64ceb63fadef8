//! A provider's HTTP service on loopback: real TLS, a record of keys, faults by the number of the call.

use super::super::server::{Server, Tls, request};
use super::{book::Book, clock::Time};
use base64ct::{Base64, Encoding};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// A request as a service sees it.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Asked {
    fn parse(text: &str) -> Asked {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let mut first = lines.next().unwrap().split(' ');
        let (method, target) = (first.next().unwrap().to_owned(), first.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Asked {
            method,
            host: headers["host"].clone(),
            path: path.to_owned(),
            query: pairs(query),
            headers,
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn bearer(&self) -> &str {
        self.header("authorization").strip_prefix("Bearer ").unwrap_or_default()
    }

    /// User and password.
    pub(crate) fn basic(&self) -> (String, String) {
        let coded = self.header("authorization").strip_prefix("Basic ").unwrap_or_default();
        let plain = String::from_utf8(Base64::decode_vec(coded).unwrap_or_default()).unwrap();
        let (user, password) = plain.split_once(':').unwrap_or_default();
        (user.to_owned(), password.to_owned())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        pairs(&self.body)
    }

    /// The path's segments, and the method before them.
    pub(crate) fn route(&self) -> Vec<&str> {
        std::iter::once(self.method.as_str()).chain(self.path.trim_start_matches('/').split('/')).collect()
    }
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (plain(name), plain(value))).collect()
}

fn plain(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
            out.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
        } else {
            out.push(b);
        }
    }
    String::from_utf8(out).unwrap()
}

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The line is cut before anything happens.
    Cut,
    /// It happens, and the answer is lost.
    Lost,
    /// 429, in the provider's own words.
    Busy,
    /// 500, and nothing happened.
    Broken,
    /// 502 from somebody between, after it happened.
    Between,
    /// 409, in nobody's words.
    Conflict,
    /// 403 from somebody between.
    Denied,
}

impl Fault {
    pub(crate) const ALL: [Fault; 7] =
        [Fault::Cut, Fault::Lost, Fault::Busy, Fault::Broken, Fault::Between, Fault::Conflict, Fault::Denied];
}

/// Status and body.
pub(crate) type Answer = (u16, String);

/// A provider: what it answers, and how it asks for a pause.
#[derive(Clone, Copy)]
pub(crate) struct Service {
    pub(crate) serve: fn(&Asked, &mut Book, i64) -> Answer,
    pub(crate) pause: &'static str,
}

/// What the service's threads share with the test.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) book: Book,
    pub(crate) calls: u64,
    pub(crate) faults: BTreeMap<u64, Fault>,
}

pub(crate) struct Net {
    server: Server,
    state: Arc<Mutex<State>>,
}

impl Net {
    pub(crate) fn start(hosts: &[&str], service: Service, state: State, time: Arc<Time>) -> Net {
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let server = Server::of_hosts(hosts, move |tls| serve(tls, service, &shared, &time));
        Net { server, state }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn serve(tls: &mut Tls, service: Service, state: &Mutex<State>, time: &Time) {
    while let Some(text) = request(tls) {
        let asked = Asked::parse(&text);
        let (status, body) = {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.calls += 1;
            let fault = state.faults.get(&state.calls).copied();
            let mut answer = || (service.serve)(&asked, &mut state.book, time.now());
            match fault {
                Some(Fault::Cut) => return,
                Some(Fault::Lost) => {
                    answer();
                    return;
                }
                Some(Fault::Busy) => (429, service.pause.to_owned()),
                Some(Fault::Broken) => (500, "<html>Internal Server Error</html>".to_owned()),
                Some(Fault::Between) => {
                    answer();
                    (502, "<html>Bad Gateway</html>".to_owned())
                }
                Some(Fault::Denied) => (403, "<html>Forbidden</html>".to_owned()),
                Some(Fault::Conflict) => (409, "<html>Conflict</html>".to_owned()),
                None => answer(),
            }
        };
        let head = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if tls.write_all((head + &body).as_bytes()).and_then(|()| tls.flush()).is_err() {
            return;
        }
    }
}
