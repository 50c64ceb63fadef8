//! Tar in its dialects.

use super::*;
use SkipReason::{Bomb, Broken};

const END: [u8; 1024] = [0; 1024];

fn v7(name: &[u8], bytes: &[u8]) -> Vec<u8> {
    [make::block(name, 0, bytes.len() as u64, b""), make::padded(bytes)].concat()
}

fn member(name: &[u8], kind: u8, bytes: &[u8]) -> Vec<u8> {
    [make::block(name, kind, bytes.len() as u64, b"ustar\x0000"), make::padded(bytes)].concat()
}

fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let len = (1..4).map(|digits| rest + digits).find(|n| n.to_string().len() == n - rest).unwrap();
    [len.to_string().as_bytes(), b" ", key.as_bytes(), b"=", value, b"\n"].concat()
}

#[test]
fn old_tar_is_known_by_its_checksum() {
    let bytes = [v7(b"a", b"one"), v7(b"b", b""), END.to_vec()].concat();
    run("x.tar", &bytes).only(&[("x.tar!a", b"one"), ("x.tar!b", b"")]);
    run("x", &make::gz(&bytes)).only(&[("x!a", b"one"), ("x!b", b"")]);
}

#[test]
fn long_names_of_both_kinds_and_the_prefix_of_ustar() {
    let long = "dir/".repeat(100) + "file";
    let gnu = make::tar(&[(&long, b"g")]);
    run("x.tar", &gnu).only(&[(&format!("x.tar!{long}"), b"g")]);
    let pax = [
        member(b"pax", b'x', &record("path", long.as_bytes())),
        member(b"short", b'0', b"p"),
        member(b"next", b'0', b"q"),
        END.to_vec(),
    ];
    run("x.tar", &pax.concat()).only(&[(&format!("x.tar!{long}"), b"p"), ("x.tar!next", b"q")]);
    let solaris =
        [member(b"x", b'X', &record("path", long.as_bytes())), member(b"s", b'0', b"p"), END.to_vec()];
    run("x.tar", &solaris.concat()).only(&[(&format!("x.tar!{long}"), b"p")]);
    let mut block = make::block(b"name", b'0', 1, b"ustar\x0000");
    block[345..349].copy_from_slice(b"some");
    make::seal(&mut block);
    let ustar = [block, make::padded(b"u"), END.to_vec()].concat();
    run("x.tar", &ustar).only(&[("x.tar!some/name", b"u")]);
}

#[test]
fn names_are_labels_whatever_they_hold() {
    for (name, shown) in [
        (&b"../../etc/passwd"[..], "../../etc/passwd"),
        (b"/abs", "/abs"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"a\x1b[2J\n", "a\\u{1b}[2J\\u{a}"),
        (b"", ""),
    ] {
        let bytes = [member(name, b'0', b"x"), END.to_vec()].concat();
        run("x.tar", &bytes).only(&[(&format!("x.tar!{shown}"), b"x")]);
    }
}

#[test]
fn links_folders_and_devices_have_no_content() {
    let mut all = Vec::new();
    for kind in b'1'..=b'6' {
        // The size of a link is that of its target in some writers; nothing follows all the same.
        all.extend(make::block(b"l", kind, 700, b"ustar\x0000"));
    }
    all.extend(v7(b"folder/", b""));
    all.extend(member(b"f", b'7', b"contiguous"));
    all.extend(END);
    run("x.tar", &all).only(&[("x.tar!f", b"contiguous")]);
}

#[test]
fn sizes_beyond_octal_and_in_pax() {
    let mut block = make::block(b"a", b'0', 0, b"ustar  \0");
    block[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3]);
    make::seal(&mut block);
    let bytes = [block, make::padded(&[b'x'; 515]), member(b"b", b'0', b"y"), END.to_vec()].concat();
    run("x.tar", &bytes).only(&[("x.tar!a", &[b'x'; 515]), ("x.tar!b", b"y")]);
    let pax = [
        member(b"h", b'x', &record("size", b"3")),
        make::block(b"a", b'0', 0, b"ustar\x0000"),
        make::padded(b"abc"),
        END.to_vec(),
    ];
    run("x.tar", &pax.concat()).only(&[("x.tar!a", b"abc")]);
}

/// What a sparse member of `a`, a hole, `b` and a hole holds.
fn sparse() -> (Vec<u8>, Vec<u8>) {
    let (a, b) = (make::noise(512), make::noise(1000));
    let whole = [a.clone(), vec![0; 100_000 - 512], b.clone(), vec![0; 50]].concat();
    (whole, [a, b].concat())
}

#[test]
fn sparse_members_have_their_holes_filled() {
    let (whole, stored) = sparse();
    let size = whole.len().to_string();

    let mut gnu = make::block(b"s", b'S', stored.len() as u64, b"ustar  \0");
    for (at, n) in [(386, 0), (398, 512), (410, 100_000), (422, 1000), (483, whole.len())] {
        gnu[at..at + 12].copy_from_slice(format!("{n:011o}\0").as_bytes());
    }
    let mut extended = gnu.clone();
    make::seal(&mut gnu);
    let gnu = [gnu, make::padded(&stored)].concat();

    // The second stretch in a block of its own.
    extended[482] = 1;
    let mut more = vec![0; 512];
    more[..24].copy_from_slice(&extended[410..434]);
    extended[410..434].fill(0);
    make::seal(&mut extended);
    let extended = [extended, more, make::padded(&stored)].concat();

    let ahead = [make::padded(b"2\n0\n512\n100000\n1000\n"), stored.clone()].concat();
    let map_ahead = [
        record("GNU.sparse.major", b"1"),
        record("GNU.sparse.minor", b"0"),
        record("GNU.sparse.name", b"s"),
        record("GNU.sparse.realsize", size.as_bytes()),
    ];
    let pax1 = [member(b"h", b'x', &map_ahead.concat()), member(b"GNUSparse.0/s", b'0', &ahead)].concat();

    let map_inside = [
        record("GNU.sparse.size", size.as_bytes()),
        record("GNU.sparse.map", b"0,512,100000,1000"),
        record("GNU.sparse.name", b"s"),
    ];
    let pax01 = [member(b"h", b'x', &map_inside.concat()), member(b"x", b'0', &stored)].concat();

    for bytes in [gnu, extended, pax1, pax01] {
        let bytes = [bytes, member(b"next", b'0', b"n"), END.to_vec()].concat();
        run("x.tar", &bytes).only(&[("x.tar!s", &whole), ("x.tar!next", b"n")]);
    }
}

#[test]
fn sparse_maps_that_lie_are_told() {
    let (_, stored) = sparse();
    for (map, size) in
        [("0,512,100,1000", "200000"), ("0,5000", "5000"), ("0,18446744073709551615", "9"), ("0,10", "10")]
    {
        let records = [record("GNU.sparse.size", size.as_bytes()), record("GNU.sparse.map", map.as_bytes())];
        let bytes = [
            member(b"h", b'x', &records.concat()),
            member(b"s", b'0', &stored),
            member(b"next", b'0', b"n"),
            END.to_vec(),
        ];
        let got = run("x.tar", &bytes.concat());
        got.skips(&[("x.tar!s", Broken)]);
        assert_eq!(got.texts().last().unwrap(), &("x.tar!next".to_owned(), "n".to_owned()), "{map}");
    }
}

#[test]
fn a_hole_as_large_as_a_disk_is_a_bomb() {
    let records = [record("GNU.sparse.size", b"9000000000000"), record("GNU.sparse.map", b"0,4")];
    let bytes = [
        member(b"h", b'x', &records.concat()),
        member(b"s", b'0', b"data"),
        member(b"next", b'0', b"n"),
        END.to_vec(),
    ];
    let got = run("x.tar", &bytes.concat());
    got.skips(&[("x.tar!s", Bomb)]);
    assert!(got.blobs()[0].1.starts_with(b"data\0"));
    assert_eq!(got.texts()[1], ("x.tar!next".to_owned(), "n".to_owned()));
}

#[test]
fn a_damaged_header_costs_only_its_member() {
    let mut bytes = [v7(b"a", b"1"), v7(b"b", b"2"), v7(b"c", b"3"), END.to_vec()].concat();
    bytes[1024 + 3] ^= 1;
    let got = run("x.tar", &bytes);
    let text = |n: &str, t: &str| (n.to_owned(), t.to_owned());
    assert_eq!(got.texts(), [text("x.tar!a", "1"), text("x.tar!c", "3")]);
    got.skips(&[("x.tar", Broken)]);
}

#[test]
fn a_tar_behind_the_end_of_a_tar_is_read_too() {
    let bytes = [make::tar(&[("a", b"1")]), vec![0; 8192], make::tar(&[("b", b"2")])].concat();
    run("x.tar", &bytes).only(&[("x.tar!a", b"1"), ("x.tar!b", b"2")]);
}

#[test]
fn every_prefix_is_whole_or_told() {
    let long = "n".repeat(150);
    let whole = make::tar(&[("a", b"first"), (&long, &[b'x'; 600]), ("z", b"")]);
    let all = run("x.tar", &whole).blobs();
    for len in 512..whole.len() {
        let got = run("x.tar", &whole[..len]);
        let blobs = got.blobs();
        assert!(!got.complete() || blobs == all, "cut at {len}");
        if blobs == [("x.tar".to_owned(), whole[..len].to_vec())] {
            continue; // No member has a byte left.
        }
        for ((name, bytes), (want_name, want)) in blobs.iter().zip(&all) {
            assert!(name == want_name && want.starts_with(bytes), "cut at {len}");
        }
        let packed = make::gz(&whole[..len]);
        assert_eq!(run("x.tar", &packed).complete(), got.complete(), "packed and cut at {len}");
    }
}
