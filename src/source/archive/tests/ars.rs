//! Ar and cpio.

use super::*;
use SkipReason::{Broken, TooManyEntries};

/// An ar member as its header says it: the name field, and the content.
fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, bytes) in members {
        out.extend(format!("{name:<16}0           0     0     100644  {:<10}`\n", bytes.len()).bytes());
        out.extend(*bytes);
        out.extend(&b"\n"[..bytes.len() % 2]);
    }
    out
}

/// A cpio of members with their modes, and its end.
fn cpio(members: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, mode, bytes) in members.iter().chain(&[("TRAILER!!!", 0, &b""[..])]) {
        let numbers = [1, *mode, 0, 0, 1, 0, bytes.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        out.extend(b"070701");
        out.extend(numbers.iter().flat_map(|n| format!("{n:08X}").into_bytes()));
        for part in [format!("{name}\0").as_bytes(), bytes] {
            out.extend(part);
            out.resize(out.len().next_multiple_of(4), 0);
        }
    }
    out
}

const FILE: u32 = 0o100_644;

#[test]
fn members_of_ar_by_every_kind_of_name() {
    let bytes = ar(&[
        ("/", b"symbols"),
        ("//", b"a-name-of-more-than-16.o/\nanother-long-name.o/\n"),
        ("short.o/", b"1"),
        ("bsd.o", b"22"),
        ("/0", b"3"),
        ("/26", b""),
        ("#1/24", b"a-name-in-the-front.o\0\0\x00content"),
        ("/999", b"lost"),
    ]);
    let names = &b"a-name-of-more-than-16.o/\nanother-long-name.o/\n"[..];
    run("x.a", &bytes).only(&[
        ("x.a!/", b"symbols"),
        ("x.a!//", names),
        ("x.a!short.o", b"1"),
        ("x.a!bsd.o", b"22"),
        ("x.a!a-name-of-more-than-16.o", b"3"),
        ("x.a!another-long-name.o", b""),
        ("x.a!a-name-in-the-front.o", b"content"),
        ("x.a!/999", b"lost"),
    ]);
}

#[test]
fn a_debian_package_is_opened_to_its_files() {
    let control = make::gz(&make::tar(&[("control", b"Package: x")]));
    let data = make::xz(&make::tar(&[("etc/x.conf", b"key")]));
    let deb = ar(&[("debian-binary", b"2.0\n"), ("control.tar.gz", &control), ("data.tar.xz", &data)]);
    run("x.deb", &deb).only(&[
        ("x.deb!debian-binary", b"2.0\n"),
        ("x.deb!control.tar.gz!control", b"Package: x"),
        ("x.deb!data.tar.xz!etc/x.conf", b"key"),
    ]);
}

#[test]
fn what_is_wrong_with_an_ar_is_told_and_the_rest_is_read() {
    let whole = ar(&[("a", b"first"), ("b", b"second")]);
    let cut = run("x.a", &whole[..whole.len() - 3]);
    cut.skips(&[("x.a!b", Broken)]);
    assert_eq!(cut.texts()[1], ("x.a!b".to_owned(), "sec".to_owned()));
    let mut odd = whole.clone();
    odd[8 + 60 + 6 + 48] = b'-';
    let got = run("x.a", &odd);
    got.skips(&[("x.a", Broken)]);
    assert!(got.texts()[1].0 == "x.a!rest" && got.texts()[1].1.ends_with("second"), "{:?}", got.texts());
    // A stated size, or length of a name, beyond the end.
    let mut size = ar(&[("a", b"first")]);
    size[8 + 48..8 + 58].copy_from_slice(b"9999999999");
    run("x.a", &size).skips(&[("x.a!a", Broken)]);
    let name = ar(&[("#1/9999", b"content")]);
    run("x.a", &name).only(&[("x.a!#1/9999", b"content")]);
    let name = ar(&[("#1/8", b"all-name")]);
    assert_eq!(run("x.a", &name[..name.len() - 3]).reasons(), [("x.a!all-n".to_owned(), Broken)]);
    // Nothing but the magic is still a text.
    run("x.a", b"!<arch>\n").only(&[("x.a", b"!<arch>\n")]);
}

#[test]
fn members_of_cpio_and_what_follows_them() {
    let first = cpio(&[("etc", 0o040_755, b""), ("etc/key", FILE, b"abc"), ("link", 0o120_777, b"target")]);
    let want: &[(&str, &[u8])] = &[("x.img!etc/key", b"abc"), ("x.img!link", b"target")];
    run("x.img", &first).only(want);
    let mut padded = first.clone();
    padded.resize(first.len().next_multiple_of(512), 0);
    run("x.img", &padded).only(want);
    // As in an initial RAM disk: another archive behind it, packed.
    padded.extend(make::gz(&cpio(&[("init", FILE, b"#!/bin/sh")])));
    run("x.img", &padded).only(&[want[0], want[1], ("x.img!rest!init", b"#!/bin/sh")]);
    run("x.cpio.gz", &make::gz(&first)).only(&[("x.cpio.gz!etc/key", b"abc"), ("x.cpio.gz!link", b"target")]);
}

#[test]
fn what_is_wrong_with_a_cpio_is_told_and_the_rest_is_read() {
    let whole = cpio(&[("a", FILE, b"first"), ("b", FILE, b"second")]);
    let at = 110 + 2 + 8;
    assert_eq!(&whole[at..at + 6], b"070701");
    run("x", &whole[..at + 110 + 2 + 3]).skips(&[("x!b", Broken)]);
    run("x", &whole[..at + 111]).skips(&[("x", Broken)]);
    run("x", &whole[..at]).skips(&[("x", Broken)]);
    let mut odd = whole.clone();
    odd[at + 20] = b'-';
    let got = run("x", &odd);
    got.skips(&[("x", Broken)]);
    assert!(got.texts()[1].0 == "x!rest" && got.texts()[1].1.contains("second"), "{:?}", got.texts());
    // A name of four gigabytes is none.
    let mut long = whole.clone();
    long[at + 94..at + 102].copy_from_slice(b"FFFFFFFF");
    assert_eq!(run("x", &long).reasons(), [("x".to_owned(), Broken)]);
    // A text that begins with the same digits is a text.
    run("x", b"070701 is a number").only(&[("x", b"070701 is a number")]);
}

#[test]
fn both_keep_to_the_budget_and_to_a_stop() {
    let budget = Budget { entries: 1, ..Budget::default() };
    let pair = [ar(&[("a", b"1"), ("b", b"2")]), cpio(&[("a", FILE, b"1"), ("b", FILE, b"2")])];
    for bytes in pair {
        let got = run_with("x", &bytes, &budget);
        got.skips(&[("x", TooManyEntries)]);
        assert_eq!(got.blobs().len(), 1);
        let got = Got { stop_after: Some(1), ..Got::default() };
        unpack(kind(&bytes, b"x").unwrap(), Input::Bytes(&bytes), &named("x"), &Budget::default(), &got);
        assert_eq!(got.blobs().len(), 1);
        got.skips(&[("x", SkipReason::Budget)]);
        // Whatever is done to it, nothing breaks, and what is lost is told.
        for at in 0..bytes.len() {
            for value in [0, b'0', b'9', 0xff] {
                let mut turned = bytes.clone();
                turned[at] = value;
                run("x", &turned);
                run("x", &bytes[..at]);
            }
        }
    }
}
