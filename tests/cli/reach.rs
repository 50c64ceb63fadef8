//! What the environment and the command line say of the way to a provider.

use super::revoke::reply;
use super::server::{Server, authority, request};
use super::{Folder, Output, key};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;

const HOST: &str = "api.github.com";

/// A server under a name, which knows one token of GitHub's.
fn github(name: &str) -> Server {
    let known = key(0);
    Server::standing_in(name, move |request| {
        if request.contains(&known) {
            reply("200 OK", r#"{"login":"octo","id":1}"#)
        } else {
            reply("401 Unauthorized", r#"{"message":"Bad credentials"}"#)
        }
    })
}

/// A folder in which the organisation says where GitHub is, and the authority of the servers is written down.
fn folder(base: &str, connect: Option<SocketAddr>) -> Folder {
    let folder = Folder::new();
    let connect = connect.map(|at| format!("connect = \"{at}\"\n")).unwrap_or_default();
    folder.put("org.toml", format!("[endpoint.github]\nbase = \"{base}\"\n{connect}"));
    folder.put("roots.pem", authority());
    folder
}

fn verify(f: &Folder, env: &[(&str, &str)], args: &[&str]) -> Output {
    let all = [&["verify", "--org-config", "org.toml", "--verify-cache", "none"][..], args].concat();
    let mut command = f.command(&all);
    command.envs(env.iter().copied());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that ends before it reads has closed the pipe.
    child.stdin.take().unwrap().write_all(key(0).as_bytes()).ok();
    let out = Output::of(child.wait_with_output().unwrap());
    assert!(!out.out.contains(&key(0)) && !out.err.contains(&key(0)), "{out:#?}");
    out
}

const ROOTS: (&str, &str) = ("SSL_CERT_FILE", "roots.pem");

#[test]
fn further_authorities_come_from_the_environment() {
    let server = github(HOST);
    let f = folder(&format!("https://{HOST}"), Some(server.address));
    f.put("garbage", "x");
    assert!(verify(&f, &[ROOTS], &[]).gives(1, "").out.starts_with("active"));
    for none in [&[][..], &[("SSL_CERT_FILE", "")]] {
        let out = verify(&f, none, &[]).gives(3, "");
        assert!(out.out.contains("by an authority that is not trusted"), "{out:#?}");
    }
    let heard = server.heard().len();
    verify(&f, &[("SSL_CERT_FILE", "missing")], &[]).gives(2, "SSL_CERT_FILE: missing");
    verify(&f, &[("SSL_CERT_FILE", "tree")], &[]).gives(2, "it is no file of certificates");
    verify(&f, &[("SSL_CERT_FILE", "garbage")], &[]).gives(2, "holds none that can be read");
    assert_eq!(server.heard().len(), heard);
}

/// A proxy that opens a way to one address, whatever is asked for, and remembers what was.
fn proxy(to: SocketAddr) -> Server {
    Server::hearing(move |mut stream, heard| {
        let Some(asked) = request(&mut stream) else { return };
        heard.lock().unwrap().push(asked);
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
        let host = TcpStream::connect(to).unwrap();
        let (mut a, mut b) = (stream.try_clone().unwrap(), host.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut a, &mut b));
        std::io::copy(&mut { host }, &mut { stream }).ok();
    })
}

#[test]
fn the_proxy_comes_from_the_environment_alone() {
    let server = github(HOST);
    let proxy = proxy(server.address);
    let f = folder(&format!("https://{HOST}"), Some(server.address));
    let password = ["hunter", "2", "x"].concat();
    let at = format!("http://user:{password}@{}", proxy.address);
    for name in ["HTTPS_PROXY", "https_proxy"] {
        let before = proxy.heard().len();
        let out = verify(&f, &[ROOTS, (name, &at)], &[]).gives(1, "");
        let heard = proxy.heard();
        assert!(heard.len() > before, "{out:#?}");
        for asked in &heard[before..] {
            assert!(asked.starts_with(&format!("CONNECT {HOST}:443 HTTP/1.1\r\n")), "{asked}");
            assert!(asked.contains("Proxy-Authorization: Basic ") && !asked.contains(&key(0)), "{asked}");
        }
        let told = out.out + &out.err;
        assert!(
            told.contains("pinning is impossible") && told.contains(&proxy.address.to_string()),
            "{told}"
        );
        assert!(!told.contains(&password), "{told}");
    }
    let proxied = proxy.accepted();
    for direct in [
        &[("HTTPS_PROXY", "")][..],
        &[("HTTP_PROXY", &*at), ("http_proxy", &*at), ("ALL_PROXY", &*at)],
        &[("HTTPS_PROXY", &*at), ("NO_PROXY", HOST)],
        &[("HTTPS_PROXY", &*at), ("no_proxy", "a.example, .github.com")],
        &[("HTTPS_PROXY", &*at), ("NO_PROXY", "*")],
    ] {
        let out = verify(&f, &[&[ROOTS], direct].concat(), &[]);
        assert!(out.code == 1 && out.out.starts_with("active"), "{direct:?}: {out:#?}");
    }
    assert_eq!(proxy.accepted(), proxied);
    for bad in [format!("socks5://user:{password}@127.0.0.1:1"), format!("http://user:{password}@/")] {
        let out = verify(&f, &[ROOTS, ("HTTPS_PROXY", &bad)], &[]).gives(2, "HTTPS_PROXY: the proxy ");
        assert!(!out.err.contains(&password), "{out:#?}");
    }
    assert_eq!(proxy.accepted(), proxied);
}

#[test]
fn inner_addresses_take_the_word_of_the_command_line() {
    let server = github("localhost");
    let f = folder(&format!("https://localhost:{}", server.address.port()), None);
    f.put("tree/a", format!("t = {}\n", key(0)));
    for args in [&[][..], &["--allow-internal", "other.example"]] {
        let out = verify(&f, &[ROOTS], args).gives(3, "");
        assert!(out.out.contains("not public"), "{out:#?}");
    }
    for bad in ["https://localhost", "local host", "*"] {
        verify(&f, &[ROOTS], &["--allow-internal", bad]).gives(2, "--allow-internal: ");
    }
    assert_eq!(server.accepted(), 0);
    let out = verify(&f, &[ROOTS], &["--allow-internal", "localhost"]).gives(1, "");
    assert!(out.out.starts_with("active"), "{out:#?}");
    let scan = ["scan", "tree", "--verify", "--org-config", "org.toml", "--verify-cache", "none"];
    let mut command = f.command(&[&scan[..], &["--allow-internal", "localhost"]].concat());
    let out = Output::of(command.env(ROOTS.0, ROOTS.1).output().unwrap()).gives(1, "");
    assert!(out.out.contains("validity  active"), "{out:#?}");
}
