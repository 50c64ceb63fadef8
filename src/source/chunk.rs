//! Cuts a stream of any length into overlapping parts, in flat memory.
//!
//! Each byte is *owned* by exactly one part: `[base + lead, base + len - trail)`. A match belongs to
//! the part that owns its first byte; `lead` shows what stands before it and `trail` lets it end.

use crate::model::{Blob, Part, Provenance, Sink};
use std::io::{self, Read};
use std::sync::Arc;

/// Most bytes in one part.
pub const CHUNK: usize = 2 << 20;

/// Bytes that two neighbouring parts share; half of them are the first one's trail, half the second
/// one's lead (up to three more, so that no part begins inside a UTF-8 sequence).
pub const OVERLAP: usize = 64 << 10;

/// A place in a text, counted as [`Location`](crate::model::Location) counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Bytes before it.
    pub base: u64,
    /// Line breaks before it.
    pub lines: u64,
    /// Characters between the last line break and it.
    pub column: u64,
}

impl Mark {
    /// Moves past `bytes`, which begin here and do not end inside a UTF-8 sequence that goes on.
    pub fn advance(&mut self, bytes: &[u8]) {
        self.base += bytes.len() as u64;
        let line = match memchr::memrchr(b'\n', bytes) {
            Some(last) => {
                self.lines += memchr::memchr_iter(b'\n', &bytes[..=last]).count() as u64;
                self.column = 0;
                &bytes[last + 1..]
            }
            None => bytes,
        };
        self.column += characters(line);
    }
}

/// Counts characters; each maximal invalid UTF-8 sequence is one.
fn characters(mut bytes: &[u8]) -> u64 {
    let mut n = 0;
    loop {
        // Validating whole stretches is several times faster than `utf8_chunks` on valid text.
        match std::str::from_utf8(bytes) {
            Ok(text) => return n + text.chars().count() as u64,
            Err(e) => {
                let (valid, rest) = bytes.split_at(e.valid_up_to());
                n += std::str::from_utf8(valid).map_or(0, |t| t.chars().count() as u64) + 1;
                bytes = &rest[e.error_len().unwrap_or(rest.len())..];
            }
        }
    }
}

/// The last place at or before `at` where a character begins.
fn boundary(bytes: &[u8], at: usize) -> usize {
    // A sequence has at most three continuation bytes; behind four of them any place is a boundary.
    (at.saturating_sub(3)..=at).rev().find(|&i| bytes[i] & 0xc0 != 0x80).unwrap_or(at)
}

/// How a stream ended.
#[derive(Debug)]
pub enum End {
    /// At its end.
    Whole,
    /// The sink asked to stop; what follows was not read.
    Stopped,
    /// Reading failed; what had been read was pushed, if there was anything.
    Failed(io::Error),
}

/// What became of a stream.
#[derive(Debug)]
pub struct Run {
    /// The place behind the last byte that was pushed.
    pub mark: Mark,
    /// How it ended.
    pub end: End,
}

/// Reads streams into reused buffers and pushes them part by part.
pub struct Chunker {
    chunk: usize,
    overlap: usize,
    buffer: Vec<u8>,
}

impl Default for Chunker {
    fn default() -> Self {
        Chunker { chunk: CHUNK, overlap: OVERLAP, buffer: Vec::new() }
    }
}

impl Chunker {
    /// A chunker with no buffer yet; it grows to what the streams need, at most [`CHUNK`].
    pub fn new() -> Self {
        Self::default()
    }

    #[cfg(test)]
    fn with_sizes(chunk: usize, overlap: usize) -> Self {
        Chunker { chunk, overlap, ..Self::default() }
    }

    fn cutter(&self, mark: Mark) -> Cutter {
        Cutter { mark, chunk: self.chunk, half: self.overlap / 2, ..Cutter::default() }
    }

    /// Pushes all of `reader`: a small stream as one whole blob, else as overlapping parts in order.
    pub fn run(&mut self, reader: &mut dyn Read, provenance: &Arc<Provenance>, sink: &dyn Sink) -> Run {
        self.run_from(Mark::default(), reader, provenance, sink)
    }

    /// Like [`run`](Self::run), for bytes that stand at `mark` of a larger whole.
    pub fn run_from(
        &mut self,
        mark: Mark,
        reader: &mut dyn Read,
        provenance: &Arc<Provenance>,
        sink: &dyn Sink,
    ) -> Run {
        let mut cutter = self.cutter(mark);
        let buffer = &mut self.buffer;
        loop {
            let before = cutter.mark;
            let (part, len, end) = cutter.next(buffer, reader);
            if sink.stopped() {
                return Run { mark: before, end: End::Stopped };
            }
            // A stream that failed before it gave anything is no empty file.
            if len > 0 || !matches!(end, Some(End::Failed(_))) {
                sink.blob(Blob { part, ..Blob::whole(&buffer[..len], provenance.clone()) });
            }
            if let Some(end) = end {
                return Run { mark: cutter.mark, end };
            }
        }
    }
}

/// Where the next part begins and what it repeats of the last one.
pub(super) struct Cutter {
    mark: Mark,
    lead: usize,
    carry: Vec<u8>,
    chunk: usize,
    half: usize,
}

impl Default for Cutter {
    fn default() -> Self {
        Cutter { mark: Mark::default(), lead: 0, carry: Vec::new(), chunk: CHUNK, half: OVERLAP / 2 }
    }
}

impl Cutter {
    /// Bytes before the place that the next part would own.
    pub(super) fn read(&self) -> u64 {
        self.mark.base + self.lead as u64
    }

    /// Fills `buffer` with the next part: its place, its length and, for the last one, the end.
    pub(super) fn next(&mut self, buffer: &mut Vec<u8>, reader: &mut dyn Read) -> (Part, usize, Option<End>) {
        let mut filled = self.carry.len();
        if buffer.len() < filled {
            buffer.resize(filled, 0);
        }
        buffer[..filled].copy_from_slice(&self.carry);
        // One byte more than a part holds tells whether another one follows.
        let end = fill(reader, buffer, &mut filled, self.chunk + 1);
        let Mark { base, lines, column } = self.mark;
        let part = Part { base, lead: self.lead, trail: 0, lines, column };
        if end.is_some() {
            self.mark.advance(&buffer[..filled]);
            self.lead = 0;
            return (part, filled, end);
        }
        let owned = self.chunk - self.half;
        let next = boundary(buffer, owned - self.half);
        self.carry.clear();
        self.carry.extend_from_slice(&buffer[next..filled]);
        self.lead = owned - next;
        self.mark.advance(&buffer[..next]);
        (Part { trail: self.half, ..part }, self.chunk, None)
    }
}

/// Reads until `want` bytes are there or the stream ends.
fn fill(reader: &mut dyn Read, buffer: &mut Vec<u8>, filled: &mut usize, want: usize) -> Option<End> {
    const FIRST: usize = 64 << 10;
    while *filled < want {
        if *filled == buffer.len() {
            buffer.resize((buffer.len() * 2).clamp(FIRST, want.max(FIRST)), 0);
        }
        let room = buffer.len().min(want);
        match reader.read(&mut buffer[*filled..room]) {
            Ok(0) => return Some(End::Whole),
            Ok(n) => *filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Some(End::Failed(e)),
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::{RawPath, Skipped};
    use std::sync::Mutex;

    #[derive(Default)]
    struct Parts(Mutex<Vec<(Part, Vec<u8>)>>);

    impl Sink for Parts {
        fn blob(&self, blob: Blob<'_>) {
            self.0.lock().unwrap().push((blob.part, blob.bytes.to_vec()));
        }
        fn skipped(&self, _: Skipped) {}
    }

    struct Random(u64);

    impl Random {
        fn below(&mut self, n: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % n
        }
    }

    /// Reads in odd steps, as a pipe does, and may fail at the end.
    struct Drip<'a>(&'a [u8], Random, bool);

    impl Read for Drip<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() && self.2 {
                return Err(io::Error::other("gone"));
            }
            let n = (1 + self.1.below(700) as usize).min(buf.len()).min(self.0.len());
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn naive(bytes: &[u8]) -> (u64, u64) {
        let line = bytes.rsplit(|&b| b == b'\n').next().unwrap();
        let chars = line
            .utf8_chunks()
            .map(|c| c.valid().chars().count() + usize::from(!c.invalid().is_empty()))
            .sum::<usize>();
        (bytes.iter().filter(|&&b| b == b'\n').count() as u64, chars as u64)
    }

    fn text(random: &mut Random, len: usize) -> Vec<u8> {
        const PIECES: &[&[u8]] =
            &[b"a", b"\n", "é".as_bytes(), "→".as_bytes(), "🔑".as_bytes(), b"\xff", b"\x80", b"\xf0\x9f"];
        let common = random.below(3);
        let mut out = Vec::new();
        while out.len() < len {
            let piece = if random.below(4) < common { b"key" } else { PIECES[random.below(8) as usize] };
            out.extend_from_slice(piece);
        }
        out.truncate(len);
        out
    }

    fn check(bytes: &[u8], parts: &[(Part, Vec<u8>)], chunk: usize, half: usize) {
        let mut owned = 0;
        for (i, (part, piece)) in parts.iter().enumerate() {
            let (base, last) = (part.base as usize, i + 1 == parts.len());
            assert_eq!(piece, &bytes[base..base + piece.len()], "part {i} repeats the input");
            assert!(piece.len() <= chunk + usize::from(last));
            assert_eq!(base + part.lead, owned, "part {i} owns from where the last one ended");
            owned = base + piece.len() - part.trail;
            assert_eq!(part.lead == 0, i == 0);
            assert_eq!(part.trail, if last { 0 } else { half });
            assert_eq!((part.lines, part.column), naive(&bytes[..base]), "part {i} at {base}");
        }
        assert_eq!(owned, bytes.len());
    }

    #[test]
    fn parts_tile_the_input_and_know_their_place() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let provenance = Arc::new(Provenance::file(RawPath::new(b"x")));
        for round in 0..2000 {
            let half = 4 + random.below(20) as usize;
            let chunk = 2 * half + 4 + random.below(100) as usize;
            // Every fourth input is as long as a whole number of parts, give or take one.
            let len = match round % 4 {
                0 => (random.below(4) as usize * chunk + random.below(3) as usize).saturating_sub(1),
                _ => random.below(1500) as usize,
            };
            let bytes = text(&mut random, len);
            let fail = round % 3 == 0;
            let sink = Parts::default();
            let mut chunker = Chunker::with_sizes(chunk, 2 * half);
            let mut drip = Drip(&bytes, Random(round + 1), fail);
            let run = chunker.run(&mut drip, &provenance, &sink);
            assert_eq!(matches!(run.end, End::Failed(_)), fail);
            let (lines, column) = naive(&bytes);
            assert_eq!(run.mark, Mark { base: bytes.len() as u64, lines, column });
            let parts = sink.0.into_inner().unwrap();
            assert_eq!(parts.is_empty(), fail && bytes.is_empty());
            check(&bytes, &parts, chunk, half);
        }
    }

    #[test]
    fn a_small_stream_is_one_whole_blob_and_a_buffer_serves_again() {
        let provenance = Arc::new(Provenance::file(RawPath::new(b"x")));
        let sink = Parts::default();
        let mut chunker = Chunker::new();
        for bytes in [&b"abc\n"[..], b"", b"defgh"] {
            chunker.run(&mut &bytes[..], &provenance, &sink);
        }
        let parts = sink.0.into_inner().unwrap();
        assert!(parts.iter().all(|(part, _)| *part == Part::default()));
        assert_eq!(
            parts.iter().map(|(_, b)| b.as_slice()).collect::<Vec<_>>(),
            [&b"abc\n"[..], b"", b"defgh"]
        );
        assert!(chunker.buffer.len() < CHUNK / 8, "a small stream needs no large buffer");
    }

    #[test]
    fn a_stream_of_several_chunks_is_cut_at_the_declared_sizes() {
        let provenance = Arc::new(Provenance::file(RawPath::new(b"x")));
        let bytes = text(&mut Random(7), 2 * CHUNK + 12345);
        let sink = Parts::default();
        Chunker::new().run(&mut &bytes[..], &provenance, &sink);
        let parts = sink.0.into_inner().unwrap();
        assert_eq!(parts.len(), 3);
        check(&bytes, &parts, CHUNK, OVERLAP / 2);
    }

    #[test]
    fn a_stopped_sink_gets_nothing_more() {
        struct Stopped(Parts);
        impl Sink for Stopped {
            fn blob(&self, blob: Blob<'_>) {
                self.0.blob(blob);
            }
            fn skipped(&self, _: Skipped) {}
            fn stopped(&self) -> bool {
                !self.0.0.lock().unwrap().is_empty()
            }
        }
        let provenance = Arc::new(Provenance::file(RawPath::new(b"x")));
        let sink = Stopped(Parts::default());
        let run = Chunker::with_sizes(100, 20).run(&mut io::repeat(b'x'), &provenance, &sink);
        assert!(matches!(run.end, End::Stopped));
        assert_eq!(sink.0.0.into_inner().unwrap().len(), 1);
    }
}
