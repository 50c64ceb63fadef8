//! Imports run downwards only: every `crate::` path in `src/` against the floors of the design.

// A helper of a test fails as a test does.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms and their floors. Rooms that share a floor never import each other.
const FLOORS: &[(&str, u32)] = &[
    ("model", 1),
    ("call", 2),
    ("source", 2),
    // Below the journal and the store of usage, which processes share.
    ("sqlite", 2),
    // Signs in by means of call's hosts, addresses and signatures; what asks for a verdict stands above.
    ("probe", 3),
    ("rule", 3),
    ("detect", 4),
    // Below whatever has something to tell, since events are written with the change that they are about.
    ("alert", 4),
    ("report", 4),
    // Calls as rules declare them; what it learns goes into the model, where reports read it.
    ("verify", 4),
    ("scan", 5),
    // Turns keys over; a scan tells it nothing but a report, so the two never meet below the command.
    ("rotate", 5),
    ("state", 5),
    // Makes rules, settings and baselines of other scanners' files.
    ("migrate", 6),
    // Who used which key: from providers and logs. It knows keys by name; whose they are, the command tells.
    ("usage", 5),
    ("config", 6),
    ("lib", 7),
    ("cli", 8),
    ("main", 9),
];

/// What only the command may do: a library reads no environment, ends no process, prints nothing.
const COMMAND_ONLY: &[&str] =
    &["std::env", "process::exit", "println!", "eprintln!", "print!(", "eprint!(", "dbg!("];

fn floor(room: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// The room that a file of `src/` belongs to: its folder, or its own name at the top.
fn room(path: &Path) -> String {
    let first = path.components().next().map(|c| c.as_os_str().to_string_lossy().into_owned());
    first.unwrap_or_default().trim_end_matches(".rs").to_owned()
}

/// The code with comments, texts and characters blanked, so that what is only spoken of does not count.
fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < bytes.len() {
        let rest = &bytes[i..];
        let skip = if rest.starts_with(b"//") {
            rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            rest.windows(2).position(|w| w == b"*/").map_or(rest.len(), |n| n + 2)
        } else if let Some(hashes) = raw_string(bytes, i) {
            let close: Vec<u8> = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
            let open = hashes + 2;
            let body = &rest[open..];
            body.windows(close.len()).position(|w| w == close).map_or(rest.len(), |n| open + n + close.len())
        } else if rest[0] == b'"' {
            quoted(rest, b'"')
        } else if rest[0] == b'\'' && (rest.get(1) == Some(&b'\\') || rest.get(2) == Some(&b'\'')) {
            // Anything else after an apostrophe is a lifetime.
            quoted(rest, b'\'')
        } else {
            0
        };
        if skip == 0 {
            out.push(rest[0] as char);
            i += 1;
        } else {
            out.extend(rest[..skip].iter().map(|&b| if b == b'\n' { '\n' } else { ' ' }));
            i += skip;
        }
    }
    out
}

/// The number of `#` of a raw string that begins at `i`.
fn raw_string(bytes: &[u8], i: usize) -> Option<usize> {
    let before = i.checked_sub(1).map_or(b' ', |p| bytes[p]);
    let name = before.is_ascii_alphanumeric() && before != b'b' || before == b'_';
    if bytes[i] != b'r' || name {
        return None;
    }
    let hashes = bytes[i + 1..].iter().take_while(|&&b| b == b'#').count();
    (bytes.get(i + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut i = 1;
    while i < rest.len() && rest[i] != quote {
        i += 1 + usize::from(rest[i] == b'\\');
    }
    (i + 1).min(rest.len())
}

/// The rooms that code names by `crate::room` or within `crate::{…}`, each with its line.
fn imports(code: &str) -> BTreeSet<(usize, String)> {
    let mut found = BTreeSet::new();
    let name =
        |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    for (at, _) in code.match_indices("crate::") {
        // `$crate::` and `pub(in crate::…)` name rooms as well; `keywheel_crate::` does not.
        if code[..at].chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.trim_start().strip_prefix('{') else {
            found.insert((line, name(rest.trim_start())));
            continue;
        };
        let (mut depth, mut fresh) = (1, true);
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => fresh = true,
                c if depth == 1 && fresh && !c.is_whitespace() => {
                    found.insert((line, name(&group[i..])));
                    fresh = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

/// Whether a file holds tests only: those may read the environment and print figures.
fn is_test(path: &Path) -> bool {
    path.components().any(|c| c.as_os_str() == "tests") || path.ends_with("tests.rs")
}

/// What in a file breaks the table, a sentence each. `path` is relative to `src/`.
fn faults(path: &Path, text: &str) -> Vec<String> {
    let room = room(path);
    let place = |line: usize| format!("src/{}:{line}", path.display());
    let Some(own) = floor(&room) else {
        return vec![format!("{}: the room `{room}` stands on no floor; add it to the table", place(1))];
    };
    let code = code(text);
    let mut faults = Vec::new();
    for (line, other) in imports(&code) {
        match floor(&other) {
            _ if other == room => {}
            // The binary has its own root: its rooms are `main` and `cli`.
            Some(f) if f < own => {}
            Some(f) if f == own => {
                faults.push(format!("{}: `{room}` and `{other}` are siblings", place(line)))
            }
            Some(_) => faults.push(format!("{}: `{room}` imports upwards, `{other}`", place(line))),
            // A name of the crate's root is the whole library seen from below.
            None => faults.push(format!("{}: `crate::{other}` is no room", place(line))),
        }
    }
    if own < 8 && !is_test(path) {
        // Unit tests stand last in a file.
        let library = code.find("#[cfg(test)]\nmod tests {").map_or(code.as_str(), |at| &code[..at]);
        for (n, line) in library.lines().enumerate() {
            for word in COMMAND_ONLY.iter().filter(|w| line.contains(**w)) {
                faults.push(format!("{}: `{word}` is for the command only", place(n + 1)));
            }
        }
    }
    faults
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

#[test]
fn imports_run_downwards_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut list = Vec::new();
    files(&root, &mut list);
    assert!(list.len() > 50, "src/ was not found");
    let all: Vec<String> = list
        .iter()
        .flat_map(|p| faults(p.strip_prefix(&root).unwrap(), &fs::read_to_string(p).unwrap()))
        .collect();
    assert!(all.is_empty(), "\n{}", all.join("\n"));
}

#[test]
fn planted_violations_are_found() {
    for (path, text, told) in [
        ("model/grade.rs", "use crate::rule::Kind;", "upwards, `rule`"),
        (
            "rule/load.rs",
            "fn f() {\n    crate::scan::check::embedded();\n}",
            "load.rs:2: `rule` imports upwards",
        ),
        ("source/files.rs", "use crate::call::Verify;", "siblings"),
        ("detect/engine.rs", "use crate::report::Report;", "siblings"),
        ("report/mod.rs", "pub(crate) use crate::{model, detect::Raw};", "`report` and `detect`"),
        ("rule/mod.rs", "use crate::{\n    model::{Class, scan},\n    cli,\n};", "upwards, `cli`"),
        ("detect/mod.rs", "use crate::Detector;", "`crate::Detector` is no room"),
        ("attic/mod.rs", "", "no floor"),
        ("scan/mod.rs", "fn f() { std::env::var(\"X\"); }", "`std::env`"),
        ("scan/mod.rs", "use std::process; fn f() { process::exit(1) }", "`process::exit`"),
        ("lib.rs", "fn f() { println!(\"x\"); }", "`println!`"),
        ("report/text.rs", "fn f() { eprintln!(\"x\"); }", "`eprintln!`"),
    ] {
        let found = faults(Path::new(path), text).join("; ");
        assert!(found.contains(told), "{path}: {text}: {found}");
    }
}

#[test]
fn what_is_allowed_passes() {
    for (path, text) in [
        ("scan/mod.rs", "use crate::{detect, rule::{self, Kind}, source, call};\nuse crate::scan::check;"),
        ("cli/scan.rs", "use keywheel::scan; fn f() { println!(\"{}\", std::env::var(\"X\")); }"),
        (
            "model/mod.rs",
            "// use crate::rule::Kind and println!\n/* crate::scan */ const S: &str = \"crate::scan\";",
        ),
        ("model/mod.rs", "const S: &str = r#\"a \" crate::scan\"#; const Q: char = '\"';"),
        ("rule/mod.rs", "fn f<'a>(x: &'a str) {}\n#[cfg(test)]\nmod tests {\n fn g() { println!(); }\n}"),
        ("detect/decode/tests/cost.rs", "fn f() { println!(\"{}\", std::env::var(\"X\")); }"),
    ] {
        assert_eq!(faults(Path::new(path), text), Vec::<String>::new(), "{text}");
    }
}
