//! What people are told of rotations, as events for the routes of alerts. No event holds a value of a key.

use super::journal::{Letter, Level};
use super::machine::{Phase, Rotation};
use super::plan::shown;
use super::time::{Moment, Span};
use crate::alert::{Event, Urgency};

/// Seconds within which the same words about a rotation are not told again: somebody who tries again sees the answer.
pub const QUIET: i64 = 3_600;
/// Seconds for what is told once in all.
pub const ONCE: i64 = 10 * 366 * 86_400;
/// How long before its beginning a rotation is announced, at the most.
const NOTICE: Span = Span::days(7);
/// How long before the end of the longest overlap people are told, at the most.
const LAST_CALL: Span = Span::days(1);

/// The event of a letter of the journal. `facts` says more, such as who uses the old key.
pub fn of_letter(letter: &Letter, rotation: &Rotation, mut facts: Vec<(String, String)>) -> Event {
    let emergency = rotation.is_emergency();
    let urgency = match letter.kind.as_str() {
        "emergency" => Urgency::Emergency,
        "blocked" | "stuck" | "paused" if emergency => Urgency::Emergency,
        "started" | "done" | "aborted" | "forced" => Urgency::Info,
        _ => Urgency::Warning,
    };
    let mut all = vec![
        ("rotation".to_owned(), letter.rotation.0.to_string()),
        ("phase".to_owned(), rotation.phase.to_string()),
        ("old key".to_owned(), shown(&rotation.old.id.0)),
    ];
    all.append(&mut facts);
    let text = named(&letter.text, rotation);
    Event {
        kind: letter.kind.clone(),
        urgency,
        subject: rotation.lineage.clone(),
        same: format!("rotation:{}:{}:{text}", letter.rotation.0, letter.kind),
        text,
        facts: all,
        at: letter.at.0.div_euclid(1000),
    }
}

/// That the longest overlap is about to end while the old key is not proved out of use; none while there is time, and
/// none where nobody waits for that.
pub fn overlap_ending(r: &Rotation, facts: Vec<(String, String)>, now: Moment) -> Option<Event> {
    let waits = r.phase == Phase::Overlap && r.halt.is_none() && r.proof.is_none() && r.forced.is_none();
    let from = r.distributed.filter(|_| waits && !r.hurries() && !r.powers().class.in_place())?;
    let ends = from + r.frozen.max_overlap;
    let notice = LAST_CALL.min(Span(r.frozen.max_overlap.0 / 4));
    // Before the overlap itself is over nothing is asked of anybody.
    if now < from + r.overlap() || now >= ends || ends.since(now) > notice {
        return None;
    }
    Some(Event {
        kind: "overlap-ending".to_owned(),
        urgency: Urgency::Warning,
        subject: r.lineage.clone(),
        text: format!(
            "generation {}: nothing proves yet that the old key is out of use; at {ends} the rotation is blocked",
            r.generation
        ),
        facts,
        same: format!("overlap-ending:{}:{}", r.lineage, r.generation),
        at: now.0.div_euclid(1000),
    })
}

/// That a key's turn comes soon; none while it is far.
pub fn due_soon(lineage: &str, generation: u64, begins: Moment, now: Moment) -> Option<Event> {
    if begins <= now || begins.since(now) > NOTICE {
        return None;
    }
    Some(Event {
        kind: "due-soon".to_owned(),
        urgency: Urgency::Info,
        subject: lineage.to_owned(),
        text: format!("its rotation to generation {generation} begins at {begins}"),
        facts: Vec::new(),
        same: format!("due-soon:{lineage}:{generation}"),
        at: now.0.div_euclid(1000),
    })
}

/// That a pool has few keys left; none while it has enough. Told once for each time it runs low.
pub fn pool_low(level: &Level, low: u32, now: Moment) -> Option<Event> {
    if level.waiting >= low {
        return None;
    }
    let Level { lineage, waiting, ever } = level;
    Some(Event {
        kind: "pool-low".to_owned(),
        urgency: Urgency::Warning,
        subject: lineage.clone(),
        text: format!(
            "its pool holds {waiting} keys, fewer than {low}: make one at the provider, then `keywheel rotate pool add {lineage}`"
        ),
        facts: Vec::new(),
        same: format!("pool-low:{lineage}:{ever}:{waiting}"),
        at: now.0.div_euclid(1000),
    })
}

/// The words of a halt with the names of stores in the place of their numbers.
pub fn named(words: &str, rotation: &Rotation) -> String {
    let stores = rotation.frozen.stores.iter().enumerate().rev();
    stores.fold(words.to_owned(), |words, (i, store)| {
        words.replace(&format!("store {i} "), &format!("{} ", store.name))
    })
}
