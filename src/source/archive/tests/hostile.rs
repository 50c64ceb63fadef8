//! Bombs, and bytes turned over.

use super::make::{deflated, raw_zip, stored};
use super::*;
use SkipReason::{Bomb, TooDeep};

const ZEROS: usize = 10 << 20;

fn tight() -> Budget {
    Budget { floor: 1 << 20, ..Budget::default() }
}

#[test]
fn a_bomb_is_told_and_its_neighbours_are_read() {
    let zeros = vec![0; ZEROS];
    let bomb = make::gz(&zeros);
    assert!(bomb.len() < 11_000, "10 MiB in {} bytes", bomb.len());
    for pack in [make::gz, make::bz2, make::xz, make::zst] {
        let got = run_with("b.bin", &pack(&zeros), &tight());
        got.skips(&[("b.bin", Bomb)]);
        assert!(got.blobs()[0].1.len() < 3 << 20);
    }
    let zip = raw_zip(&[deflated(b"bomb", &zeros), stored(b"b", b"x")]);
    let tar = make::tar(&[("bomb", &bomb), ("b", b"x")]);
    for (name, bytes) in [("x.zip", zip), ("x.tar", tar)] {
        let got = run_with(name, &bytes, &tight());
        got.skips(&[(&format!("{name}!bomb"), Bomb)]);
        assert_eq!(got.texts().last().unwrap(), &(format!("{name}!b"), "x".to_owned()));
    }
    // Below the floor a high ratio is no sin, and by default ten megabytes are below it.
    run("b.gz", &bomb).only(&[("b.gz!b", &zeros)]);
    run("b.gz", &make::gz(&vec![0; 64 << 20])).skips(&[("b.gz", Bomb)]);
}

#[test]
fn the_sum_over_all_members_is_bounded_and_told_once() {
    let zeros = vec![0; 1 << 20];
    let names: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), &zeros[..])).collect();
    let zip = make::zip(&members);
    let by_bytes = run_with("x.zip", &zip, &Budget { bytes: 10 << 20, ..Budget::default() });
    by_bytes.skips(&[("x.zip", Bomb)]);
    assert!((10..12).contains(&by_bytes.blobs().len()));
    // No member passes the floor, their sum passes sixteen times it.
    let by_ratio = run_with("x.zip", &zip, &tight());
    by_ratio.skips(&[("x.zip", Bomb)]);
    assert!((16..18).contains(&by_ratio.blobs().len()));
}

#[test]
fn members_that_share_their_bytes_cannot_multiply_the_work() {
    // One stored member, listed thousands of times.
    let text = make::noise(1 << 20);
    let one = raw_zip(&[stored(b"m", &text)]);
    let directory = one.len() - 22 - 47;
    let record = one[directory..directory + 47].to_vec();
    let mut bytes = one[..directory].to_vec();
    for _ in 0..5000 {
        bytes.extend(&record);
    }
    bytes.extend(b"PK\x05\x06\0\0\0\0\x88\x13\x88\x13");
    bytes.extend((5000u32 * 47).to_le_bytes());
    bytes.extend((directory as u32).to_le_bytes());
    bytes.extend([0, 0]);
    let got = run_with("x.zip", &bytes, &Budget { bytes: 20 << 20, ..Budget::default() });
    got.skips(&[("x.zip", Bomb)]);
    assert!(got.blobs().len() < 23);
}

#[test]
fn a_zip_that_holds_itself_ends_at_the_depth() {
    // Each level holds the next one twice.
    let mut bytes = b"seed".to_vec();
    for _ in 0..10 {
        bytes = make::zip(&[("l.zip", &bytes), ("r.zip", &bytes)]);
    }
    let got = run("x.zip", &bytes);
    assert!(got.reasons().iter().all(|(_, r)| *r == TooDeep));
    assert_eq!(got.reasons().len(), 256);
}

#[test]
fn turned_bytes_never_panic_and_are_never_silently_lost() {
    let text = make::noise(400);
    let samples: Vec<(&str, Vec<u8>)> = vec![
        ("x.zip", make::zip(&[("a", &text), ("b", b"bee"), ("in.gz", &make::gz(b"deep"))])),
        ("x.tar", make::tar(&[("a", &text), ("in.zip", &make::zip(&[("b", b"bee")]))])),
        ("x.gz", make::gz(&make::tar(&[("a", &text)]))),
        ("x.xz", make::xz(&text)),
        ("x.bz2", make::bz2(&text)),
        ("x.zst", make::zst(&text)),
    ];
    let mut x = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |n: usize| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (x % n as u64) as usize
    };
    for (name, sample) in &samples {
        let found = kind(&sample[..sample.len().min(HEAD)], name.as_bytes()).unwrap();
        for _ in 0..3000 {
            let mut bytes = sample.clone();
            for _ in 0..1 + random(4) {
                let at = random(bytes.len());
                bytes[at] = match random(4) {
                    0 => 0xff,
                    1 => 0,
                    2 => bytes[at] ^ 1 << random(8),
                    _ => random(256) as u8,
                };
            }
            if random(8) == 0 {
                bytes.truncate(random(bytes.len() + 1));
            }
            let got = Got::default();
            unpack(found, Input::Bytes(&bytes), &named(name), &Budget::default(), &got);
            let again = Got::default();
            unpack(found, Input::Bytes(&bytes), &named(name), &Budget::default(), &again);
            assert_eq!(got.blobs(), again.blobs());
            assert_eq!(got.reasons(), again.reasons());
            assert!(!got.complete() || !got.blobs().is_empty() || bytes.is_empty(), "{name}");
        }
    }
}
