//! Asking a person. The key may have come on standard input, so the terminal itself is asked.

use anyhow::Result;

/// What has to be typed.
const WORD: &str = "revoke";

/// Whether a person agrees; `None` where there is nobody to ask.
///
/// # Errors
/// The terminal failed.
#[cfg(unix)]
pub(super) fn confirmed() -> Result<Option<bool>> {
    use crate::cli::terminal;
    use std::fs::OpenOptions;
    use std::io::{BufRead, BufReader, Read, Write};
    if !terminal::interactive() {
        return Ok(None);
    }
    let Ok(mut tty) = OpenOptions::new().read(true).write(true).open("/dev/tty") else { return Ok(None) };
    write!(tty, "Type `{WORD}` to go on: ")?;
    tty.flush()?;
    let mut line = String::new();
    BufReader::new(tty.take(1 << 10)).read_line(&mut line)?;
    Ok(Some(line.trim() == WORD))
}

/// Nobody is asked where there is no terminal of that kind.
#[cfg(not(unix))]
pub(super) fn confirmed() -> Result<Option<bool>> {
    let _ = WORD;
    Ok(None)
}
