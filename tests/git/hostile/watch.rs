//! Runs the command, measures it, and watches what it asks of the system.

use crate::Lab;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest time that is waited for a command.
const WAIT: Duration = Duration::from_secs(300);
/// What starts programs, and what changes files or reaches out.
const CALLS: &str = "execve,execveat,open,openat,openat2,creat,unlink,unlinkat,rename,renameat,renameat2,\
    mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,mknod,mknodat,truncate,chmod,fchmodat,chown,\
    fchownat,utimensat,connect,bind";

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) err: String,
    /// Its findings, one a line.
    pub(crate) report: String,
    /// Processor time in seconds.
    pub(crate) seconds: f64,
    /// Most memory that was resident at any time, in bytes.
    pub(crate) peak: u64,
}

fn arguments(args: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
    all.extend(["--jobs".to_owned(), "2".to_owned(), "--quiet".to_owned()]);
    if matches!(args[0], "scan" | "sweep") {
        all.push("--format=jsonl=out/report".to_owned());
    }
    all
}

fn fresh(lab: &Lab) {
    let _ = fs::remove_dir_all(lab.path("out"));
    fs::create_dir_all(lab.path("out")).unwrap();
}

/// Runs the command in a lab; all that it writes belongs into `out`, which is empty before.
pub(crate) fn run(lab: &Lab, args: &[&str]) -> Run {
    fresh(lab);
    run_on(lab, args)
}

/// Runs it with what an earlier run has left in `out`.
pub(crate) fn run_on(lab: &Lab, args: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keywheel"));
    command.args(arguments(args)).current_dir(lab.path("")).env_clear().stdin(Stdio::null());
    command.env("PATH", lab.path("bin"));
    let log = fs::File::create(lab.path("out/stderr")).unwrap();
    let mut child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let (begun, mut peak, mut seconds) = (Instant::now(), 0, 0.0f64);
    let status = loop {
        // High-water marks: the last look before the end is close to the whole.
        peak = peak.max(resident(child.id()).unwrap_or(0));
        seconds = seconds.max(used(child.id()).unwrap_or(0.0));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > WAIT {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{args:?} did not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Run {
        code: status.code().unwrap_or(-1),
        err: fs::read_to_string(lab.path("out/stderr")).unwrap_or_default(),
        report: fs::read_to_string(lab.path("out/report")).unwrap_or_default(),
        seconds,
        peak,
    }
}

fn resident(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

fn used(process: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    // User and system time, in hundredths of a second on Linux.
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

/// Whether what a command asks of the system can be watched here.
pub(crate) fn has_strace() -> bool {
    let mut command = Command::new("strace");
    command.args(["-o", "/dev/null", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|s| s.success())
}

/// What the command did beyond reading and writing below `out`: programs started, files changed.
pub(crate) fn acts(lab: &Lab, args: &[&str]) -> Vec<String> {
    fresh(lab);
    acts_on(lab, args)
}

/// Likewise, with what an earlier run has left in `out`.
pub(crate) fn acts_on(lab: &Lab, args: &[&str]) -> Vec<String> {
    let args = arguments(args);
    acts_of(lab, env!("CARGO_BIN_EXE_keywheel"), &args.iter().map(String::as_str).collect::<Vec<_>>())
}

pub(crate) fn acts_of(lab: &Lab, program: &str, args: &[&str]) -> Vec<String> {
    let log = lab.path("strace.log");
    let calls: Vec<String> = CALLS.split(',').map(|c| format!("?{c}")).collect();
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "300", "-e", &format!("trace={}", calls.join(",")), "-o"]);
    command.arg(&log).arg("--").arg(program).args(args).current_dir(lab.path("")).env_clear();
    // Loaders and clocks read their files from fixed places; no program of the lab is found by its name.
    command.env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap();
    let text = String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
    let lines: Vec<&str> =
        text.lines().filter_map(|l| l.split_once(' ')).map(|(_, call)| call.trim()).collect();
    assert!(lines.first().is_some_and(|l| l.starts_with("execve(")), "{lines:?}");
    let out = lab.path("out");
    let harmless = |line: &str| {
        let call = line.split('(').next().unwrap_or_default();
        // Signals and ends of processes.
        if line.starts_with("---") || line.starts_with("+++") || line.starts_with("<...") {
            return true;
        }
        let opens = matches!(call, "open" | "openat" | "openat2");
        let writes =
            ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"].iter().any(|f| line.contains(f));
        if opens && !writes {
            return true;
        }
        // Every path of the call lies below `out`, or it is the sink of all.
        let own = |path: &str| {
            path.starts_with("out/") || path.starts_with(out.to_str().unwrap_or("?")) || path == "/dev/null"
        };
        let mut paths = line.split('"').skip(1).step_by(2).peekable();
        call != "execve"
            && call != "execveat"
            && call != "connect"
            && paths.peek().is_some()
            && paths.all(own)
    };
    lines[1..].iter().filter(|l| !harmless(l)).map(|l| (*l).to_owned()).collect()
}
