//! Through a proxy: it opens the way, TLS is still with the host, and nothing is looked up here.

use super::server::*;
use keywheel::call::{CallError, Http, HttpOptions, Proxy, Transport};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"id\":1}";

/// A proxy that opens a way to one address, whatever is asked for, or says no.
fn proxy(to: SocketAddr, answer: &'static str) -> Server {
    Server::raw(move |mut stream| {
        let Some(asked) = request(&mut stream) else { return };
        let fine =
            asked.starts_with(&format!("CONNECT {HOST}:443 HTTP/1.1\r\n")) && !asked.contains("Bearer");
        if !fine || stream.write_all(answer.as_bytes()).is_err() || !answer.contains(" 200 ") {
            return;
        }
        let host = TcpStream::connect(to).unwrap();
        let (mut a, mut b) = (stream.try_clone().unwrap(), host.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut a, &mut b));
        std::io::copy(&mut { host }, &mut { stream }).ok();
    })
}

fn through(at: SocketAddr, except: &str) -> Http {
    let proxy = Proxy::parse(&format!("http://user:hunter2@{at}"), except).unwrap();
    Http::new(HttpOptions { proxy: Some(proxy), ..options(reach(None)) }).unwrap()
}

#[test]
fn calls_go_through_and_say_so() {
    let server = Server::answering(OK, false);
    let proxy = proxy(server.address, "HTTP/1.1 200 Connection established\r\n\r\n");
    let transport = through(proxy.address, "");
    assert_eq!(transport.send(&prepared("POST"), soon(5.0)).unwrap().status, 200);
    assert_eq!((proxy.accepted(), server.accepted()), (1, 1));
    let notices = transport.notices().join("\n");
    assert!(
        notices.contains("pinning is impossible") && notices.contains(&proxy.address.to_string()),
        "{notices}"
    );
    assert!(!notices.contains("hunter2") && !format!("{transport:?}").contains("hunter2"));
    assert!(http(None).notices().is_empty());
}

#[test]
fn a_proxy_that_says_no_is_told() {
    let server = Server::answering(OK, false);
    for (answer, told) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "login"),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "does not let"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "no way"),
        ("garbage", "no answer"),
    ] {
        let proxy = proxy(server.address, answer);
        match through(proxy.address, "").send(&prepared("POST"), soon(2.0)) {
            Err(CallError::Unconnected(why)) => assert!(why.contains(told), "{why}"),
            other => panic!("{answer}: {other:?}"),
        }
    }
    assert_eq!(server.accepted(), 0);
}

#[test]
fn addresses_are_refused_before_the_proxy_is_asked() {
    let server = Server::answering(OK, false);
    let proxy = proxy(server.address, "HTTP/1.1 200 Connection established\r\n\r\n");
    for host in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "0x7f.1"] {
        let mut request = prepared("GET");
        request.host = host.to_owned();
        assert!(
            matches!(through(proxy.address, "").read(&request, soon(2.0)), Err(CallError::Refused(_))),
            "{host}"
        );
    }
    // An excepted host is looked up and called directly, which here leads nowhere.
    let direct = through(proxy.address, HOST).read(&prepared("GET"), soon(2.0));
    assert!(matches!(direct, Err(CallError::Unconnected(_))));
    assert_eq!(proxy.accepted(), 0);
}
