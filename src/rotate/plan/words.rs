//! A plan for people, for programs and for a job summary.

use super::{Plan, Step, Way, course};
use crate::report::escape::{markdown, markdown_code};
use crate::rotate::machine::Kind;
use serde_json::{Value, json};
use std::fmt::Write as _;

impl Plan {
    /// What is done, in a word.
    fn kind_word(&self) -> &'static str {
        match self.kind {
            Kind::Scheduled => "scheduled",
            Kind::Emergency => "emergency",
        }
    }

    /// What a person has to do, a sentence each.
    pub fn people(&self) -> Vec<String> {
        let mut list = Vec::new();
        if self.approvals() > 0 {
            let who = self.approvers.join(", ");
            list.push(format!("{} of {who} must approve", self.approvals()));
        }
        if self.way == Way::ByHand {
            let who = if self.owners.is_empty() { "somebody".to_owned() } else { self.owners.join(", ") };
            list.push(format!(
                "{who} makes the new key at {} and brings it, unless one waits in the pool",
                self.provider
            ));
            list.push(format!("{who} deletes the old key at {} when told", self.provider));
        }
        let acks = self.frozen().proofs.contains(&crate::rotate::machine::Proof::Ack);
        for (name, owner) in &self.consumers {
            if let (Some(owner), true, Kind::Scheduled) = (owner, acks, self.kind) {
                list.push(format!("{owner} may say that {name} uses the new key"));
            }
        }
        list
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let mut out = format!(
            "{}: {} rotation to generation {}\n  provider {}, rule {}, keys are made {}\n  old key: {}\n",
            self.lineage,
            self.kind_word(),
            self.generation(),
            self.provider,
            self.rule,
            match self.way {
                Way::Calls => "by call",
                Way::ByHand => "by hand",
                Way::Roles => "by two roles that take turns",
            },
            shown(&self.old().0),
        );
        let mut part = |head: &str, lines: &[String]| {
            if !lines.is_empty() {
                let _ = writeln!(out, "  {head}");
                lines.iter().for_each(|line| out.push_str(&format!("    {line}\n")));
            }
        };
        part("stores, in order:", &self.claims());
        part("people:", &self.people());
        part("note:", &self.notes);
        part("cannot begin:", &self.gaps);
        let steps: Vec<String> = course(self).iter().map(line).collect();
        part("steps, if nothing goes wrong (* changes something outside):", &steps);
        if self.cuts_off() {
            out.push_str(
                "  the old key is switched off first: its readers are cut off until the new one is there\n",
            );
        }
        let _ = writeln!(out, "  plan {}", self.hash());
        out
    }

    /// For a job summary or a comment.
    pub fn markdown(&self) -> String {
        let mut out = format!(
            "### `{}`: {} rotation to generation {}\n\nProvider {}, rule {}. Old key: {}. Owners: {}.\n\n",
            // A name: letters, digits and a few signs that mark nothing.
            self.lineage,
            self.kind_word(),
            self.generation(),
            markdown(&self.provider),
            markdown_code(&self.rule),
            markdown_code(&shown(&self.old().0)),
            // Nobody is called by a comment.
            if self.owners.is_empty() { "nobody".to_owned() } else { markdown(&self.owners.join(", ")) },
        );
        let mut part = |head: &str, lines: &[String]| {
            if !lines.is_empty() {
                let _ = writeln!(out, "{head}:\n");
                lines.iter().for_each(|line| out.push_str(&format!("- {}\n", markdown(line))));
                out.push('\n');
            }
        };
        part("Cannot begin", &self.gaps);
        part("Note", &self.notes);
        part("Stores", &self.claims());
        part("People", &self.people());
        out.push_str("| after | | step |\n|---|---|---|\n");
        for step in course(self) {
            let mark = if step.changes { "changes" } else { "" };
            let _ = writeln!(out, "| {} | {mark} | {} |", step.after, markdown(&lasting(&step)));
        }
        let _ = writeln!(out, "\nPlan `{}`", self.hash());
        out
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "version": 1,
            "lineage": self.lineage,
            "kind": self.kind,
            "generation": self.generation(),
            "provider": self.provider,
            "rule": self.rule,
            "by_hand": self.way == Way::ByHand,
            "old": self.old(),
            "stores": self.claims(),
            "owners": self.owners,
            "approvals": self.approvals(),
            "people": self.people(),
            "notes": self.notes,
            "gaps": self.gaps,
            "cuts_off": self.cuts_off(),
            "steps": course(self),
            "frozen": self.frozen(),
            "plan": self.hash(),
        })
    }
}

fn line(step: &Step) -> String {
    let mark = if step.changes { '*' } else { ' ' };
    format!("+{:<12}{mark} {}", step.after.to_string(), lasting(step))
}

fn lasting(step: &Step) -> String {
    if step.lasts.0 == 0 { step.text.clone() } else { format!("{} ({})", step.text, step.lasts) }
}

/// A provider's id: nothing in it steers a terminal.
pub(in crate::rotate) fn shown(text: &str) -> String {
    text.chars().take(128).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}
