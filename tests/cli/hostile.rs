//! Secrets stay inside, and input that means harm does none.

use super::{FORMATS, Folder, Output, key};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Names of files that try to act: escapes, line breaks, workflow commands, markup, formulas.
const NAMES: [&[u8]; 7] = [
    b"a\x1b[31mred",
    b"b\n::error file=x::owned",
    b"::error::owned",
    b"##[error]owned",
    b"<script>alert(1)<!--",
    b"=cmd|owned",
    b"invalid\xff\xfe",
];

#[test]
fn no_output_holds_a_secret() {
    let f = Folder::new();
    let keys: Vec<String> = (0..3).map(key).collect();
    f.put("tree/a", format!("A={} {} # {}\n", keys[0], keys[1], keys[2]));
    // A name that holds what another file does, and what cannot be read under such a name.
    f.put(format!("tree/{}/plain.gz", keys[1]), b"\x1f\x8b\x08\0\0\0\0\0\0\x03torn");
    f.put(format!("tree/{}.cfg", keys[2]), format!("token = \"{}\"\nB=ghp_{}\n", keys[0], "x".repeat(36)));
    f.put(format!("tree/{}.txt", keys[0]), format!("token = \"{}\"\npassword = 'hunter2hunter'\n", keys[0]));
    for format in FORMATS {
        let seen = f.run(&["scan", "tree", "--format", format, "--explain"]).gives(1, "");
        f.run(&["scan", "tree", "--format", &format!("{format}=report"), "--explain"]).gives(1, "");
        let file = fs::read_to_string(f.0.join("report")).unwrap();
        for key in &keys {
            for (what, text) in [("output", &seen.out), ("errors", &seen.err), ("file", &file)] {
                assert!(!text.contains(&key[8..]), "{format}: {what} shows a key:\n{text}");
            }
        }
    }
    for args in
        [&["baseline", "create", "tree", "--baseline", "base"][..], &["scan", "tree", "--baseline", "base"]]
    {
        let seen = f.run(args);
        assert!(keys.iter().all(|k| !seen.out.contains(&k[8..]) && !seen.err.contains(&k[8..])), "{seen:?}");
    }
}

#[test]
fn whole_secrets_go_into_named_files_only() {
    let f = Folder::new();
    f.put("tree/a", format!("A={}\n", key(0)));
    f.run(&["scan", "tree", "--show-secrets"]).gives(2, "not into a pipe");
    f.run(&["scan", "tree", "--show-secrets", "--format", "json=x", "--format", "text"]).gives(2, "pipe");
    f.run(&["scan", "tree", "--show-secrets", "-o", "/dev/stdout"]).gives(2, "pipe");
    assert!(!f.0.join("x").exists());
    f.run(&["scan", "tree", "--show-secrets", "--format", "jsonl=x"]).gives(1, "");
    assert!(fs::read_to_string(f.0.join("x")).unwrap().contains(&key(0)));
    let mode = fs::metadata(f.0.join("x")).unwrap().permissions().mode();
    assert_eq!(mode & 0o77, 0, "for its owner alone");
}

#[test]
fn names_do_not_act() {
    let f = Folder::new();
    for (n, name) in NAMES.iter().enumerate() {
        // A name cannot hold a slash.
        let name: Vec<u8> = name.iter().map(|&b| if b == b'/' { b'_' } else { b }).collect();
        let path = Path::new("tree").join(OsStr::from_bytes(&name));
        f.put(path, format!("A={}\nB=ghp_{}\n", key(n % 3), "x".repeat(36)));
    }
    for format in FORMATS {
        let seen = f.run(&["scan", "tree", "--format", format, "--explain"]).gives(1, "");
        for text in [&seen.out, &seen.err] {
            assert!(!text.contains('\x1b') && !text.contains("##[error]"), "{format}: {text}");
            let owned = |l: &str| l.trim_start().starts_with("::error") && l.ends_with("::owned");
            assert!(!text.lines().any(owned), "{format}: {text}");
        }
        if format == "markdown" {
            assert!(!seen.out.contains("<script>"), "{}", seen.out);
        }
    }
    f.run(&["scan", "no\x1b[31m\n::error::such"]).gives(2, "cannot read `no\\u{1b}[31m\\u{a}");
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_found() {
    let f = Folder::new();
    f.put("tree/a", format!("A={}\n", key(0))).put("tree/broken.zip", b"PK\x03\x04and no more");
    assert!(Command::new("mkfifo").arg(f.0.join("tree/pipe")).status().unwrap().success());
    let sparse = fs::File::create(f.0.join("tree/sparse")).unwrap();
    sparse.set_len(10 << 30).unwrap();
    f.put("tree/locked", "x");
    fs::set_permissions(f.0.join("tree/locked"), fs::Permissions::from_mode(0o000)).unwrap();
    let locked = fs::File::open(f.0.join("tree/locked")).is_err();
    let begun = Instant::now();
    let seen = f.run(&["scan", "tree", "--max-file-size", "10M"]).gives(1, "");
    assert!(begun.elapsed() < Duration::from_secs(20));
    for word in ["broken", "not-a-file", "too-large"].iter().chain(locked.then_some(&"unreadable")) {
        assert!(seen.out.contains(word), "{word}: {}", seen.out);
    }
    fs::remove_file(f.0.join("tree/a")).unwrap();
    f.run(&["scan", "tree", "--max-file-size", "10M"]).gives(3, "");
    assert!(Command::new("mkfifo").arg(f.0.join("keywheel.toml")).status().unwrap().success());
    f.run(&["scan", "tree"]).gives(2, "keywheel.toml is no file");
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let f = Folder::new();
    f.put("tree/a", format!("A={}\n", key(0)));
    f.run(&["scan", "tree", "-o", "/dev/full"]).gives(4, "cannot write the report /dev/full: No space left");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = f.command(&["scan", "tree"]).stdout(full).output().unwrap();
    Output::of(output).gives(4, "cannot write the report to standard output: No space left");
    f.run(&["scan", "tree", "-o", "report"]).gives(1, "");
    let before = fs::read(f.0.join("report")).unwrap();
    // A limit on the size of files stands for a disk that fills up; the old report stays.
    let limited = "trap '' XFSZ; ulimit -f 1; exec \"$0\" scan tree --format sarif -o report";
    let program = env!("CARGO_BIN_EXE_keywheel");
    let output =
        Command::new("sh").args(["-c", limited, program]).env_clear().current_dir(&f.0).output().unwrap();
    Output::of(output).gives(4, "cannot write the report report: File too large");
    assert_eq!(fs::read(f.0.join("report")).unwrap(), before);
    let names: Vec<_> = fs::read_dir(&f.0).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn a_signal_ends_the_scan_in_good_order() {
    let f = Folder::new();
    f.put("tree/a", format!("A={}\n", key(0)));
    // Zeroes without end: the scan is still at it when the signal comes.
    fs::File::create(f.0.join("tree/sparse")).unwrap().set_len(1 << 40).unwrap();
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let child =
            f.command(&["scan", "tree"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(1500));
        let sent = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        let seen = Output::of(child.wait_with_output().unwrap()).gives(code, "");
        assert!(seen.out.contains("budget") && seen.out.contains("1 finding"), "{}", seen.out);
    }
    let seen = f.run(&["scan", "tree", "--budget", "500ms"]).gives(1, "");
    assert!(seen.out.contains("incomplete"), "{}", seen.out);
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |i: usize| bytes.get(i / 8).map_or(0, |b| usize::from(b >> (7 - i % 8) & 1));
    let letter = |i| char::from(LETTERS[(0..6).fold(0, |n, k| n * 2 + bit(i + k))]);
    (0..bytes.len() * 8).step_by(6).map(letter).collect()
}

#[test]
fn a_budget_ends_what_never_would() {
    let f = Folder::new();
    let begun = Instant::now();
    // Nobody writes into the pipe, and nobody closes it.
    let open = || {
        f.command(&["scan", "-", "--budget", "300ms"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    };
    let mut child = open().unwrap();
    let pipe = child.stdin.take();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    drop(pipe);
    // Each of the many words packs a long text that has to be searched.
    let word = {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(&b"a".repeat(1 << 17)).unwrap();
        base64(&packer.finish().unwrap())
    };
    f.put("tree/words", format!("v: {word}\n").repeat((2 << 20) / (word.len() + 4)));
    let seen = f.run(&["scan", "tree", "--budget", "300ms"]).gives(3, "");
    assert!(seen.out.contains("budget") && seen.out.contains("words"), "{}", seen.out);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[cfg(target_os = "linux")]
#[test]
fn a_crash_dumps_no_memory() {
    use std::os::unix::process::ExitStatusExt;
    let f = Folder::new();
    // A pipe that stays open holds it in the middle of its work, a key in memory.
    let mut child = f.command(&["scan", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(format!("A={}\n", key(0)).as_bytes()).unwrap();
    let limits = format!("/proc/{}/limits", child.id());
    let since = Instant::now();
    loop {
        let text = fs::read_to_string(&limits).unwrap();
        let core = text.lines().find(|l| l.starts_with("Max core file size")).unwrap();
        let numbers: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
        if numbers == ["0", "0"] {
            break;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "core dumps stay allowed: {core}");
        std::thread::sleep(Duration::from_millis(5));
    }
    // Whoever is not root may not even look into it, a debugger's attachment included.
    assert!(
        rustix::process::geteuid().is_root() || fs::File::open(format!("/proc/{}/mem", child.id())).is_err()
    );
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::ABORT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false));
    let left: Vec<_> = fs::read_dir(&f.0).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("core")), "{left:?}");
}
