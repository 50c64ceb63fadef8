//! Pushes that were let through, or asked to be, on the record.

use anyhow::{Context, Result};
use keywheel::config::Hook;
use keywheel::source::git::receive::Update;
use serde_json::{Value, json};
use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// The push option that asks for it.
pub(super) const OPTION: &str = "keywheel.bypass";
/// Longest reason that is kept, in characters.
const REASON: usize = 500;
/// Most push options that are looked at.
const OPTIONS: usize = 1000;
/// Variables by which servers name who pushes.
const PUSHER: &[&str] =
    &["GL_USERNAME", "GL_ID", "GITHUB_USER_LOGIN", "GITEA_PUSHER_NAME", "REMOTE_USER", "USER"];

/// The reason given with `-o keywheel.bypass=<reason>`; empty if the option came without one.
pub(super) fn reason() -> Option<String> {
    from(|name| env::var_os(name).map(|v| v.to_string_lossy().into_owned()))
}

fn from(var: impl Fn(&str) -> Option<String>) -> Option<String> {
    let count: usize = var("GIT_PUSH_OPTION_COUNT")?.parse().ok()?;
    (0..count.min(OPTIONS)).find_map(|n| {
        let option = var(&format!("GIT_PUSH_OPTION_{n}"))?;
        let (name, reason) = option.split_once('=').unwrap_or((&option, ""));
        (name.trim() == OPTION).then(|| reason.trim().chars().take(REASON).collect())
    })
}

/// Why a bypass does not hold; `None` if it does.
pub(super) fn refused(hook: &Hook, reason: &str) -> Option<&'static str> {
    if !hook.bypass || hook.audit_log.is_none() {
        Some("this server takes no keywheel.bypass")
    } else if reason.is_empty() {
        Some("give a reason: git push -o keywheel.bypass='why this is no leak'")
    } else {
        None
    }
}

/// Appends one line to the audit log, and waits until it is on disk.
///
/// # Errors
/// It cannot be written: then nothing is let through.
pub(super) fn write(log: &Path, outcome: &str, reason: &str, updates: &[Update], more: Value) -> Result<()> {
    let pusher: serde_json::Map<String, Value> =
        PUSHER.iter().filter_map(|n| Some(((*n).to_owned(), json!(env::var(n).ok()?)))).collect();
    let refs: Vec<Value> = updates
        .iter()
        .map(|u| json!({"ref": u.name.text(), "old": u.old.to_string(), "new": u.new.to_string()}))
        .collect();
    let repository = env::current_dir().map(|p| p.display().to_string()).unwrap_or_default();
    let mut line = json!({
        "time": jiff::Timestamp::now().to_string(),
        "outcome": outcome,
        "reason": reason,
        "repository": repository,
        "pusher": pusher,
        "refs": refs,
        "scan": more,
    })
    .to_string();
    line.push('\n');
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(log).and_then(|mut file| {
        // One call, so that the lines of two pushes at once do not mix.
        file.write_all(line.as_bytes())?;
        file.sync_data()
    });
    written.with_context(|| format!("cannot write the audit log {}", log.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn the_option_is_found_among_others() {
        let given = |options: &[&str]| {
            from(|name| match name.strip_prefix("GIT_PUSH_OPTION_")? {
                "COUNT" => Some(options.len().to_string()),
                n => options.get(n.parse::<usize>().ok()?).map(|o| (*o).to_owned()),
            })
        };
        assert_eq!(given(&[]), None);
        assert_eq!(given(&["ci.skip", "keywheel.bypassed=x"]), None);
        assert_eq!(given(&["ci.skip", "keywheel.bypass=a = b "]).as_deref(), Some("a = b"));
        assert_eq!(given(&["keywheel.bypass"]).as_deref(), Some(""));
        assert_eq!(from(|_| None), None);
        assert_eq!(from(|_| Some("99999999999999999999".to_owned())), None);
    }

    #[test]
    fn nothing_is_bypassed_without_leave_log_and_reason() {
        let hook = |bypass, log: Option<&str>| Hook { bypass, audit_log: log.map(PathBuf::from) };
        assert!(refused(&hook(false, Some("x")), "why").is_some());
        assert!(refused(&hook(true, None), "why").is_some());
        assert!(refused(&hook(true, Some("x")), "").is_some());
        assert!(refused(&hook(true, Some("x")), "why").is_none());
    }
}
