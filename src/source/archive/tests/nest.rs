//! Containers in containers.

use super::*;
use SkipReason::{TooDeep, TooManyEntries, TooMuchMemory, Unsupported};

#[test]
fn every_byte_of_a_zip_in_a_tar_gz_in_a_zip_is_seen() {
    let big = make::noise(9 << 20);
    let inner = make::zip(&[("big.txt", &big), ("é.txt", b"omega")]);
    let tgz = make::gz(&make::tar(&[("lib/inner.jar", &inner), ("notes", b"n")]));
    let outer = make::zip(&[("first", b"1"), ("pack.tar.gz", &tgz), ("last", b"2")]);
    let got = run("outer.docx", &outer);
    got.only(&[
        ("outer.docx!first", b"1"),
        ("outer.docx!pack.tar.gz!lib/inner.jar!big.txt", &big),
        ("outer.docx!pack.tar.gz!lib/inner.jar!é.txt", b"omega"),
        ("outer.docx!pack.tar.gz!notes", b"n"),
        ("outer.docx!last", b"2"),
    ]);
    assert_eq!(*got.largest.lock().unwrap(), crate::source::chunk::CHUNK);
}

#[test]
fn every_pair_of_containers_nests() {
    type Make = fn(&[u8]) -> Vec<u8>;
    let all: &[(&str, Make, &str)] = &[
        ("a.zip", |b| make::zip(&[("m", b)]), "m"),
        ("a.tar", |b| make::tar(&[("m", b)]), "m"),
        ("a.gz", make::gz, "a"),
        ("a.bz2", make::bz2, "a"),
        ("a.xz", make::xz, "a"),
        ("a.zst", make::zst, "a"),
    ];
    let text = make::noise(5000);
    for (name, outer, label) in all {
        for (_, inner, _) in all {
            // An inner compressed stream is called like its container's member, having no suffix.
            let got = run(name, &outer(&inner(&text)));
            let blobs = got.blobs();
            assert_eq!(blobs.len(), 1, "{name} {blobs:?}");
            assert_eq!(blobs[0].1, text, "{name}");
            assert!(got.complete(), "{name}: {:?}", got.reasons());
            assert!(blobs[0].0.starts_with(name) && blobs[0].0.contains('!'), "{label}");
        }
    }
}

#[test]
fn depth_is_a_limit_that_is_told_and_the_closed_bytes_are_still_pushed() {
    let mut bytes = b"core".to_vec();
    for _ in 0..4 {
        bytes = make::zip_by(&[("z", &bytes)], zip::CompressionMethod::Stored);
    }
    for depth in 0..6 {
        let got = run_with("x.zip", &bytes, &Budget { depth, ..Budget::default() });
        let deepest = "x.zip".to_owned() + &"!z".repeat(depth.min(4) as usize);
        if depth < 4 {
            got.skips(&[(&deepest, TooDeep)]);
        } else {
            assert!(got.complete());
        }
        let blobs = got.blobs();
        assert_eq!(blobs.len(), 1);
        assert_eq!(blobs[0].0, deepest);
        assert!(memchr::memmem::find(&blobs[0].1, b"core").is_some());
    }
}

#[test]
fn a_compressed_tar_counts_as_one_level() {
    let mut bytes = b"core".to_vec();
    for _ in 0..3 {
        bytes = make::gz(&make::tar(&[("t", &bytes)]));
    }
    let got = run_with("x.tgz", &bytes, &Budget { depth: 3, ..Budget::default() });
    got.only(&[("x.tgz!t!t!t", b"core")]);
    run_with("x.tgz", &bytes, &Budget { depth: 2, ..Budget::default() }).skips(&[("x.tgz!t!t", TooDeep)]);
}

#[test]
fn entries_are_counted_over_all_levels_and_what_follows_is_told_once() {
    let inner = make::zip(&[("a", b"1"), ("b", b"2"), ("c", b"3")]);
    let outer = make::tar(&[("x", b"0"), ("in.zip", &inner), ("y", b"4"), ("z", b"5")]);
    for (entries, want) in [(7, 6), (6, 5), (4, 3), (1, 1), (0, 0)] {
        let got = run_with("o.tar", &outer, &Budget { entries, ..Budget::default() });
        if entries == 7 {
            assert!(got.complete());
        } else {
            got.skips(&[("o.tar", TooManyEntries)]);
        }
        assert_eq!(got.blobs().len(), want, "{entries} entries: {:?}", got.texts());
    }
}

#[test]
fn a_nested_zip_that_does_not_fit_in_memory_is_told_and_its_neighbours_are_read() {
    let noise = make::noise(100_000);
    let inner = make::zip_by(&[("m", &noise)], zip::CompressionMethod::Stored);
    let outer = make::tar(&[("in.zip", &inner), ("after", b"x")]);
    let got = run_with("o.tar", &outer, &Budget { member: 50_000, ..Budget::default() });
    got.skips(&[("o.tar!in.zip", TooMuchMemory)]);
    assert_eq!(got.texts(), [("o.tar!after".to_owned(), "x".to_owned())]);
}

#[test]
fn windows_larger_than_the_memory_budget_are_told() {
    let budget = Budget { member: 1 << 20, ..Budget::default() };
    let noise = make::noise(1000);
    // Preset 6 asks for a window of 8 MiB, whatever it packs.
    let xz = liblzma::encode_all(&noise[..], 6).unwrap();
    // The cure must not be an option that does not help.
    assert!(!TooMuchMemory.cure().contains("--"));
    run_with("a.xz", &xz, &budget).skips(&[("a.xz", TooMuchMemory)]);
    let mut e = zstd::Encoder::new(Vec::new(), 1).unwrap();
    e.window_log(23).unwrap();
    std::io::Write::write_all(&mut e, &make::noise(10 << 20)).unwrap();
    let zst = e.finish().unwrap();
    run_with("a.zst", &zst, &budget).skips(&[("a.zst", TooMuchMemory)]);
    assert!(run("a.xz", &xz).complete() && run("a.zst", &zst).complete());
}

#[test]
fn what_is_packed_in_a_way_unknown_here_is_told_and_pushed_as_it_is() {
    let seven = [b"7z\xbc\xaf\x27\x1c", &b"rest"[..]].concat();
    for (name, got) in
        [("a.7z", run("a.7z", &seven)), ("o.tar!a.7z", run("o.tar", &make::tar(&[("a.7z", &seven)])))]
    {
        got.skips(&[(name, Unsupported)]);
        assert_eq!(got.blobs(), [(name.to_owned(), seven.clone())]);
    }
}
