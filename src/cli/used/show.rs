//! `keywheel usage show` and `usage export`.

use super::marks::marks;
use super::{StoreArgs, now, organisation, owners, period};
use crate::cli::organisation::OrganisationArgs;
use crate::cli::rotate::OfficeArgs;
use crate::cli::terminal::plain;
use crate::cli::{code, output, usage};
use anyhow::Result;
use clap::{Args, ValueEnum};
use keywheel::usage::page::page;
use keywheel::usage::table::{By, Table, table};
use keywheel::usage::{Filter, Numbers, time};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
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
    /// For `html`: a report of `keywheel scan --history --format json`, whose keys are marked
    #[arg(long, value_name = "FILE", requires = "policy")]
    findings: Option<PathBuf>,
    // For `html`: the journal whose rotations are marked, with the time in which both keys worked.
    #[command(flatten)]
    office: OfficeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    when: When,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
    format: Lines,
}

/// Which time.
#[derive(Clone, Debug, Args)]
struct When {
    /// From so long ago
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = period)]
    since: i64,
    /// Until so long ago [default: now]
    #[arg(long, value_name = "TIME", value_parser = period)]
    until: Option<i64>,
}

impl When {
    /// From and to; whole days, so that tables by day and by hour come to the same.
    fn range(&self) -> (i64, i64) {
        let now = now();
        let from = time::floor(now.saturating_sub(self.since), time::DAY).max(0);
        let to = self.until.map_or(time::floor(now, time::HOUR) + time::HOUR, |ago| {
            time::floor(now.saturating_sub(ago), time::DAY)
        });
        (from, to.max(from))
    }
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
}

/// Formats of rows.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Lines {
    /// A line of JSON each.
    Jsonl,
    /// For tables.
    Csv,
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
    };
    output::print(text.as_bytes())?;
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

/// Figures for programs: the cost is written out whole.
fn figures(n: &Numbers) -> [String; 5] {
    let mut all = numbers(n);
    all[3] = format!("{}.{:09}", n.cost / 1_000_000_000, n.cost % 1_000_000_000);
    all
}

/// A name that a table program would take for a formula.
fn formula(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

pub(crate) fn export(args: &ExportArgs) -> Result<u8> {
    let store = args.store.existing()?;
    let names = store.names().map_err(usage)?;
    let (from, to) = args.when.range();
    let stdout = io::stdout().lock();
    let mut out = BufWriter::with_capacity(1 << 16, stdout);
    let mut failed: io::Result<()> = Ok(());
    if let Lines::Csv = args.format {
        let head =
            "at,source,class,provider,key,model,place,requests,input_tokens,output_tokens,cost_usd,errors";
        failed = writeln!(out, "{head}");
    }
    let nothing = String::new();
    store
        .lines(&Filter { from, to, hours: true }, &mut |line| {
            let (Some(source), Some((provider, key))) = (names.sources.get(&line.source), names.keys.get(&line.key))
            else {
                return;
            };
            let label = |id: i64| names.labels.get(&id).unwrap_or(&nothing);
            let (model, place) = (label(line.model), label(line.place));
            let at = time::shown(line.at, time::HOUR);
            let n = &line.numbers;
            if failed.is_err() {
                return;
            }
            failed = match args.format {
                Lines::Jsonl => writeln!(
                    out,
                    "{}",
                    json!({"at": at, "source": source.name, "class": source.class.word(), "provider": provider,
                           "key": key, "model": model, "place": place, "requests": n.requests,
                           "input_tokens": n.input, "output_tokens": n.output, "cost_usd": n.dollars(),
                           "errors": n.errors})
                ),
                Lines::Csv => {
                    let mut row = csv::Writer::from_writer(Vec::new());
                    let names = [&at, &source.name, provider, key, model, place].map(|t| formula(t));
                    let [at, source_name, provider, key, model, place] = names;
                    let class = source.class.word().to_owned();
                    let cells =
                        [at, source_name, class, provider, key, model, place].into_iter().chain(figures(n));
                    row.write_record(cells)
                        .map_err(io::Error::other)
                        .and_then(|()| row.into_inner().map_err(|e| io::Error::other(e.to_string())))
                        .and_then(|bytes| out.write_all(&bytes))
                }
            };
        })
        .map_err(usage)?;
    match failed.and_then(|()| out.flush()) {
        // Whoever closed the pipe has read enough.
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(code::CLEAN),
    }
}
