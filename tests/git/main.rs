//! Git repositories, made by `git` itself and read by us; `git` is the oracle.
#![cfg(unix)]
// A helper of a test fails as a test does.
#![allow(clippy::unwrap_used)]

mod attribute;
mod ci;
mod command;
mod dags;
mod damage;
mod forge;
mod history;
mod hostile;
mod index;
mod made;
mod oracle;
mod packs;
#[path = "../cli/github.rs"]
mod provider;
mod push;
mod range;
mod receive;
mod repo;
mod run;
mod shapes;
mod staged;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder that goes away with its owner.
pub struct Lab(PathBuf);

impl Lab {
    /// Makes an empty one.
    pub fn empty() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("keywheel-gitlab-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Lab(path.canonicalize().unwrap())
    }

    /// One that holds a repository `a` on branch `main`, with the commits `one`, `two`, … that each
    /// write `file`.
    pub fn with_commits(messages: &[&str]) -> Self {
        let lab = Lab::empty();
        lab.git(".", &["init", "-q", "-b", "main", "a"]);
        messages.iter().for_each(|m| drop(lab.commit("a", m)));
        lab
    }

    /// A path in it.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, with the folders above it.
    pub fn put(&self, name: impl AsRef<Path>, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes `file`, commits it, and gives the commit.
    pub fn commit(&self, repository: &str, message: &str) -> String {
        self.put(Path::new(repository).join("file"), message);
        self.git(repository, &["add", "-A"]);
        self.git(repository, &["commit", "-q", "-m", message]);
        self.git(repository, &["rev-parse", "HEAD"])
    }

    /// A `git` that knows nothing of whoever runs the test.
    pub fn command(&self, repository: &str, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.current_dir(self.path(repository)).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path("nobody")).env("LC_ALL", "C");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "A U Thor");
            command.env(format!("GIT_{who}_EMAIL"), "author@example.com");
            command.env(format!("GIT_{who}_DATE"), "1700000000 +0100");
        }
        command.args(["-c", "protocol.file.allow=always", "-c", "gc.auto=0", "-c", "maintenance.auto=false"]);
        command.args(args);
        command
    }

    /// What `git` says, without the last line break; `None` if it fails.
    pub fn ask(&self, repository: &str, args: &[&str]) -> Option<String> {
        let out = self.command(repository, args).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        out.status.success().then(|| text.trim_end_matches('\n').to_owned())
    }

    /// What `git` says; it must not fail.
    pub fn git(&self, repository: &str, args: &[&str]) -> String {
        self.ask(repository, args).unwrap_or_else(|| panic!("git {args:?} in {repository} failed"))
    }

    /// As [`Lab::git`], with something on its standard input.
    pub fn git_with(&self, repository: &str, args: &[&str], input: &[u8]) -> String {
        let mut command = self.command(repository, args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let feed = std::thread::spawn(move || stdin.write_all(&input));
        let out = child.wait_with_output().unwrap();
        let _ = feed.join().unwrap();
        assert!(out.status.success(), "git {args:?} in {repository} failed");
        String::from_utf8(out.stdout).unwrap().trim_end_matches('\n').to_owned()
    }

    /// Makes a FIFO, at which a careless reader waits for ever.
    pub fn fifo(&self, name: &str) {
        let path = self.path(name);
        let _ = fs::remove_file(&path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    /// Every file below a folder with its size and the time of its last change, sorted.
    pub fn listing(&self, name: &str) -> Vec<(PathBuf, u64, std::time::SystemTime)> {
        let (mut open, mut found) = (vec![self.path(name)], Vec::new());
        while let Some(dir) = open.pop() {
            let at = fs::metadata(&dir).unwrap().modified().unwrap();
            found.push((dir.clone(), 0, at));
            for entry in fs::read_dir(dir).unwrap() {
                let entry = entry.unwrap();
                let is = entry.metadata().unwrap();
                match is.is_dir() {
                    true => open.push(entry.path()),
                    false => found.push((entry.path(), is.len(), is.modified().unwrap())),
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs `work`, which has to end within a minute.
pub fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || send.send(work()));
    receive.recv_timeout(std::time::Duration::from_secs(60)).expect("it ended, and in time")
}
