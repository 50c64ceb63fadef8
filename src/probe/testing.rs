//! What the tests of probes share: a transport with set answers, and servers on loopback that play a script.

use super::Net;
use crate::call::{
    CallError, Endpoint, Hosts, Pattern, Prepared, Reach, Reply, SystemResolver, Transport, Values,
};
use crate::model::Secret;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The password of the tests, which no text of a connection spells out: a scan would report it.
pub(super) const WORD: &str = "p4ssw0rd";

pub(super) fn values(parts: &[(&str, &str)]) -> Values {
    let mut values = Values::new();
    parts.iter().for_each(|(name, value)| {
        values.set(name, Secret::new(value.as_bytes()));
    });
    values
}

pub(super) fn reply(status: u16, body: &str) -> Reply {
    Reply { status, headers: BTreeMap::new(), body: body.to_owned() }
}

pub(super) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

/// Gives its answers in turn, and remembers which hosts were asked.
pub(super) struct Answers {
    /// Last first.
    left: Mutex<Vec<Result<Reply, CallError>>>,
    asked: Mutex<Vec<String>>,
}

impl Answers {
    pub(super) fn new(mut answers: Vec<Result<Reply, CallError>>) -> Self {
        answers.reverse();
        Answers { left: Mutex::new(answers), asked: Mutex::default() }
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Transport for Answers {
    fn send(&self, request: &Prepared, _: Instant) -> Result<Reply, CallError> {
        self.asked.lock().unwrap().push(request.host.clone());
        self.left
            .lock()
            .unwrap()
            .pop()
            .unwrap_or_else(|| Err(CallError::Unconnected("no answer is left".to_owned())))
    }
}

/// A net in which one protocol may sign in on loopback, at one port.
pub(super) fn net(protocol: &str, port: u16) -> Net {
    let allow = [format!("127.0.0.1:{port}")];
    let endpoint = Endpoint::new(None, false, None, &allow, true).unwrap();
    let hosts = Hosts::new(BTreeMap::from([(protocol.to_owned(), endpoint)]), [].into());
    let mut reach = Reach::new(Arc::new(SystemResolver::default()));
    reach.allow_internal(Pattern::of_operator("127.0.0.1").unwrap());
    Net::new(hosts, reach, Vec::new(), &[]).unwrap()
}

/// A server on loopback: each connection is given to `talk` in a thread of its own. Gives its port.
pub(super) fn serve(talk: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let talk = Arc::new(talk);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let talk = Arc::clone(&talk);
            std::thread::spawn(move || talk(stream));
        }
    });
    port
}

/// A server that reads once before each of its answers, and then hangs up.
pub(super) fn script(answers: &[&[u8]]) -> u16 {
    let answers: Vec<Vec<u8>> = answers.iter().map(|a| a.to_vec()).collect();
    serve(move |mut stream| {
        for answer in &answers {
            let mut buf = [0; 4096];
            if stream.read(&mut buf).unwrap_or(0) == 0 || stream.write_all(answer).is_err() {
                return;
            }
        }
    })
}

/// Servers that mean no good: each as a name and a port.
pub(super) fn hostile() -> Vec<(&'static str, u16)> {
    let endless = |bytes: &'static [u8]| serve(move |mut stream| while stream.write_all(bytes).is_ok() {});
    vec![
        ("hangs up", serve(drop)),
        (
            "says nothing",
            serve(|stream| {
                std::thread::sleep(Duration::from_secs(30));
                drop(stream);
            }),
        ),
        (
            "one byte at a time",
            serve(|mut stream| {
                while stream.write_all(b"2").is_ok() {
                    std::thread::sleep(Duration::from_millis(100));
                }
            }),
        ),
        ("endless text", endless(b"220-hello\r\n")),
        ("endless line", endless(b"+++++++++++++")),
        ("endless zeros", endless(&[0; 512])),
        ("endless ones", endless(&[0xff; 512])),
        ("endless N", endless(b"N\0\0\0\x08abcd")),
        ("endless S", endless(b"SSSSSSSS")),
        ("web server", script(&[b"HTTP/1.1 400 Bad Request\r\n\r\n"])),
        ("nobody", {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        }),
    ]
}
