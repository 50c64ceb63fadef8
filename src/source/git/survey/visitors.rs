//! Who takes the objects of packs as they are unfolded.

use super::{Content, Survey};
use crate::model::ObjectId;
use crate::source::git::memory::Learned;
use crate::source::git::pack::{Entry, Pack, Visited, Visitor};
use crate::source::git::parse::Kind;
use crate::source::git::part::Part;
use crate::source::git::reuse::Seen;
use flate2::bufread::ZlibDecoder;
use std::io::Read;

/// Looks at blobs.
pub(super) struct Contents<'s, 'a> {
    pub(super) survey: &'s Survey<'a>,
    /// The pack; none for loose objects.
    pub(super) part: Option<&'s Part<'a>>,
    /// Chunks that were looked at; without it every blob is read again whole.
    pub(super) seen: Option<&'s Seen>,
}

impl Contents<'_, '_> {
    /// Has one read again that is too large for a first look.
    pub(super) fn beyond(&self, id: ObjectId, size: u64) {
        if !self.survey.is_too_large(id, size) {
            self.learned(id, size, true);
        }
    }

    pub(super) fn content(&self, id: ObjectId, bytes: &[u8]) {
        let size = bytes.len() as u64;
        if !self.survey.is_too_large(id, size) {
            let hot = self.seen.is_none_or(|seen| seen.is_hot(bytes, self.survey.sink));
            self.learned(id, size, hot);
        }
    }

    fn learned(&self, id: ObjectId, size: u64, hot: bool) {
        if self.survey.memory.learned(&Learned::text(id, Kind::Blob, size, hot)) {
            self.survey.sink.looked(1, size);
        }
    }

    fn is_new(&self, node: u32) -> bool {
        self.part.is_none_or(|part| part.is_new(node))
    }
}

impl Visitor for Contents<'_, '_> {
    fn wants(&self, kind: Kind) -> bool {
        kind == Kind::Blob
    }

    fn visit(&self, object: &Visited<'_>) {
        if self.is_new(object.node) {
            self.content(object.id, object.bytes);
        }
    }

    fn large(&self, _: &Pack, entry: &Entry, node: u32, id: ObjectId, _: Kind) {
        if self.is_new(node) {
            self.beyond(id, entry.size);
        }
    }

    fn broken(&self, pack: &Pack, id: ObjectId, why: &str) {
        self.survey.lost(Some(pack), id, why);
    }

    fn other(&self, id: &ObjectId) -> Option<(Kind, Vec<u8>)> {
        self.survey.objects.read(id).ok().map(|o| (o.kind, o.bytes))
    }

    fn stopped(&self) -> bool {
        self.survey.sink.stopped()
    }
}

/// Hands over every object of some kinds.
pub(super) struct Each<'s, 'a, F> {
    pub(super) survey: &'s Survey<'a>,
    pub(super) wants: &'s (dyn Fn(Kind) -> bool + Sync),
    pub(super) take: F,
}

impl<F: Fn(&Visited<'_>) + Sync> Visitor for Each<'_, '_, F> {
    fn wants(&self, kind: Kind) -> bool {
        (self.wants)(kind)
    }

    fn visit(&self, object: &Visited<'_>) {
        (self.take)(object);
    }

    fn large(&self, pack: &Pack, entry: &Entry, node: u32, id: ObjectId, kind: Kind) {
        let mut bytes = Vec::new();
        let made = match entry.size > pack.most() {
            true => Err("it takes more memory than an object of such a pack may"),
            false => pack.inflate(entry, &mut libdeflater::Decompressor::new(), &mut bytes),
        };
        match made {
            Ok(()) => (self.take)(&Visited { node, id, kind, bytes: &bytes }),
            Err(why) => self.survey.lost(Some(pack), id, why),
        }
    }

    fn broken(&self, pack: &Pack, id: ObjectId, why: &str) {
        self.survey.lost(Some(pack), id, why);
    }

    fn other(&self, id: &ObjectId) -> Option<(Kind, Vec<u8>)> {
        self.survey.objects.read(id).ok().map(|o| (o.kind, o.bytes))
    }

    fn stopped(&self) -> bool {
        self.survey.sink.stopped()
    }
}

/// Hands over blobs, large ones as streams.
pub(super) struct Blobs<'s, 'a> {
    pub(super) survey: &'s Survey<'a>,
    pub(super) take: &'s (dyn Fn(ObjectId, Content<'_>) + Sync),
}

impl Visitor for Blobs<'_, '_> {
    fn wants(&self, kind: Kind) -> bool {
        kind == Kind::Blob
    }

    fn visit(&self, object: &Visited<'_>) {
        (self.take)(object.id, Content::Bytes(object.bytes));
    }

    fn large(&self, pack: &Pack, entry: &Entry, _: u32, id: ObjectId, _: Kind) {
        let data = pack.bytes().get(entry.data..).unwrap_or_default();
        let open = || Box::new(ZlibDecoder::new(data).take(entry.size)) as Box<dyn Read + '_>;
        (self.take)(id, Content::Large { size: entry.size, open: &open });
    }

    fn broken(&self, pack: &Pack, id: ObjectId, why: &str) {
        self.survey.lost(Some(pack), id, why);
    }

    fn other(&self, id: &ObjectId) -> Option<(Kind, Vec<u8>)> {
        self.survey.objects.read(id).ok().map(|o| (o.kind, o.bytes))
    }

    fn stopped(&self) -> bool {
        self.survey.sink.stopped()
    }
}
