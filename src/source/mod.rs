//! Sources: whatever holds bytes to scan, pushed blob by blob into a [`Sink`](crate::model::Sink).

pub mod archive;
