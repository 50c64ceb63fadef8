//! A repository that means harm is scanned: nothing in it is run, nothing is written but the report,
//! time and memory are bounded, and the sane keys in it are found.

mod nasty;
mod watch;

use crate::forge;
use crate::{Lab, in_time};
use nasty::{Nasty, key};
use std::fs;
use std::os::unix::fs::symlink;
use watch::Run;

/// What it is called, its arguments, the exit codes that are right, and what has to be reported.
type Command<'a> = (&'a str, Vec<&'a str>, &'a [i32], &'a [String]);

/// Processor time of a command, in seconds. The wall clock of a busy machine says little.
const SECONDS: f64 = 60.0;
/// Peak memory of a command.
const MEMORY: u64 = 256 << 20;

fn check(what: &str, run: &Run, expected: &[i32], places: &[String]) {
    println!("{what}: exit {}, {:.1} s, {} MiB", run.code, run.seconds, run.peak >> 20);
    assert!(expected.contains(&run.code), "{what}: exit {}\n{}", run.code, run.err);
    assert!(run.seconds < SECONDS, "{what}: {} s", run.seconds);
    assert!(run.peak < MEMORY, "{what}: {} MiB", run.peak >> 20);
    for place in places {
        assert!(run.report.contains(place), "{what}: nothing is reported at {place}");
    }
    assert!((0..20).all(|n| !run.report.contains(&key(n))), "{what}: the report shows a whole key");
}

#[test]
fn a_hostile_repository_is_scanned_and_not_obeyed() {
    let nasty = Nasty::new();
    let lab = &nasty.lab;
    let before = lab.listing("a");
    let tree = ["sane/settings.py".to_owned()];
    let staged = ["new.py".to_owned()];
    let commands: [Command<'_>; 6] = [
        ("history", vec!["scan", "--history", "a"], &[1], &nasty.everywhere),
        ("range", vec!["scan", "--range", &nasty.range, "a"], &[1], &nasty.in_range),
        ("staged", vec!["scan", "--staged", "a"], &[1], &staged),
        ("files", vec!["scan", "a"], &[1], &tree),
        ("sweep", SWEEP.to_vec(), &[1], &nasty.everywhere),
        ("baseline", vec!["baseline", "create", "--baseline", "out/baseline", "a"], &[0, 3], &[]),
    ];
    let strace = watch::has_strace();
    for (what, args, expected, places) in commands {
        check(what, &watch::run(lab, &args), expected, places);
        if strace {
            assert_eq!(watch::acts(lab, &args), Vec::<String>::new(), "{what}");
        }
    }
    sweeps_go_on(lab, strace, &nasty.everywhere);
    if !strace {
        println!("skipped: strace is not there, so what the command does was not watched");
    }
    let ran: Vec<_> = fs::read_dir(lab.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!ran.iter().any(|n| n.to_string_lossy().starts_with("ran-")), "{ran:?}");
    assert_eq!(lab.listing("a"), before, "something was written into the repository");
}

const SWEEP: [&str; 4] = ["sweep", "--state", "out/state", "a"];

/// What one sweep has left the next one uses, and neither writes anything but the state: all is known by
/// then, and what cannot be read is told again.
fn sweeps_go_on(lab: &Lab, strace: bool, places: &[String]) {
    let wrote = |what: &str| {
        let list = fs::read_dir(lab.path("out")).unwrap().map(|e| e.unwrap().file_name());
        let own = ["report", "state", "state-journal", "state-shm", "state-wal", "stderr"];
        let others: Vec<_> = list.filter(|n| !own.iter().any(|o| n == o)).collect();
        assert!(others.is_empty(), "{what}: {others:?}");
    };
    check("a first sweep", &watch::run(lab, &SWEEP), &[1], places);
    wrote("a first sweep");
    check("a sweep without change", &watch::run_on(lab, &SWEEP), &[3], places);
    if strace {
        assert_eq!(watch::acts_on(lab, &SWEEP), Vec::<String>::new(), "a sweep without change");
    }
    wrote("a sweep without change");
}

/// What is watched is seen: a command that runs a program and writes beside the report.
#[test]
fn the_watch_sees_what_it_has_to() {
    if !watch::has_strace() {
        return println!("skipped: strace is not there");
    }
    let lab = Lab::empty();
    lab.put("out/x", "");
    let script = lab.put("act.sh", "#!/bin/sh\n: >written\nmkdir made\n/bin/true\n");
    let acts = watch::acts_of(&lab, "/bin/sh", &[script.to_str().unwrap()]);
    for act in ["written", "made", "/bin/true"] {
        assert!(acts.iter().any(|a| a.contains(act)), "{act}: {acts:?}");
    }
}

#[test]
fn files_that_block_or_lead_out_end_no_scan() {
    let planted = format!("token = \"{}\"\n", key(0));
    for case in ["HEAD", "packed-refs", "config", "shallow", "objects/info/alternates", "index", "logs/HEAD"]
    {
        let lab = Lab::with_commits(&["one"]);
        lab.commit("a", &planted);
        lab.git("a", &["repack", "-q", "-a", "-d"]);
        let _ = fs::remove_file(lab.path(format!("a/.git/{case}")));
        lab.fifo(&format!("a/.git/{case}"));
        let run = in_time(move || watch::run(&lab, &["scan", "--history", "a"]));
        // Without its configuration or its list of shallow commits a repository is not read, and that is said.
        let expected = if matches!(case, "config" | "shallow") { 3 } else { 1 };
        check(case, &run, &[expected], &[]);
    }
    for (case, link) in
        [("objects", "../../outside"), ("objects/pack", "../../../outside/pack"), ("refs", "../../outside")]
    {
        let lab = Lab::with_commits(&["one"]);
        lab.commit("a", &planted);
        lab.git("a", &["repack", "-q", "-a", "-d"]);
        let from = lab.path(format!("a/.git/{case}"));
        fs::create_dir_all(lab.path("outside")).unwrap();
        let to = if case == "objects/pack" { lab.path("outside/pack") } else { lab.path("outside") };
        let _ = fs::remove_dir(&to);
        fs::rename(&from, &to).unwrap();
        symlink(link, &from).unwrap();
        let run = watch::run(&lab, &["scan", "--history", "a"]);
        let expected = if case == "refs" { 1 } else { 3 };
        check(&format!("{case} elsewhere"), &run, &[expected], &[]);
        let root = lab.path("").display().to_string();
        let run = watch::run(&lab, &["scan", "--history", "--storage-root", &root, "a"]);
        check(&format!("{case} elsewhere, below the storage root"), &run, &[1, 3], &[]);
    }
}

/// Whole zeros between sane objects: a bomb of each kind alone says what it costs.
#[test]
fn a_loose_bomb_costs_no_memory() {
    let lab = Lab::with_commits(&["one"]);
    lab.commit("a", &format!("token = \"{}\"\n", key(1)));
    let size = 600 << 20;
    let bomb = forge::deflated_zeros(format!("blob {size}\0").as_bytes(), size);
    let id = forge::name("blob", b"not this one's");
    forge::put_loose(&lab.path("a/.git/objects"), &id, &bomb);
    let run = watch::run(&lab, &["scan", "--history", "a"]);
    check("a loose bomb", &run, &[1], &[]);
}
