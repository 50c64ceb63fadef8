//! What is said before and after: every text passes through the veil and is made plain.

use crate::cli::terminal::plain;
use keywheel::call::{Ending, Right};
use keywheel::model::{Evidence, Validity};
use keywheel::report::Veil;
use keywheel::rotate::revoke::{Done, Order, Outcome};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is said of one order.
pub(super) struct Words<'a> {
    pub(super) order: &'a Order,
    pub(super) asked: &'a BTreeMap<String, String>,
    pub(super) veil: Veil,
}

impl Words<'_> {
    fn shown(&self, text: &str) -> String {
        plain(&self.veil.text(text))
    }

    /// What will happen, a line each.
    pub(super) fn plan(&self, before: Option<&Validity>) -> String {
        let (declared, revoke) = (self.order.declared(), self.order.revoke());
        let mut lines = vec![
            format!("key       {} ({})", self.order.finding().fingerprint, declared.rule.name),
            format!("provider  {}", declared.provider.name),
            format!("effect    {}", effect(revoke.effect)),
            format!("right     {}", right(revoke.right)),
        ];
        lines.extend(revoke.also.iter().map(|also| format!("also      {also}")));
        lines.extend(self.asked.iter().map(|(name, value)| format!("with      {name} = {value}")));
        if !self.asked.is_empty() {
            lines.push("warning   these ids are taken as given: a wrong one ends another key".to_owned());
        }
        if let Some(before) = before {
            lines.push(format!("now       {}", standing(before)));
        }
        if declared.rule.verify.is_none() {
            lines.push(
                "warning   no check is declared for this key, so its death cannot be proved".to_owned(),
            );
        }
        lines.iter().map(|line| format!("{}\n", self.shown(line))).collect()
    }

    /// What became of it, for a person.
    pub(super) fn text(&self, done: &Done) -> String {
        let print = &self.order.finding().fingerprint;
        let proof = done.evidence.as_ref().and_then(proof).unwrap_or_default();
        let line = match &done.outcome {
            Outcome::Dead => format!("dead: {print}{proof}"),
            other => format!("{}: {print}: {}{proof}", other.as_str().replace('-', " "), other.detail()),
        };
        self.shown(&line) + "\n"
    }

    /// The same for a program; without an outcome, the plan alone.
    pub(super) fn json(&self, before: Option<&Validity>, outcome: &str, done: Option<&Done>) -> String {
        let (declared, revoke) = (self.order.declared(), self.order.revoke());
        let text = |t: &str| Value::from(self.shown(t));
        let evidence = done.and_then(|d| d.evidence.as_ref()).map(|e| {
            json!({
                "rule": text(&e.rule), "status": e.status, "expectation": text(&e.expectation),
                "host": text(&e.host), "at": e.at, "detail": text(&e.detail),
            })
        });
        let asked: serde_json::Map<String, Value> =
            self.asked.iter().map(|(name, value)| (self.shown(name), text(value))).collect();
        let document = json!({
            "version": 1,
            "fingerprint": self.order.finding().fingerprint.as_str(),
            "rule": text(&declared.rule.id),
            "provider": text(&declared.provider.id),
            "effect": revoke.effect,
            "right": revoke.right,
            "also": revoke.also.as_deref().map(text),
            "asked": asked,
            "before": before.map(Validity::as_str),
            "outcome": outcome,
            "answered": done.and_then(|d| d.status),
            "detail": text(done.map_or("", |d| d.outcome.detail())),
            "evidence": evidence,
        });
        format!("{document:#}\n")
    }
}

fn effect(effect: Ending) -> &'static str {
    match effect {
        Ending::Disable => "switched off; it can be switched on again",
        Ending::Delete => "gone for good",
    }
}

fn right(right: Right) -> &'static str {
    match right {
        Right::Holder => "its own: whoever holds the key may switch it off",
        Right::Admin => "an administrator's, by the credential of --admin",
        Right::Anyone => "anybody's: the provider takes reports of leaked keys, whoever owns them",
    }
}

fn standing(validity: &Validity) -> String {
    match validity {
        Validity::Active { identity, .. } if identity.is_empty() => "it works".to_owned(),
        Validity::Active { identity, .. } => {
            let facts: Vec<String> = identity.iter().map(|(k, v)| format!("{k} {v}")).collect();
            format!("it works ({})", facts.join(", "))
        }
        Validity::Inactive => "it is dead".to_owned(),
        Validity::Unknown(why) => format!("not known whether it works: {}", why.sentence()),
        Validity::NotChecked(why) => format!("not checked: {}", why.sentence()),
    }
}

fn proof(e: &Evidence) -> Option<String> {
    Some(format!(" (status {} from {}, {})", e.status?, e.host, e.expectation))
}
