//! The stages of a scan, each in bytes per second: start-up, prefilter, whole detector, detector
//! over text full of hits, and every report format.
//!
//! All input is generated from fixed seeds, so that two runs measure the same bytes.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use jiff::Timestamp;
use keywheel::detect::filter::{Candidate, FileKind, RuleFacts};
use keywheel::detect::rank::{self, Place};
use keywheel::detect::{Detector, Workspace};
use keywheel::model::{Blob, Provenance, RawPath, Sink};
use keywheel::report::{FORMATS, Report, Veil};
use keywheel::rule::{RuleSet, embedded_texts};
use keywheel::scan::{Collector, Options, Outcome};
use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const SIZE: usize = 4 << 20;
const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// SplitMix64: small, seeded, good enough to make text.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn string(&mut self, alphabet: &[u8], len: usize) -> String {
        (0..len).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }
}

/// A synthetic token of GitHub's form, its checksum included.
fn token(random: &mut Random) -> String {
    let body = random.string(BASE62, 30);
    let mut sum = crc32fast::hash(body.as_bytes());
    let mut tail = [b'0'; 6];
    for place in tail.iter_mut().rev() {
        *place = BASE62[(sum % 62) as usize];
        sum /= 62;
    }
    format!("ghp_{body}{}", String::from_utf8_lossy(&tail))
}

const WORDS: &[&str] = &[
    "buffer", "index", "device", "state", "lock", "page", "node", "entry", "queue", "flags", "size", "count",
    "offset", "driver", "request", "channel", "timer", "value", "length", "context", "parent", "table",
    "config", "mode", "key", "token", "access", "auth",
];

/// Source text of middling lines, as in a systems project.
fn source() -> Vec<u8> {
    let (mut r, mut out) = (Random(1), String::with_capacity(SIZE + 256));
    while out.len() < SIZE {
        let (a, b, c) = (r.pick(WORDS), r.pick(WORDS), r.pick(WORDS));
        let n = r.next() as u32;
        let _ = match r.below(8) {
            0 => writeln!(out, "static int {a}_{b}_{c}(struct {a} *{b}, u32 {c})\n{{"),
            1 => writeln!(out, "\tif ({a}->{b} & {}_{})", b.to_uppercase(), c.to_uppercase()),
            2 => writeln!(out, "\t\t{a}->{b} = {c}_{a}({b}, 0x{n:08x});"),
            3 => writeln!(out, "#define {}_{}_{}\t\t0x{n:04x}", a.to_uppercase(), b.to_uppercase(), n % 97),
            4 => writeln!(out, "\tpr_err(\"%s: cannot set the {a} of {b}: %d\\n\", __func__, {c});"),
            5 => writeln!(out, "\t * The {a} holds the {b} until the {c} is released by its {b}."),
            6 => writeln!(out, "\treturn {a} ? {b}_{c}({a}) : -EINVAL;\n}}\n"),
            _ => writeln!(out, "\t{{ .{a} = {n}, .{b} = \"{c}-{}\" }},", n % 1000),
        };
    }
    out.into_bytes()
}

/// A bundle: everything on one line, short names, long strings.
fn minified() -> Vec<u8> {
    let (mut r, mut out) = (Random(2), String::with_capacity(SIZE + 256));
    while out.len() < SIZE {
        let (w, n) = (r.pick(WORDS), r.next() as u32);
        let [a, b, c] = [0; 3].map(|_| char::from(b'a' + r.below(26) as u8));
        let _ = match r.below(6) {
            0 => write!(out, "function {a}({b},{c}){{return {b}.{w}({c},{n})}}"),
            1 => write!(out, "var {a}={b}?{c}.{w}:\"{w}-{n}\";"),
            2 => write!(out, "{a}.prototype.{w}=function({b}){{this._{w}={b}||{}}},", n % 512),
            3 => write!(out, "{n}:({a},{b},{c})=>{{\"use strict\";{c}.r({b})}},"),
            4 => write!(out, "case{}:return {a}.{w}={b}&&!{c},{a};", n % 100),
            _ => write!(out, "d=\"M{}.{} {}L{} {}z\",", n % 97, n % 89, n % 83, n % 79, n % 73),
        };
    }
    out.into_bytes()
}

/// Data files in which most bytes are base64, in long runs and wrapped over lines.
fn encoded() -> Vec<u8> {
    let (mut r, mut out) = (Random(3), String::with_capacity(SIZE + 8192));
    while out.len() < SIZE {
        let word = r.pick(WORDS);
        if r.below(2) == 0 {
            let len = 4 * (64 + r.below(960));
            let run = r.string(BASE64, len);
            let _ = writeln!(out, "  \"{word}\": \"data:image/png;base64,{run}\",");
        } else {
            let _ = writeln!(out, "{word}:");
            for _ in 0..8 + r.below(24) {
                let _ = writeln!(out, "    {}", r.string(BASE64, 76));
            }
        }
    }
    out.into_bytes()
}

/// A word that rules look for on every line, and no secret behind it.
fn keywords() -> Vec<u8> {
    const KEYS: &[&str] = &[
        "api_key", "secret", "token", "password", "passwd", "auth", "client", "aws", "AKIA", "ghp_",
        "github", "slack", "xoxb", "stripe", "sk_live", "private", "BEGIN", "azure", "AIza", "eyJ", "mysql",
        "heroku",
    ];
    let (mut r, mut out) = (Random(4), String::with_capacity(SIZE + 256));
    while out.len() < SIZE {
        let (a, b, c) = (r.pick(KEYS), r.pick(KEYS), r.pick(KEYS));
        let _ = writeln!(out, "{a} = get(\"{b}\", {c}) // todo");
    }
    out.into_bytes()
}

/// `lines` assignments of distinct tokens.
fn hits(lines: usize) -> Vec<u8> {
    let (mut r, mut out) = (Random(5), String::new());
    for _ in 0..lines {
        let (word, token) = (r.pick(WORDS), token(&mut r));
        let _ = writeln!(out, "{word}_github = \"{token}\"");
    }
    out.into_bytes()
}

fn detector() -> Detector {
    Detector::new(Arc::new(RuleSet::embedded()))
}

/// From nothing to a detector that can search, a byte of rule file being the unit.
fn start_up(c: &mut Criterion) {
    let bytes: usize = embedded_texts().iter().map(|(_, text)| text.len()).sum();
    let mut group = c.benchmark_group("start-up");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("rules", |b| b.iter(RuleSet::embedded));
    group.bench_function("rules and detector", |b| b.iter(detector));
    group.bench_function("detector and first line", |b| {
        b.iter(|| detector().scan(black_box(b"import os\n"), b"a.py", &mut Workspace::default()));
    });
    group.finish();
}

/// Gates and patterns over the text itself, then the whole detector with decoding and filters.
fn search(c: &mut Criterion) {
    let detector = detector();
    let inputs: [(&str, &[u8], Vec<u8>); 5] = [
        ("source", b"src/driver.c", source()),
        ("minified", b"dist/app.min.js", minified()),
        ("base64", b"data/assets.json", encoded()),
        ("keywords", b"src/keys.txt", keywords()),
        ("hits", b"config/all.py", hits(70_000)),
    ];
    let mut work = Workspace::default();
    for (stage, whole) in [("prefilter", false), ("scan", true)] {
        let mut group = c.benchmark_group(stage);
        for (name, path, text) in &inputs {
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_with_input(BenchmarkId::from_parameter(name), text, |b, text| {
                b.iter(|| match whole {
                    true => detector.scan(black_box(text), path, &mut work).len(),
                    false => detector.raw(black_box(text), &mut work).len(),
                });
            });
        }
        group.finish();
    }
}

/// One unnamed secret among ordinary lines: measured and scored. The unit is a candidate.
fn ranking(c: &mut Criterion) {
    let rules = RuleSet::embedded();
    let kind = rules.position("generic-key-quoted").expect("because the rule is embedded");
    let facts = RuleFacts::new(&rules.kinds()[kind], true);
    let mut text = source();
    text.truncate(2000);
    let start = text.len() + 11;
    text.extend_from_slice(b"api_key = \"");
    text.extend_from_slice(Random(6).string(BASE62, 40).as_bytes());
    let span = start..start + 40;
    text.extend_from_slice(b"\"\n");
    text.extend_from_slice(&source()[..2000]);
    let (path, file) = (&b"src/driver.c"[..], FileKind::Code);
    let place = Some(Place::of(path));
    let whole = start - 11..span.end + 1;
    let candidate = Candidate { hay: &text, span, whole, rule: &facts, path, file, place };
    let mut group = c.benchmark_group("ranking");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one candidate", |b| {
        b.iter(|| rank::score(&rank::measure(black_box(&candidate)), true));
    });
    group.finish();
}

fn outcome(text: &[u8]) -> Outcome {
    let collector = Collector::new(detector(), Options::default());
    let provenance = Arc::new(Provenance::file(RawPath::new(b"config/all.py")));
    collector.blob(Blob::whole(text, provenance));
    collector.finish()
}

/// Joining 5,000 findings, and writing them in each format. The unit is a byte of input for the
/// first and a byte of report for the others.
fn report(c: &mut Criterion) {
    let text = hits(5_000);
    let mut group = c.benchmark_group("collect");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("5000 findings", |b| {
        let provenance = Arc::new(Provenance::file(RawPath::new(b"config/all.py")));
        b.iter_batched(
            || Collector::new(detector(), Options::default()),
            |collector| {
                collector.blob(Blob::whole(&text, provenance.clone()));
                collector.finish()
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();

    let outcome = outcome(&text);
    assert_eq!(outcome.findings.len(), 5_000, "every line holds a token of its own");
    let report = Report {
        findings: &outcome.findings,
        below: 0,
        coverage: &outcome.coverage,
        lifecycle: None,
        checks: None,
        veil: &Veil::new(&outcome.findings),
        started: Timestamp::UNIX_EPOCH,
        finished: Timestamp::UNIX_EPOCH,
        exit_code: 1,
        show_secrets: false,
        color: false,
        category: "bench",
    };
    let mut group = c.benchmark_group("report");
    for format in FORMATS {
        let mut out = Vec::new();
        format.write(&report, &mut out).expect("memory takes every write");
        group.throughput(Throughput::Bytes(out.len() as u64));
        group.bench_function(format.name(), |b| {
            b.iter(|| {
                out.clear();
                format.write(black_box(&report), &mut out).expect("memory takes every write");
                out.len()
            });
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    start_up(&mut criterion);
    search(&mut criterion);
    ranking(&mut criterion);
    report(&mut criterion);
    criterion.final_summary();
}
