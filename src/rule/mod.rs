//! Rules: what a provider's credentials look like, as data.

pub mod checksum;
mod schema;

pub use schema::{ChecksumMode, ChecksumUse, Context, Provider, Rule, RuleFile, With};
