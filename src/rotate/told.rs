//! What happened to a rotation, in words: for histories, runbooks and rehearsals.

use super::audit::Entry;
use super::machine::{
    Does, Effect, Event, Found, Ground, Keys, Life, Outcome, Person, Refusal, Sees, State, Swept, Target,
    Usage, Use,
};
use super::plan::shown;
use super::time::Moment;
use serde::Deserialize;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Moment,
    /// In words, without a secret.
    pub text: String,
}

/// What the audit says of one rotation, oldest first. Steps of the machine alone are left out.
pub fn told(entries: &[Entry], rotation: i64, stores: &[Target]) -> Vec<Told> {
    #[derive(Deserialize)]
    struct Body {
        event: Event,
        said: Option<String>,
    }
    let mine = entries.iter().filter(|entry| entry.rotation == rotation);
    mine.filter_map(|entry| {
        let at = Moment(entry.at);
        match serde_json::from_str::<Body>(&entry.body) {
            Ok(body) => words(&body.event, stores).map(|text| match body.said {
                Some(said) => Told { at, text: format!("{text} ({said})") },
                None => Told { at, text },
            }),
            // The first entry of a rotation tells its plan.
            Err(_) => Some(Told { at, text: "planned".to_owned() }),
        }
    })
    .collect()
}

fn words(event: &Event, stores: &[Target]) -> Option<String> {
    let store = |i: &usize| stores.get(*i).map_or_else(|| format!("store {i}"), |s| s.name.clone());
    Some(match event {
        Event::Leased | Event::Advanced | Event::Staging(true) | Event::Ground(Ground::Firm) => return None,
        Event::Keys(Keys::Listed { .. }) => return None,
        Event::Drain(Use::Unproved | Use::Now { busy: false, .. }) | Event::Swept(Swept::Ours(_)) => {
            return None;
        }
        Event::Staging(false) => "the staging key is not green yet".to_owned(),
        Event::Ground(Ground::SealingKey(id)) => format!("the sealing key {id} is missing or wrong"),
        Event::Ground(Ground::Shared(other)) => format!("{other} uses the same store"),
        Event::Keys(Keys::Unknown) => "no usable list of the keys".to_owned(),
        Event::Store { store: i, sees, .. } => {
            let what = match sees {
                Sees::Old => "holds the old key",
                Sees::Pending => "holds the new key, still unseen by its readers",
                Sees::New => "holds the new key",
                Sees::Former => "holds the key of an earlier attempt",
                Sees::Foreign => "holds neither key",
                Sees::Blind => "cannot be read back",
                Sees::Unknown => "gives no usable answer",
            };
            format!("{} {what}", store(i))
        }
        Event::Life { which, life } => match life {
            Life::Live => format!("the {which} key works"),
            Life::Dead => format!("the {which} key is dead"),
            Life::Unknown => format!("whether the {which} key works is not proved"),
        },
        Event::Intended(effect) => match effect {
            Effect::Create(n) => format!("about to make a key (attempt {n})"),
            Effect::Write(i) => format!("about to write the new key to {}", store(i)),
            Effect::Promote(i) => format!("about to give the new key to the readers of {}", store(i)),
            Effect::Restore(i) => format!("about to write the old key back to {}", store(i)),
            Effect::Disable(id) => format!("about to switch off {}", shown(&id.0)),
            Effect::Enable(id) => format!("about to switch on {}", shown(&id.0)),
            Effect::Delete(id) => format!("about to delete {}", shown(&id.0)),
        },
        Event::Outcome(outcome) => match outcome {
            Outcome::Created(id) => format!("made: {}", shown(&id.0)),
            Outcome::Stored(_) => "written".to_owned(),
            Outcome::Changed => "done".to_owned(),
            Outcome::Refused(why) => format!("refused, nothing was changed: {}", refusal(*why)),
            Outcome::Conflict => "the store changed meanwhile; nothing was written".to_owned(),
            Outcome::Unknown => "no answer: what became of it will be found out".to_owned(),
        },
        Event::Found(found) => match found {
            Found::Nothing => "found out: nothing was made".to_owned(),
            Found::Whole(id) => format!("found out: it was made: {}", shown(&id.0)),
            Found::Lost(ids) => format!("found out: made, and its value is lost ({} keys)", ids.len()),
            Found::Doubtful(id) => format!("found: {}, which may be ours", shown(&id.0)),
            Found::Unknown => "what became of it is still not known".to_owned(),
            Found::Refused(why) => format!("the repetition was refused: {}", refusal(*why)),
        },
        Event::Standing(state) => match state {
            State::Enabled => "found out: the key is in force".to_owned(),
            State::Disabled => "found out: the key is switched off".to_owned(),
            State::Gone => "found out: the key is gone".to_owned(),
            State::Unknown => "the state of the key is still not known".to_owned(),
        },
        Event::Drain(Use::Seen { last: Some(last), .. }) => format!("the old key was last used at {last}"),
        Event::Drain(Use::Seen { last: None, .. }) => "the old key was never used".to_owned(),
        Event::Drain(Use::Now { busy: true, .. }) => "the old key is in use".to_owned(),
        Event::Drain(Use::Quiet(proof)) => {
            format!("proved that nobody uses the old key: {}", super::plan::proof(*proof))
        }
        Event::Usage(Usage::Kept { digest, .. }) => {
            format!("the old key's use is exported ({})", digest.get(..16).unwrap_or(digest))
        }
        Event::Usage(Usage::None) => "the provider gives no use by key".to_owned(),
        Event::Usage(Usage::Unknown) => "no usable answer to the export".to_owned(),
        Event::Swept(Swept::Doubtful(id)) => format!("left over: {}, which may be ours", shown(&id.0)),
        Event::Swept(Swept::Unknown) => "no usable list of the keys".to_owned(),
        Event::Person(Person { by, does }) => format!("{}: {}", shown(by), deed(does, &store)),
    })
}

fn refusal(why: Refusal) -> &'static str {
    match why {
        Refusal::Busy => "later perhaps",
        Refusal::Quota => "no room",
        Refusal::Denied => "no right, or not lawful",
    }
}

fn deed(does: &Does, store: &dyn Fn(&usize) -> String) -> String {
    match does {
        Does::Approve(_) => "approves".to_owned(),
        Does::Ack(_) => "says that the consumers have the new key".to_owned(),
        Does::Pause(why) => format!("pauses it: {why}"),
        Does::Resume => "lets it go on".to_owned(),
        Does::Retry => "wants it tried again".to_owned(),
        Does::Force(why) => format!("forces it: {why}"),
        Does::BreakGlass(why) => format!("does without the export: {why}"),
        Does::Overwrite(i) => format!("allows {} to be overwritten", store(i)),
        Does::Disown(id) => format!("says that {} is not ours", shown(&id.0)),
        Does::Abort => "wants to go back".to_owned(),
        Does::Emergency { capped: false } => "declares the old key leaked".to_owned(),
        Does::Emergency { capped: true } => {
            "declares the old key leaked, once too often for today".to_owned()
        }
    }
}
