//! Words that nobody can guess.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::Read;

/// That many random bytes, in hexadecimal digits.
pub(crate) fn hex(bytes: usize) -> Result<String> {
    let mut raw = vec![0; bytes];
    File::open("/dev/urandom")
        .and_then(|mut f| f.read_exact(&mut raw))
        .context("cannot draw random bytes from /dev/urandom")?;
    Ok(raw.iter().map(|b| format!("{b:02x}")).collect())
}
