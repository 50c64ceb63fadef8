//! References to a credential that stands elsewhere: never the value itself on a command line.

use crate::cli::usage;
use crate::cli::verify::secret_text;
use anyhow::Result;
use keywheel::model::Secret;
use std::env;
use std::fs::File;
use zeroize::Zeroizing;

/// Reads `env:NAME` or `file:PATH`.
///
/// # Errors
/// Another form, or nothing there. The words hold no value, for a slip could have put one in the place of a name.
pub(super) fn read(reference: &str) -> Result<Secret> {
    match reference.split_once(':') {
        Some(("env", name)) => {
            let value = env::var_os(name).filter(|v| !v.is_empty());
            let value =
                value.ok_or_else(|| usage("--admin: there is no environment variable of that name"))?;
            let value = Zeroizing::new(value.into_encoded_bytes());
            Ok(Secret::new(&secret_text(&value[..], "--admin")?))
        }
        Some(("file", path)) => {
            let file = File::open(path).map_err(|e| usage(format!("--admin: cannot read the file: {e}")))?;
            Ok(Secret::new(&secret_text(file, "--admin")?))
        }
        _ => Err(usage("--admin takes a reference, env:NAME or file:PATH, and never the credential itself")),
    }
}
