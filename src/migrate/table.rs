//! TOML tables with places: keys in whatever case, each read once, and none left unread.

use super::{MigrateError, at};
use std::collections::BTreeMap;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A file's name and text, for places.
#[derive(Clone, Copy)]
pub(super) struct Source<'t> {
    pub(super) path: &'t Path,
    pub(super) text: &'t str,
}

impl Source<'_> {
    pub(super) fn error(&self, byte: usize, message: impl Into<String>) -> MigrateError {
        at(self.path, self.text, byte, message)
    }

    pub(super) fn line(&self, byte: usize) -> usize {
        crate::rule::line_and_column(self.text, byte).0
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

/// A table whose keys are taken one by one.
pub(super) struct Table<'t> {
    source: Source<'t>,
    /// What it is called in messages.
    name: &'static str,
    pub(super) at: usize,
    fields: BTreeMap<String, (usize, &'t Spanned<DeValue<'t>>)>,
    known: Vec<&'static str>,
}

impl<'t> Table<'t> {
    pub(super) fn new(
        source: Source<'t>,
        name: &'static str,
        at: usize,
        table: &'t DeTable<'t>,
    ) -> Result<Self, MigrateError> {
        let mut fields = BTreeMap::new();
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let at = key.span().start;
            if fields.insert(key.get_ref().to_lowercase(), (at, value)).is_some() {
                return Err(source.error(at, format!("`{}` stands twice; keep one of them", key.get_ref())));
            }
        }
        Ok(Table { source, name, at, fields, known: Vec::new() })
    }

    fn take(&mut self, key: &'static str) -> Option<(usize, &'t Spanned<DeValue<'t>>)> {
        self.known.push(key);
        self.fields.remove(&key.to_lowercase())
    }

    fn wrong(&self, at: usize, key: &str, wanted: &str) -> MigrateError {
        self.source.error(at, format!("`{key}` in {} is not {wanted}; write it as one", self.name))
    }

    /// A text.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<Placed<String>>, MigrateError> {
        let Some((_, value)) = self.take(key) else { return Ok(None) };
        let at = value.span().start;
        let text = value.get_ref().as_str().ok_or_else(|| self.wrong(at, key, "a text"))?;
        Ok(Some(Placed { value: text.to_owned(), at }))
    }

    /// A list of texts; empty if it is not there.
    pub(super) fn texts(&mut self, key: &'static str) -> Result<Vec<Placed<String>>, MigrateError> {
        let Some((_, value)) = self.take(key) else { return Ok(Vec::new()) };
        let at = value.span().start;
        let list = value.get_ref().as_array().ok_or_else(|| self.wrong(at, key, "a list of texts"))?;
        let one = |item: &Spanned<DeValue<'t>>| {
            let at = item.span().start;
            let text = item.get_ref().as_str().ok_or_else(|| self.wrong(at, key, "a list of texts"))?;
            Ok(Placed { value: text.to_owned(), at })
        };
        list.iter().map(one).collect()
    }

    /// A number.
    pub(super) fn number(&mut self, key: &'static str) -> Result<Option<Placed<f64>>, MigrateError> {
        let Some((_, value)) = self.take(key) else { return Ok(None) };
        let at = value.span().start;
        let number = match value.get_ref() {
            DeValue::Integer(n) => n.to_string().replace('_', "").parse().ok(),
            DeValue::Float(n) => n.to_string().replace('_', "").parse().ok(),
            _ => None,
        };
        let number: f64 =
            number.filter(|n: &f64| n.is_finite()).ok_or_else(|| self.wrong(at, key, "a number"))?;
        Ok(Some(Placed { value: number, at }))
    }

    /// A whole number that is not negative.
    pub(super) fn count(&mut self, key: &'static str) -> Result<Option<Placed<usize>>, MigrateError> {
        let Some(number) = self.number(key)? else { return Ok(None) };
        if number.value < 0.0 || number.value.fract() != 0.0 || number.value > 1e9 {
            return Err(self.wrong(number.at, key, "a whole number from 0"));
        }
        Ok(Some(Placed { value: number.value as usize, at: number.at }))
    }

    /// Yes or no; no if it is not there.
    pub(super) fn flag(&mut self, key: &'static str) -> Result<bool, MigrateError> {
        let Some((_, value)) = self.take(key) else { return Ok(false) };
        let at = value.span().start;
        value.get_ref().as_bool().ok_or_else(|| self.wrong(at, key, "true or false"))
    }

    /// A table.
    pub(super) fn table(
        &mut self,
        key: &'static str,
        name: &'static str,
    ) -> Result<Option<Table<'t>>, MigrateError> {
        let Some((at, value)) = self.take(key) else { return Ok(None) };
        let table = value.get_ref().as_table().ok_or_else(|| self.wrong(at, key, "a table"))?;
        Table::new(self.source, name, at, table).map(Some)
    }

    /// A list of tables; empty if it is not there.
    pub(super) fn tables(
        &mut self,
        key: &'static str,
        name: &'static str,
    ) -> Result<Vec<Table<'t>>, MigrateError> {
        let Some((at, value)) = self.take(key) else { return Ok(Vec::new()) };
        let list = value.get_ref().as_array().ok_or_else(|| self.wrong(at, key, "a list of tables"))?;
        let one = |item: &'t Spanned<DeValue<'t>>| {
            let at = item.span().start;
            let table = item.get_ref().as_table().ok_or_else(|| self.wrong(at, key, "a list of tables"))?;
            Table::new(self.source, name, at, table)
        };
        list.iter().map(one).collect()
    }

    /// That nothing is left unread.
    ///
    /// # Errors
    /// The first key that nobody asked for.
    pub(super) fn done(self) -> Result<(), MigrateError> {
        let Some((key, (at, _))) = self.fields.iter().min_by_key(|(_, (at, _))| *at) else { return Ok(()) };
        Err(self.source.error(
            *at,
            format!(
                "{} has no field `{key}`: remove it, or write one of {}",
                self.name,
                self.known.join(", ")
            ),
        ))
    }
}
