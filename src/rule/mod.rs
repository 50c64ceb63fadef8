//! Rules: what a provider's credentials look like, as data.

pub mod analyse;
mod catalogue;
pub mod checksum;
mod declared;
pub mod example;
mod kind;
mod load;
mod rotate;
mod schema;
mod table;
mod text;
mod usage;

pub use catalogue::catalogue;
pub use declared::Declared;
pub use kind::{Fault, Kind, Pack};
pub use load::{
    LoadError, Metered, RuleSet, capabilities, embedded_texts, line_and_column, line_of, meters, parse,
};
pub use rotate::{Calls, Can, Capabilities, CreateClass, Native};
pub use schema::{ChecksumMode, ChecksumUse, Context, Provider, Rule, RuleFile, With};
pub use table::verification;
pub use text::{Allowed, On, Text, TextKind};
pub use usage::{Class, Columns, Each, Failed, Grain, Meter, RowsAt, TimeForm, Told, Unit};
