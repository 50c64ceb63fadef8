//! The engine against a reference that has no gate, no window and no block: every pattern over the
//! whole of every buffer, by the `regex` crate. Whatever differs is a lost or an invented match.
//!
//! Two things are the engine's contract and therefore the reference's too:
//! - a rule that is gated by a required partner is looked for only around matches of that partner,
//!   as far away as `bytes` and its own longest match allow;
//! - a rule that rests on its paths alone is not part of `Detector::raw`, which knows no path.
//!
//! `KEYWHEEL_BATTERY=full` runs 100,000 buffers; `KEYWHEEL_CORPUS=folder:folder` names real source,
//! of which `KEYWHEEL_CORPUS_MB` are read at the most.

use keywheel::detect::{Detector, Raw, Workspace};
use keywheel::rule::analyse::Gate;
use keywheel::rule::{Context, RuleSet, embedded_texts};
use keywheel::scan::check;
use rayon::prelude::*;
use regex::bytes::{Regex, RegexBuilder};
use std::collections::BTreeSet;
use std::env;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

struct Naive {
    rules: Arc<RuleSet>,
    regexes: Vec<Regex>,
}

impl Naive {
    fn new(rules: Arc<RuleSet>) -> Self {
        let compile =
            |pattern: &str| RegexBuilder::new(pattern).unicode(false).size_limit(64 << 20).build().unwrap();
        let regexes = rules.kinds().iter().map(|k| compile(&k.pattern)).collect();
        Naive { rules, regexes }
    }

    /// Every place where a rule's pattern matches and one of its words is near.
    fn places(&self, kind: usize, hay: &[u8]) -> Vec<Raw> {
        let (regex, rule) = (&self.regexes[kind], &self.rules.kinds()[kind]);
        let mut out = Vec::new();
        let mut at = 0;
        while let Some(found) = regex.find_at(hay, at) {
            at = found.start() + 1;
            let secret = regex.captures_at(hay, found.start()).unwrap().name("secret").unwrap().range();
            let near = rule.context.as_ref().is_none_or(|c| word_near(c, hay, &found.range(), &secret));
            // The declared bound of a block rule is part of its pattern.
            if near && found.len() <= rule.analysis.max_len {
                out.push(Raw { kind, secret, whole: found.range() });
            }
            if at > hay.len() {
                break;
            }
        }
        out
    }

    /// What `Detector::raw` must give of one rule.
    fn raw(&self, kind: usize, hay: &[u8]) -> Vec<Raw> {
        let rule = &self.rules.kinds()[kind];
        if rule.analysis.gate == Gate::Path {
            return Vec::new();
        }
        let mut raws = self.places(kind, hay);
        if rule.analysis.gate == Gate::Partner && !raws.is_empty() {
            let with = rule.with.iter().find(|w| w.required).unwrap();
            let reach = with.bytes + rule.analysis.max_len;
            let partners = self.places(self.rules.position(&with.rule).unwrap(), hay);
            let near = |start: usize, p: &Range<usize>| start + reach >= p.start && start < p.end + reach;
            raws.retain(|r| partners.iter().any(|p| near(r.whole.start, &p.whole)));
        }
        longest(raws)
    }
}

/// Of overlapping secrets of a rule the longest stays; of equals the first.
fn longest(mut raws: Vec<Raw>) -> Vec<Raw> {
    raws.sort_by_key(|r| (r.secret.start, r.secret.end, r.whole.start, r.whole.end));
    let mut kept: Vec<Raw> = Vec::new();
    for raw in raws {
        match kept.last_mut() {
            Some(last) if raw.secret.start < last.secret.end => {
                if raw.secret.len() > last.secret.len() {
                    *last = raw;
                }
            }
            _ => kept.push(raw),
        }
    }
    kept
}

/// Whether a context word begins at most `before` bytes before the match, or ends at most `after`
/// behind it, and does not touch the secret.
fn word_near(context: &Context, hay: &[u8], whole: &Range<usize>, secret: &Range<usize>) -> bool {
    let left = whole.start.saturating_sub(context.before)..secret.start;
    let right = secret.end..hay.len().min(whole.end + context.after);
    context.words.iter().any(|word| {
        [left.clone(), right.clone()].into_iter().any(|side| {
            (side.start..side.end.saturating_sub(word.len() - 1)).any(|at| {
                let end = at + word.len();
                hay[at..end].eq_ignore_ascii_case(word.as_bytes())
                    && (word.len() > 4 || stands_alone(hay, at, end))
            })
        })
    })
}

/// A short word counts only if no letter goes on beside it; `aB` is a seam between two words.
fn stands_alone(hay: &[u8], at: usize, end: usize) -> bool {
    let goes_on = |a: u8, b: u8| {
        a.is_ascii_alphabetic()
            && b.is_ascii_alphabetic()
            && !(a.is_ascii_lowercase() && b.is_ascii_uppercase())
    };
    let left = at > 0 && goes_on(hay[at - 1], hay[at]);
    let right = end < hay.len() && goes_on(hay[end - 1], hay[end]);
    !left && !right
}

/// Both engines, and what they disagree on.
struct Pair {
    naive: Naive,
    detector: Detector,
}

/// A text by its name, with the engine's matches in it.
type Searched = (String, Vec<u8>, Vec<Raw>);

impl Pair {
    fn new() -> Self {
        let rules = Arc::new(RuleSet::embedded());
        Pair { naive: Naive::new(rules.clone()), detector: Detector::new(rules) }
    }

    /// A sentence on each rule and text where the engine differs. Rule by rule, so that few patterns
    /// are at work at a time.
    fn compare(&self, batch: &[Searched]) -> Vec<String> {
        let kinds = self.naive.rules.kinds();
        let differ = |kind: usize| {
            batch.iter().filter_map(move |(name, text, raws)| {
                let (mine, engine) = (self.naive.raw(kind, text), of_kind(raws, kind));
                let show = |list: &[Raw], other: &[Raw]| {
                    let only = list.iter().filter(|r| !other.contains(r));
                    only.map(|r| format!("{:?} in {:?}", r.secret, r.whole)).collect::<Vec<_>>().join(", ")
                };
                let (lost, invented) = (show(&mine, engine), show(engine, &mine));
                let (id, gate) = (&kinds[kind].id, &kinds[kind].analysis.gate);
                (mine != engine)
                    .then(|| format!("{id}: {name}: lost [{lost}], invented [{invented}], gate {gate:?}"))
            })
        };
        (0..kinds.len()).into_par_iter().flat_map_iter(differ).collect()
    }
}

fn of_kind(raws: &[Raw], kind: usize) -> &[Raw] {
    let from = raws.partition_point(|r| r.kind < kind);
    let to = raws.partition_point(|r| r.kind <= kind);
    &raws[from..to]
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

const C_LIKE: &[&str] = &[
    "static int ",
    "struct ",
    "key",
    "_id",
    " = ",
    "0x1f",
    "(void)",
    ";\n",
    "{\n\t",
    "}\n",
    "return ",
    "/* token */ ",
    "secret_",
    "-> ",
    "&buf[",
    "]",
    "\"password\"",
    "api_key",
    ", ",
    "#define ",
    "// ",
];
const MINIFIED: &[&str] = &[
    "function(e,t){",
    "return ",
    "e.",
    "t.",
    "key",
    "=",
    "\"",
    "'",
    "a1",
    "()",
    "&&",
    "!",
    ";",
    ",",
    "token:",
    "auth",
    "https://",
    "0",
    "}",
    "window.",
    "Bearer ",
    "%20",
    "\\u0041",
    "sk-",
    "id:\"",
];

/// Text of one of four sorts.
fn noise(sort: usize, len: usize, random: &mut Random) -> Vec<u8> {
    const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_==\n";
    let mut out = Vec::with_capacity(len + 16);
    while out.len() < len {
        match sort {
            0 => out.extend_from_slice(random.pick(C_LIKE).as_bytes()),
            1 => out.push(BASE64[random.below(BASE64.len())]),
            2 => out.extend_from_slice(random.pick(MINIFIED).as_bytes()),
            _ => out.push(random.next() as u8),
        }
    }
    out.truncate(len);
    out
}

/// Buffer number `n`: noise with examples in it, some at its very ends, some damaged, its length a
/// little under, at or over a block's edge.
fn buffer(n: usize, examples: &[Vec<u8>]) -> Vec<u8> {
    let mut random = Random(n as u64);
    let sort = random.below(4);
    let mut out = Vec::new();
    for i in 0..1 + random.below(3) {
        let mut text =
            examples[if i == 0 { n % examples.len() } else { random.below(examples.len()) }].clone();
        match random.below(12) {
            0 => text.truncate(random.below(text.len() + 1)),
            1 => text.make_ascii_uppercase(),
            _ => {}
        }
        let gap = random.below(3) * random.below(160);
        out.extend(noise(sort, gap, &mut random));
        let (open, close) =
            *random.pick(&[&("", ""), &("\n", "\n"), &(" ", " "), &("\"", "\","), &("\0", "\0")]);
        out.extend_from_slice(open.as_bytes());
        out.extend(text);
        out.extend_from_slice(close.as_bytes());
    }
    // What is added at the front moves all that follows against the blocks.
    let edge = (out.len() / 64 + 1 + random.below(3)) * 64 + random.below(5) - 2;
    let missing = edge.saturating_sub(out.len());
    let front = if random.below(4) == 0 { missing } else { random.below(missing + 1) };
    let mut whole = noise(sort, front, &mut random);
    whole.extend(out);
    let tail = noise(sort, missing - front, &mut random);
    whole.extend(tail);
    whole
}

fn examples() -> Vec<Vec<u8>> {
    let of = |(name, text): &(&str, &str)| check::examples(Path::new(name), text).unwrap();
    embedded_texts().iter().flat_map(of).map(|(_, e)| e.text).collect()
}

fn judge(what: &str, start: Instant, bytes: usize, matches: usize, faults: &[String]) {
    let (seconds, mb) = (start.elapsed().as_secs_f64(), bytes as f64 / 1e6);
    println!("{what}: {mb:.1} MB, {matches} matches, {} inequalities, {seconds:.0} s", faults.len());
    assert!(faults.is_empty(), "{what}: {} inequalities\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn generated_buffers_give_the_same() {
    const BATCH: usize = 2000;
    let full = env::var("KEYWHEEL_BATTERY").is_ok_and(|v| v == "full");
    let (pair, examples, start) = (Pair::new(), examples(), Instant::now());
    let kinds = pair.naive.rules.kinds();
    let count = if full { 100_000 } else { 3_000 };
    let (mut bytes, mut matches, mut faults, mut seen) = (0, 0, Vec::new(), BTreeSet::new());
    for first in (0..count).step_by(BATCH) {
        let make = |work: &mut Workspace, n: usize| {
            let hay = buffer(n, &examples);
            let raws = pair.detector.raw(&hay, work);
            (format!("buffer {n}"), hay, raws)
        };
        let batch: Vec<_> =
            (first..count.min(first + BATCH)).into_par_iter().map_init(Workspace::default, make).collect();
        bytes += batch.iter().map(|(_, hay, _)| hay.len()).sum::<usize>();
        matches += batch.iter().map(|(_, _, raws)| raws.len()).sum::<usize>();
        seen.extend(batch.iter().flat_map(|(_, _, raws)| raws.iter().map(|r| r.kind)));
        faults.extend(pair.compare(&batch));
    }
    let unseen: Vec<&str> = (0..kinds.len())
        .filter(|k| !seen.contains(k) && kinds[*k].analysis.gate != Gate::Path)
        .map(|k| kinds[k].id.as_str())
        .collect();
    judge(&format!("{count} generated buffers"), start, bytes, matches, &faults);
    assert!(unseen.is_empty(), "no buffer holds a match of {unseen:?}");
}

/// The files of the named folders, or of this repository and what cargo has unpacked nearby.
fn corpus() -> (Vec<PathBuf>, u64) {
    let roots: Vec<PathBuf> = match env::var_os("KEYWHEEL_CORPUS") {
        Some(list) => env::split_paths(&list).collect(),
        None => {
            let own = Path::new(env!("CARGO_MANIFEST_DIR"));
            let home = env::var_os("CARGO_HOME").map(PathBuf::from);
            let cargo = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
            let mut roots: Vec<_> = ["src", "rules", "docs", "tests"].map(|d| own.join(d)).into();
            roots.extend(cargo.map(|c| c.join("registry/src")).filter(|c| c.is_dir()));
            roots
        }
    };
    let most = env::var("KEYWHEEL_CORPUS_MB").ok().and_then(|n| n.parse().ok());
    let most = most.unwrap_or(if env::var_os("KEYWHEEL_CORPUS").is_some() { 400 } else { 8 });
    let mut files = Vec::new();
    for root in roots {
        let walk = ignore::WalkBuilder::new(root).standard_filters(false).sort_by_file_name(Ord::cmp).build();
        files.extend(walk.filter_map(|e| e.ok()).filter(|e| e.file_type().is_some_and(|t| t.is_file())));
    }
    (files.into_iter().map(ignore::DirEntry::into_path).collect(), most << 20)
}

#[test]
fn real_source_gives_the_same() {
    const BATCH: usize = 48 << 20;
    let (files, most) = corpus();
    let (pair, start) = (Pair::new(), Instant::now());
    let (mut bytes, mut matches, mut faults) = (0, 0, Vec::new());
    let mut files = files.into_iter().peekable();
    while files.peek().is_some() && (bytes as u64) < most {
        let (mut batch, mut size) = (Vec::new(), 0);
        while size < BATCH
            && ((bytes + size) as u64) < most
            && let Some(path) = files.next()
        {
            let text = std::fs::read(&path).unwrap_or_default();
            size += text.len();
            batch.push((path.display().to_string(), text));
        }
        let search = |work: &mut Workspace, (name, text): (String, Vec<u8>)| {
            let raws = pair.detector.raw(&text, work);
            (name, text, raws)
        };
        let batch: Vec<Searched> = batch.into_par_iter().map_init(Workspace::default, search).collect();
        matches += batch.iter().map(|(_, _, raws)| raws.len()).sum::<usize>();
        faults.extend(pair.compare(&batch));
        bytes += size;
        eprintln!(
            "{} MB, {matches} matches, {} inequalities, {:?}",
            bytes >> 20,
            faults.len(),
            start.elapsed()
        );
    }
    judge("real source", start, bytes, matches, &faults);
}
