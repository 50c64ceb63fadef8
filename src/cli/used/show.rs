//! `keywheel usage show`.

use super::marks::marks;
use super::target::Target;
use super::{StoreArgs, When, organisation, owners};
use crate::cli::organisation::OrganisationArgs;
use crate::cli::rotate::OfficeArgs;
use crate::cli::terminal::plain;
use crate::cli::{code, usage};
use anyhow::Result;
use clap::{Args, ValueEnum};
use keywheel::usage::page::page;
use keywheel::usage::parquet::{self, Cell, FIGURES, Kind};
use keywheel::usage::table::{By, Table, table};
use keywheel::usage::{Numbers, time};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    files: OrganisationArgs,
    /// By what, in this order: service, team, environment, lineage, provider, key, model, place, hour, day
    #[arg(long, value_name = "LIST", default_value = "service,key", value_delimiter = ',', value_parser = By::from_word)]
    by: Vec<By>,
    #[command(flatten)]
    when: When,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Shape,
    #[command(flatten)]
    target: Target,
    /// For `html`: a report of `keywheel scan --history --format json`, whose keys are marked
    #[arg(long, value_name = "FILE", requires = "policy")]
    findings: Option<PathBuf>,
    // For `html`: the journal whose rotations are marked, with the time in which both keys worked.
    #[command(flatten)]
    office: OfficeArgs,
}

/// Formats of a table.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shape {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For tables.
    Csv,
    /// One page with drawings, which asks nobody for anything; `--by` has no meaning for it.
    Html,
    /// For analysts' tools; to a file only.
    Parquet,
}

pub(crate) fn show(args: &ShowArgs) -> Result<u8> {
    let store = args.store.existing()?;
    let organisation = organisation(&args.files)?;
    let owners = owners(organisation.as_ref());
    let (from, to) = args.when.range();
    let table = || table(&store, from, to, &args.by, &owners).map_err(usage);
    let text = match args.format {
        Shape::Text => text(&table()?)?,
        Shape::Json => document(&table()?, from, to),
        Shape::Csv => String::from_utf8(csv(&table()?)?)?,
        Shape::Html => {
            let findings = args.findings.as_deref();
            let (marks, overlaps) = marks(&store, (from, to), organisation.as_ref(), &args.office, findings)?;
            page(&store, from, to, &owners, &marks, &overlaps).map_err(usage)?
        }
        Shape::Parquet => {
            let path = args.target.file("Parquet")?;
            let table = table()?;
            args.target.whole(path, |out| columns(&table, &args.by, out))?;
            return Ok(code::CLEAN);
        }
    };
    args.target.write(|out| Ok(out.write_all(text.as_bytes())?))?;
    Ok(code::CLEAN)
}

fn numbers(n: &Numbers) -> [String; 5] {
    let of = |n: i64| n.to_string();
    [of(n.requests), of(n.input), of(n.output), format!("{:.4}", n.dollars()), of(n.errors)]
}

const HEADS: [&str; 5] = ["REQUESTS", "INPUT", "OUTPUT", "USD", "ERRORS"];

fn text(table: &Table) -> Result<String> {
    let names = table.by.len();
    let mut rows: Vec<Vec<String>> =
        vec![table.by.iter().map(|w| w.to_uppercase()).chain(HEADS.map(str::to_owned)).collect()];
    for (values, n) in &table.rows {
        let values = values.iter().map(|v| if v.is_empty() { "-".to_owned() } else { plain(v) });
        rows.push(values.chain(numbers(n)).collect());
    }
    let mut last = vec![String::new(); names];
    last[0] = "TOTAL".to_owned();
    rows.push(last.into_iter().chain(numbers(&table.total)).collect());
    let width = |n: usize| rows.iter().map(|row| row[n].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..names + HEADS.len()).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let cells: Vec<_> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(
                |(n, (cell, width))| {
                    if n < names { format!("{cell:width$}") } else { format!("{cell:>width$}") }
                },
            )
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    for (n, what) in notes(table) {
        writeln!(out, "{n} {what}")?;
    }
    Ok(out)
}

/// What a reader of the figures must know.
fn notes(table: &Table) -> Vec<(usize, &'static str)> {
    [
        (table.unknown, "keys are not in the inventory (no `known-as` names them)"),
        (table.weak, "keys are known from an audit log only: readings of the key, not uses"),
        (table.doubled, "keys are told of by several sources; each figure is the nearest one's"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .collect()
}

fn document(table: &Table, from: i64, to: i64) -> String {
    let object = |n: &Numbers| {
        json!({"requests": n.requests, "input_tokens": n.input, "output_tokens": n.output,
               "cost_usd": n.dollars(), "errors": n.errors})
    };
    let row = |(values, n): &(Vec<String>, Numbers)| {
        let mut map: Map<String, Value> =
            table.by.iter().zip(values).map(|(by, v)| ((*by).to_owned(), Value::from(v.as_str()))).collect();
        if let Value::Object(figures) = object(n) {
            map.extend(figures);
        }
        Value::Object(map)
    };
    let doc = json!({
        "version": 1, "from": time::shown(from, time::HOUR), "to": time::shown(to, time::HOUR),
        "rows": table.rows.iter().map(row).collect::<Vec<_>>(), "total": object(&table.total),
        "unknown_keys": table.unknown, "weak_keys": table.weak, "keys_of_several_sources": table.doubled,
    });
    format!("{doc:#}\n")
}

fn csv(table: &Table) -> Result<Vec<u8>> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let heads = ["requests", "input_tokens", "output_tokens", "cost_usd", "errors"];
    out.write_record(table.by.iter().copied().chain(heads))?;
    for (values, n) in &table.rows {
        let values = values.iter().map(|v| formula(v));
        out.write_record(values.chain(figures(n)))?;
    }
    Ok(out.into_inner().map_err(|e| e.into_error())?)
}

fn columns(table: &Table, by: &[By], out: &mut (dyn Write + Send)) -> Result<()> {
    let timed = |by: By| matches!(by, By::Hour | By::Day);
    let heads = by.iter().map(|b| (b.word(), if timed(*b) { Kind::Moment } else { Kind::Name }));
    let mut rows = parquet::Rows::new(out, &heads.chain(FIGURES).collect::<Vec<_>>())?;
    for (values, n) in &table.rows {
        let cells = by.iter().zip(values).map(|(b, value)| match timed(*b) {
            true => Cell::Moment(time::read(&Value::from(value.as_str()))),
            false => Cell::Name(Some(value.as_str()).filter(|v| !v.is_empty())),
        });
        rows.row(cells.chain(parquet::figures(n)))?;
    }
    Ok(rows.finish()?)
}

/// Figures for programs: the cost is written out whole.
pub(super) fn figures(n: &Numbers) -> [String; 5] {
    let mut all = numbers(n);
    all[3] = format!("{}.{:09}", n.cost / 1_000_000_000, n.cost % 1_000_000_000);
    all
}

/// A name that a table program would take for a formula.
pub(super) fn formula(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}
