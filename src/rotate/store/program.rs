//! Starting a program of the organisation: the one place of the library where a process begins.
//!
//! The program gets one input and a bound on time. It gets nothing of our environment, no file that we opened, and
//! nothing in its arguments but what the organisation's file says. What it prints is read where an answer is wanted, and is
//! never shown.

use crate::model::Secret;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Most bytes of an answer.
const MOST: u64 = 64 << 10;

/// A command line that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    run: Vec<String>,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it printed, at most 64 KiB.
    pub output: Secret,
}

/// Why there is no end to speak of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// It was not started.
    #[error("not started: {0}")]
    NotStarted(String),
    /// It was started and ended by us, or could not be watched.
    #[error("given up: {0}")]
    GivenUp(&'static str),
}

impl Program {
    /// Takes a program and its arguments.
    ///
    /// # Errors
    /// A sentence for the operator: the program is not named by an absolute path.
    pub fn new(run: &[String]) -> Result<Program, String> {
        let first = run.first().ok_or("name the program in `run`")?;
        if !Path::new(first).is_absolute() {
            return Err(format!("`{first}` must be an absolute path"));
        }
        if run.iter().any(|arg| arg.contains('\0')) {
            return Err("an argument has a zero byte".to_owned());
        }
        Ok(Program { run: run.to_vec() })
    }

    /// Runs it with `input` until `deadline`; then it and all that it started in its group is killed.
    ///
    /// # Errors
    /// See [`ProgramError`].
    pub fn run(&self, input: &Secret, deadline: Instant) -> Result<Ended, ProgramError> {
        // Looked at each time: rights change. Scripts that an interpreter is given count as well.
        let mut files = self.run.iter().filter(|arg| Path::new(arg).is_absolute());
        let program = files.next().map(|p| safe(Path::new(p))).transpose()?;
        let program = program.ok_or_else(|| ProgramError::NotStarted("no program is named".to_owned()))?;
        for file in files.filter(|arg| Path::new(arg).exists()) {
            safe(Path::new(file))?;
        }
        if deadline <= Instant::now() {
            return Err(ProgramError::NotStarted("no time is left".to_owned()));
        }
        let mut command = Command::new(&program);
        command
            .args(&self.run[1..])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        let child =
            command.spawn().map_err(|e| ProgramError::NotStarted(format!("{}: {e}", program.display())))?;
        watch(child, input, deadline)
    }
}

/// The real path of a file that only its owner, who is root or us, may change, like the folders above it.
fn safe(path: &Path) -> Result<PathBuf, ProgramError> {
    let not = |why: String| ProgramError::NotStarted(why);
    let real = fs::canonicalize(path).map_err(|e| not(format!("{}: {e}", path.display())))?;
    let me = rustix::process::geteuid().as_raw();
    for (n, part) in real.ancestors().enumerate() {
        let meta = fs::metadata(part).map_err(|e| not(format!("{}: {e}", part.display())))?;
        let sticky = n > 1 && meta.mode() & 0o1000 != 0;
        if meta.mode() & 0o002 != 0 && !sticky {
            return Err(not(format!("everybody may write to {}", part.display())));
        }
        if meta.uid() != 0 && meta.uid() != me {
            return Err(not(format!("{} belongs to another user", part.display())));
        }
        if n == 0 && !meta.is_file() {
            return Err(not(format!("{} is no file", part.display())));
        }
    }
    Ok(real)
}

/// Feeds a program, reads what it prints, and sees to its end.
fn watch(mut child: Child, input: &Secret, deadline: Instant) -> Result<Ended, ProgramError> {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (tell, told) = mpsc::sync_channel(1);
    // Threads of their own, since a program may neither read nor print, or do so for ever.
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.clone();
        // One that does not read its input says so by its exit code.
        std::thread::spawn(move || stdin.write_all(input.expose()).ok());
    }
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut bytes = Zeroizing::new(Vec::with_capacity(MOST as usize + 1));
            let done = stdout.take(MOST + 1).read_to_end(&mut bytes);
            // Nobody listens any more after the deadline.
            tell.send(done.map(|_| bytes)).ok();
        });
    }
    let mut pause = Duration::from_millis(1);
    let ended = loop {
        // Seen but not taken away, so that its group's number cannot be given to others before the group is ended.
        let seen = id.map(|id| {
            waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT)
        });
        match seen {
            Some(Ok(None)) if Instant::now() < deadline => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(20));
            }
            Some(Ok(Some(_))) => break true,
            _ => break false,
        }
    };
    if let Some(id) = id {
        // Already gone is as good.
        kill_process_group(id, Signal::KILL).ok();
    }
    let status = child.wait().map_err(|_| ProgramError::GivenUp("its end cannot be seen"))?;
    if !ended {
        return Err(ProgramError::GivenUp("it took too long and was killed"));
    }
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
    let output = match told.recv_timeout(left) {
        Ok(Ok(bytes)) if bytes.len() as u64 <= MOST => Secret::new(&bytes),
        Ok(_) => return Err(ProgramError::GivenUp("it printed more than 64 KiB")),
        Err(_) => return Err(ProgramError::GivenUp("something that it left behind keeps its output open")),
    };
    Ok(Ended { code: status.code(), output })
}
