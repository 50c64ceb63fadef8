//! The walk through one outer file: what its budget has left, and how containers nest.

use super::meter::{Counted, Meter, fill};
use super::{Budget, HEAD, Input, Kind, ar, cpio, decode, kind, tar, zip};
use crate::model::{Provenance, RawPath, Sink, SkipReason, Skipped};
use crate::source::chunk::{Chunker, End, Mark, Run};
use std::cell::{Cell, RefCell};
use std::io::{BufReader, Read};
use std::sync::Arc;

/// A place in the nesting.
pub(super) struct Level {
    /// The name of the bytes at hand.
    pub(super) provenance: Arc<Provenance>,
    /// Containers around them.
    pub(super) depth: u32,
    /// Bytes that may be held in memory to open them.
    pub(super) room: u64,
}

impl Level {
    /// The level of a member.
    pub(super) fn inner(&self, name: &[u8]) -> Level {
        let provenance = Arc::new(self.provenance.member(RawPath::new(name)));
        Level { provenance, depth: self.depth + 1, room: self.room }
    }

    /// The same place, with memory held around it.
    fn held(&self) -> Level {
        Level { provenance: self.provenance.clone(), depth: self.depth, room: self.room / 2 }
    }
}

/// One outer file being unpacked.
pub(super) struct Walk<'a> {
    pub(super) budget: &'a Budget,
    sink: &'a dyn Sink,
    top: Level,
    /// Bytes of the outer file; of a stream, those read so far.
    pub(super) size: Cell<u64>,
    entries: Cell<u64>,
    inflated: Cell<u64>,
    /// Something was pushed, be it an empty member.
    pushed: Cell<bool>,
    over: Cell<bool>,
    chunker: RefCell<Chunker>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(budget: &'a Budget, sink: &'a dyn Sink, provenance: &Arc<Provenance>) -> Self {
        Walk {
            budget,
            sink,
            top: Level { provenance: provenance.clone(), depth: 0, room: budget.member },
            size: Cell::new(0),
            entries: Cell::new(0),
            inflated: Cell::new(0),
            pushed: Cell::new(false),
            over: Cell::new(false),
            chunker: RefCell::new(Chunker::new()),
        }
    }

    /// Unpacks the outer file.
    pub(super) fn outer(&self, kind: Kind, input: Input<'_>) {
        let size = match input.len() {
            Ok(size) => size,
            Err(e) => return self.tell(&self.top, SkipReason::Unreadable, e.to_string()),
        };
        self.size.set(size);
        let whole = || Meter::plain(self, &self.top, input.span(0, size));
        if self.budget.depth == 0 || matches!(kind, Kind::Foreign(_)) {
            return self.content(Some(kind), &mut whole(), &self.top);
        }
        match kind {
            Kind::Zip => zip::walk(self, input, size, &self.top),
            _ => self.open(kind, &mut whole(), &self.top),
        }
        // What only looks like an archive is still text to scan, besides being reported.
        if !self.pushed.get() && !self.stopped() {
            self.scan(&mut whole(), &self.top, Mark::default());
        }
    }

    /// Unpacks an outer stream of unknown content.
    pub(super) fn outer_stream(&self, reader: &mut dyn Read) {
        let mut counted = Counted { reader, count: &self.size };
        self.member(&mut Meter::plain(self, &self.top, &mut counted), &self.top);
    }

    /// Pushes a member: unpacked if it is a container itself, else as it is.
    pub(super) fn member(&self, reader: &mut dyn Read, level: &Level) {
        let mut head = [0; HEAD];
        let n = fill(reader, &mut head);
        let found = kind(&head[..n], level.provenance.name().as_bytes());
        self.content(found, &mut head[..n].chain(reader), level);
    }

    fn content(&self, found: Option<Kind>, reader: &mut dyn Read, level: &Level) {
        match found {
            Some(Kind::Foreign(what)) => self.tell(level, SkipReason::Unsupported, what.to_owned()),
            Some(_) if level.depth >= self.budget.depth => {
                let detail = format!("inside {} containers", level.depth);
                self.tell(level, SkipReason::TooDeep, detail);
            }
            Some(kind) => return self.open(kind, reader, level),
            None => {}
        }
        // A container that stays closed may still hold plain text: stored members, names, comments.
        self.scan(reader, level, Mark::default());
    }

    fn open(&self, kind: Kind, reader: &mut dyn Read, level: &Level) {
        match kind {
            Kind::Tar => tar::walk(self, reader, level),
            Kind::Ar => ar::walk(self, reader, level),
            Kind::Cpio => cpio::walk(self, reader, level),
            Kind::Zip => self.hold(reader, level),
            kind => self.inflate(kind, reader, level),
        }
    }

    /// Reads a nested zip into memory to reach its directory.
    fn hold(&self, reader: &mut dyn Read, level: &Level) {
        let mut bytes = Vec::new();
        // A failure was told by the layer that failed; what came before it is still walked.
        let _ = reader.take(level.room.saturating_add(1)).read_to_end(&mut bytes);
        if bytes.len() as u64 > level.room {
            let detail = format!("a zip inside an archive, of more than {} bytes", level.room);
            return self.tell(level, SkipReason::TooMuchMemory, detail);
        }
        zip::walk(self, Input::Bytes(&bytes), bytes.len() as u64, &level.held());
    }

    /// Undoes one compressed stream and pushes what is in it.
    fn inflate(&self, kind: Kind, reader: &mut dyn Read, level: &Level) {
        let taken = Cell::new(0);
        let counted = Counted { reader, count: &taken };
        let input = BufReader::with_capacity(decode::BUFFER, counted);
        let (decoder, label) = match decode::stream(kind, input, level.room) {
            Ok(opened) => opened,
            Err(e) => return self.fault(level, &e),
        };
        let mut meter = Meter::counting(self, level, decoder, &taken);
        let name = super::kind::content_name(level.provenance.name().as_bytes(), label);
        let mut head = [0; HEAD];
        let n = fill(&mut meter, &mut head);
        let mut whole = head[..n].chain(&mut meter as &mut dyn Read);
        match kind::kind(&head[..n], &name) {
            // A compressed tar is one archive to its users, so it adds no level and no name.
            Some(kind @ (Kind::Tar | Kind::Cpio)) => self.open(kind, &mut whole, &level.held()),
            found => {
                if self.entry() {
                    self.content(found, &mut whole, &level.held().inner(&name));
                }
            }
        }
    }

    /// Pushes bytes as they are, from `mark` of the whole that `level` names.
    pub(super) fn scan(&self, reader: &mut dyn Read, level: &Level, mark: Mark) -> Run {
        let run = self.chunker.borrow_mut().run_from(mark, reader, &level.provenance, self.sink);
        if run.mark.base > mark.base || matches!(run.end, End::Whole) {
            self.pushed.set(true);
        }
        self.stopped();
        run
    }

    /// The place behind bytes that stand at `mark`, without pushing them.
    pub(super) fn count(&self, reader: &mut dyn Read, level: &Level, mark: Mark) -> Mark {
        struct Nowhere<'s>(&'s dyn Sink);
        impl Sink for Nowhere<'_> {
            fn blob(&self, _: crate::model::Blob<'_>) {}
            fn skipped(&self, _: Skipped) {}
            fn stopped(&self) -> bool {
                self.0.stopped()
            }
        }
        self.chunker.borrow_mut().run_from(mark, reader, &level.provenance, &Nowhere(self.sink)).mark
    }

    /// Counts a member; `false` once there are too many.
    pub(super) fn entry(&self) -> bool {
        if self.stopped() {
            return false;
        }
        self.entries.set(self.entries.get() + 1);
        if self.entries.get() > self.budget.entries {
            self.give_up(SkipReason::TooManyEntries, format!("more than {}", self.budget.entries));
            return false;
        }
        true
    }

    /// Counts inflated bytes; `false` once there are too many.
    pub(super) fn inflated(&self, n: u64) -> bool {
        let Budget { bytes, ratio, floor, .. } = *self.budget;
        let (total, size) = (self.inflated.get() + n, self.size.get());
        self.inflated.set(total);
        if total > bytes.saturating_add(size) {
            self.give_up(SkipReason::Bomb, format!("inflates to more than {bytes} bytes in all"));
        } else if total > floor.saturating_mul(16) && total / ratio.max(1) > size {
            self.give_up(SkipReason::Bomb, format!("inflates to more than {ratio} times its size in all"));
        }
        !self.over.get()
    }

    /// Whether to read no more of the outer file.
    pub(super) fn stopped(&self) -> bool {
        if !self.over.get() && self.sink.stopped() {
            self.give_up(SkipReason::Budget, "stopped in the middle".to_owned());
        }
        self.over.get()
    }

    /// Ends the walk: what follows in the outer file is not read, which is told once.
    fn give_up(&self, reason: SkipReason, detail: String) {
        if !self.over.replace(true) {
            self.tell(&self.top, reason, detail);
        }
    }

    /// Reports something that was not read.
    pub(super) fn tell(&self, level: &Level, reason: SkipReason, detail: String) {
        self.sink.skipped(Skipped { provenance: (*level.provenance).clone(), reason, detail });
    }

    /// Reports a failed read, unless a layer below has done so.
    pub(super) fn fault(&self, level: &Level, error: &std::io::Error) {
        if let Some((reason, detail)) = decode::reason(error) {
            self.tell(level, reason, detail);
        }
    }
}
