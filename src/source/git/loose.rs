//! Loose objects, each a file of its own; and objects of any kind of store that are read piece by piece.

use super::objects::{LARGEST, Object};
use super::pack::{Pack, Stored};
use super::parse::Kind;
use crate::model::ObjectId;
use flate2::bufread::ZlibDecoder;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Bytes that a loose object may take in memory for each byte of its file, and in any case: a bomb
/// is small.
const SHOWN: (u64, u64) = (32, 16 << 20);
const UNREADABLE: &str = "its data does not unfold";

/// Where a directory of objects keeps one.
pub(super) fn path(dir: &Path, id: &ObjectId) -> PathBuf {
    let hex = id.to_string();
    dir.join(&hex[..2]).join(&hex[2..])
}

/// The loose objects of a directory, sorted by name.
pub fn list(dir: &Path) -> Vec<(ObjectId, PathBuf)> {
    (0..=255).flat_map(|first| beginning(dir, first)).collect()
}

/// Those whose names begin with one byte.
pub(super) fn beginning(dir: &Path, first: u8) -> Vec<(ObjectId, PathBuf)> {
    let prefix = format!("{first:02x}");
    let Ok(list) = fs::read_dir(dir.join(&prefix)) else { return Vec::new() };
    let mut found: Vec<_> = list
        .flatten()
        .filter_map(|e| {
            let name = [prefix.as_bytes(), e.file_name().as_encoded_bytes()].concat();
            Some((ObjectId::parse(&name)?, e.path()))
        })
        .collect();
    found.sort();
    found
}

/// Reads a loose object.
///
/// # Errors
/// What is wrong, in words.
pub fn read(file: File) -> Result<Object, String> {
    let most = file.metadata().map_or(0, |m| m.len()).saturating_mul(SHOWN.0).clamp(SHOWN.1, LARGEST);
    Stream::loose(file)?.whole(most)
}

/// An object that is read piece by piece.
pub struct Stream<'a> {
    /// What it is.
    pub kind: Kind,
    /// How many bytes it claims to have; more are not read.
    pub size: u64,
    bytes: Box<dyn Read + 'a>,
}

impl<'a> Stream<'a> {
    /// Reads the head of a loose object.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn loose(file: File) -> Result<Stream<'static>, String> {
        if !file.metadata().map_err(|e| e.to_string())?.is_file() {
            return Err("it is no regular file".to_owned());
        }
        let mut bytes = ZlibDecoder::new(BufReader::new(file));
        let mut head = Vec::new();
        loop {
            let mut byte = [0];
            bytes.read_exact(&mut byte).map_err(|_| UNREADABLE)?;
            if byte[0] == 0 {
                break;
            }
            head.push(byte[0]);
            if head.len() > 32 {
                return Err("its head is no object's".to_owned());
            }
        }
        let mut words = head.splitn(2, |&b| b == b' ');
        let kind = words.next().and_then(Kind::parse).ok_or("its head names no kind")?;
        let size: u64 = words
            .next()
            .and_then(|w| std::str::from_utf8(w).ok()?.parse().ok())
            .ok_or("its head gives no size")?;
        Ok(Stream { kind, size, bytes: Box::new(bytes) })
    }

    /// The whole entry of a pack; `None` for a delta, or if its head cannot be read.
    pub(super) fn packed(pack: &'a Pack, offset: u64) -> Option<Self> {
        let entry = pack.entry(offset).ok()?;
        let Stored::Whole(kind) = entry.stored else { return None };
        let bytes = Box::new(ZlibDecoder::new(pack.bytes().get(entry.data..)?));
        Some(Stream { kind, size: entry.size, bytes })
    }

    /// All of it.
    fn whole(self, most: u64) -> Result<Object, String> {
        let Stream { kind, size, bytes: stream } = self;
        if size > most {
            return Err(format!("{size} bytes are more than it may take in memory"));
        }
        let mut bytes = Vec::with_capacity(size.min(1 << 20) as usize);
        stream.take(size + 1).read_to_end(&mut bytes).map_err(|_| UNREADABLE)?;
        if bytes.len() as u64 != size {
            return Err("its data has another length than its head says".to_owned());
        }
        Ok(Object { kind, bytes })
    }

    /// Its bytes.
    pub fn bytes(self) -> impl Read + 'a {
        self.bytes.take(self.size)
    }
}
