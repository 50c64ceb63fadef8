//! The course of rotations over time, as their audit tells it: for drawings and reports.

use super::audit::Entry;
use super::machine::{Does, Event, Life, Phase, Which};
use super::time::Moment;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One rotation from its plan to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// Its number in the journal.
    pub rotation: i64,
    /// The lineage.
    pub lineage: String,
    /// Whether the old key had leaked.
    pub emergency: bool,
    /// When it was planned.
    pub planned: Moment,
    /// From when every place had the new key while the old one worked, and until when that one did; no end while it
    /// still does. None if there was no such time.
    pub overlap: Option<(Moment, Option<Moment>)>,
    /// When it ended, and how.
    pub ended: Option<(Moment, Phase)>,
}

/// What is read of an entry; those that concern no rotation have none of it.
#[derive(Deserialize)]
struct Body {
    lineage: Option<String>,
    phase: Option<Phase>,
    event: Option<Event>,
}

/// The courses that these entries tell, in the order of their plans. What cannot be read is left out: whether the
/// chain is whole is asked elsewhere.
pub fn courses(entries: &[Entry]) -> Vec<Course> {
    // Beside each whether its old key is off: revoke-first switches it off before there is a new one.
    let mut courses: BTreeMap<i64, (Course, bool)> = BTreeMap::new();
    for entry in entries {
        let Ok(body) = serde_json::from_str::<Body>(&entry.body) else { continue };
        let (at, rotation) = (Moment(entry.at), entry.rotation);
        if let Some(lineage) = body.lineage {
            let course =
                Course { rotation, lineage, emergency: false, planned: at, overlap: None, ended: None };
            courses.entry(rotation).or_insert((course, false));
        }
        let Some((course, off)) = courses.get_mut(&rotation) else { continue };
        if let Some(Event::Person(person)) = &body.event {
            course.emergency |= matches!(person.does, Does::Emergency { .. });
        }
        // Until a key is off it works, whatever was asked of its provider.
        *off |= matches!(body.event, Some(Event::Life { which: Which::Old, life: Life::Dead }));
        *off |= matches!(
            body.phase,
            Some(Phase::Disabled | Phase::Done | Phase::RollingBack | Phase::RolledBack)
        );
        match course.overlap {
            Some((begun, None)) if *off => course.overlap = Some((begun, Some(at))),
            None if !*off && body.phase == Some(Phase::Overlap) => course.overlap = Some((at, None)),
            _ => {}
        }
        if let Some(phase) = body.phase.filter(|phase| phase.is_terminal()) {
            course.ended = Some((at, phase));
        }
    }
    courses.into_values().map(|(course, _)| course).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotate::machine::Person;
    use serde_json::json;

    fn entry(seq: u64, rotation: i64, body: &serde_json::Value) -> Entry {
        let at = i64::try_from(seq).unwrap() * 1000;
        Entry { seq, at, rotation, body: body.to_string(), key: String::new(), mac: String::new() }
    }

    fn phase(phase: Phase) -> serde_json::Value {
        json!({"event": Event::Advanced, "phase": phase})
    }

    #[test]
    fn overlaps_begin_with_the_last_place_and_end_with_the_old_key() {
        let plan = |lineage: &str| json!({"planned": "h", "lineage": lineage, "generation": 2, "old": "k"});
        let leaked = Person { by: "ann".to_owned(), does: Does::Emergency { capped: false } };
        let entries = [
            entry(1, 1, &plan("a")),
            entry(2, 2, &plan("b")),
            entry(3, 2, &json!({"event": Event::Person(leaked), "phase": Phase::Planned})),
            entry(4, 1, &phase(Phase::Overlap)),
            entry(5, 1, &phase(Phase::Overlap)),
            entry(6, 0, &json!({"paused": "all", "by": "ann", "reason": "x"})),
            entry(7, 1, &phase(Phase::Disabling)),
            entry(8, 1, &phase(Phase::Disabled)),
            entry(9, 2, &phase(Phase::Overlap)),
            entry(10, 1, &phase(Phase::Done)),
            entry(11, 3, &plan("c")),
            entry(12, 3, &phase(Phase::Aborted)),
            entry(13, 3, &json!("odd")),
            entry(14, 4, &plan("d")),
            entry(15, 4, &phase(Phase::Disabled)),
            entry(16, 4, &phase(Phase::Overlap)),
        ];
        let told = courses(&entries);
        let shown: Vec<_> = told
            .iter()
            .map(|c| {
                (
                    c.lineage.as_str(),
                    c.emergency,
                    c.overlap.map(|(from, to)| (from.0, to.map(|t| t.0))),
                    c.ended.map(|(at, phase)| (at.0, phase)),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("a", false, Some((4000, Some(8000))), Some((10_000, Phase::Done))),
                ("b", true, Some((9000, None)), None),
                ("c", false, None, Some((12_000, Phase::Aborted))),
                ("d", false, None, None),
            ]
        );
    }
}
