//! How long the usual answer takes.

use super::*;
use std::time::Instant;

/// What a "no" costs on real source. Run in release mode, on its own.
#[test]
#[ignore = "needs a corpus: KEYWHEEL_CORPUS names a directory of sources"]
fn cost_of_a_trigger() {
    fn collect(dir: &std::path::Path, bytes: &mut Vec<Vec<u8>>) {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                collect(&path, bytes);
            } else if path.extension().is_some_and(|e| e == "c" || e == "h") {
                bytes.extend(std::fs::read(&path));
            }
        }
    }
    let Ok(dir) = std::env::var("KEYWHEEL_CORPUS") else { return };
    let mut files = Vec::new();
    collect(dir.as_ref(), &mut files);
    files.truncate(2000);
    let total: usize = files.iter().map(Vec::len).sum();
    println!("{} files, {total} bytes", files.len());
    use Trigger::{Entity, Escape, Join, Percent, Run};
    for trigger in [Run, Percent, Escape, Entity, Join] {
        let at = |hay: &[u8]| (0..hay.len()).filter(|&i| kind(hay, i) == Some(trigger)).collect::<Vec<_>>();
        let marks: Vec<Vec<usize>> = files.iter().map(|f| at(f)).collect();
        let count: usize = marks.iter().map(Vec::len).sum();
        let (mut made, mut no) = (0, Vec::new());
        let mut views = Vec::new();
        let start = Instant::now();
        for (i, (hay, marks)) in files.iter().zip(&marks).enumerate() {
            let mut done = 0;
            for &at in marks {
                if at < done {
                    continue;
                }
                expand(trigger, hay, at, &mut views);
                match views.pop() {
                    Some(v) => (done, made) = (v.outer.end, made + 1),
                    None => no.push((i, at)),
                }
            }
        }
        let all = start.elapsed().as_nanos() as f64;
        // Each 16 KiB again while they are in the cache, as they are during a sweep; the best of a few
        // rounds, since other work runs beside.
        let mut best = 0;
        for of_file in no.chunk_by(|a, b| (a.0, a.1 >> 14) == (b.0, b.1 >> 14)) {
            let round = || {
                let start = Instant::now();
                for &(i, at) in of_file {
                    expand(trigger, &files[i], at, &mut views);
                }
                start.elapsed().as_nanos()
            };
            best += std::iter::repeat_with(round).take(9).min().unwrap();
        }
        let each = best as f64 / no.len().max(1) as f64;
        let mean = all / count.max(1) as f64;
        println!("{trigger:?}: {count} triggers, {made} views, {each:.1} ns a no, {mean:.1} ns a trigger");
    }
}

/// Input made to be slow stays linear: what a byte costs, at most.
#[test]
#[ignore = "takes its time to make the input"]
fn cost_of_malice() {
    let line = base64(b"some text of a length, and then some");
    let noise = base64(b"some t\x01ext of\x02 a len\x03gth, \x04and th\x05en so");
    let pieces = [
        "\" \"x",
        "\"a\" ",
        "\"\"",
        "\"a\" \"",
        "\"a\" 'b' `c` ",
        "\"\\\" \"",
        "\\\"",
        "\\\\x41",
        "\\x41\"",
        "\\x41'",
        "\\/aA0",
        "\\\n a",
        "a\\\n a",
        "%41",
        "%41 ",
        "%41%",
        "&#65;",
        "&#0000065; ",
        "&amp; ",
        "H4sIAAAAAAAAA+3BMQEAAADCoPVP\n",
        "H4sIAAAAAAAAAKtWKkktLlGyUlAqS\n",
        "aGVsbG8g-aGVsbG8g/aGVsbG8g+aGVsbG8g\n",
        &format!("{line}\n"),
        &format!("{noise}\n"),
        &format!("{noise}\\n"),
        "736f6d6520746578740102030405060708090a0b0c\n",
        "1f8b0800000000000003ab562a492d2e5100\n",
    ];
    for piece in pieces {
        let hay = piece.repeat((1 << 20) / piece.len());
        let marks: Vec<_> = (0..hay.len()).filter_map(|i| Some((i, kind(hay.as_bytes(), i)?))).collect();
        let mut done = [0; Trigger::COUNT];
        let (mut views, mut decoded) = (Vec::new(), 0);
        let start = Instant::now();
        for &(at, trigger) in &marks {
            if at >= done[trigger as usize] {
                expand(trigger, hay.as_bytes(), at, &mut views);
                if let Some(v) = views.pop() {
                    done[trigger as usize] = v.outer.end;
                    decoded += v.bytes.len();
                }
            }
        }
        let each = start.elapsed().as_nanos() as f64 / hay.len() as f64;
        let share = decoded as f64 / hay.len() as f64;
        println!("{each:8.1} ns a byte, {share:8.2} decoded a byte: {piece:?}");
    }
}
