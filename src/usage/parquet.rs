//! Rows of use as a Parquet file, for the tools of analysts. <https://parquet.apache.org/docs/file-format/>

use super::Numbers;
use ::parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use ::parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::{Type, TypePtr};
use std::io::Write;
use std::sync::Arc;

/// Rows of a group: what is held in memory before it is written.
const GROUP: usize = 1 << 16;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Seconds since 1970; written as milliseconds in UTC.
    Moment,
    /// Text.
    Name,
    /// A whole number.
    Count,
    /// US dollars.
    Dollars,
}

/// A value; `None` is written as null.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Of [`Kind::Moment`].
    Moment(Option<i64>),
    /// Of [`Kind::Name`].
    Name(Option<&'a str>),
    /// Of [`Kind::Count`].
    Count(Option<i64>),
    /// Of [`Kind::Dollars`].
    Dollars(Option<f64>),
}

impl Cell<'_> {
    /// The same kind, without a value.
    #[must_use]
    pub fn null(self) -> Self {
        match self {
            Cell::Moment(_) => Cell::Moment(None),
            Cell::Name(_) => Cell::Name(None),
            Cell::Count(_) => Cell::Count(None),
            Cell::Dollars(_) => Cell::Dollars(None),
        }
    }
}

/// The columns of [`figures`].
pub const FIGURES: [(&str, Kind); 5] = [
    ("requests", Kind::Count),
    ("input_tokens", Kind::Count),
    ("output_tokens", Kind::Count),
    ("cost_usd", Kind::Dollars),
    ("errors", Kind::Count),
];

/// How much, as cells.
pub fn figures(n: &Numbers) -> [Cell<'static>; 5] {
    [
        Cell::Count(Some(n.requests)),
        Cell::Count(Some(n.input)),
        Cell::Count(Some(n.output)),
        Cell::Dollars(Some(n.dollars())),
        Cell::Count(Some(n.errors)),
    ]
}

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The writer refused, or what it writes to.
    #[error("cannot write Parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// A row that does not fit the columns.
    #[error("row {0} does not fit the columns of the file")]
    Misfit(usize),
}

/// Writes rows, group by group. The same rows give the same bytes.
pub struct Rows<W: Write + Send> {
    out: SerializedFileWriter<W>,
    columns: Vec<Column>,
    names: ahash::HashMap<String, ByteArray>,
    /// Rows that wait to be written.
    held: usize,
    read: usize,
}

/// Values that wait, without the nulls among them.
enum Values {
    Moments(Vec<i64>),
    Names(Vec<ByteArray>),
    Counts(Vec<i64>),
    Dollars(Vec<f64>),
}

struct Column {
    values: Values,
    /// One a row: 1, or 0 for null.
    there: Vec<i16>,
}

impl<W: Write + Send> Rows<W> {
    /// A file with these columns, and no row yet.
    ///
    /// # Errors
    /// That nothing can be written.
    pub fn new(out: W, columns: &[(&str, Kind)]) -> Result<Self, WriteError> {
        let fields: Vec<TypePtr> =
            columns.iter().map(|(name, kind)| field(name, *kind)).collect::<Result<_, _>>()?;
        let schema = Type::group_type_builder("usage").with_fields(fields).build()?;
        let properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let out = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
        let columns = columns.iter().map(|(_, kind)| Column::new(*kind)).collect();
        Ok(Rows { out, columns, names: ahash::HashMap::default(), held: 0, read: 0 })
    }

    /// Takes one row.
    ///
    /// # Errors
    /// That it does not fit the columns, or that nothing can be written.
    pub fn row<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) -> Result<(), WriteError> {
        self.read += 1;
        let mut cells = cells.into_iter();
        for column in &mut self.columns {
            let cell = cells.next().ok_or(WriteError::Misfit(self.read))?;
            column.take(cell, &mut self.names).ok_or(WriteError::Misfit(self.read))?;
        }
        if cells.next().is_some() {
            return Err(WriteError::Misfit(self.read));
        }
        self.held += 1;
        if self.held == GROUP { self.group() } else { Ok(()) }
    }

    /// Writes what waits, and the end of the file. Without it there is no file that could be read.
    ///
    /// # Errors
    /// That nothing can be written.
    pub fn finish(mut self) -> Result<(), WriteError> {
        if self.held > 0 {
            self.group()?;
        }
        self.out.close()?;
        Ok(())
    }

    fn group(&mut self) -> Result<(), WriteError> {
        let mut group = self.out.next_row_group()?;
        for column in &mut self.columns {
            // There are as many as the schema has fields, in its order.
            if let Some(to) = group.next_column()? {
                column.write(to)?;
            }
        }
        group.close()?;
        self.held = 0;
        Ok(())
    }
}

impl Column {
    fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Moment => Values::Moments(Vec::new()),
            Kind::Name => Values::Names(Vec::new()),
            Kind::Count => Values::Counts(Vec::new()),
            Kind::Dollars => Values::Dollars(Vec::new()),
        };
        Column { values, there: Vec::new() }
    }

    /// Takes a value; none if it is of another kind.
    fn take(&mut self, cell: Cell<'_>, names: &mut ahash::HashMap<String, ByteArray>) -> Option<()> {
        let there = match (&mut self.values, cell) {
            (Values::Moments(list), Cell::Moment(value)) => {
                push(list, value.map(|at| at.saturating_mul(1000)))
            }
            (Values::Counts(list), Cell::Count(value)) => push(list, value),
            (Values::Dollars(list), Cell::Dollars(value)) => push(list, value),
            (Values::Names(list), Cell::Name(value)) => push(list, value.map(|text| shared(names, text))),
            _ => return None,
        };
        self.there.push(there);
        Some(())
    }

    fn write(&mut self, mut to: SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let there = &mut self.there;
        match &mut self.values {
            Values::Moments(list) | Values::Counts(list) => batch::<Int64Type>(&mut to, list, there)?,
            Values::Names(list) => batch::<ByteArrayType>(&mut to, list, there)?,
            Values::Dollars(list) => batch::<DoubleType>(&mut to, list, there)?,
        }
        to.close()
    }
}

/// Keeps a value, and says whether there is one.
fn push<T>(list: &mut Vec<T>, value: Option<T>) -> i16 {
    let before = list.len();
    list.extend(value);
    i16::from(list.len() > before)
}

/// A name as bytes that all of its rows share.
fn shared(names: &mut ahash::HashMap<String, ByteArray>, text: &str) -> ByteArray {
    if let Some(bytes) = names.get(text) {
        return bytes.clone();
    }
    let bytes = ByteArray::from(text);
    names.insert(text.to_owned(), bytes.clone());
    bytes
}

fn batch<T: DataType>(
    to: &mut SerializedColumnWriter<'_>,
    values: &mut Vec<T::T>,
    there: &mut Vec<i16>,
) -> Result<(), ParquetError> {
    to.typed::<T>().write_batch(values, Some(there.as_slice()), None)?;
    values.clear();
    there.clear();
    Ok(())
}

fn field(name: &str, kind: Kind) -> Result<TypePtr, ParquetError> {
    let (physical, logical) = match kind {
        Kind::Moment => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
        Kind::Name => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Count => (Physical::INT64, None),
        Kind::Dollars => (Physical::DOUBLE, None),
    };
    let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
    Ok(Arc::new(builder.with_logical_type(logical).build()?))
}

#[cfg(test)]
mod tests;
