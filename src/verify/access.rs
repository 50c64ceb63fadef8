//! What a credential that works may do: captured from the answer that proved it, and from further reads.

use super::identity;
use crate::call::{self, Capture, Effect, Reply, Values};
use crate::model::{Access, Grade, Level, Secret};
use std::collections::BTreeMap;

/// Values captured so far, with everything secret taken out.
#[derive(Default)]
pub(super) struct Captured(BTreeMap<String, String>);

impl Captured {
    /// Takes what an answer holds.
    pub(super) fn take(&mut self, reply: &Reply, captures: &BTreeMap<String, Capture>, values: &Values) {
        let body = serde_json::from_str::<serde_json::Value>(&reply.body).ok();
        for (name, capture) in captures.iter().filter(|(_, c)| !c.secret) {
            let found = match (&capture.json, &capture.header) {
                (Some(pointer), _) => body.as_ref().and_then(|b| b.pointer(pointer)).and_then(identity::text),
                (None, Some(header)) => reply.headers.get(header).cloned(),
                (None, None) => None,
            };
            if let Some(text) = found {
                self.0.insert(name.clone(), identity::clean(&text, values));
            }
        }
    }

    /// Takes what a native check told of the owner, a blank in a name being `_`. It holds no secret.
    pub(super) fn told(&mut self, identity: &BTreeMap<String, String>) {
        self.0.extend(identity.iter().map(|(name, value)| (name.replace(' ', "_"), value.clone())));
    }

    /// All of it, for the templates of reads, beside what is known already.
    pub(super) fn beside(&self, values: &Values) -> Values {
        let mut all = values.clone();
        for (name, value) in self.0.iter().filter(|(name, _)| values.get(name).is_none()) {
            all.set(name, Secret::new(value.as_bytes()));
        }
        all
    }

    /// Notes what became of a read.
    pub(super) fn read(&mut self, n: usize, effect: Effect) {
        let word = match effect {
            Effect::Done | Effect::Already => "done",
            Effect::Refused => "refused",
            Effect::Busy | Effect::Full | Effect::Unknown => return,
        };
        self.0.insert(format!("read{n}"), word.to_owned());
    }

    /// What it comes to; `None` if nothing is known. A credential of few rights is not graded as all of its kind are.
    pub(super) fn access(self, declared: &call::Access, restricted: bool) -> Option<Access> {
        let grade = declared
            .grade(&self.0)
            .filter(|g| !restricted || !g.when.is_empty())
            .and_then(|g| Some(Grade { level: Level::from_word(&g.level)?, means: g.means.clone() }));
        let shown = |name: &String| Some((name.clone(), self.0.get(name).filter(|v| !v.is_empty())?.clone()));
        let facts: BTreeMap<_, _> = declared.show.iter().filter_map(shown).collect();
        (grade.is_some() || !facts.is_empty()).then_some(Access { grade, facts })
    }
}
