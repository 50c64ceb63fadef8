//! From what an event asks for to commits that stand in the repository.

use super::plan::{Base, Choice, Plan};
use crate::cli::usage;
use anyhow::Result;
use keywheel::model::ObjectId;

/// What of a repository the choice depends on.
pub(super) trait Known {
    /// The commit that an object is or leads to; `None` if it is not there.
    fn commit(&self, id: &ObjectId) -> Result<Option<ObjectId>>;
    /// The commit to which a full name such as `refs/heads/main` leads; `None` if there is none.
    fn named(&self, name: &str) -> Result<Option<ObjectId>>;
    /// The parents that a commit names, there or not.
    fn parents(&self, commit: &ObjectId) -> Result<Vec<ObjectId>>;
    /// Whether two commits have a common ancestor that is there.
    fn related(&self, a: &ObjectId, b: &ObjectId) -> Result<bool>;
    /// The commit that is checked out.
    fn head(&self) -> Result<Option<ObjectId>>;
    /// Whether a part of the history was not fetched.
    fn is_cut(&self) -> bool;
}

/// What is scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// What `head` has and `base` has not; all that `head` has without one.
    Range {
        base: Option<ObjectId>,
        /// A commit, or an annotated tag.
        head: ObjectId,
    },
    Tree,
    History,
}

/// Work, and the commits that decide how it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) work: Work,
    /// The commit whose configuration holds.
    pub(super) trusted: Option<ObjectId>,
    /// The commit whose configuration is only proposed.
    pub(super) proposing: Option<ObjectId>,
    /// What a person should know of the choice.
    pub(super) notes: Vec<String>,
}

/// Resolves a choice. `cure` says how to fetch what is missing.
///
/// # Errors
/// A commit that is needed is not there, or the plan is none to be carried out.
pub(super) fn resolve(choice: &Choice, known: &dyn Known, cure: &str) -> Result<Resolved> {
    let call = Call { choice, known, cure };
    match &choice.plan {
        Plan::Range { base, head } => call.range(base, head),
        Plan::Tree => call.whole(Work::Tree),
        Plan::History => call.whole(Work::History),
        Plan::Nothing(why) => Err(usage(why)),
        Plan::Refused { why, cure } => Err(usage(format!("{why}; {cure}"))),
    }
}

struct Call<'a> {
    choice: &'a Choice,
    known: &'a dyn Known,
    cure: &'a str,
}

impl Call<'_> {
    fn range(&self, base: &Base, head: &ObjectId) -> Result<Resolved> {
        let tip = self.commit(head, "the head of the change")?;
        match base {
            Base::Fork { onto, merge } => self.fork(onto, merge.as_ref(), *head, tip),
            Base::Before { tip: before, forced } => match self.known.commit(before)? {
                Some(before) => {
                    // Whoever pushes twice could else accept with the first push what the second brings.
                    let trusted = if self.choice.on_default { None } else { self.default_tip()? };
                    let trusted = Some(trusted.unwrap_or(before));
                    Ok(compared(Some(before), *head, tip, trusted, Vec::new()))
                }
                None if !forced && self.known.is_cut() => {
                    Err(self.missing(before, "the branch before the push"))
                }
                None => {
                    let told = "what stood there before the push is gone";
                    self.new_branch(*head, tip, vec![told.to_owned()])
                }
            },
            Base::New => self.new_branch(*head, tip, Vec::new()),
        }
    }

    fn fork(
        &self,
        onto: &ObjectId,
        merge: Option<&ObjectId>,
        head: ObjectId,
        tip: ObjectId,
    ) -> Result<Resolved> {
        // The server made the trial merge, so its first parent is the target branch as it is now.
        if let Some(id) = merge
            && let Some(merge) = self.known.commit(id)?
            && let [target, side] = self.known.parents(&merge)?[..]
            && side == tip
            && let Some(target) = self.known.commit(&target)?
        {
            return Ok(compared(Some(target), merge, merge, Some(target), Vec::new()));
        }
        let base = self.commit(onto, "the branch that the change goes into")?;
        if !self.known.related(&base, &tip)? {
            return Err(usage(format!(
                "the change and the branch that it goes into, {base}, have no common ancestor here; {}",
                self.cure
            )));
        }
        Ok(compared(Some(base), head, tip, Some(base), Vec::new()))
    }

    fn new_branch(&self, head: ObjectId, tip: ObjectId, mut notes: Vec<String>) -> Result<Resolved> {
        if self.choice.on_default {
            notes.push("everything that leads to the head is scanned".to_owned());
            return Ok(compared(None, head, tip, None, notes));
        }
        let Some(name) = &self.choice.default_branch else {
            return Err(usage(
                "the event does not name the default branch, with which a new branch is compared; choose what \
                 to scan: --scan tree, --scan history",
            ));
        };
        let Some(base) = self.default_tip()? else {
            return Err(usage(format!(
                "the default branch `{name}` is not there, with which a new branch is compared; {}",
                self.cure
            )));
        };
        notes.push("the default branch is what it is compared with".to_owned());
        Ok(compared(Some(base), head, tip, Some(base), notes))
    }

    fn whole(&self, work: Work) -> Result<Resolved> {
        let head = self.known.head()?;
        let mut notes = Vec::new();
        let trusted = if self.choice.on_default { head } else { self.default_tip()? };
        if trusted.is_none() {
            notes.push("the default branch is not there, so the default configuration holds".to_owned());
        }
        Ok(Resolved { work, trusted, proposing: head.filter(|h| trusted != Some(*h)), notes })
    }

    fn default_tip(&self) -> Result<Option<ObjectId>> {
        let Some(name) = &self.choice.default_branch else { return Ok(None) };
        for place in ["refs/remotes/origin/", "refs/heads/"] {
            if let Some(tip) = self.known.named(&format!("{place}{name}"))? {
                return Ok(Some(tip));
            }
        }
        Ok(None)
    }

    fn commit(&self, id: &ObjectId, what: &str) -> Result<ObjectId> {
        self.known.commit(id)?.ok_or_else(|| self.missing(id, what))
    }

    fn missing(&self, id: &ObjectId, what: &str) -> anyhow::Error {
        usage(format!("{what}, {id}, is not in the repository; {}", self.cure))
    }
}

/// A range; `tip` is the commit of `head`, which may be a tag.
fn compared(
    base: Option<ObjectId>,
    head: ObjectId,
    tip: ObjectId,
    trusted: Option<ObjectId>,
    notes: Vec<String>,
) -> Resolved {
    Resolved { work: Work::Range { base, head }, trusted, proposing: Some(tip), notes }
}

#[cfg(test)]
mod tests;
