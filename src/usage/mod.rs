//! Who used which key, when, for how much: hourly series from providers, gateways and logs, in a file of their own.
//!
//! A [`Meter`](crate::rule::Meter) of a rule file says how a provider is asked; [`pull`] reads what is due, a
//! stretch of time at once, and writes each stretch with its mark in one transaction. Figures that were corrected
//! since take the place of the old ones. [`import`] does the same for logs. Keys are named by what providers call
//! them, never by their values.

pub mod account;
pub mod import;
pub mod look;
pub mod page;
pub mod parquet;
pub mod pull;
mod rows;
pub mod spike;
mod store;
pub mod table;
#[cfg(test)]
mod tests;
pub mod time;
pub mod traffic;

pub use rows::{Numbers, Row, RowError, Rows};
pub use store::{
    Account, Changed, Counts, Filter, LastUse, Line, Mark, Measures, Names, SourceInfo, Store, StoreError,
    Stretch, Taken, Teller,
};
