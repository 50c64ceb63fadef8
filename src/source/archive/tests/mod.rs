//! Archives made by other writers and by hand, unpacked.

#![allow(clippy::unwrap_used)]

mod ars;
mod hostile;
mod make;
mod nest;
mod streams;
mod tars;
mod zips;

use super::{Budget, HEAD, Input, Kind, ends_zip, kind, unpack, unpack_stream};
use crate::model::{Blob, Provenance, RawPath, Sink, SkipReason, Skipped};
use std::sync::{Arc, Mutex};

/// Puts parts together again and keeps what was skipped.
#[derive(Default)]
struct Got {
    blobs: Mutex<Vec<(String, Vec<u8>)>>,
    skips: Mutex<Vec<(String, SkipReason, String)>>,
    stop_after: Option<usize>,
    largest: Mutex<usize>,
}

impl Sink for Got {
    fn blob(&self, blob: Blob<'_>) {
        let name = blob.provenance.text();
        let (part, owned) = (blob.part, &blob.bytes[..blob.bytes.len() - blob.part.trail]);
        let mut largest = self.largest.lock().unwrap();
        *largest = blob.bytes.len().max(*largest);
        let mut blobs = self.blobs.lock().unwrap();
        match blobs.last_mut() {
            Some((last, bytes)) if part.lead > 0 => {
                assert_eq!(
                    (last.as_str(), bytes.len() as u64),
                    (name.as_str(), part.base + part.lead as u64)
                );
                bytes.extend_from_slice(&owned[part.lead..]);
            }
            _ => blobs.push((name, owned.to_vec())),
        }
    }

    fn skipped(&self, skipped: Skipped) {
        let Skipped { provenance, reason, detail } = skipped;
        self.skips.lock().unwrap().push((provenance.text(), reason, detail));
    }

    fn stopped(&self) -> bool {
        self.stop_after.is_some_and(|n| self.blobs.lock().unwrap().len() >= n)
    }
}

impl Got {
    fn blobs(&self) -> Vec<(String, Vec<u8>)> {
        self.blobs.lock().unwrap().clone()
    }

    /// Members by name, with text for content.
    fn texts(&self) -> Vec<(String, String)> {
        self.blobs().into_iter().map(|(n, b)| (n, String::from_utf8_lossy(&b).into_owned())).collect()
    }

    fn reasons(&self) -> Vec<(String, SkipReason)> {
        self.skips.lock().unwrap().iter().map(|(n, r, _)| (n.clone(), *r)).collect()
    }

    fn complete(&self) -> bool {
        self.skips.lock().unwrap().is_empty()
    }

    #[track_caller]
    fn only(&self, want: &[(&str, &[u8])]) {
        let (blobs, skips) = (self.blobs(), self.skips.lock().unwrap().clone());
        let names = |b: &[(String, Vec<u8>)]| b.iter().map(|b| (b.0.clone(), b.1.len())).collect::<Vec<_>>();
        let want: Vec<_> = want.iter().map(|(n, b)| ((*n).to_owned(), b.to_vec())).collect();
        assert!(blobs == want, "{:?}\nwant {:?}\n{skips:?}", names(&blobs), names(&want));
        assert_eq!(skips, [], "nothing is skipped");
    }

    #[track_caller]
    fn skips(&self, want: &[(&str, SkipReason)]) {
        let want: Vec<_> = want.iter().map(|(n, r)| ((*n).to_owned(), *r)).collect();
        assert_eq!(self.reasons(), want, "{:?}", self.skips.lock().unwrap());
    }
}

fn named(name: &str) -> Arc<Provenance> {
    Arc::new(Provenance::file(RawPath::new(name.as_bytes())))
}

/// Unpacks bytes in memory; the same as a file and, if it is no zip, as a stream gives the same.
fn run_with(name: &str, bytes: &[u8], budget: &Budget) -> Got {
    let got = Got::default();
    match kind(&bytes[..bytes.len().min(HEAD)], name.as_bytes()) {
        Some(kind) => unpack(kind, Input::Bytes(bytes), &named(name), budget, &got),
        None => got.blob(Blob::whole(bytes, named(name))),
    }
    got
}

fn run(name: &str, bytes: &[u8]) -> Got {
    run_with(name, bytes, &Budget::default())
}

#[test]
fn a_file_a_slice_and_a_stream_give_the_same() {
    let text = make::noise(3 << 20);
    let inner = make::zip(&[("a.txt", b"alpha"), ("b.bin", &text)]);
    let bytes = make::gz(&make::tar(&[("in.zip", &inner), ("c.txt", b"gamma")]));
    let slice = run("x.tgz", &bytes);
    let dir = std::env::temp_dir().join(format!("keywheel-archive-{}", std::process::id()));
    std::fs::write(&dir, &bytes).unwrap();
    let file = std::fs::File::open(&dir).unwrap();
    std::fs::remove_file(&dir).unwrap();
    let from_file = Got::default();
    unpack(Kind::Gzip, Input::File(&file), &named("x.tgz"), &Budget::default(), &from_file);
    let from_stream = Got::default();
    unpack_stream(&mut &bytes[..], &named("x.tgz"), &Budget::default(), &from_stream);
    slice.only(&[("x.tgz!in.zip!a.txt", b"alpha"), ("x.tgz!in.zip!b.bin", &text), ("x.tgz!c.txt", b"gamma")]);
    assert_eq!(slice.blobs(), from_file.blobs());
    assert_eq!(slice.blobs(), from_stream.blobs());
    assert!(from_file.complete() && from_stream.complete());
}

#[test]
fn a_stream_that_is_no_archive_comes_out_as_it_is() {
    let got = Got::default();
    unpack_stream(&mut &b"plain text"[..], &named("-"), &Budget::default(), &got);
    got.only(&[("-", b"plain text")]);
}

#[test]
fn a_stopped_sink_ends_the_walk_and_the_rest_is_counted() {
    for (name, bytes) in [
        ("x.tar", make::tar(&[("a", b"1"), ("b", b"2"), ("c", b"3")])),
        ("x.zip", make::zip(&[("a", b"1"), ("b", b"2"), ("c", b"3")])),
    ] {
        let got = Got { stop_after: Some(2), ..Got::default() };
        let kind = kind(&bytes, name.as_bytes()).unwrap();
        unpack(kind, Input::Bytes(&bytes), &named(name), &Budget::default(), &got);
        assert_eq!(got.blobs().len(), 2);
        got.skips(&[(name, SkipReason::Budget)]);
    }
}
