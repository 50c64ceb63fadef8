//! The table of what is checked and how: `docs/verification.md`.

use super::{Declared, RuleSet};
use crate::call::{Ending, Expect, Right, StatusSet, Verify};
use std::fmt::Write as _;

const HEAD: &str = "# Verification

Made by `keywheel rules list --format markdown`; a test holds it current.

- *Works*, *few rights*, *does not work*: what an answer must show. Whatever fits none of them, or several, is unknown.
- *Status only*: the provider offers nothing else to tell by.
- *Control*: a made-up credential is sent first. For the other rules one is sent before the first key of a host is
  called active.
- *Rights*: further reads tell what a working credential may do.
- *Revoke*: who can switch it off by a call, and what becomes of it.

";

/// The table of a rule set, in Markdown.
pub fn verification(rules: &RuleSet) -> String {
    let mut out = HEAD.to_owned();
    let all: Vec<Declared> = rules.kinds().iter().filter_map(|k| rules.declared(&k.id)).collect();
    let checked: Vec<&Declared> = all.iter().filter(|d| d.rule.verify.is_some()).collect();
    let revocable = all.iter().filter(|d| d.rule.revoke.is_some()).count();
    let _ = writeln!(
        out,
        "{} of {} rules are checked, {revocable} can be revoked.\n\n\
         | Rule | Call | Works | Few rights | Does not work | Owner | Notes |\n|---|---|---|---|---|---|---|",
        checked.len(),
        all.len()
    );
    for declared in checked {
        if let Some(verify) = &declared.rule.verify {
            row(declared, verify, &mut out);
        }
    }
    out
}

fn row(declared: &Declared, verify: &Verify, out: &mut String) {
    let rule = &declared.rule;
    let call = match (&verify.request, &verify.probe) {
        (Some(request), _) => {
            let rest = request.url.strip_prefix("https://").unwrap_or(&request.url);
            code(&format!("{} {}", request.method, rest.split('?').next().unwrap_or_default()))
        }
        (None, Some(probe)) => format!("probe {}", code(probe)),
        (None, None) => String::new(),
    };
    let mut notes = Vec::new();
    if verify.status_only.is_some() {
        notes.push("status only".to_owned());
    }
    if verify.control.is_some() {
        notes.push("control".to_owned());
    }
    if rule.access.is_some() {
        notes.push("rights".to_owned());
    }
    if let Some(revoke) = &rule.revoke {
        let who = match revoke.right {
            Right::Holder => "holder",
            Right::Admin => "administrator",
            Right::Anyone => "anyone",
        };
        let what = match revoke.effect {
            Ending::Disable => "disables",
            Ending::Delete => "deletes",
        };
        notes.push(format!("revoke: {who} {what}"));
    }
    let identity: Vec<&str> = verify.identity.keys().map(String::as_str).collect();
    let cells = [
        code(&rule.id),
        call,
        list(&verify.active),
        list(&verify.restricted),
        list(&verify.inactive),
        identity.join(", "),
        notes.join("; "),
    ];
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

fn list(expects: &[Expect]) -> String {
    let one = |e: &Expect| {
        let mut out = match &e.status {
            StatusSet::None => String::new(),
            StatusSet::One(status) => status.to_string(),
            StatusSet::Many(list) => list.iter().map(u16::to_string).collect::<Vec<_>>().join("/"),
        };
        let pair = |(name, want): (&String, &String)| match want.as_str() {
            "*" => code(name),
            want => format!("{} = {}", code(name), code(want)),
        };
        let parts: Vec<String> =
            e.json.iter().chain(&e.header).map(pair).chain(e.contains.iter().map(|c| code(c))).collect();
        if !parts.is_empty() {
            let _ = write!(out, " {}", parts.join(", "));
        }
        out
    };
    expects.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Inline code in a cell of a table.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|").replace('`', "'").replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_the_documentation_is_current() {
        let made = verification(&RuleSet::embedded());
        let there = include_str!("../../docs/verification.md");
        let stale = made.lines().zip(there.lines()).find(|(a, b)| a != b);
        assert!(
            made == there,
            "docs/verification.md is stale: keywheel rules list --format markdown > docs/verification.md\n{stale:?}"
        );
    }

    #[test]
    fn every_row_has_its_cells() {
        let made = verification(&RuleSet::embedded());
        let rows: Vec<&str> = made.lines().filter(|l| l.starts_with('|')).collect();
        assert!(rows.len() > 200);
        for row in rows {
            assert_eq!(row.replace("\\|", "").matches('|').count(), 8, "{row}");
        }
    }
}
