//! Ranks unnamed secrets: how likely a value is a credential, by what it is made of, the name
//! beside it, its line, what stands around, and the file. `docs/ranking.md` is the model's card.

mod around;
mod features;
mod file;
mod letters;
mod line;
mod model;
mod name;
mod text;
mod value;

pub use features::{Feature, Features};
pub use file::Place;

use super::filter::{Candidate, Reason};
use crate::model::Confidence;

/// Features that decided, told at most.
const TOLD: usize = 4;

/// How likely a candidate is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(pub i32);

impl Score {
    /// What the score comes to: medium from where it is likelier a secret than not, high where hardly
    /// any other value reaches.
    pub fn confidence(self) -> Confidence {
        let model = model::model();
        if self.0 >= model.high {
            Confidence::High
        } else if self.0 >= model.medium {
            Confidence::Medium
        } else {
            Confidence::Low
        }
    }
}

/// Measures a candidate.
pub fn measure(c: &Candidate<'_>) -> Features {
    let mut f = Features::new();
    let name = name::find(c.hay, &c.whole, &c.span);
    let line = line::of(c.hay, &name, &c.span);
    value::measure(&mut f, c.secret(), &c.hay[name.clone()]);
    f.set(Feature::Placeholder, super::filter::placeholder_share(c.secret()));
    name::measure(&mut f, &c.hay[name.clone()]);
    line::measure(&mut f, c.hay, &line, &name, &c.span);
    around::measure(&mut f, c.hay, &line, &name, &c.span);
    if let Some(place) = &c.place {
        file::measure(&mut f, c.file, place);
    }
    f
}

impl Features {
    /// The same, with what the filters that may err have against the candidate.
    #[must_use]
    pub fn against(mut self, said: &[Reason]) -> Self {
        for reason in said {
            self.flag(word_of(*reason), true);
        }
        self
    }
}

fn word_of(reason: Reason) -> Feature {
    match reason {
        Reason::Placeholder => Feature::SaysPlaceholder,
        Reason::Path => Feature::SaysPath,
        Reason::Attribute | Reason::Length => Feature::SaysName,
        Reason::CodeNotLiteral => Feature::SaysCode,
        Reason::Prose => Feature::SaysProse,
        Reason::HashOrId => Feature::SaysHash,
        _ => Feature::SaysEntropy,
    }
}

/// The score of what was measured. Without the file, the most that it can be under any path.
pub fn score(features: &Features, file_known: bool) -> Score {
    let model = model::model();
    Score(if file_known { model.points(features) } else { model.most(features) })
}

/// The most that the score can be under any path, whatever the other filters say.
pub fn most(features: &Features) -> Score {
    Score(model::model().most_of_all(features))
}

/// What decided, weightiest first: a few features with their points.
pub fn explain(features: &Features) -> Vec<(Feature, i32)> {
    let mut list = model::model().explain(features);
    list.retain(|(_, points)| *points != 0);
    list.truncate(TOLD);
    list
}
