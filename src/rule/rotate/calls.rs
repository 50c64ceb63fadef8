//! The calls by which a rule's credentials are turned over: `[rule.rotate.calls]`.

use super::{Can, Capabilities, CreateClass};
use crate::call::{Expect, Operation, Step, Verify};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the operations of one rule are made of. Beside the names that it declares, a template may use: in `create`
/// `name`, `token`, `old` (the id of the key that goes), `slot` (of the idle one) and what `choose` made up;
/// elsewhere `id` (of the key in question); and everywhere `now`, `from` and `until` as `…_unix`, `…_time` and
/// `…_date`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// The administrator's credential: each part's name → what it is. The operator gives the values as references.
    #[serde(default)]
    pub admin: BTreeMap<String, String>,
    /// Names that the operator gives and that are no secret, such as a project id: name → what it is.
    #[serde(default)]
    pub ask: BTreeMap<String, String>,
    /// What a key consists of beside `secret`. A value is then a JSON object of `secret` and these.
    #[serde(default)]
    pub parts: Vec<String>,
    /// Where the caller chooses the value: `secret` and each part, with random sets as in examples.
    #[serde(default)]
    pub choose: BTreeMap<String, String>,
    /// The ids of fixed slots. `reveal` captures the value of each under its id.
    #[serde(default)]
    pub slot_ids: Vec<String>,
    /// Seconds before now at which the figures of use begin: `from`.
    #[serde(default)]
    pub window: Option<u64>,
    /// Seconds after now at which a new key ends by itself, where a provider demands an end: `until`.
    #[serde(default)]
    pub lifetime: Option<u64>,
    /// Reads before every operation: a sign-in.
    #[serde(default)]
    pub login: Vec<Step>,
    /// Makes a key. Captures `secret`, the parts, and `id` unless the name is the id.
    #[serde(default)]
    pub create: Option<Operation>,
    /// Every key that could be mistaken for one of ours. Captures `id`, and what there is of `name`, `created`,
    /// `used` (missing for never), `state` and `stamp`.
    #[serde(default)]
    pub list: Option<Step>,
    /// The values of `state` with which a key is in force; without `state` every key that is listed is.
    #[serde(default)]
    pub enabled: Vec<String>,
    /// Reads the value of a key afterwards. Captures as `create`.
    #[serde(default)]
    pub reveal: Option<Step>,
    /// Switches a key off.
    #[serde(default)]
    pub disable: Option<Operation>,
    /// Switches it on again.
    #[serde(default)]
    pub enable: Option<Operation>,
    /// Deletes it; regenerates a slot.
    #[serde(default)]
    pub delete: Option<Operation>,
    /// How to tell whether a key works, where that takes what the operator gives; else the rule's own `verify`.
    #[serde(default)]
    pub verify: Option<Verify>,
    /// Answers to the rule's `verify` that prove death here: a lineage's key has one known place, a found key may
    /// belong elsewhere.
    #[serde(default)]
    pub dead: Vec<Expect>,
    /// The figures of its use; kept as they come, or as the items that fit.
    #[serde(default)]
    pub usage: Option<Step>,
    /// When it was last used, where the list does not say. Captures `used` (missing for never).
    #[serde(default)]
    pub last_used: Option<Step>,
}

/// The names for points in time that every template may use.
const TIMES: [&str; 9] = [
    "now_unix",
    "now_time",
    "now_date",
    "from_unix",
    "from_time",
    "from_date",
    "until_unix",
    "until_time",
    "until_date",
];

/// What the capture of a list may be named.
const LISTED: [&str; 6] = ["id", "name", "created", "used", "state", "stamp"];

impl Calls {
    /// The names of every operation's values, but for those of the key it is about.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = TIMES.iter().map(|name| (*name).to_owned()).collect();
        names.extend(self.admin.keys().chain(self.ask.keys()).cloned());
        names.extend(self.login.iter().flat_map(|step| step.capture.keys().cloned()));
        names
    }

    /// The names that a creation may use beside [`Calls::names`].
    pub fn names_of_create(&self) -> Vec<String> {
        let own = ["name", "token", "old", "slot"].map(str::to_owned);
        own.into_iter().chain(self.choose.keys().cloned()).collect()
    }

    /// What contradicts itself or the capabilities, a sentence each.
    pub fn faults(&self, head: &Capabilities) -> Vec<String> {
        let mut faults = Vec::new();
        let mut need = |holds: bool, what: &str| {
            if !holds {
                faults.push(what.to_owned());
            }
        };
        let none = head.class == CreateClass::None;
        need(self.create.is_some() != none, "calls: `create` and a class other than `none` belong together");
        for (what, there, can) in [
            ("disable", self.disable.is_some(), Can::Disable),
            ("enable", self.enable.is_some(), Can::Enable),
            ("usage", self.usage.is_some(), Can::Usage),
            ("reveal", self.reveal.is_some(), Can::Readable),
        ] {
            need(!there || head.can(can), &format!("calls: `{what}` is not among what it `can`"));
        }
        let slots = head.class == CreateClass::F;
        need(
            self.delete.is_none() || slots || head.can(Can::Delete),
            "calls: `delete` is not among what it `can`",
        );
        let lists = |name: &str| self.list.as_ref().is_some_and(|step| step.capture.contains_key(name));
        match head.class {
            CreateClass::A => {
                need(self.choose.contains_key("secret"), "calls: class A needs `choose.secret`")
            }
            CreateClass::C => need(lists("name"), "calls: class C needs a `list` that captures `name`"),
            CreateClass::D => need(lists("created"), "calls: class D needs a `list` that captures `created`"),
            CreateClass::E => {
                need(lists("name"), "calls: class E needs a `list` that captures `name`");
                need(self.reveal.is_some(), "calls: class E needs `reveal`");
            }
            CreateClass::F => {
                need(self.reveal.is_some(), "calls: class F needs `reveal`");
                need(self.delete.is_some(), "calls: class F needs `delete`, which regenerates a slot");
                let wanted = head.slots.and_then(|n| usize::try_from(n).ok());
                need(Some(self.slot_ids.len()) == wanted, "calls: `slot_ids` must name each of the `slots`");
            }
            CreateClass::G => need(lists("stamp"), "calls: class G needs a `list` that captures `stamp`"),
            CreateClass::B | CreateClass::None => {}
        }
        if let Some(list) = &self.list {
            need(lists("id"), "calls: `list` must capture `id`");
            let known = list.capture.keys().all(|name| LISTED.contains(&name.as_str()));
            need(known, "calls: `list` captures id, name, created, used, state and stamp only");
            need(lists("state") || self.enabled.is_empty(), "calls: `enabled` needs a `state` in `list`");
            need(!lists("state") || !self.enabled.is_empty(), "calls: `state` needs `enabled`");
        }
        if let Some(create) = self.create.as_ref().filter(|_| self.reveal.is_none() && self.choose.is_empty())
        {
            let gives = |name: &str| create.change.capture.contains_key(name);
            need(gives("secret"), "calls: `create` must capture `secret`");
            for part in self.parts.iter().filter(|part| !gives(part)) {
                need(false, &format!("calls: `create` must capture the part `{part}`"));
            }
        }
        let both = self.ask.keys().find(|name| self.admin.contains_key(*name));
        need(both.is_none(), "calls: a name stands both in `admin` and `ask`");
        need(!self.admin.is_empty(), "calls: name the administrator's credential in `admin`");
        faults
    }
}
