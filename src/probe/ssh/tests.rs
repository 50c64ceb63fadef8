#![allow(clippy::unwrap_used)]

use super::super::testing::{hostile, net, script, serve, values};
use super::packet::Cipher;
use super::testing::{Asked, HOST, Manners, WELL, at, double, ed25519, public};
use super::*;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const OWN: u8 = 1;

fn ask(accounts: &[SshAccount], key: &str) -> Probed {
    let net = net("ssh", 1);
    let deadline = Instant::now() + Duration::from_secs(5);
    Ssh { net: &net, accounts }.check(&values(&[("secret", key)]), deadline)
}

fn failure(partial: bool) -> Vec<u8> {
    Message::new(number::FAILURE)
        .names(&["publickey", "password"])
        .byte(u8::from(partial))
        .as_bytes()
        .to_vec()
}

fn acceptable(asked: &Asked) -> Vec<u8> {
    Message::new(number::ACCEPTABLE).text(&asked.algorithm).text(&asked.public).as_bytes().to_vec()
}

/// As a server does that lists one key.
fn lists_one(asked: &Asked) -> Vec<Vec<u8>> {
    let known = asked.public == public(OWN) && asked.user == "git";
    vec![match (known, asked.signed, asked.proved) {
        (true, false, _) => acceptable(asked),
        (true, true, true) => vec![number::SUCCESS],
        _ => failure(false),
    }]
}

#[test]
fn a_listed_key_is_let_in_with_each_cipher_and_manner() {
    for (cipher, _) in Cipher::ALL {
        for (strict, chatty) in [(true, false), (false, true)] {
            let port = double(Manners { cipher, strict, chatty, ..WELL }, lists_one);
            let probed = ask(&[at(port, HOST)], &ed25519(OWN));
            let Validity::Active { restricted: false, identity } = &probed.validity else {
                panic!("{probed:?}")
            };
            assert_eq!(identity["account"], format!("git@127.0.0.1:{port}"));
            assert_eq!(identity["key"], fingerprint(&public(OWN)));
            assert_eq!(probed.host, format!("127.0.0.1:{port}"));
        }
    }
}

#[test]
fn a_refusal_proves_no_death() {
    let port = double(WELL, lists_one);
    let probed = ask(&[at(port, HOST)], &ed25519(2));
    assert_eq!(probed.validity, AMBIGUOUS);
    assert!(probed.detail.contains("may open other accounts"), "{}", probed.detail);
    // The second account takes it; the first one's refusal does not count.
    let other = double(WELL, |asked| {
        vec![if asked.public == public(2) && !asked.signed {
            acceptable(asked)
        } else if asked.proved && asked.public == public(2) {
            vec![number::SUCCESS]
        } else {
            failure(false)
        }]
    });
    let probed = ask(&[at(port, HOST), at(other, HOST)], &ed25519(2));
    assert!(matches!(probed.validity, Validity::Active { .. }), "{probed:?}");
    // What gave no answer at all outweighs a refusal.
    let probed = ask(&[at(port, HOST), at(script(&[]), HOST)], &ed25519(3));
    assert_eq!(probed.validity, Validity::Unknown(Unknown::Unreachable));
    assert!(probed.detail.contains("none of 2"), "{}", probed.detail);
}

#[test]
fn a_demand_for_more_proves_the_key() {
    let port = double(WELL, |asked| {
        vec![match asked.public == public(OWN) {
            true if asked.signed => failure(true),
            true => acceptable(asked),
            false => failure(false),
        }]
    });
    let probed = ask(&[at(port, HOST)], &ed25519(OWN));
    assert!(matches!(probed.validity, Validity::Active { restricted: true, .. }), "{probed:?}");
}

#[test]
fn who_lets_everybody_in_proves_nothing() {
    let anybody = |asked: &Asked| vec![if asked.signed { vec![number::SUCCESS] } else { acceptable(asked) }];
    let more = |asked: &Asked| vec![if asked.signed { failure(true) } else { acceptable(asked) }];
    for (name, port) in [("lets in", double(WELL, anybody)), ("asks for more", double(WELL, more))] {
        let probed = ask(&[at(port, HOST)], &ed25519(OWN));
        assert_eq!(probed.validity, AMBIGUOUS, "{name}");
        assert!(probed.detail.contains("made-up key in as well"), "{}", probed.detail);
    }
}

#[test]
fn answers_out_of_turn_prove_nothing() {
    let success = |_: &Asked| vec![vec![number::SUCCESS]];
    let other = |asked: &Asked| vec![acceptable(&Asked { public: public(9), ..asked.clone() })];
    let partial = |_: &Asked| vec![failure(true)];
    let password =
        |_: &Asked| vec![Message::new(number::FAILURE).names(&["password"]).byte(0).as_bytes().to_vec()];
    let leaves = |_: &Asked| {
        vec![Message::new(number::DISCONNECT).number(2).text("too many").text("").as_bytes().to_vec()]
    };
    let again = |_: &Asked| vec![vec![number::KEXINIT; 40]];
    let short = |_: &Asked| vec![vec![number::FAILURE]];
    let noise = |_: &Asked| vec![Message::new(number::BANNER).text([b'x'; 30_000]).as_bytes().to_vec(); 40];
    let silent = |_: &Asked| vec![];
    for (name, port, why) in [
        ("success for a question", double(WELL, success), Unknown::Ambiguous),
        ("another key", double(WELL, other), Unknown::Ambiguous),
        ("partial for a question", double(WELL, partial), Unknown::Ambiguous),
        ("no keys here", double(WELL, password), Unknown::Ambiguous),
        ("leaves", double(WELL, leaves), Unknown::Unreachable),
        ("begins anew", double(WELL, again), Unknown::Ambiguous),
        ("cut short", double(WELL, short), Unknown::Ambiguous),
        ("endless banner", double(WELL, noise), Unknown::Ambiguous),
        ("lies about its key", double(Manners { lies: true, ..WELL }, lists_one), Unknown::Ambiguous),
        ("damages packets", double(Manners { damages: true, ..WELL }, lists_one), Unknown::Ambiguous),
        ("noise where none may be", double(Manners { chatty: true, ..WELL }, lists_one), Unknown::Ambiguous),
        ("says no more", double(WELL, silent), Unknown::Unreachable),
    ] {
        let probed = ask(&[at(port, HOST)], &ed25519(OWN));
        assert_eq!(probed.validity, Validity::Unknown(why), "{name}: {}", probed.detail);
        assert!(!probed.detail.contains("too many"), "{}", probed.detail);
    }
}

#[test]
fn nobody_learns_of_a_key_who_does_not_hold_the_pinned_one() {
    let seen: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let kept = Arc::clone(&seen);
    let port = double(WELL, move |asked| {
        kept.lock().unwrap().push(asked.clone());
        lists_one(asked)
    });
    let probed = ask(&[at(port, HOST + 1)], &ed25519(OWN));
    assert_eq!(probed.validity, Validity::Unknown(Unknown::Refused));
    assert!(probed.detail.contains("SHA256:"), "{}", probed.detail);
    assert!(seen.lock().unwrap().is_empty());
    // The same server with the right one does learn of it, and of one that was made up.
    assert!(matches!(ask(&[at(port, HOST)], &ed25519(OWN)).validity, Validity::Active { .. }));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.iter().map(|a| a.signed).collect::<Vec<_>>(), [false, true, false]);
    assert!(seen[2].public != public(OWN));
}

#[test]
fn a_key_that_cannot_sign_in_is_not_sent() {
    let probed = ask(&[at(script(&[]), HOST)], "-----BEGIN NOTHING-----\nAAAA\n-----END NOTHING-----");
    assert_eq!((probed.validity, probed.host.as_str()), (Validity::Unknown(Unknown::Refused), ""));
    assert_eq!(ask(&[], &ed25519(OWN)).validity, Validity::Unknown(Unknown::Refused));
}

#[test]
fn hostile_servers_end_in_time_and_prove_nothing() {
    let endless = |bytes: &'static [u8]| {
        serve(move |mut stream| {
            let mut sent = stream.write_all(b"SSH-2.0-x\r\n");
            while sent.is_ok() {
                sent = stream.write_all(bytes);
            }
        })
    };
    let mut all = hostile();
    all.extend([
        ("giant packets", endless(&[0x7f, 0xff, 0xff, 0xff, 4, 20])),
        ("largest packets", endless(&[0, 0, 0x88, 0xb8, 4, 20])),
        ("empty packets", endless(&[0, 0, 0, 0])),
        ("padding over all", endless(&[0, 0, 0, 12, 255, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
        ("ignored for ever", endless(&[0, 0, 0, 12, 10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
        ("old version", script(&[b"SSH-1.5-old\r\n"])),
        ("letters beyond ASCII", script(&["SSH-2.0-\u{e9}\r\n".as_bytes()])),
        ("full", script(&[b"Exceeded MaxStartups\r\n"])),
    ]);
    for (name, port) in all {
        let (net, accounts) = (net("ssh", 1), [at(port, HOST)]);
        let begun = Instant::now();
        let probed = Ssh { net: &net, accounts: &accounts }
            .check(&values(&[("secret", &ed25519(OWN))]), begun + Duration::from_millis(700));
        assert!(matches!(probed.validity, Validity::Unknown(_)), "{name}: {probed:?}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{name}");
    }
}
