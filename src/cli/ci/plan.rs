//! What a build server's event asks to be scanned. Names only: whether they stand in the repository
//! is found out later.

use keywheel::model::ObjectId;

/// What to scan, or why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// What `head` brings over `base`.
    Range {
        /// Against what.
        base: Base,
        /// A commit, or an annotated tag.
        head: ObjectId,
    },
    /// The files that are checked out.
    Tree,
    /// Everything that the repository holds.
    History,
    /// There is nothing to scan, and why that is so.
    Nothing(&'static str),
    /// It would be unsafe or a guess.
    Refused {
        /// What is wrong.
        why: String,
        /// What to do about it.
        cure: &'static str,
    },
}

/// What a range is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// The branch that the head shall go into: compared from their merge base on.
    Fork {
        /// The tip of that branch, as the event names it.
        onto: ObjectId,
        /// The trial merge that the server made of both, if it says so. Its first parent may be
        /// newer than `onto`.
        merge: Option<ObjectId>,
    },
    /// The same branch before a push.
    Before {
        /// Its tip then.
        tip: ObjectId,
        /// Whether the server says that the push left commits behind, so that the tip may be gone.
        forced: bool,
    },
    /// The branch or tag is new: compared with the default branch.
    New,
}

/// A plan, and what else the event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// What to scan.
    pub(super) plan: Plan,
    /// The repository's default branch, if the event names it: `main`.
    pub(super) default_branch: Option<String>,
    /// Whether the event is about that branch itself.
    pub(super) on_default: bool,
    /// Whether what is scanned may come from somebody who may not write to the repository: nothing of it is sent
    /// to anyone.
    pub(super) foreign: bool,
}

impl Choice {
    /// What a scan of it needs to find in the repository, for a program that fetches: lines of a word
    /// and a name, such as `head 1234…` or `branch main`. Empty where the checkout is enough.
    ///
    /// # Errors
    /// Why nothing is scanned.
    pub(super) fn needs(&self) -> Result<String, String> {
        let mut out = String::new();
        let mut line = |word: &str, name: &dyn std::fmt::Display| out.push_str(&format!("{word} {name}\n"));
        let mut compared = true;
        match &self.plan {
            Plan::Nothing(_) => return Ok(out),
            Plan::Refused { why, cure } => return Err(format!("{why}; {cure}")),
            Plan::Tree => {}
            Plan::History => line("history", &"all"),
            Plan::Range { base, head } => {
                line("head", head);
                match base {
                    Base::Fork { onto, merge } => {
                        compared = false;
                        line("base", onto);
                        merge.iter().for_each(|merge| line("merge", merge));
                    }
                    Base::Before { tip, .. } => line("before", tip),
                    Base::New => {}
                }
            }
        }
        // Its configuration holds, and new branches are compared with it.
        match &self.default_branch {
            Some(name) if compared && !self.on_default && is_plain(name) => line("branch", name),
            _ => {}
        }
        Ok(out)
    }
}

/// Whether the name of a branch can be handed to another program without care.
fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-+/@".contains(&b);
    !name.starts_with(['-', '/', '.'])
        && !name.contains("..")
        && !name.contains("@{")
        && name.bytes().all(plain)
}

/// What the operator asks for instead of what the event does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Wanted {
    /// What the event asks for
    #[default]
    Auto,
    /// The files that are checked out
    Tree,
    /// Everything that the repository holds
    History,
}

impl Wanted {
    /// The plan that does not depend on the event, if one is asked for.
    pub(super) fn plan(self) -> Option<Plan> {
        match self {
            Wanted::Auto => None,
            Wanted::Tree => Some(Plan::Tree),
            Wanted::History => Some(Plan::History),
        }
    }
}

/// The name of an object in an event. `Ok(None)` is the name of no object, forty zeros.
///
/// # Errors
/// The text names nothing that could be read here.
pub(super) fn object(text: &str, what: &str) -> Result<Option<ObjectId>, Plan> {
    let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
    match ObjectId::parse(text.as_bytes()) {
        Some(id) => Ok((!id.is_null()).then_some(id)),
        None if hex && text.len() == 64 => Err(Plan::Refused {
            why: format!("{what} is the SHA-256 name of a commit, and such repositories cannot be read"),
            cure: "scan the checked-out files: --scan tree",
        }),
        None => Err(Plan::Refused {
            why: format!("the event names no {what}"),
            cure: "run it on an event that names one, or choose what to scan: --scan tree, --scan history",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> ObjectId {
        ObjectId::parse(digit.to_string().repeat(40).as_bytes()).expect("because it is hexadecimal")
    }

    fn needs(plan: Plan, branch: &str, on_default: bool) -> String {
        let choice = Choice { plan, default_branch: Some(branch.to_owned()), on_default, foreign: false };
        choice
            .needs()
            .expect("because it is scanned")
            .replace(&"a".repeat(40), "A")
            .replace(&"b".repeat(40), "B")
    }

    #[test]
    fn what_has_to_be_fetched() {
        let range = |base| Plan::Range { base, head: id('a') };
        let fork = |merge| range(Base::Fork { onto: id('b'), merge });
        assert_eq!(needs(fork(None), "main", false), "head A\nbase B\n");
        assert_eq!(needs(fork(Some(id('a'))), "main", false), "head A\nbase B\nmerge A\n");
        let before = || range(Base::Before { tip: id('b'), forced: false });
        assert_eq!(needs(before(), "main", true), "head A\nbefore B\n");
        assert_eq!(needs(before(), "main", false), "head A\nbefore B\nbranch main\n");
        assert_eq!(needs(range(Base::New), "main", false), "head A\nbranch main\n");
        assert_eq!(needs(Plan::Tree, "release/1.x", false), "branch release/1.x\n");
        assert_eq!(needs(Plan::History, "main", true), "history all\n");
        assert_eq!(needs(Plan::Nothing("it is gone"), "main", false), "");
        for odd in ["-x", "a b", "a..b", "a@{1}", "a\nhead x", "$(id)", "a:b", "ä"] {
            assert_eq!(needs(Plan::Tree, odd, false), "", "{odd}");
        }
        let refused = Plan::Refused { why: "no".to_owned(), cure: "do" };
        let choice = Choice { plan: refused, default_branch: None, on_default: false, foreign: false };
        assert_eq!(choice.needs(), Err("no; do".to_owned()));
    }
}
