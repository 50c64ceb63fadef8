//! Checks how a rule file says that the use of keys is read.

use super::Check;
use crate::call::{By, Effect, Reply, Step};
use crate::rule::{Meter, Provider};
use std::collections::BTreeMap;
use std::path::PathBuf;

impl Check {
    pub(super) fn meter(&mut self, provider: &Provider, meter: &Meter, ids: &mut BTreeMap<String, PathBuf>) {
        if let Some(other) = ids.insert(meter.id.clone(), self.path.clone()) {
            self.fault(&meter.id, format!("the id stands in {} too; choose another", other.display()));
        }
        for fault in meter.faults(&provider.id) {
            self.fault(&meter.id, format!("usage: {fault}"));
        }
        if self.detector.rules().position(&meter.admin).is_none() {
            self.fault(&meter.id, format!("usage: no rule is named `{}`", meter.admin));
        }
        let mut names = if meter.parts.is_empty() { vec!["admin".to_owned()] } else { meter.parts.clone() };
        names.extend(meter.ask.keys().cloned());
        if let Some(each) = &meter.each {
            let mut of_list = names.clone();
            of_list.extend(each.offset.then(|| "offset".to_owned()));
            self.request(&meter.id, "usage: each", &each.request, &of_list, &provider.hosts);
            if each.done.is_empty() {
                self.fault(&meter.id, "usage: each: no answer proves that it was done");
            }
            names.push("key".to_owned());
        }
        if meter.next.as_ref().is_some_and(|next| !matches!(next.by, By::Body | By::Page)) {
            self.fault(
                &meter.id,
                "usage: next: pages are named in the body or counted here: leave `by` out, or \"page\"",
            );
        }
        names.extend(["from".to_owned(), "to".to_owned()]);
        self.request(&meter.id, "usage", &meter.request, &names, &provider.hosts);
        let step = Step {
            request: meter.request.clone(),
            done: meter.done.clone(),
            already: Vec::new(),
            refused: Vec::new(),
            busy: Vec::new(),
            full: Vec::new(),
            xml: false,
            find: None,
            capture: BTreeMap::new(),
            replies: Vec::new(),
        };
        for (n, told) in meter.replies.iter().enumerate() {
            self.report.replies += 1;
            let reply = Reply { status: told.status, headers: BTreeMap::new(), body: told.body.clone() };
            if (step.judge(&reply) == Effect::Done) != told.rows.is_some() {
                let what =
                    if told.rows.is_some() { "proves nothing, and should" } else { "counts, and should not" };
                self.fault(&meter.id, format!("usage: replies[{n}] {what}"));
            }
        }
    }
}
