//! `keywheel usage export`: every row, as its source told it.

use super::show::{figures, formula};
use super::target::Target;
use super::{StoreArgs, When};
use crate::cli::{code, usage};
use anyhow::Result;
use clap::{Args, ValueEnum};
use keywheel::usage::parquet::{self, Cell, FIGURES, Kind};
use keywheel::usage::{Filter, Numbers, SourceInfo, Store, time};
use serde_json::json;
use std::io::Write;

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    when: When,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
    format: Lines,
    #[command(flatten)]
    target: Target,
}

/// Formats of rows.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Lines {
    /// A line of JSON each.
    Jsonl,
    /// For tables.
    Csv,
    /// For analysts' tools; to a file only. What a source does not tell is null.
    Parquet,
}

/// A row with its names.
struct Told<'a> {
    at: i64,
    source: &'a SourceInfo,
    provider: &'a str,
    key: &'a str,
    model: &'a str,
    place: &'a str,
    numbers: Numbers,
}

const NAMES: [&str; 7] = ["at", "source", "class", "provider", "key", "model", "place"];

pub(crate) fn run(args: &ExportArgs) -> Result<u8> {
    let store = args.store.existing()?;
    let (from, to) = args.when.range();
    let filter = Filter { from, to, hours: true };
    match args.format {
        Lines::Jsonl => {
            args.target.write(|out| each(&store, &filter, &mut |told| Ok(writeln!(out, "{}", json(told))?)))
        }
        Lines::Csv => args.target.write(|out| csv(&store, &filter, out)),
        Lines::Parquet => {
            let path = args.target.file("Parquet")?;
            args.target.whole(path, |out| columns(&store, &filter, out))
        }
    }?;
    Ok(code::CLEAN)
}

/// Hands over each row; after the first error none.
fn each(store: &Store, filter: &Filter, take: &mut dyn FnMut(&Told<'_>) -> Result<()>) -> Result<()> {
    let names = store.names().map_err(usage)?;
    let mut done = Ok(());
    store
        .lines(filter, &mut |line| {
            let (Some(source), Some((provider, key))) =
                (names.sources.get(&line.source), names.keys.get(&line.key))
            else {
                return;
            };
            let label = |id: i64| names.labels.get(&id).map_or("", String::as_str);
            if done.is_ok() {
                let (model, place) = (label(line.model), label(line.place));
                done =
                    take(&Told { at: line.at, source, provider, key, model, place, numbers: line.numbers });
            }
        })
        .map_err(usage)?;
    done
}

fn json(told: &Told<'_>) -> serde_json::Value {
    let n = &told.numbers;
    json!({"at": time::shown(told.at, time::HOUR), "source": told.source.name, "class": told.source.class.word(),
           "provider": told.provider, "key": told.key, "model": told.model, "place": told.place,
           "requests": n.requests, "input_tokens": n.input, "output_tokens": n.output, "cost_usd": n.dollars(),
           "errors": n.errors})
}

fn csv(store: &Store, filter: &Filter, out: &mut dyn Write) -> Result<()> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record(NAMES.into_iter().chain(FIGURES.map(|(name, _)| name))).map_err(told)?;
    each(store, filter, &mut |row| {
        let at = time::shown(row.at, time::HOUR);
        let names =
            [row.source.name.as_str(), row.source.class.word(), row.provider, row.key, row.model, row.place];
        let names = names.into_iter().map(formula);
        out.write_record([at].into_iter().chain(names).chain(figures(&row.numbers))).map_err(told)
    })?;
    Ok(out.flush()?)
}

/// What the system said, rather than that it was said while a table was written.
fn told(e: csv::Error) -> anyhow::Error {
    match e.into_kind() {
        csv::ErrorKind::Io(e) => e.into(),
        other => anyhow::anyhow!("cannot write a row: {other:?}"),
    }
}

fn columns(store: &Store, filter: &Filter, out: &mut (dyn Write + Send)) -> Result<()> {
    let kind = |n: usize| if n == 0 { Kind::Moment } else { Kind::Name };
    let heads = NAMES.into_iter().enumerate().map(|(n, name)| (name, kind(n)));
    let mut rows = parquet::Rows::new(out, &heads.chain(FIGURES).collect::<Vec<_>>())?;
    each(store, filter, &mut |row| {
        let names =
            [row.source.name.as_str(), row.source.class.word(), row.provider, row.key, row.model, row.place];
        let names = names.into_iter().map(|name| Cell::Name(Some(name).filter(|n| !n.is_empty())));
        let m = row.source.measures;
        let tells = [m.requests, m.tokens, m.tokens, m.cost, m.errors];
        let figures = parquet::figures(&row.numbers).into_iter().zip(tells);
        let figures = figures.map(|(cell, told)| if told { cell } else { cell.null() });
        Ok(rows.row([Cell::Moment(Some(row.at))].into_iter().chain(names).chain(figures))?)
    })?;
    Ok(rows.finish()?)
}
