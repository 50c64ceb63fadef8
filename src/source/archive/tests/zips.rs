//! Zip: whole, odd and cut off.

use super::make::{Raw, deflated, raw_zip, stored};
use super::*;
use SkipReason::{Broken, Encrypted, Unsupported};

#[test]
fn every_method_of_the_reference_writer() {
    use zip::CompressionMethod as Method;
    let text = make::noise(70_000);
    for method in [Method::Stored, Method::Deflated, Method::Bzip2, Method::Zstd] {
        let bytes = make::zip_by(&[("a", &text), ("empty", b""), ("b", b"bee")], method);
        run("x.zip", &bytes).only(&[("x.zip!a", &text), ("x.zip!empty", b""), ("x.zip!b", b"bee")]);
    }
}

#[test]
fn methods_made_by_hand() {
    let text = make::noise(70_000);
    let lzma = make::lzma(&text);
    // The version and length of the properties, the properties, then the stream without its size.
    let lzma = [&[9, 20, 5, 0], &lzma[..5], &lzma[13..]].concat();
    for (method, packed) in
        [(14, lzma), (95, make::xz(&text)), (93, make::zst(&text)), (20, make::zst(&text))]
    {
        let bytes = raw_zip(&[Raw { method, packed, ..stored(b"a", &text) }, stored(b"b", b"x")]);
        run("x.zip", &bytes).only(&[("x.zip!a", &text), ("x.zip!b", b"x")]);
    }
    for method in [1, 6, 9, 97, 98, 1234] {
        let odd = Raw { method, ..stored(b"a", b"??") };
        let got = run("x.zip", &raw_zip(&[odd, stored(b"b", b"x")]));
        got.skips(&[("x.zip!a", Unsupported)]);
        assert_eq!(got.texts(), [("x.zip!b".to_owned(), "x".to_owned())]);
    }
}

#[test]
fn encrypted_members_are_told_and_their_neighbours_are_read() {
    for odd in [
        Raw { flags: 1, ..deflated(b"a", b"secret") },
        Raw { flags: 1, method: 99, ..stored(b"a", b"secret") },
        Raw { flags: 0x41, ..stored(b"a", b"secret") },
    ] {
        let got = run("x.zip", &raw_zip(&[stored(b"0", b"y"), odd, stored(b"b", b"x")]));
        got.skips(&[("x.zip!a", Encrypted)]);
        assert_eq!(got.texts().len(), 2);
    }
}

#[test]
fn names_are_labels_and_may_be_the_same() {
    let bytes = raw_zip(&[
        stored(b"same", b"1"),
        deflated(b"same", b"2"),
        stored(b"../../x", b"3"),
        stored(b"\xff\\", b"4"),
        stored(b"dir/", b""),
        deflated(b"dir2/", b""),
        stored(b"no dir/", b"5"),
    ]);
    run("x.zip", &bytes).only(&[
        ("x.zip!same", b"1"),
        ("x.zip!same", b"2"),
        ("x.zip!../../x", b"3"),
        ("x.zip!\\xff\\\\", b"4"),
        ("x.zip!no dir/", b"5"),
    ]);
}

#[test]
fn members_that_no_directory_lists_are_read() {
    for descriptor in [None, Some(true), Some(false)] {
        let hidden = Raw { unlisted: true, ..deflated(b"hidden", b"under the carpet") };
        let a = Raw { descriptor, ..deflated(b"a", b"1") };
        for bytes in [
            raw_zip(&[a.clone(), hidden.clone(), stored(b"b", b"2")]),
            raw_zip(&[hidden.clone(), a.clone(), stored(b"b", b"2")]),
            raw_zip(&[a.clone(), stored(b"b", b"2"), hidden.clone(), hidden.clone()]),
        ] {
            let got = run("x.zip", &bytes);
            let found = got.texts().iter().filter(|(_, t)| t == "under the carpet").count();
            assert!(found >= 1 && got.complete(), "{descriptor:?} {:?} {:?}", got.texts(), got.reasons());
            assert_eq!(got.texts().len(), 2 + found);
        }
    }
}

#[test]
fn bytes_in_front_between_and_behind_are_pushed_where_they_stand() {
    let zip = make::zip(&[("a", b"1")]);
    let stub = b"#!/bin/sh\nexec unzip \"$0\"\n".to_vec();
    for tail in [&b""[..], b"\nkey behind the end of it\n"] {
        let bytes = [&stub[..], &zip, tail].concat();
        assert!(tail.is_empty() == ends_zip_of(&bytes));
        let got = Got::default();
        unpack(Kind::Zip, Input::Bytes(&bytes), &named("run.sh"), &Budget::default(), &got);
        let mut want = vec![("run.sh!a", &b"1"[..]), ("run.sh", &stub)];
        if !tail.is_empty() {
            want.push(("run.sh", tail));
        }
        got.only(&want);
    }
}

fn ends_zip_of(bytes: &[u8]) -> bool {
    ends_zip(&bytes[bytes.len().saturating_sub(22)..])
}

#[test]
fn places_in_a_gap_count_from_the_front_of_the_file() {
    struct Places(Mutex<Vec<crate::model::Part>>);
    impl Sink for Places {
        fn blob(&self, blob: Blob<'_>) {
            if blob.provenance.members.is_empty() {
                self.0.lock().unwrap().push(blob.part);
            }
        }
        fn skipped(&self, _: Skipped) {}
    }
    let front = b"one\ntwo\n";
    let zip = raw_zip(&[stored(b"a", b"x\ny\n"), stored(b"b", b"z")]);
    let bytes = [&front[..], &zip, b"behind"].concat();
    let sink = Places(Mutex::default());
    unpack(Kind::Zip, Input::Bytes(&bytes), &named("x"), &Budget::default(), &sink);
    let parts = sink.0.into_inner().unwrap();
    let base = (bytes.len() - 6) as u64;
    let before = &bytes[..base as usize];
    let lines = before.iter().filter(|b| **b == b'\n').count() as u64;
    assert_eq!((parts[0].base, parts[0].lines), (0, 0));
    assert_eq!((parts[1].base, parts[1].lines), (base, lines));
    assert_eq!(lines, 4);
}

#[test]
fn comments_and_large_directories_are_passed() {
    let mut bytes = make::zip(&[("a", b"1")]);
    let n = bytes.len();
    bytes[n - 2..].copy_from_slice(&0xffffu16.to_le_bytes());
    bytes.extend(vec![b'c'; 0xffff]);
    run("x.zip", &bytes).only(&[("x.zip!a", b"1")]);
    // More members than sixteen bits can say, as old writers make them.
    let many: Vec<Raw> = (0..0x1_0003).map(|_| stored(b"m", b"")).collect();
    let got = run("x.zip", &raw_wrapping(&many));
    assert_eq!(got.blobs().len(), 0x1_0003);
    assert!(got.complete(), "{:?}", got.reasons());
    // And as zip64 says it.
    let names: Vec<String> = (0..0x1_0003).map(|n| n.to_string()).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), &b"x"[..])).collect();
    for front in [&b""[..], b"stub"] {
        let bytes = [front, &make::zip_by(&members, zip::CompressionMethod::Stored)].concat();
        let got = Got::default();
        unpack(Kind::Zip, Input::Bytes(&bytes), &named("x.zip"), &Budget::default(), &got);
        assert!(got.complete(), "{:?}", got.reasons());
        assert_eq!(got.blobs().len(), 0x1_0003 + usize::from(!front.is_empty()));
    }
}

fn raw_wrapping(members: &[Raw]) -> Vec<u8> {
    // The builder counts in sixteen bits with a check; here it has to wrap.
    let (first, rest) = members.split_at(0x1_0000 - 1);
    let mut one = raw_zip(first);
    let directory = u32::from_le_bytes(one[one.len() - 6..one.len() - 2].try_into().unwrap()) as usize;
    let records = one[directory..one.len() - 22].to_vec();
    one.truncate(directory);
    let mut two = raw_zip(rest);
    let second = u32::from_le_bytes(two[two.len() - 6..two.len() - 2].try_into().unwrap()) as usize;
    let mut more = two[second..two.len() - 22].to_vec();
    for record in more.chunks_exact_mut(47) {
        let at = u32::from_le_bytes(record[42..46].try_into().unwrap()) + directory as u32;
        record[42..46].copy_from_slice(&at.to_le_bytes());
    }
    two.truncate(second);
    let start = (one.len() + two.len()) as u32;
    let mut out = [one, two, records, more].concat();
    let size = out.len() as u32 - start;
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend((members.len() as u16).to_le_bytes());
    out.extend((members.len() as u16).to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

#[test]
fn a_member_that_lies_costs_only_itself() {
    let good = || stored(b"b", b"x");
    let crc = Raw { crc: 1, ..deflated(b"a", b"content") };
    let size = Raw { size: 3, ..deflated(b"a", b"content") };
    let packed = Raw { packed: b"\xff\xff\xff".to_vec(), ..deflated(b"a", b"content") };
    for odd in [crc, size, packed] {
        let got = run("x.zip", &raw_zip(&[odd, good()]));
        got.skips(&[("x.zip!a", Broken)]);
        assert_eq!(got.texts().last().unwrap(), &("x.zip!b".to_owned(), "x".to_owned()));
    }
    let mut bytes = raw_zip(&[stored(b"a", b"1"), good()]);
    // The directory points the first member at nothing.
    let directory = u32::from_le_bytes(bytes[bytes.len() - 6..bytes.len() - 2].try_into().unwrap()) as usize;
    bytes[directory + 42] = 7;
    let got = run("x.zip", &bytes);
    got.skips(&[("x.zip!a", Broken)]);
    let texts = got.texts();
    assert!(texts.contains(&("x.zip!b".to_owned(), "x".to_owned())));
    assert!(texts.contains(&("x.zip!a".to_owned(), "1".to_owned())), "its own header still leads to it");
}

#[test]
fn every_prefix_is_told_and_gives_the_members_it_holds() {
    for descriptor in [None, Some(true), Some(false)] {
        let members = [
            Raw { descriptor, ..deflated(b"a", &make::noise(300)) },
            Raw { descriptor, ..stored(b"b", b"plain") },
            Raw { descriptor, ..deflated(b"c", b"the end") },
        ];
        let whole = raw_zip(&members);
        let all = run("x.zip", &whole);
        assert!(all.complete());
        let directory = u32::from_le_bytes(whole[whole.len() - 6..whole.len() - 2].try_into().unwrap());
        for len in 0..whole.len() {
            let got = run("x.zip", &whole[..len]);
            if len < 4 {
                continue;
            }
            assert!(!got.complete(), "cut at {len}");
            // Without marks and without a directory nothing says where a member ends.
            if len >= directory as usize && descriptor != Some(false) {
                for blob in all.blobs() {
                    assert!(
                        got.blobs().contains(&blob),
                        "cut at {len} of {}: {:?}",
                        whole.len(),
                        got.texts()
                    );
                }
            }
        }
    }
}
