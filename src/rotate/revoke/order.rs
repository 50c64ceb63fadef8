//! What is to be switched off, and everything that the rule's calls need for it.

use crate::call::{CAPTURED_HOST, Revoke, Right, Values, holes};
use crate::model::{Finding, Secret, Status};
use crate::rule::{Declared, RuleSet};
use std::collections::{BTreeMap, BTreeSet};

/// One key to be switched off, complete.
pub struct Order {
    pub(super) finding: Finding,
    pub(super) declared: Declared,
    pub(super) values: Values,
    revoke: Revoke,
}

/// Why an order is not complete. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// No rule that saw the key says how.
    #[error("no rule that knows this key declares how it is switched off ({0}); do it at the provider: {1}")]
    NoCall(String, String),
    /// The administrator's credential is missing.
    #[error(
        "this takes an administrator's credential (rule `{0}`): give --admin env:NAME or --admin file:PATH"
    )]
    NoAdmin(String),
    /// An administrator's credential that no call uses.
    #[error("the rule `{0}` uses no administrator's credential; leave --admin out")]
    NeedlessAdmin(String),
    /// The administrator's credential is the key itself.
    #[error("the administrator's credential is the very key that is to be switched off")]
    Same,
    /// A name that the operator has to give.
    #[error("the call needs `{name}`: give --ask {name}=VALUE ({what})")]
    NotAsked {
        /// The name.
        name: String,
        /// What it is.
        what: String,
    },
    /// A name that nobody asked for.
    #[error("the rule asks for no `{0}`")]
    Unasked(String),
    /// An asked value that is none.
    #[error("the value of `{0}` is empty, has a control character, or holds a credential")]
    Unfit(String),
    /// A part of the credential that is not there.
    #[error("the call needs `{0}`, another part of the credential: give --with {0}=FILE")]
    Missing(String),
    /// A part with more than one value: one of them may be another key's.
    #[error(
        "more than one `{0}` stands near the key, and a wrong one could end another key: give the key on \
         standard input, with --with {0}=FILE"
    )]
    Several(String),
}

impl Order {
    /// Puts an order together from a finding, what the operator was asked, and an administrator's credential.
    ///
    /// # Errors
    /// What is missing, or too much.
    pub fn new(
        finding: &Finding,
        rules: &RuleSet,
        asked: &BTreeMap<String, String>,
        admin: Option<Secret>,
    ) -> Result<Order, OrderError> {
        let ids = std::iter::once(&finding.rule.id).chain(&finding.also);
        let mut declared = ids.filter_map(|id| rules.declared(id)).filter(|d| d.rule.revoke.is_some());
        let Some((declared, revoke)) = declared.next().and_then(|d| d.rule.revoke.clone().map(|r| (d, r)))
        else {
            let docs = rules.declared(&finding.rule.id).map(|d| d.provider.docs).unwrap_or_default();
            let place = if docs.is_empty() { "see its console".to_owned() } else { docs };
            return Err(OrderError::NoCall(finding.rule.id.clone(), place));
        };
        let mut values = Values::new();
        values.set("secret", finding.secret.clone());
        match (revoke.right, admin) {
            (Right::Admin, None) => {
                return Err(OrderError::NoAdmin(revoke.admin.clone().unwrap_or_default()));
            }
            (Right::Admin, Some(admin)) if admin == finding.secret => return Err(OrderError::Same),
            (Right::Admin, Some(admin)) => {
                values.set("admin", admin);
            }
            (_, Some(_)) => return Err(OrderError::NeedlessAdmin(declared.rule.id.clone())),
            (_, None) => {}
        }
        if let Some(name) = asked.keys().find(|name| !revoke.ask.contains_key(*name)) {
            return Err(OrderError::Unasked(name.clone()));
        }
        for (name, what) in &revoke.ask {
            let value = asked
                .get(name)
                .ok_or_else(|| OrderError::NotAsked { name: name.clone(), what: what.clone() })?;
            let secrets = [Some(&finding.secret), values.get("admin")];
            let telling = secrets.into_iter().flatten().any(|s| holds(value.as_bytes(), s.expose()));
            if value.trim().is_empty() || value.chars().any(char::is_control) || telling {
                return Err(OrderError::Unfit(name.clone()));
            }
            values.set(name, Secret::new(value.as_bytes()));
        }
        parts(finding, &revoke, &mut values)?;
        // Whether it is accepted in a scan says nothing about whether it is switched off.
        let finding = Finding { status: Status::New, ..finding.clone() };
        Ok(Order { finding, declared, values, revoke })
    }

    /// What the rule declares.
    pub fn revoke(&self) -> &Revoke {
        &self.revoke
    }

    /// The rule whose declaration it is.
    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// The key.
    pub fn finding(&self) -> &Finding {
        &self.finding
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|w| w == part)
}

/// Adds the other parts of the credential that the calls use. Each must have one value only.
fn parts(finding: &Finding, revoke: &Revoke, values: &mut Values) -> Result<(), OrderError> {
    let mut captured = BTreeSet::new();
    for step in revoke.reads.iter().chain([&revoke.change]) {
        let mut templates = step.request.templates();
        let conditions = step.find.iter().flat_map(|f| &f.r#where);
        templates.extend(conditions.map(|(at, text)| (at.clone(), text.as_str())).filter(|(_, t)| *t != "*"));
        let mut names: BTreeSet<(&str, bool)> = BTreeSet::from([(CAPTURED_HOST, false)]);
        for (field, text) in &templates {
            let needed = field != "sign.token";
            names.extend(holes(text).unwrap_or_default().into_iter().map(|name| (name, needed)));
        }
        for (name, needed) in names {
            if captured.contains(name) || values.get(name).is_some() {
                continue;
            }
            let partners = finding.occurrences.iter().flat_map(|o| &o.partners).filter(|p| p.name == name);
            let mut found: Vec<&Secret> = Vec::new();
            for partner in partners {
                if !found.contains(&&partner.value) {
                    found.push(&partner.value);
                }
            }
            match found[..] {
                [] if needed => return Err(OrderError::Missing(name.to_owned())),
                [] => {}
                [one] => {
                    values.set(name, one.clone());
                }
                _ => return Err(OrderError::Several(name.to_owned())),
            }
        }
        captured.extend(step.capture.keys().cloned());
    }
    Ok(())
}
