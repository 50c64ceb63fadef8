//! Standard input.

use super::archive::{self, Input};
use super::chunk::{Chunker, End};
use super::files::{Options, WHOLE};
use crate::model::{Blob, Provenance, RawPath, Sink, SkipReason, Skipped};
use std::io::{self, Read};
use std::sync::Arc;

/// Pushes standard input, whatever its length. While nothing comes, the sink may still end it.
pub fn stdin(options: &Options, sink: &dyn Sink) {
    read(&mut Patient { sink }, options, sink);
}

fn read(input: &mut dyn Read, options: &Options, sink: &dyn Sink) {
    let provenance = Arc::new(Provenance::file(RawPath::new(b"-")));
    let skip =
        |reason, detail: String| sink.skipped(Skipped { provenance: (*provenance).clone(), reason, detail });
    let mut head = Vec::new();
    let begun = input.take(WHOLE).read_to_end(&mut head);
    if sink.stopped() {
        return skip(SkipReason::Budget, format!("stopped behind byte {}", head.len()));
    }
    if let Err(error) = begun {
        if !head.is_empty() {
            sink.blob(Blob::whole(&head, provenance.clone()));
        }
        return skip(SkipReason::Unreadable, error.to_string());
    }
    if (head.len() as u64) < WHOLE {
        return match archive::kind(&head, b"").filter(|_| options.archives) {
            Some(kind) => archive::unpack(kind, Input::Bytes(&head), &provenance, &options.budget, sink),
            None => sink.blob(Blob::whole(&head, provenance)),
        };
    }
    let mut all = io::Cursor::new(head).chain(input);
    if options.archives {
        return archive::unpack_stream(&mut all, &provenance, &options.budget, sink);
    }
    match Chunker::new().run(&mut all, &provenance, sink).end {
        End::Whole => {}
        End::Stopped => skip(SkipReason::Budget, String::new()),
        End::Failed(error) => skip(SkipReason::Unreadable, error.to_string()),
    }
}

/// Reads standard input, but waits for it only in short steps, so that a pipe into which nobody
/// writes does not outlast the sink's patience.
struct Patient<'s> {
    sink: &'s dyn Sink,
}

#[cfg(unix)]
impl Read for Patient<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        const STEP: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        let input = io::stdin();
        loop {
            if self.sink.stopped() {
                return Err(io::Error::other("stopped"));
            }
            match poll(&mut [PollFd::new(&input, PollFlags::IN)], Some(&STEP)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                // What cannot be waited for says so when it is read.
                Ok(_) | Err(_) => return Ok(rustix::io::read(&input, buf)?),
            }
        }
    }
}

#[cfg(not(unix))]
impl Read for Patient<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.sink.stopped() {
            return Err(io::Error::other("stopped"));
        }
        io::stdin().lock().read(buf)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Got(Mutex<(Vec<u8>, Vec<SkipReason>)>, bool);

    impl Sink for Got {
        fn blob(&self, blob: Blob<'_>) {
            self.0.lock().unwrap().0.extend_from_slice(blob.bytes);
        }
        fn skipped(&self, skipped: Skipped) {
            self.0.lock().unwrap().1.push(skipped.reason);
        }
        fn stopped(&self) -> bool {
            self.1
        }
    }

    /// Gives some bytes and then fails.
    struct Torn(&'static [u8]);

    impl Read for Torn {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.0.read(buf)?;
            if n > 0 { Ok(n) } else { Err(io::Error::other("torn")) }
        }
    }

    #[test]
    fn what_came_before_a_failure_is_scanned() {
        let got = Got::default();
        read(&mut Torn(b"a line"), &Options::default(), &got);
        assert_eq!(got.0.into_inner().unwrap(), (b"a line".to_vec(), vec![SkipReason::Unreadable]));
    }

    #[test]
    fn what_a_stop_cuts_off_is_counted() {
        let got = Got(Mutex::default(), true);
        read(&mut Torn(b"a line"), &Options::default(), &got);
        assert_eq!(got.0.into_inner().unwrap(), (Vec::new(), vec![SkipReason::Budget]));
    }
}
