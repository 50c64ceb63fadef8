//! Names and tokens that mark what an attempt makes.

use crate::rotate::journal::Record;
use crate::rotate::machine::digest;

/// What every name begins with that a rotation of a lineage gives to a key.
pub fn own_names(lineage: &str) -> String {
    format!("keywheel-{}-", &digest(lineage.as_bytes())[..8])
}

/// What every name of a rotation begins with.
pub(super) fn prefix(record: &Record) -> String {
    let own = own_names(&record.rotation.lineage);
    format!("{own}g{}-r{}-a", record.rotation.generation, record.id.0)
}

/// The name of an attempt.
pub(super) fn name(record: &Record, attempt: u32) -> String {
    format!("{}{attempt}", prefix(record))
}

/// The idempotency token of an attempt: 32 hexadecimal digits.
pub(super) fn token(record: &Record, attempt: u32) -> String {
    let plan = record.rotation.plan_hash();
    digest(format!("keywheel token\0{}\0{plan}\0{attempt}", record.id.0).as_bytes())[..32].to_owned()
}

/// The step under which an attempt's value is sealed.
pub(super) fn step(attempt: u32) -> String {
    format!("new/{attempt}")
}
