//! Compressed streams.

use super::*;
use SkipReason::Broken;

type Make = fn(&[u8]) -> Vec<u8>;
const STREAMS: &[(&str, Make)] =
    &[("gz", make::gz), ("bz2", make::bz2), ("xz", make::xz), ("zst", make::zst), ("lzma", make::lzma)];

#[test]
fn the_content_is_named_after_the_file() {
    for (suffix, pack) in STREAMS {
        let got = run(&format!("logs/a.txt.{suffix}"), &pack(b"hello"));
        got.only(&[(&format!("logs/a.txt.{suffix}!a.txt"), b"hello")]);
    }
    let table: &[(&str, &str, &str)] = &[
        ("a.GZ", "said", "a"),
        ("dir/blob", "said.txt", "said.txt"),
        ("dir/blob", "", "blob"),
        (".gz", "", ".gz"),
        ("x.svgz", "y", "x.svg"),
        ("x", "../../etc/\u{e9}\u{1b}", "../../etc/\\xe9\\u{1b}"),
    ];
    for (outer, said, want) in table {
        // Gzip names are Latin-1.
        let said: Vec<u8> = said.chars().map(|c| c as u8).collect();
        let mut e = flate2::GzBuilder::new().filename(said).write(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut e, b"x").unwrap();
        run(outer, &e.finish().unwrap()).only(&[(&format!("{outer}!{want}"), b"x")]);
    }
    run("x", &make::gz_named("n", b"x")).only(&[("x!n", b"x")]);
}

#[test]
fn a_compressed_tar_is_one_archive() {
    let tar = make::tar(&[("d/m", b"x")]);
    for (suffix, pack) in STREAMS {
        run(&format!("a.tar.{suffix}"), &pack(&tar)).only(&[(&format!("a.tar.{suffix}!d/m"), b"x")]);
    }
}

#[test]
fn streams_behind_each_other_are_one() {
    let (a, b) = (make::noise(40_000), b"tail".to_vec());
    let whole = [&a[..], &b].concat();
    for (suffix, pack) in &STREAMS[..4] {
        let name = format!("s.{suffix}");
        run(&name, &[pack(&a), pack(&b)].concat()).only(&[(&format!("{name}!s"), &whole)]);
    }
    // Zero bytes behind and between, as tapes leave them.
    let padded = [make::gz(&a), vec![0; 100_000], make::gz(&b), vec![0; 512]].concat();
    run("s.gz", &padded).only(&[("s.gz!s", &whole)]);
    let skippable = [&b"\x50\x2a\x4d\x18\x04\0\0\0skip"[..], &make::zst(&b)].concat();
    run("s.zst", &skippable).only(&[("s.zst!s", &b)]);
}

#[test]
fn what_follows_a_stream_and_is_none_is_told() {
    for (suffix, pack) in &STREAMS[..4] {
        let got = run(&format!("s.{suffix}"), &[pack(b"content"), b"key=value".to_vec()].concat());
        assert_eq!(got.texts(), [(format!("s.{suffix}!s"), "content".to_owned())]);
        got.skips(&[(&format!("s.{suffix}"), Broken)]);
    }
}

#[test]
fn every_prefix_is_told_and_gives_what_it_holds() {
    let text = make::noise(3000);
    for (suffix, pack) in STREAMS {
        let name = format!("s.{suffix}");
        let bytes = pack(&text);
        for len in 0..bytes.len() {
            let got = run(&name, &bytes[..len]);
            let blobs = got.blobs();
            if kind(&bytes[..len], name.as_bytes()).is_none() {
                assert_eq!(blobs, [(name.clone(), bytes[..len].to_vec())]);
                continue;
            }
            assert_eq!(got.reasons().first().map(|r| r.1), Some(Broken), "{name} cut at {len}");
            assert!(blobs.iter().all(|(n, b)| *n == name || text.starts_with(b)), "{name} cut at {len}");
        }
    }
    let gz = make::gz(&text);
    let half = run("s.gz", &gz[..gz.len() / 2]).blobs();
    assert!(half[0].1.len() > 1000, "half a stream gives about half its content");
}

#[test]
fn a_damaged_checksum_is_told_after_the_content() {
    let mut bytes = make::gz(b"content");
    let at = bytes.len() - 6;
    bytes[at] ^= 1;
    let got = run("s.gz", &bytes);
    assert_eq!(got.texts(), [("s.gz!s".to_owned(), "content".to_owned())]);
    got.skips(&[("s.gz", Broken)]);
}

#[test]
fn text_that_begins_like_an_archive_is_reported_and_still_pushed() {
    for head in ["PK\x03\x04 ", "BZh91AY&SY ", "\u{1f}", "(\u{b5}/"] {
        let text = format!("{head}key=value\n").into_bytes();
        let got = run("odd", &text);
        assert_eq!(got.blobs(), [("odd".to_owned(), text.clone())]);
        assert_eq!(got.complete(), kind(&text, b"odd").is_none());
    }
}
