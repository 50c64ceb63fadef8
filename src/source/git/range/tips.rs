//! What the ends of a range are: a tag leads to something else, and its own text is new too.

use super::Range;
use crate::model::{Held, ObjectId, Origin, Provenance, RawPath, Sink};
use crate::source::git::parse::{self, Kind};
use crate::source::git::{GitError, Objects};
use std::collections::BTreeSet;

/// The ends of a range, with tags followed.
#[derive(Debug, Default)]
pub(super) struct Tips {
    pub(super) commits: Vec<ObjectId>,
    pub(super) hidden: Vec<ObjectId>,
    /// Annotated tags and their bytes.
    pub(super) tags: Vec<(ObjectId, Vec<u8>)>,
    /// Trees and blobs that a tip names or a tag is put on.
    pub(super) trees: Vec<ObjectId>,
    pub(super) blobs: Vec<ObjectId>,
}

impl Tips {
    /// Follows both ends. What cannot be read is counted.
    pub(super) fn of(objects: &Objects, range: &Range, sink: &dyn Sink) -> Self {
        let mut tips = Tips::default();
        let mut known = BTreeSet::new();
        for id in &range.hidden {
            match follow(objects, *id, &mut known, &mut |_, _| {}) {
                Ok(Some((id, Kind::Commit))) => tips.hidden.push(id),
                Ok(_) => {}
                Err(error) => sink.skipped(error.skipped(place(*id))),
            }
        }
        for id in &range.tips {
            let tags = &mut tips.tags;
            match follow(objects, *id, &mut known, &mut |id, bytes| tags.push((id, bytes))) {
                Ok(Some((id, Kind::Commit))) => tips.commits.push(id),
                Ok(Some((id, Kind::Tree))) => tips.trees.push(id),
                Ok(Some((id, _))) => tips.blobs.push(id),
                Ok(None) => {}
                Err(error) => sink.skipped(error.skipped(place(*id))),
            }
        }
        tips
    }
}

/// Follows tags to what they are put on; `None` where a known one is met.
fn follow(
    objects: &Objects,
    mut id: ObjectId,
    known: &mut BTreeSet<ObjectId>,
    tag: &mut dyn FnMut(ObjectId, Vec<u8>),
) -> Result<Option<(ObjectId, Kind)>, GitError> {
    while known.insert(id) {
        let object = objects.read(&id)?;
        if object.kind != Kind::Tag {
            return Ok(Some((id, object.kind)));
        }
        let target = parse::tag_target(&object.bytes);
        tag(id, object.bytes);
        id = target
            .ok_or_else(|| GitError::BadObject { id, what: "it is a tag that names no object".to_owned() })?;
    }
    Ok(None)
}

fn place(id: ObjectId) -> Provenance {
    let origin = Origin {
        held: Held::Commit,
        object: id,
        commit: None,
        reachable: true,
        at_head: false,
        also_at: Vec::new(),
    };
    Provenance::history(RawPath::new(b""), origin)
}
