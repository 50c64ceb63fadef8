//! A change at a provider as data: ordered reads, then exactly one mutation.

use super::{Expect, Request};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most bytes of an answer's body, inflated or not, unless a list is declared to be longer.
pub const MOST_BODY: u32 = 64 << 10;
/// Most that a list may be declared to have.
pub const MOST_LIST: u32 = 8 << 20;

/// One call and what its answers mean. An answer that fits none or several of the lists is unknown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The call.
    pub request: Request,
    /// Answers that prove that it was done.
    pub done: Vec<Expect>,
    /// Answers that prove that its effect was there before: the key is gone already.
    #[serde(default)]
    pub already: Vec<Expect>,
    /// Answers that prove that nothing was changed.
    #[serde(default)]
    pub refused: Vec<Expect>,
    /// Answers that prove that nothing was changed, and that it may be later: a rate limit.
    #[serde(default)]
    pub busy: Vec<Expect>,
    /// Answers that prove that nothing was changed because there is no room for one more.
    #[serde(default)]
    pub full: Vec<Expect>,
    /// Whether answers are XML, read as a tree: an element is an object of its children by name, a list if they are
    /// all `member`, and its text if it has none.
    #[serde(default)]
    pub xml: bool,
    /// The pages of a list and the one item that is wanted; captures are then relative to that item.
    #[serde(default)]
    pub find: Option<Find>,
    /// Name → where the answer holds its value.
    #[serde(default)]
    pub capture: BTreeMap<String, Capture>,
    /// Recorded answers and what each must be judged as.
    #[serde(default)]
    pub replies: Vec<StepReply>,
}

/// The one item of a list for which every condition holds. None or several is no result, never a guess.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// JSON pointer to the list; empty for an answer that is the list.
    pub items: String,
    /// JSON pointer within an item → template that it must equal; `*` accepts any value.
    pub r#where: BTreeMap<String, String>,
    /// How to get the next page.
    #[serde(default)]
    pub next: Option<Next>,
    /// Most bytes of a page, inflated or not, where the usual bound is too small for a list that has no pages.
    #[serde(default = "usual")]
    pub most: u32,
    /// How many items a page has if there may be more pages, where there is no [`Find::next`] to read them by.
    #[serde(default)]
    pub full: Option<usize>,
}

fn usual() -> u32 {
    MOST_BODY
}

/// How a list goes on. The read is repeated with the parameter set, at most 100 times.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Next {
    /// JSON pointer to the value for the next page; missing, null, `false` or empty ends the list. With
    /// `by = "header"` the header field, lower case; nothing where the list is counted.
    #[serde(default)]
    pub from: String,
    /// What the value is, if it does not stand in the body.
    #[serde(default)]
    pub by: By,
    /// Query parameter that takes it.
    pub parameter: String,
    /// Whether it is a field of the JSON body instead.
    #[serde(default)]
    pub field: bool,
    /// The number of the first page, with `by = "page"`.
    #[serde(default = "one")]
    pub first: usize,
    /// How many items a whole page has: one with fewer ends the list.
    #[serde(default)]
    pub size: Option<usize>,
    /// JSON pointer to a flag that must be `true` for the list to go on.
    #[serde(default)]
    pub more: Option<String>,
}

/// What names the next page of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// A value in the body.
    #[default]
    Body,
    /// A header field.
    Header,
    /// The same pointer within the last item of the page.
    Last,
    /// Its number; a page without items ends the list.
    Page,
    /// How many items came before it; a page without items ends the list.
    Offset,
}

/// Where an answer holds a value. Exactly one of the two places.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// JSON pointer.
    #[serde(default)]
    pub json: Option<String>,
    /// Header field, lower case.
    #[serde(default)]
    pub header: Option<String>,
    /// Whether the value is a credential: sealed in journals, shown nowhere.
    #[serde(default)]
    pub secret: bool,
    /// Whether the step fails without it.
    #[serde(default = "yes")]
    pub required: bool,
    /// Whether any kind of value is taken, as JSON, to be sent on by `{{ name | json }}`. One that is not there is
    /// `null`.
    #[serde(default)]
    pub tree: bool,
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

/// A recorded answer to a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepReply {
    /// HTTP status.
    pub status: u16,
    /// Header fields, names in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Body as text.
    #[serde(default)]
    pub body: String,
    /// What it must be judged as.
    pub is: Effect,
}

/// What one answer says about a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Done.
    Done,
    /// The effect was there before.
    Already,
    /// Nothing was changed.
    Refused,
    /// Nothing was changed; it may be later.
    Busy,
    /// Nothing was changed; there is no room.
    Full,
    /// Nothing is proved.
    Unknown,
}

/// Reads, in order, then exactly one mutation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Reads; each may use what earlier ones captured.
    #[serde(default)]
    pub reads: Vec<Step>,
    /// The one mutation.
    pub change: Step,
}

/// How a credential is switched off.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// Whose right the call uses.
    pub right: Right,
    /// With `right = "admin"`: id of the rule of the credential that may do it. Its value is given by the
    /// operator as a reference and fills the hole `admin`.
    #[serde(default)]
    pub admin: Option<String>,
    /// What becomes of the credential.
    pub effect: Ending,
    /// What else stops working, in a sentence shown before anybody confirms.
    #[serde(default)]
    pub also: Option<String>,
    /// Names that the operator gives because no call finds them, such as a project id; name → what it is.
    #[serde(default)]
    pub ask: BTreeMap<String, String>,
    /// Seconds that the provider takes to spread the change, as far as it says.
    #[serde(default)]
    pub propagation: u64,
    /// Reads, in order; each may use what earlier ones captured.
    #[serde(default)]
    pub reads: Vec<Step>,
    /// The one mutation.
    pub change: Step,
}

/// Whose right a call uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Whoever holds the credential may switch it off.
    Holder,
    /// A separate administrator's credential.
    Admin,
    /// Nobody's: a public service of the provider takes reports of leaked credentials.
    Anyone,
}

/// What becomes of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Switched off; can be switched on again.
    Disable,
    /// Gone for good.
    Delete,
}
