//! A file that is read in parts gives what the same bytes give in one piece: the same findings at
//! the same lines and columns, above all for what stands across the parts' borders.

// A helper of a test fails as a test does.
#![allow(clippy::unwrap_used)]

use keywheel::detect::Detector;
use keywheel::model::{Blob, Provenance, RawPath, Sink};
use keywheel::rule::{RuleSet, embedded_texts};
use keywheel::scan::{Collector, Options, check};
use keywheel::source::{self, chunk};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::{env, fs};

const SIZE: usize = 9 << 20;

/// Places where one part ends or another begins to be seen or to own.
fn borders() -> Vec<usize> {
    let half = chunk::OVERLAP / 2;
    let mut owned = chunk::CHUNK - half;
    let mut out = Vec::new();
    while owned + half < SIZE {
        out.extend([owned - half, owned, owned + half]);
        owned += chunk::CHUNK - 2 * half;
    }
    out
}

fn examples() -> Vec<Vec<u8>> {
    let of = |(name, text): &(&str, &str)| check::examples(Path::new(name), text).unwrap();
    embedded_texts().iter().flat_map(of).map(|(_, e)| e.text).collect()
}

/// Lines of several lengths with characters of several bytes; over each border lies an example.
fn text(round: usize, examples: &[Vec<u8>]) -> (Vec<u8>, usize) {
    const LINES: [&str; 4] = [
        "let größe = liste.iter().sum();\n",
        "// → weiter\n",
        "\n",
        "print(f'{name}: {wert}', file=out);   ",
    ];
    let borders = borders();
    let mut out = Vec::with_capacity(SIZE + 8192);
    let (mut planted, mut n) = (0, round);
    for (i, border) in borders.iter().enumerate() {
        let example = &examples[(round * borders.len() + i) % examples.len()];
        // The border runs through the example from its first byte to its last, round by round.
        let before = 1 + (round * 7 + i * 3) % example.len().max(1);
        while out.len() + 64 < border - before {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            out.extend_from_slice(LINES[n >> 33 & 3].as_bytes());
        }
        let gap = (border - before).saturating_sub(out.len() + 1);
        out.extend(std::iter::repeat_n(b' ', gap));
        out.push(b'\n');
        out.extend_from_slice(example);
        out.push(b'\n');
        planted += 1;
    }
    while out.len() < SIZE {
        out.extend_from_slice(LINES[0].as_bytes());
    }
    (out, planted)
}

/// Fingerprint, rule and place of every occurrence.
type Places = BTreeSet<(String, String, [u64; 6], String)>;

fn places(collector: Collector) -> Places {
    let mut out = Places::new();
    for finding in collector.finish().findings {
        for o in &finding.occurrences {
            let l = &o.location;
            let place = [l.line, l.end_line, l.start, l.end, l.byte_start, l.byte_end];
            let via = format!("{:?}", o.via);
            out.insert((finding.fingerprint.as_str().to_owned(), finding.rule.id.clone(), place, via));
        }
    }
    out
}

#[test]
fn parts_give_what_the_whole_gives() {
    let rules = Arc::new(RuleSet::embedded());
    let collector = || Collector::new(Detector::new(rules.clone()), Options::default());
    let examples = examples();
    let full = env::var("KEYWHEEL_BATTERY").is_ok_and(|v| v == "full");
    // In the full battery each example lies over a border once.
    let rounds = if full { examples.len().div_ceil(borders().len()) } else { 8 };
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chunks.txt");
    let (mut planted, mut found, mut faults) = (0, 0, Vec::new());
    for round in 0..rounds {
        let (bytes, n) = text(round, &examples);
        fs::write(&path, &bytes).unwrap();
        assert!(bytes.len() as u64 > source::WHOLE);
        let (parts, whole) = (collector(), collector());
        source::walk(&path, &source::Options::default(), &parts).unwrap();
        whole.blob(Blob::whole(&bytes, Arc::new(Provenance::file(RawPath::from_path(&path)))));
        let (parts, whole) = (places(parts), places(whole));
        let show = |sign, p: &(String, String, [u64; 6], String)| format!("round {round}: {sign} {p:?}");
        faults.extend(whole.difference(&parts).map(|p| show("lost", p)));
        faults.extend(parts.difference(&whole).map(|p| show("invented", p)));
        planted += n;
        found += whole.len();
    }
    fs::remove_file(path).unwrap();
    println!("{rounds} files, {planted} examples over borders, {found} places, {} differ", faults.len());
    assert!(found * 2 > planted, "the examples were not found at all: {found} of {planted}");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
