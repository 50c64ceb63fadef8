//! What a call is like when nothing goes wrong.

use super::server::*;
use keywheel::call::{CallError, Host, Pattern, Prepared, Reach, Resolve, Transport};
use keywheel::model::Secret;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const OK: &str =
    "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nSet-Cookie: a=b\r\nX-Two: 1\r\nx-two: 2\r\n\r\n{\"id\":1}";

#[test]
fn a_request_arrives_as_it_was_prepared() {
    let server = Server::answering(OK, false);
    let transport = http(Some(server.address));
    let reply = transport.send(&prepared("POST"), soon(5.0)).unwrap();
    assert_eq!((reply.status, reply.body.as_str()), (200, "{\"id\":1}"));
    assert_eq!(reply.headers["x-two"], "1, 2");
    transport.send(&prepared("GET"), soon(5.0)).unwrap();
    let mut delete = prepared("DELETE");
    transport.send(&delete, soon(5.0)).unwrap();
    delete.body = None;
    transport.send(&delete, soon(5.0)).unwrap();
    let mut post = prepared("POST");
    post.body = None;
    transport.send(&post, soon(5.0)).unwrap();
    let heard: Vec<String> = server.heard();
    let key = key();
    for (n, line) in ["POST", "GET", "DELETE", "DELETE", "POST"].iter().enumerate() {
        let head = heard[n].to_ascii_lowercase();
        assert!(heard[n].starts_with(&format!("{line} /me?key={key} HTTP/1.1\r\n")), "{}", heard[n]);
        assert!(head.contains(&format!("host: {HOST}\r\n")), "{head}");
        assert!(head.contains(concat!("user-agent: keywheel/", env!("CARGO_PKG_VERSION"), "\r\n")), "{head}");
        assert!(heard[n].contains(&format!("Bearer {key}\r\n")), "{}", heard[n]);
        assert!(!head.contains("cookie") && !head.contains("referer"), "{head}");
    }
    assert!(
        heard[0].ends_with(&format!("\r\n\r\nkey={key}"))
            && heard[2].ends_with(&format!("\r\n\r\nkey={key}"))
    );
    assert!(
        heard[3].ends_with("\r\n\r\n") && heard[4].to_ascii_lowercase().contains("content-length: 0\r\n")
    );
}

#[test]
fn reads_keep_a_connection_and_changes_do_not() {
    let server = Server::answering(OK, false);
    let transport = http(Some(server.address));
    for _ in 0..5 {
        transport.read(&prepared("GET"), soon(5.0)).unwrap();
    }
    assert_eq!(server.accepted(), 1);
    for _ in 0..3 {
        transport.send(&prepared("POST"), soon(5.0)).unwrap();
    }
    assert_eq!(server.accepted(), 4);
    // A server that closes after each answer is called again without trouble.
    let closing = Server::answering(OK, true);
    let transport = http(Some(closing.address));
    for _ in 0..5 {
        transport.read(&prepared("GET"), soon(5.0)).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(closing.accepted(), 5);
}

#[test]
fn each_whole_form_of_an_answer_is_read() {
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut zipped, b"{\"id\":1}").unwrap();
    let zipped = zipped.finish().unwrap();
    let gzip = [
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", zipped.len())
            .into_bytes(),
        zipped,
    ]
    .concat();
    for bytes in [
        OK.as_bytes().to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"i\r\n5;x=y\r\nd\":1}\r\n0\r\nT: 1\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\n\r\n{\"id\":1}".to_vec(),
        b"HTTP/1.0 200 OK\r\n\r\n{\"id\":1}".to_vec(),
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"id\":1}".to_vec(),
        gzip,
    ] {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let server = Server::answering(bytes, true);
        let reply = http(Some(server.address)).read(&prepared("GET"), soon(5.0));
        assert_eq!(reply.map(|r| (r.status, r.body.clone())), Ok((200, "{\"id\":1}".to_owned())), "{shown}");
    }
    // As much as the bound allows, and bytes that are no text.
    let body = [b'\xff'; 64 << 10];
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    let server = Server::answering([head, body.to_vec()].concat(), true);
    let reply = http(Some(server.address)).read(&prepared("GET"), soon(5.0)).unwrap();
    assert_eq!(reply.body.chars().count(), 64 << 10);
}

/// Answers each question with another address, as one who wants to slip past a check does.
struct Shifting(AtomicUsize);

impl Resolve for Shifting {
    fn resolve(&self, _: &str, _: Instant) -> Result<Vec<IpAddr>, CallError> {
        let nth = self.0.fetch_add(1, Ordering::SeqCst);
        Ok(vec![if nth == 0 { [127, 0, 0, 1] } else { [203, 0, 113, 9] }.into()])
    }
}

#[test]
fn a_name_is_looked_up_once_for_a_connection() {
    let server = Server::answering(OK, false);
    let shifting = Arc::new(Shifting(AtomicUsize::new(0)));
    let mut reach = Reach::new(Arc::clone(&shifting) as Arc<dyn Resolve>);
    reach.allow_internal(Pattern::exact(Host::parse(HOST).unwrap()));
    let transport = keywheel::call::Http::new(options(reach)).unwrap();
    let mut request = prepared("GET");
    request.port = Some(server.address.port());
    for _ in 0..3 {
        assert_eq!(transport.read(&request, soon(5.0)).unwrap().status, 200);
    }
    assert_eq!((shifting.0.load(Ordering::SeqCst), server.accepted()), (1, 1));
}

#[test]
fn plain_http_is_spoken_only_when_asked_for() {
    let server = Server::raw(|mut stream| {
        request(&mut stream);
        std::io::Write::write_all(&mut stream, OK.as_bytes()).ok();
    });
    let plain = Prepared { tls: false, target: Secret::new(b"/"), ..prepared("GET") };
    assert_eq!(http(Some(server.address)).read(&plain, soon(5.0)).unwrap().status, 200);
}
