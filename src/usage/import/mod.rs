//! Logs as sources: of gateways, of stores, or of whatever a mapping describes. A log that grew is read on from
//! where it ended; one that was taken in before adds nothing.

mod mapping;

pub use mapping::{Form, Mapping, MappingError, Only};

use super::pull::screened;
use super::rows::{RowError, Rows};
use super::store::{Changed, Measures, SourceInfo, Store, StoreError, Taken};
use crate::rule::Grain;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Longest line of a log.
const LINE: u64 = 16 << 20;
/// Largest log that is one JSON document.
const DOCUMENT: u64 = 512 << 20;

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Rows that counted.
    pub rows: u64,
    /// Rows of requests that had been counted before.
    pub known: u64,
    /// Rows that the mapping leaves out.
    pub other: u64,
    /// Bytes that earlier imports had read.
    pub skipped: u64,
    /// What they changed.
    pub changed: Changed,
}

/// Why a log was not taken in. Nothing of it is kept then.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read the log: {0}")]
    Io(#[from] io::Error),
    /// A line that is not what the mapping says.
    #[error("line {line}: {what}")]
    Line {
        /// From 1, counted from where this import began.
        line: u64,
        /// What is wrong; never what stands there.
        what: String,
    },
    /// A row that cannot count.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes a log in, as the source `name`.
///
/// # Errors
/// See [`ImportError`].
pub fn import(
    store: &Store,
    name: &str,
    path: &Path,
    mapping: &Mapping,
    now: i64,
    screen: &dyn Fn(&str) -> Option<String>,
) -> Result<Imported, ImportError> {
    let source = SourceInfo {
        name: name.to_owned(),
        provider: mapping.provider.clone(),
        class: mapping.class,
        grain: Grain::Request.seconds(),
        measures: Measures::of(&mapping.columns, Grain::Request),
    };
    let mut file = File::open(path)?;
    let mut fault = None;
    let before = store.taken(name, &mut |lengths| match digests(&mut file, lengths) {
        Ok(found) => found,
        Err(e) => {
            fault = Some(e);
            vec![None; lengths.len()]
        }
    })?;
    if let Some(e) = fault {
        return Err(e.into());
    }
    let start = before.as_ref().map_or(0, |t| t.bytes);
    let mut rows = Rows::new(&mapping.columns, Grain::Request, None);
    let mut done = Imported { skipped: start, ..Imported::default() };
    let taken = {
        let mut take = |value: &Value| -> Result<(), ImportError> {
            if !mapping.wants(value) {
                done.other += 1;
                return Ok(());
            }
            let id = mapping.columns.id.as_deref().and_then(|p| value.pointer(p));
            if let Some(id) = id.and_then(Value::as_str)
                && store.counted(name, super::rows::digest(id))?
            {
                done.known += 1;
                return Ok(());
            }
            match rows.row(value, value) {
                Err(RowError::Twice(_)) => done.known += 1,
                other => {
                    other?;
                    done.rows += 1;
                }
            }
            Ok(())
        };
        match mapping.form {
            Form::Jsonl => lines(&mut file, start, &mut take)?,
            Form::Json => document(&mut file, start, &mut take)?,
            Form::Csv => table(&mut file, start, &mut take)?,
        }
    };
    let ids: Vec<u64> = rows.ids().collect();
    let (mut rows, _) = rows.finish();
    screened(&mut rows, screen);
    done.changed = store.add(&source, &rows, &ids, before.as_ref(), &taken, now)?;
    Ok(done)
}

/// The digests of the file's beginnings of these lengths, which ascend.
fn digests(file: &mut File, lengths: &[u64]) -> io::Result<Vec<Option<[u8; 32]>>> {
    let mut out = vec![None; lengths.len()];
    if lengths.is_empty() {
        return Ok(out);
    }
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let (mut hash, mut at) = (Sha256::new(), 0);
    for (slot, &length) in out.iter_mut().zip(lengths) {
        let read = io::copy(&mut reader.by_ref().take(length - at), &mut hash)?;
        if read < length - at {
            break;
        }
        at = length;
        *slot = Some(hash.clone().finalize().into());
    }
    Ok(out)
}

/// Lines of JSON. A last line without an end is still being written, and is left for the next time.
fn lines(
    file: &mut File,
    start: u64,
    take: &mut dyn FnMut(&Value) -> Result<(), ImportError>,
) -> Result<Taken, ImportError> {
    let (mut hash, mut bytes) = beginning(file, start)?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        number += 1;
        let wrong = |what: &str| ImportError::Line { line: number, what: what.to_owned() };
        let read = reader.by_ref().take(LINE).read_until(b'\n', &mut line)? as u64;
        if line.last() != Some(&b'\n') {
            if read == LINE {
                return Err(wrong("it is longer than 16 MiB"));
            }
            // Whole JSON without a line break is a whole last line.
            match serde_json::from_slice::<Value>(&line) {
                Ok(value) if value.is_object() => take(&value)?,
                _ => return Ok(Taken { bytes, digest: hash.finalize().into() }),
            }
        } else if !line.trim_ascii().is_empty() {
            let value = serde_json::from_slice::<Value>(&line).map_err(|_| wrong("it is no JSON"))?;
            take(&value)?;
        }
        hash.update(&line);
        bytes += read;
    }
}

/// One JSON document: a list, or an object with the list in `data`.
fn document(
    file: &mut File,
    start: u64,
    take: &mut dyn FnMut(&Value) -> Result<(), ImportError>,
) -> Result<Taken, ImportError> {
    let wrong = |what: &str| ImportError::Line { line: 1, what: what.to_owned() };
    file.seek(SeekFrom::Start(0))?;
    let mut text = Vec::new();
    file.take(DOCUMENT + 1).read_to_end(&mut text)?;
    let bytes = text.len() as u64;
    if bytes > DOCUMENT {
        return Err(wrong("the document is larger than 512 MiB; write it as lines"));
    }
    let taken = Taken { bytes, digest: Sha256::digest(&text).into() };
    if start == bytes {
        return Ok(taken);
    }
    let value: Value = serde_json::from_slice(&text).map_err(|_| wrong("it is no JSON"))?;
    let list = value.as_array().or_else(|| value.pointer("/data").and_then(Value::as_array));
    let list = list.ok_or_else(|| wrong("it is no list, and has none in `data`"))?;
    list.iter().try_for_each(take)?;
    Ok(taken)
}

/// A table with a head line.
fn table(
    file: &mut File,
    start: u64,
    take: &mut dyn FnMut(&Value) -> Result<(), ImportError>,
) -> Result<Taken, ImportError> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = csv::ReaderBuilder::new().from_reader(BufReader::with_capacity(1 << 20, &*file));
    let wrong = |line: u64, e: &csv::Error| {
        let what = match e.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("it has {len} fields, the head has {expected_len}")
            }
            csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
            _ => "it cannot be read as CSV".to_owned(),
        };
        ImportError::Line { line, what }
    };
    let head = reader.headers().map_err(|e| wrong(1, &e))?.clone();
    let mut record = csv::StringRecord::new();
    loop {
        let at = reader.position().byte();
        let more = reader.read_record(&mut record).map_err(|e| wrong(reader.position().line(), &e))?;
        if !more {
            break;
        }
        if at < start {
            continue;
        }
        let row =
            head.iter().zip(&record).map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        take(&Value::Object(row))?;
    }
    let bytes = reader.position().byte();
    drop(reader);
    let digest = digests(file, &[bytes])?.pop().flatten().unwrap_or_default();
    Ok(Taken { bytes, digest })
}

/// Goes to where an import begins: the digest of what is before, and its length.
fn beginning(file: &mut File, start: u64) -> io::Result<(Sha256, u64)> {
    file.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    io::copy(&mut file.by_ref().take(start), &mut hash)?;
    file.seek(SeekFrom::Start(start))?;
    Ok((hash, start))
}

#[cfg(test)]
mod tests;
