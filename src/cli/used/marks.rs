//! What a page of usage shows beside use: rotations with their overlaps, keys found in code, and what was told.

use crate::cli::organisation::{Organisation, report};
use crate::cli::policy::count;
use crate::cli::rotate::{OfficeArgs, courses};
use crate::cli::usage;
use anyhow::Result;
use keywheel::rotate::machine::Phase;
use keywheel::usage::page::{Mark, Overlap};
use keywheel::usage::{Store, time};
use std::path::Path;

/// Marks and overlaps from `from` to `to`.
pub(super) fn marks(
    store: &Store,
    (from, to): (i64, i64),
    organisation: Option<&Organisation>,
    office: &OfficeArgs,
    findings: Option<&Path>,
) -> Result<(Vec<Mark>, Vec<Overlap>)> {
    let (mut marks, mut overlaps) = (Vec::new(), Vec::new());
    let mark = |at: i64, kind: &str, subject: &str, text: String| Mark {
        at,
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        text,
    };
    for course in courses(office)? {
        let kind = if course.emergency { "emergency" } else { "rotation" };
        match course.ended {
            Some((at, Phase::Done)) => {
                marks.push(mark(at.0 / 1000, kind, &course.lineage, "rotated".to_owned()));
            }
            Some((at, phase)) => {
                marks.push(mark(at.0 / 1000, kind, &course.lineage, format!("its rotation: {phase}")));
            }
            None => {
                let text = "its rotation was planned, and goes on".to_owned();
                marks.push(mark(course.planned.0 / 1000, kind, &course.lineage, text));
            }
        }
        if let Some((begun, end)) = course.overlap {
            let (from, to) = (begun.0 / 1000, end.map(|at| at.0 / 1000));
            overlaps.push(Overlap { from, to, subject: course.lineage });
        }
    }
    for key in organisation.iter().flat_map(|o| &o.policy.file.key) {
        let Some(at) = key.rotated.map(|when| when.0.as_second()) else { continue };
        // What the journal tells to the second the inventory tells by the day.
        let told = |m: &Mark| m.subject == key.id.as_str() && (m.at - at).abs() < 2 * time::DAY;
        if !marks.iter().any(told) {
            marks.push(mark(at, "rotation", key.id.as_str(), format!("rotated, for {}", key.service)));
        }
    }
    if let (Some(path), Some(organisation)) = (findings, organisation) {
        for hit in report(path, None)?.matched(&organisation.policy)?.hits {
            let Some(at) = hit.spots.iter().filter_map(|spot| spot.since()).min() else { continue };
            let text = format!("stands in code since then, in {}", count(hit.spots.len(), "place"));
            marks.push(mark(at.as_second(), "finding", hit.key.id.as_str(), text));
        }
    }
    for (subject, hours) in store.flags(from).map_err(usage)? {
        // Hours in a row are one mark.
        let mut last = None;
        for at in hours {
            if last != Some(at - time::HOUR) {
                marks.push(mark(at, "spike", &subject, "more use than usual".to_owned()));
            }
            last = Some(at);
        }
    }
    // Spikes are told by their hours.
    for (seen, event) in store.told(from).map_err(usage)?.into_iter().filter(|(_, e)| e.kind != "spike") {
        marks.push(mark(seen, &event.kind, &event.subject, event.text));
    }
    marks.retain(|mark| (from..to).contains(&mark.at));
    overlaps.retain(|o| o.from < to && o.to.is_none_or(|end| end > from));
    marks.sort_by(|a, b| (a.at, &a.subject, &a.kind).cmp(&(b.at, &b.subject, &b.kind)));
    overlaps.sort_by(|a, b| (a.from, &a.subject).cmp(&(b.from, &b.subject)));
    Ok((marks, overlaps))
}
