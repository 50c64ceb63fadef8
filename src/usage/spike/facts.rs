//! What needs no history: a key that must not be used any more, or is used from where it never was.

use crate::usage::time::{DAY, HOUR};
use std::collections::BTreeSet;

/// For how long a key must have been seen before a new model or place of it means anything.
const KNOWN_AFTER: i64 = 7 * DAY;
/// Fewest requests of which a share of errors is worth telling.
const FEWEST: i64 = 20;
/// Share of errors that is told, if it is three times the usual as well.
const SHARE: f64 = 0.2;

/// Use in one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// First second of the hour.
    pub at: i64,
    /// The model, or empty.
    pub model: String,
    /// Country or address, or empty.
    pub place: String,
    /// Requests; where no provider tells them, 1 if there were tokens.
    pub requests: i64,
    /// Requests that failed.
    pub errors: i64,
    /// Billionths of a US dollar.
    pub cost: i64,
}

/// What is known of a key from elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Known {
    /// When its rotation ended: from then on nobody uses it.
    pub retired: Option<i64>,
    /// Whether it is found in code and that finding is open.
    pub found: bool,
    /// What it may cost in a day, in billionths of a US dollar.
    pub budget: Option<i64>,
}

/// Something that is told without a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Used after its rotation.
    Retired {
        /// First hour.
        at: i64,
        /// Requests since.
        requests: i64,
    },
    /// Used while it stands in code.
    Found {
        /// Newest hour.
        at: i64,
        /// Requests of the last day.
        requests: i64,
    },
    /// A model that it never used.
    Model {
        /// First hour.
        at: i64,
        /// Which.
        model: String,
    },
    /// A place that it was never used from.
    Place {
        /// First hour.
        at: i64,
        /// Which.
        place: String,
    },
    /// More requests fail than did.
    Errors {
        /// Newest hour.
        at: i64,
        /// Of these last hours.
        failed: i64,
        /// Of so many.
        requests: i64,
    },
    /// It cost more in a day than it may.
    Budget {
        /// The day.
        at: i64,
        /// What it cost, in billionths of a US dollar.
        cost: i64,
    },
}

impl Sign {
    /// A stable word for routing and for telling the same thing once.
    pub fn word(&self) -> &'static str {
        match self {
            Sign::Retired { .. } => "use-after-rotation",
            Sign::Found { .. } => "use-with-finding",
            Sign::Model { .. } => "new-model",
            Sign::Place { .. } => "new-place",
            Sign::Errors { .. } => "errors",
            Sign::Budget { .. } => "budget",
        }
    }

    /// When it was seen.
    pub fn at(&self) -> i64 {
        match self {
            Sign::Retired { at, .. }
            | Sign::Found { at, .. }
            | Sign::Model { at, .. }
            | Sign::Place { at, .. }
            | Sign::Errors { at, .. }
            | Sign::Budget { at, .. } => *at,
        }
    }

    /// A sentence, after the key's name.
    pub fn words(&self) -> String {
        match self {
            Sign::Retired { requests, .. } => format!("used after its rotation: {requests} requests"),
            Sign::Found { requests, .. } => {
                format!("used while it stands in code: {requests} requests in a day")
            }
            Sign::Model { model, .. } => format!("used with the model {model} for the first time"),
            Sign::Place { place, .. } => format!("used from {place} for the first time"),
            Sign::Errors { failed, requests, .. } => format!("{failed} of {requests} requests failed"),
            #[allow(clippy::cast_precision_loss)]
            Sign::Budget { cost, .. } => {
                format!("cost {:.2} US dollars in a day, above its budget", *cost as f64 / 1e9)
            }
        }
    }
}

/// Looks at a key's hours, in order of time. What is told lies at or after `since`.
pub fn signs(uses: &[Use], known: &Known, since: i64) -> Vec<Sign> {
    let mut told = Vec::new();
    let Some(first) = uses.iter().find(|u| u.requests > 0).map(|u| u.at) else { return told };
    if let Some(retired) = known.retired {
        // The hour in which it was retired may hold use from before.
        let from = retired.div_euclid(HOUR) * HOUR + HOUR;
        let late = || uses.iter().filter(|u| u.at >= from.max(since) && u.requests > 0);
        if let Some(at) = late().map(|u| u.at).next() {
            told.push(Sign::Retired { at, requests: late().map(|u| u.requests).sum() });
        }
    }
    let newest = uses.iter().filter(|u| u.requests > 0).map(|u| u.at).max().unwrap_or(first);
    if known.found && newest >= since {
        let day = uses.iter().filter(|u| u.at > newest - DAY);
        told.push(Sign::Found { at: newest, requests: day.map(|u| u.requests).sum() });
    }
    let (mut models, mut places) = (BTreeSet::new(), BTreeSet::new());
    for u in uses.iter().filter(|u| u.requests > 0) {
        let mature = u.at >= first + KNOWN_AFTER && u.at >= since;
        if !u.model.is_empty() && models.insert(u.model.as_str()) && mature {
            told.push(Sign::Model { at: u.at, model: u.model.clone() });
        }
        // A source that tells no places begins to: everything would be new.
        let telling = !places.is_empty();
        if !u.place.is_empty() && places.insert(u.place.as_str()) && mature && telling {
            told.push(Sign::Place { at: u.at, place: u.place.clone() });
        }
    }
    told.extend(errors(uses, newest, since));
    if let Some(budget) = known.budget {
        let mut day = (i64::MIN, 0);
        let mut over = BTreeSet::new();
        for u in uses {
            let d = u.at.div_euclid(DAY) * DAY;
            day = if day.0 == d { (d, day.1 + u.cost) } else { (d, u.cost) };
            if day.1 > budget && d + DAY > since && over.insert(d) {
                told.push(Sign::Budget { at: d, cost: day.1 });
            } else if let Some(Sign::Budget { at, cost }) = told.last_mut()
                && *at == d
            {
                *cost = day.1;
            }
        }
    }
    told
}

/// The share of errors of the last six hours with use, beside that of the time before.
fn errors(uses: &[Use], newest: i64, since: i64) -> Option<Sign> {
    let edge = newest - 5 * HOUR;
    let count = |late: bool| {
        uses.iter()
            .filter(|u| (u.at >= edge) == late)
            .fold((0, 0), |(e, n), u| (e + u.errors, n + u.requests.max(u.errors)))
    };
    let ((failed, requests), (before, all)) = (count(true), count(false));
    #[allow(clippy::cast_precision_loss)]
    let (share, usual) =
        (failed as f64 / requests.max(1) as f64, (before as f64 + 1.0) / (all as f64 + 20.0));
    let told = newest >= since && requests >= FEWEST && share >= SHARE && share >= 3.0 * usual;
    told.then_some(Sign::Errors { at: newest, failed, requests })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(hour: i64, model: &str, place: &str) -> Use {
        Use {
            at: hour * HOUR,
            model: model.to_owned(),
            place: place.to_owned(),
            requests: 5,
            errors: 0,
            cost: 1_000_000_000,
        }
    }

    fn month() -> Vec<Use> {
        (0..30 * 24).map(|h| used(h, "m", "a")).collect()
    }

    fn words(uses: &[Use], known: &Known) -> Vec<&'static str> {
        signs(uses, known, 29 * DAY).iter().map(Sign::word).collect()
    }

    #[test]
    fn usual_use_says_nothing() {
        assert_eq!(signs(&month(), &Known::default(), 0), []);
        assert_eq!(signs(&[], &Known { found: true, ..Known::default() }, 0), []);
    }

    #[test]
    fn a_retired_key_and_one_in_code_must_rest() {
        let retired = |hours: i64| Known { retired: Some(30 * DAY - hours * HOUR + 60), ..Known::default() };
        assert_eq!(words(&month(), &retired(3)), ["use-after-rotation"]);
        assert_eq!(words(&month(), &retired(1)), [""; 0], "the hour of the rotation itself proves nothing");
        assert_eq!(words(&month(), &Known { found: true, ..Known::default() }), ["use-with-finding"]);
    }

    #[test]
    fn a_new_model_or_place_is_told_once() {
        let mut uses = month();
        uses.push(used(720, "other", "b"));
        uses.push(used(721, "other", "b"));
        assert_eq!(words(&uses, &Known::default()), ["new-model", "new-place"]);
        // A young key tries things out.
        let young: Vec<Use> = uses.into_iter().filter(|u| u.at >= 26 * DAY).collect();
        assert_eq!(words(&young, &Known::default()), [""; 0]);
        let mut untold: Vec<Use> = (0..720).map(|h| used(h, "m", "")).collect();
        untold.push(used(720, "m", "b"));
        assert_eq!(words(&untold, &Known::default()), [""; 0], "places were not told before");
    }

    #[test]
    fn errors_and_budget() {
        let mut uses = month();
        for u in uses.iter_mut().rev().take(6) {
            u.errors = 3;
        }
        assert_eq!(words(&uses, &Known::default()), ["errors"]);
        // If a third always fails, that is usual.
        uses.iter_mut().for_each(|u| u.errors = 3);
        assert_eq!(words(&uses, &Known::default()), [""; 0]);
        let budget = |dollars: i64| Known { budget: Some(dollars * 1_000_000_000), ..Known::default() };
        assert_eq!(signs(&month(), &budget(24), 29 * DAY), []);
        let over = signs(&month(), &budget(20), 29 * DAY);
        assert_eq!(over, [Sign::Budget { at: 29 * DAY, cost: 24_000_000_000 }]);
    }
}
