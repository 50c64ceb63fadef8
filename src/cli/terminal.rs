//! What the environment says of the terminal, and text that is safe to show on it.

use std::env;
use std::io::{self, IsTerminal};

/// Whether standard output takes colours. `NO_COLOR` beats `CLICOLOR_FORCE`, which beats the rest.
pub(crate) fn color() -> bool {
    wants_color(
        |name| env::var_os(name).map(|v| v.to_string_lossy().into_owned()),
        io::stdout().is_terminal(),
    )
}

fn wants_color(var: impl Fn(&str) -> Option<String>, terminal: bool) -> bool {
    let set = |name| var(name).filter(|v| !v.is_empty());
    if set("NO_COLOR").is_some() {
        false
    } else if set("CLICOLOR_FORCE").is_some_and(|v| v != "0") {
        true
    } else {
        terminal && set("CLICOLOR").is_none_or(|v| v != "0") && set("TERM").is_none_or(|v| v != "dumb")
    }
}

/// Whether somebody watches standard error.
pub(crate) fn interactive() -> bool {
    let off = |name: &str, word: &str| env::var_os(name).is_some_and(|v| v == word);
    let ci = env::var_os("CI").is_some_and(|v| !v.is_empty() && v != "false" && v != "0");
    io::stderr().is_terminal() && !ci && !off("TERM", "dumb")
}

/// One line on which neither a terminal nor a build log acts.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}') =>
            {
                out.extend(c.escape_unicode());
            }
            // `##[error]` and `##vso[…]` are commands wherever they stand on a line.
            '#' if out.ends_with('#') => out.push_str("\\x23"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides_on_colours() {
        let color = |vars: &[(&str, &str)], terminal| {
            wants_color(|n| vars.iter().find(|(k, _)| *k == n).map(|(_, v)| (*v).to_owned()), terminal)
        };
        assert!(color(&[], true) && !color(&[], false));
        assert!(!color(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true));
        assert!(color(&[("NO_COLOR", ""), ("CLICOLOR_FORCE", "1")], false));
        assert!(!color(&[("CLICOLOR_FORCE", "0")], false));
        assert!(!color(&[("TERM", "dumb")], true) && !color(&[("CLICOLOR", "0")], true));
    }

    #[test]
    fn nothing_acts_on_plain_text() {
        assert_eq!(plain("a\x1b[31m\n##[error]"), "a\\u{1b}[31m\\u{a}#\\x23[error]");
    }
}
