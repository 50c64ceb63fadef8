//! A sweep that is ended at any moment goes on, and tells in the end what an undisturbed one tells.

use super::{Lab, Random, key};
use std::fmt::Write;
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A repository of so many commits with keys here and there, by `git fast-import`.
fn repository(lab: &Lab, commits: u64) {
    lab.git(".", &["init", "-q", "--bare", "-b", "main", "a"]);
    let mut random = Random(1);
    let mut out = String::new();
    let mut files: Vec<String> = (0..20).map(|n| format!("file {n}\n").repeat(50)).collect();
    for n in 0..commits {
        let blob = random.below(files.len() as u64) as usize;
        let at = random.below(40) as usize * 8;
        files[blob].insert_str(at, &format!("line {n} of much text\n"));
        if n % 25 == 3 {
            files[blob].insert_str(0, &format!("token = \"{}\"\n", key(n % 400)));
        }
        if n % 40 == 7 && files[blob].starts_with("token") {
            let end = files[blob].find('\n').unwrap_or_default() + 1;
            files[blob].drain(..end);
        }
        let message = if n % 97 == 50 { format!("leak {}", key(1000 + n)) } else { format!("commit {n}") };
        let branch = if n % 10 == 9 { "side" } else { "main" };
        let time = 1_700_000_000 + n * 60;
        let text = &files[blob];
        let _ = write!(
            out,
            "commit refs/heads/{branch}\ncommitter A U Thor <author@example.com> {time} +0000\n\
             data {}\n{message}\nM 100644 inline dir{}/f{blob}.py\ndata {}\n{text}\n",
            message.len(),
            blob % 4,
            text.len()
        );
    }
    lab.git_with("a", &["fast-import", "--quiet"], out.as_bytes());
    // A loose object beside the pack.
    lab.git("a", &["tag", "-a", "v1", "-m", &format!("tag {}", key(5000)), "main"]);
}

fn start(lab: &Lab, state: &str) -> Child {
    let args = ["sweep", "a", "--quiet", "-j", "2", "--state", state, "--format", "json=r"];
    lab.keywheel(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn whole(lab: &Lab, state: &str) -> Vec<u8> {
    let _ = fs::remove_file(lab.path("r"));
    let code = start(lab, state).wait().unwrap().code();
    assert!(matches!(code, Some(0 | 1)), "{code:?}");
    fs::read(lab.path("r")).unwrap()
}

fn forget(lab: &Lab, state: &str) {
    for end in ["", "-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(lab.path(&format!("{state}{end}")));
    }
}

#[test]
fn killed_at_any_moment() {
    let battery = std::env::var_os("KEYWHEEL_BATTERY").is_some();
    let (commits, kills) = if battery { (3000, 200) } else { (300, 8) };
    let lab = Lab::new();
    repository(&lab, commits);
    let begun = Instant::now();
    let first = whole(&lab, "s");
    let took = begun.elapsed();
    let second = whole(&lab, "s");
    assert_ne!(first, second);
    let mut random = Random(2);
    let (mut ended, mut interrupted, mut rounds) = (0, 0, 0);
    while ended < kills {
        rounds += 1;
        assert!(rounds < 20 * kills, "{ended} of {kills} were ended early");
        let n = rounds;
        forget(&lab, "s");
        let _ = fs::remove_file(lab.path("r"));
        // Some are ended again and again.
        for _ in 0..=random.below(3) {
            let wait = Duration::from_nanos(random.below(took.as_nanos() as u64));
            let mut child = start(&lab, "s");
            std::thread::sleep(wait);
            let gently = n % 5 == 4;
            if gently {
                let pid = rustix::process::Pid::from_child(&child);
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
            } else {
                let _ = child.kill();
            }
            let status = child.wait().unwrap();
            if gently && status.code() == Some(130) {
                interrupted += 1;
                // What it told is not the end.
                let _ = fs::remove_file(lab.path("r"));
            }
            if lab.path("r").exists() {
                break;
            }
            ended += 1;
        }
        let told = if lab.path("r").exists() { fs::read(lab.path("r")).unwrap() } else { whole(&lab, "s") };
        assert!(told == first, "kill {n}: {}", differs(&first, &told));
        // Ended between report and state, it tells the same once more; then all is known.
        let next = whole(&lab, "s");
        let next = if next == first { whole(&lab, "s") } else { next };
        assert!(next == second, "after kill {n}: {}", differs(&second, &next));
        let state = lab.state();
        assert!(!super::holds(&state, &key(3)) && !super::holds(&state, &key(1050)));
    }
    println!("{commits} commits in {took:?}: {rounds} rounds, {ended} ended early, {interrupted} by SIGINT");
}

fn differs(a: &[u8], b: &[u8]) -> String {
    let (a, b) = (String::from_utf8_lossy(a).into_owned(), String::from_utf8_lossy(b).into_owned());
    let lines = a.lines().zip(b.lines()).find(|(x, y)| x != y);
    format!("{} and {} lines: {lines:?}", a.lines().count(), b.lines().count())
}
