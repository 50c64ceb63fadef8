//! The files and the log by which a step of GitHub Actions speaks with its runner.

use super::super::{output, random};
use anyhow::{Context, Result};
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

/// What a job summary may hold, in bytes; a longer one is dropped by GitHub.
pub(super) const SUMMARY: usize = 1 << 20;
/// Random bytes of a delimiter or token.
const RANDOM: usize = 16;
/// Most bytes of an event's payload; GitHub sends at most 25 MB.
const PAYLOAD: u64 = 64 << 20;

/// Writes to the log what may hold text of others, so that the runner obeys none of it.
pub(super) fn echo(text: &[u8]) -> Result<()> {
    let token = random::hex(RANDOM)?;
    let mut log = format!("::stop-commands::{token}\n").into_bytes();
    log.extend_from_slice(text);
    if !log.ends_with(b"\n") {
        log.push(b'\n');
    }
    log.extend(format!("::{token}::\n").bytes());
    output::print(&log)
}

/// The outputs of a step, each between delimiters that no value can hold by design.
pub(super) fn outputs(pairs: &[(&str, String)]) -> Result<String> {
    let mut text = String::new();
    for (name, value) in pairs {
        let delimiter = format!("keywheel_{}", random::hex(RANDOM)?);
        text.push_str(&format!("{name}<<{delimiter}\n{value}\n{delimiter}\n"));
    }
    Ok(text)
}

/// Appends to a file of the runner's.
pub(super) fn append(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || OpenOptions::new().append(true).create(true).open(path)?.write_all(bytes);
    write().with_context(|| format!("cannot write to the runner's file {}", path.display()))
}

/// Appends a summary, or `short` where the file would grow too large.
pub(super) fn summarise(path: &Path, long: &[u8], short: &str) -> Result<()> {
    let there = fs::metadata(path).map_or(0, |m| m.len()) as usize;
    let room = SUMMARY.saturating_sub(there);
    if long.len() <= room {
        append(path, long)
    } else if short.len() <= room {
        append(path, short.as_bytes())
    } else {
        Ok(())
    }
}

/// Reads the event's payload.
pub(super) fn payload(path: &Path) -> Result<serde_json::Value> {
    let told = || format!("cannot read the event's payload {}", path.display());
    // A pipe of that name would never end.
    anyhow::ensure!(fs::metadata(path).with_context(told)?.is_file(), "{}: it is no file", told());
    let mut text = Vec::new();
    fs::File::open(path).with_context(told)?.take(PAYLOAD).read_to_end(&mut text).with_context(told)?;
    serde_json::from_slice(&text).with_context(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_delimited_at_random() {
        let pairs = [("a", "1\nb=2".to_owned()), ("c", String::new())];
        let text = outputs(&pairs).expect("because there is a source of randomness");
        let lines: Vec<&str> = text.lines().collect();
        let first = lines[0].strip_prefix("a<<").expect("because it begins so");
        let second = lines[4].strip_prefix("c<<").expect("because it begins so");
        assert_eq!((&lines[1..4], lines[6]), (&["1", "b=2", first][..], second));
        assert!(first != second && first.len() > 32);
    }

    #[test]
    fn a_summary_is_bounded() {
        let path = std::env::temp_dir().join(format!("keywheel-summary-{}", std::process::id()));
        let size = |path: &Path| fs::metadata(path).map_or(0, |m| m.len()) as usize;
        let add = |long: usize, short: &str| summarise(&path, &vec![b'x'; long], short);
        add(SUMMARY - 10, "").expect("because the folder can be written");
        assert_eq!(size(&path), SUMMARY - 10);
        add(11, "short\n").expect("because the folder can be written");
        assert_eq!(size(&path), SUMMARY - 4);
        add(11, "short\n").expect("because the folder can be written");
        assert_eq!(size(&path), SUMMARY - 4);
        fs::remove_file(&path).expect("because it was written");
    }
}
