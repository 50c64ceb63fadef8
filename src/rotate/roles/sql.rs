//! Statements about roles. Every name is quoted; names of catalogs are found in `pg_catalog` whatever else a database
//! holds.

use super::super::plan::shown;
use crate::probe::{Console, ConsoleError};
use crate::rotate::engine::Call;
use std::time::Instant;

/// Begins a transaction that ends with us: nothing found by way of a search path, no wait beyond the call's own
/// deadline, and a session that stands still meanwhile, such as that of a stopped process, is ended by the server.
pub(super) fn start(console: &mut Console, call: Call) -> Result<(), ConsoleError> {
    let left = call.deadline.saturating_duration_since(Instant::now()).as_millis().clamp(1, 600_000);
    console.does(&format!(
        "BEGIN; SET LOCAL search_path TO ''; SET LOCAL standard_conforming_strings TO on; \
         SET LOCAL client_encoding TO 'UTF8'; SET LOCAL statement_timeout TO {left}; SET LOCAL lock_timeout TO {left}; \
         SET LOCAL idle_in_transaction_session_timeout TO {left}"
    ))?;
    Ok(())
}

/// Commits. A transaction that failed before is rolled back, and the server says so.
pub(super) fn commit(console: &mut Console) -> Result<(), ConsoleError> {
    match console.does("COMMIT")?.as_str() {
        "COMMIT" => Ok(()),
        _ => Err(ConsoleError::Refused {
            code: "40000".to_owned(),
            message: "the transaction was rolled back".to_owned(),
        }),
    }
}

/// A text as SQL has it.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as SQL has it.
pub(super) fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Changes what is said of a role.
pub(super) fn alter(console: &mut Console, role: &str, what: &str) -> Result<(), ConsoleError> {
    console.does(&format!("ALTER ROLE {} {what}", name(role))).map(|_| ())
}

/// Whether a role may sign in; none if there is no such role.
pub(super) fn standing(console: &mut Console, role: &str) -> Result<Option<bool>, ConsoleError> {
    let rows =
        console.rows(&format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = {}", literal(role)))?;
    Ok(rows.first().map(|row| yes(row.first())))
}

/// A truth value as text.
pub(super) fn yes(cell: Option<&Option<String>>) -> bool {
    cell.and_then(Option::as_deref) == Some("t")
}

/// Sessions of a role, but for checks of ours.
pub(super) struct Sessions {
    /// How many.
    pub(super) total: u64,
    /// Who, with how many each: application and address.
    who: Vec<(String, String, String)>,
}

impl Sessions {
    /// Who is there, for a person.
    pub(super) fn words(&self, role: &str) -> String {
        let who: Vec<_> = self
            .who
            .iter()
            .map(|(app, from, n)| {
                let app = if app.is_empty() { "no application name".to_owned() } else { shown(app) };
                format!("{app} from {} ({n})", shown_words(from))
            })
            .collect();
        let s = if self.total == 1 { "" } else { "s" };
        format!("{} session{s} of {}: {}", self.total, shown(role), who.join(", "))
    }
}

/// Plain words keep their spaces.
fn shown_words(text: &str) -> String {
    text.split(' ').map(shown).collect::<Vec<_>>().join(" ")
}

/// Who is signed in as a role now.
pub(super) fn sessions(console: &mut Console, role: &str) -> Result<Sessions, ConsoleError> {
    let rows = console.rows(&format!(
        "SELECT coalesce(application_name, ''), coalesce(host(client_addr), 'a place that is not shown'), \
         count(*), sum(count(*)) OVER () FROM pg_stat_activity \
         WHERE usename = {} AND application_name IS DISTINCT FROM 'keywheel' \
         GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 5",
        literal(role)
    ))?;
    let cell = |row: &[Option<String>], n: usize| row.get(n).cloned().flatten().unwrap_or_default();
    let total = rows.first().map_or(0, |row| cell(row, 3).parse().unwrap_or(u64::MAX));
    Ok(Sessions { total, who: rows.iter().map(|row| (cell(row, 0), cell(row, 1), cell(row, 2))).collect() })
}

/// Ends the sessions of a role, and says how many there were.
pub(super) fn end_sessions(console: &mut Console, role: &str) -> Result<usize, ConsoleError> {
    let sql = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = ";
    console.rows(&format!("{sql}{}", literal(role))).map(|rows| rows.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_cannot_be_left() {
        assert_eq!(name(r#"a"; DROP ROLE b; --"#), r#""a""; DROP ROLE b; --""#);
        assert_eq!(literal("a' OR 'x'='x"), "'a'' OR ''x''=''x'");
    }

    #[test]
    fn who_is_there_is_told_without_control_characters() {
        let who = vec![
            ("shop\u{1b}[2J".to_owned(), "10.0.0.7".to_owned(), "2".to_owned()),
            (String::new(), "a place that is not shown".to_owned(), "1".to_owned()),
        ];
        assert_eq!(
            Sessions { total: 3, who }.words("svc_a"),
            "3 sessions of svc_a: shop?[2J from 10.0.0.7 (2), no application name from a place that is not shown (1)"
        );
    }
}
