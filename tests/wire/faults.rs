//! The list of faults: what each must end as, how soon, after how many tries.

use super::server::*;
use keywheel::call::{CallError, Judgement, Reply, Transport, Verify};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// How a call must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Refused,
    Unconnected,
    Lost,
    Unreadable,
    Reply(u16),
}

fn end(result: &Result<Reply, CallError>) -> End {
    match result {
        Ok(reply) => End::Reply(reply.status),
        Err(CallError::Refused(_)) => End::Refused,
        Err(CallError::Unconnected(_)) => End::Unconnected,
        Err(CallError::Limited(_)) => panic!("no limit is reached here"),
        Err(CallError::Lost(_)) => End::Lost,
        Err(CallError::Unreadable(_)) => End::Unreadable,
    }
}

/// Expectations with which a careless judge would go wrong.
fn verify() -> Verify {
    toml::from_str(
        r#"
        request = { method = "GET", url = "https://api.acme.example/me" }
        active = [{ status = 200, json = { "/id" = "*" } }]
        restricted = [{ status = 403, json = { "/code" = "missing_scope" } }]
        inactive = [{ status = 401, json = { "/code" = "bad_key" } }]
        "#,
    )
    .unwrap()
}

/// Calls a server, as reads are called and as changes are, and checks all that holds for every fault.
fn check(name: &str, address: Option<SocketAddr>, time: f64, expected: End, tries: impl Fn() -> usize) {
    let transport = limited(address);
    for (method, most) in [("GET", 3), ("POST", 1)] {
        let before = tries();
        let begun = Instant::now();
        let request = prepared(method);
        let result = match method {
            "GET" => transport.read(&request, soon(time)),
            _ => transport.send(&request, soon(time)),
        };
        assert!(
            begun.elapsed() < Duration::from_secs_f64(time + 1.0),
            "{name}: {method} took {:?}",
            begun.elapsed()
        );
        assert_eq!(end(&result), expected, "{name}: {method}: {result:?}");
        assert!(tries() - before <= most, "{name}: {method}: {} tries", tries() - before);
        match &result {
            Ok(reply) => assert_eq!(verify().judge(reply), Judgement::Unknown, "{name}"),
            Err(error) => {
                let told = format!("{error} {error:?}");
                assert!(!told.contains("Zq8t") && !told.contains("Bearer"), "{name}: {told}");
                assert_eq!(
                    error.is_unsent(),
                    matches!(expected, End::Unconnected | End::Refused),
                    "{name}: {told}"
                );
            }
        }
    }
}

/// A server that comes to an end by itself; the time is for a machine that is busy.
fn serving(name: &str, server: &Server, expected: End) {
    check(name, Some(server.address), 6.0, expected, || server.accepted());
}

/// A server that does not.
fn hanging(name: &str, server: &Server, expected: End) {
    check(name, Some(server.address), 1.5, expected, || server.accepted());
}

/// A whole answer.
fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

/// Writes until the other side has had enough.
fn flood(tls: &mut Tls, head: &str, piece: &[u8]) {
    if tls.write_all(head.as_bytes()).is_ok() {
        while tls.write_all(piece).is_ok() {}
    }
}

/// Waits until the other side has said something.
fn wait_for_some(stream: &mut TcpStream) {
    stream.read_exact(&mut [0]).ok();
}

#[test]
fn no_connection() {
    check("no address", None, 6.0, End::Unconnected, || 0);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    check("refused", Some(closed), 6.0, End::Unconnected, || 0);
    serving("accepted, then closed", &Server::raw(drop), End::Unconnected);
    hanging(
        "silent before TLS",
        &Server::raw(|s| {
            std::thread::sleep(Duration::from_secs(5));
            drop(s);
        }),
        End::Unconnected,
    );
    let plain = |mut s: TcpStream| {
        s.write_all(answer("200 OK", "", "{\"id\":1}").as_bytes()).ok();
        wait_for_some(&mut s);
    };
    serving("no TLS", &Server::raw(plain), End::Unconnected);
    let cut = |mut s: TcpStream| {
        wait_for_some(&mut s);
        s.write_all(&[22, 3, 3, 0, 100, 2, 0]).ok();
    };
    serving("TLS cut in its greeting", &Server::raw(cut), End::Unconnected);
    let slow = |mut s: TcpStream| {
        wait_for_some(&mut s);
        while s.write_all(&[22]).is_ok() {
            std::thread::sleep(Duration::from_millis(300));
        }
    };
    hanging("TLS byte by byte", &Server::raw(slow), End::Unconnected);
}

#[test]
fn wrong_certificates() {
    for certificate in
        [Certificate::OtherHost, Certificate::OtherAuthority, Certificate::Expired, Certificate::Early]
    {
        let server = Server::tls(certificate, |tls| assert!(request(tls).is_none(), "something was sent"));
        serving(&format!("{certificate:?}"), &server, End::Unconnected);
    }
}

#[test]
fn answers_that_do_not_end() {
    let silent = Server::tls(Certificate::Good, |tls| {
        request(tls);
        std::thread::sleep(Duration::from_secs(5));
    });
    hanging("silent", &silent, End::Lost);
    let whole = answer("200 OK", "", "{\"id\":1}");
    let slow = Server::tls(Certificate::Good, move |tls| {
        request(tls);
        for byte in whole.bytes() {
            std::thread::sleep(Duration::from_millis(200));
            if tls.write_all(&[byte]).and_then(|()| tls.flush()).is_err() {
                return;
            }
        }
    });
    hanging("byte by byte", &slow, End::Lost);
    let hung = Server::tls(Certificate::Good, |tls| {
        request(tls);
        tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"id\":1}").ok();
        tls.flush().ok();
        std::thread::sleep(Duration::from_secs(5));
    });
    hanging("the last byte does not come", &hung, End::Lost);
    let wait = Server::tls(Certificate::Good, |tls| {
        request(tls);
        while tls.write_all(b"HTTP/1.1 102 Processing\r\n\r\n").and_then(|()| tls.flush()).is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    hanging("endless patience", &wait, End::Lost);
}

#[test]
fn answers_that_are_cut() {
    for (name, bytes) in [
        ("closed without a word", ""),
        ("cut in the status", "HTTP/1.1 20"),
        ("cut in the header", "HTTP/1.1 200 OK\r\nContent-Le"),
        ("cut in the body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"id\":1}"),
        ("cut in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{\"id\":1}"),
        ("cut between chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"id\":1}\r\n"),
    ] {
        serving(name, &Server::answering(bytes, true), End::Lost);
    }
    // Without a length the end of the connection is the end of the answer, so it must be TLS that says so.
    let cut = Server::tls(Certificate::Good, |tls| {
        request(tls);
        tls.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"id\":1}").ok();
        tls.flush().ok();
        tls.sock.shutdown(std::net::Shutdown::Both).ok();
    });
    serving("TLS cut at the end", &cut, End::Lost);
}

#[test]
fn answers_that_are_too_much() {
    let body = |head: &'static str, piece: Vec<u8>| {
        Server::tls(Certificate::Good, move |tls| {
            request(tls);
            flood(tls, head, &piece);
        })
    };
    let plain = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = [b"1000\r\n".as_slice(), &[b' '; 0x1000], b"\r\n"].concat();
    let bomb = gzip(&vec![b' '; 50 << 20]);
    assert!(bomb.len() < 60 << 10, "the bomb must pass the bound on what is sent");
    let before = peak();
    for (name, server) in [
        ("1 GB", body(plain, vec![b' '; 1 << 16])),
        ("no length, no end", body("HTTP/1.1 200 OK\r\n\r\n", vec![b' '; 1 << 16])),
        ("endless chunks", body(chunked, chunk)),
        ("endless small chunks", body(chunked, b"1\r\n \r\n".repeat(1000))),
        ("a chunk with an endless length", body(chunked, vec![b'0'; 1 << 14])),
        ("an endless header", body("HTTP/1.1 200 OK\r\nX: ", vec![b'x'; 1 << 14])),
        ("header flood", body("HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n".repeat(1000))),
        ("many header fields", body(many_fields(), Vec::new())),
        ("an endless reason", body("HTTP/1.1 200 ", vec![b'x'; 1 << 14])),
    ] {
        serving(name, &server, End::Unreadable);
    }
    for (name, coding, body) in [
        ("gzip bomb", "gzip", bomb),
        ("gzip of more than the bound", "gzip", gzip(&[b' '; (64 << 10) + 1])),
        ("broken gzip", "gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\xffnothing".to_vec()),
        ("cut gzip", "gzip", gzip(b"{\"id\":1}")[..12].to_vec()),
        ("gzip within gzip, as it says", "gzip, gzip", gzip(&gzip(b"{\"id\":1}"))),
        ("a coding that was not asked for", "br", b"{\"id\":1}".to_vec()),
    ] {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        serving(name, &Server::answering([head.into_bytes(), body].concat(), true), End::Unreadable);
    }
    let grown = peak().saturating_sub(before);
    // The servers' own buffers and other tests count too.
    assert!(grown < 40 << 10, "the peak grew by {grown} KiB");
}

fn many_fields() -> &'static str {
    let fields: String = (0..500).map(|n| format!("X-{n}: y\r\n")).collect();
    // A test lives shorter than it would take to matter.
    Box::leak(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_boxed_str())
}

/// The most memory that this process ever held, in KiB, where the system tells it.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn answers_that_are_no_answers() {
    for (name, bytes) in [
        ("another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        ("binary", "\x01\x02\x03\x04\r\n\r\n"),
        ("HTTP/2 without asking", "HTTP/2 200 OK\r\n\r\n"),
        ("a status that is none", "HTTP/1.1 abc OK\r\n\r\n"),
        ("a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"),
        ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nContent-Length: 2\r\n\r\n{\"id\":1}"),
        (
            "a chunk's length that is none",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        ),
        (
            "a chunk's length that overflows",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        ),
        ("a field without a name", "HTTP/1.1 200 OK\r\n: x\r\n\r\n"),
    ] {
        serving(name, &Server::answering(bytes, true), End::Unreadable);
    }
}

#[test]
fn answers_that_prove_nothing() {
    let elsewhere = Server::answering(answer("200 OK", "", "{\"id\":1}"), true);
    for status in
        ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        let location = format!("Location: https://{}/\r\n", elsewhere.address);
        let server = Server::answering(answer(status, &location, "{\"id\":1}"), true);
        serving(status, &server, End::Reply(status[..3].parse().unwrap()));
        // Half an answer that points elsewhere is half an answer.
        let half = Server::answering(format!("HTTP/1.1 {status}\r\n{location}"), true);
        serving(&format!("half of {status}"), &half, End::Lost);
    }
    assert_eq!(elsewhere.accepted(), 0, "a redirect was followed");
    let html = "<html><h1>Access denied</h1>id</html>";
    for (status, headers, body) in [
        ("200 OK", "Content-Type: text/html\r\n", html),
        ("200 OK", "", ""),
        ("200 OK", "", "{\"id\":null}"),
        ("200 OK", "", "[{\"id\":1}]"),
        ("200 OK", "", "\"id\""),
        ("200 OK", "", "{\"id\":1"),
        ("200 OK", "", "{\"id\":1}{\"id\":2}"),
        ("204 No Content", "", ""),
        ("401 Unauthorized", "", html),
        ("401 Unauthorized", "", "{\"code\":[\"bad_key\"]}"),
        ("403 Forbidden", "Server: cloudflare\r\n", html),
        ("404 Not Found", "", "{\"code\":\"bad_key\"}"),
        ("407 Proxy Authentication Required", "", "{\"code\":\"bad_key\"}"),
        ("409 Conflict", "", "{}"),
        ("429 Too Many Requests", "", "{\"code\":\"bad_key\"}"),
        ("429 Too Many Requests", "Retry-After: 3600\r\n", "{}"),
        ("500 Internal Server Error", "", "{\"id\":1}"),
        ("502 Bad Gateway", "", html),
        ("503 Service Unavailable", "", html),
        ("599 Odd", "", "{\"id\":1}"),
    ] {
        let server = Server::answering(answer(status, headers, body), true);
        let expected = End::Reply(status[..3].parse().unwrap());
        // A pause that the host asked for holds for the change that follows too.
        if headers.starts_with("Retry-After") {
            let transport = limited(Some(server.address));
            assert_eq!(end(&transport.read(&prepared("GET"), soon(1.5))), expected);
            assert!(matches!(transport.send(&prepared("POST"), soon(1.5)), Err(CallError::Limited(_))));
            assert_eq!(server.accepted(), 1);
        } else {
            serving(&format!("{status} {body}"), &server, expected);
        }
    }
}

#[test]
fn addresses_that_are_not_public() {
    let server = Server::answering(answer("200 OK", "", "{\"id\":1}"), true);
    let transport = http(None);
    for host in ["127.0.0.1", "localhost.", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "127.1"] {
        let mut request = prepared("GET");
        (request.host, request.port) = (host.to_owned(), Some(server.address.port()));
        assert_eq!(end(&transport.read(&request, soon(1.0))), End::Refused, "{host}");
    }
    assert_eq!(server.accepted(), 0);
}

#[test]
fn no_time_left() {
    let server = Server::answering(answer("200 OK", "", "{\"id\":1}"), true);
    assert_eq!(end(&http(Some(server.address)).send(&prepared("POST"), Instant::now())), End::Refused);
    assert_eq!(server.accepted(), 0);
}
