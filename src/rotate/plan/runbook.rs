//! A runbook: what a person needs who has to turn a key over, or to go on where Keywheel stopped.

use super::{Landing, Plan, course};
use crate::rotate::machine::Path;
use std::fmt::Write as _;

impl Plan {
    /// The runbook in Markdown, with what was done so far, a line each.
    pub fn runbook(&self, done: &[String]) -> String {
        let mut out = format!("# Turning over `{}`\n\n", self.lineage);
        let list = |items: &[String]| if items.is_empty() { "nobody".to_owned() } else { items.join(", ") };
        let _ = write!(
            out,
            "- Provider: {}, rule `{}`\n- Owners: {}\n- Approvers: {}\n- Plan: `{}`\n\n",
            self.provider,
            self.rule,
            list(&self.owners),
            list(&self.approvers),
            self.hash()
        );
        self.used(&mut out);
        out.push_str("## What happens\n\n");
        for (n, step) in course(self).iter().enumerate() {
            let mark = if step.changes { " **changes something outside**" } else { "" };
            let _ = writeln!(out, "{}. +{} {}{mark}", n + 1, step.after, step.text);
        }
        out.push('\n');
        self.back(&mut out);
        self.by_hand(&mut out);
        if !done.is_empty() {
            out.push_str("## What was done\n\n");
            done.iter().for_each(|line| out.push_str(&format!("    {line}\n")));
            out.push('\n');
        }
        if !self.gaps.is_empty() {
            out.push_str("## Why Keywheel cannot do it as things stand\n\n");
            self.gaps.iter().for_each(|gap| out.push_str(&format!("- {gap}\n")));
        }
        out
    }

    fn used(&self, out: &mut String) {
        out.push_str("## Where it is used\n\n");
        self.landings.iter().for_each(|landing| out.push_str(&format!("- `{}`\n", landing.claim)));
        for (name, owner) in &self.consumers {
            let owner = owner.as_deref().map_or(String::new(), |owner| format!(", {owner} speaks for it"));
            let _ = writeln!(out, "- read by {name}{owner}");
        }
        out.push('\n');
    }

    fn back(&self, out: &mut String) {
        out.push_str("## How to go back\n\n");
        let powers = &self.frozen().powers;
        out.push_str(match (self.rotation().is_emergency(), self.rotation().path(), powers.enable) {
            (true, ..) => "There is no way back: a leaked key is not put back. Go forward.\n\n",
            (_, Path::RevokeFirst, _) => "There is no way back: the old key is switched off first. Go forward.\n\n",
            (_, _, true) => {
                "Until the old key is deleted: `keywheel rotate abort`. The stores get the old key back, it is switched \
                 on again if need be, and the new one is removed.\n\n"
            }
            (_, _, false) => {
                "Until the old key is switched off or deleted, which cannot be undone: `keywheel rotate abort`. The \
                 stores get the old key back, and the new one is removed.\n\n"
            }
        });
    }

    fn by_hand(&self, out: &mut String) {
        let _ = write!(
            out,
            "## By hand\n\n1. At {}, make a new key with the scopes, limits and owner of the old one (`{}`).\n2. Put it, in \
             this order, into:\n",
            self.provider,
            super::shown(&self.old().0)
        );
        let place = |landing: &Landing| format!("   - `{}`\n", landing.claim);
        self.landings.iter().for_each(|landing| out.push_str(&place(landing)));
        let _ = write!(
            out,
            "3. See that everything that reads it works. Leave both keys in force for {}.\n4. Export the old key's use where \
             {} gives it: it cannot be had afterwards.\n5. Delete the old key, that one key and nothing above it, and see \
             that it is refused.\n6. Put the new fingerprint first in `fingerprints` of the policy.\n\n",
            self.rotation().overlap(),
            self.provider
        );
    }
}
