//! Words that nobody can guess.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::Read;

/// Fills `bytes` at random.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<()> {
    File::open("/dev/urandom")
        .and_then(|mut f| f.read_exact(bytes))
        .context("cannot draw random bytes from /dev/urandom")
}

/// That many random bytes, in hexadecimal digits.
pub(crate) fn hex(bytes: usize) -> Result<String> {
    let mut raw = vec![0; bytes];
    fill(&mut raw)?;
    Ok(raw.iter().map(|b| format!("{b:02x}")).collect())
}

/// A key.
pub(crate) fn key() -> Result<[u8; 32]> {
    let mut key = [0; 32];
    fill(&mut key)?;
    Ok(key)
}
