//! Alerts: out of the journal, to the routes that the policy names for the key, and from there to people.

use super::desk::Desk;
use super::office::OfficeArgs;
use super::traffic;
use crate::cli::alert::Places;
use crate::cli::policy::{Plain, json_line};
use crate::cli::terminal::plain;
use crate::cli::{code, output, signal};
use anyhow::Result;
use clap::Args;
use keywheel::alert::{Config, Delivery, Event, Post, Smtp, Standing};
use keywheel::call::SystemClock;
use keywheel::rotate::RotationId;
use keywheel::rotate::machine::{Halt, Phase, Rotation};
use keywheel::rotate::news::{ONCE, QUIET, of_letter, overlap_ending};
use serde_json::json;
use std::fmt::Write as _;

#[derive(Debug, Args)]
pub(super) struct AlertsArgs {
    #[command(flatten)]
    office: OfficeArgs,
    /// Let what was given up be tried again by the next command that sends
    #[arg(long)]
    retry: bool,
    /// How to write the result
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: Plain,
}

impl Desk<'_> {
    /// Hands over what the journal has to tell, and sends what is due. A route that does not answer stops no rotation:
    /// what goes wrong is told here and tried again.
    pub(super) fn post(&self) {
        // Whoever ended the process does not wait for routes; the journal keeps what they are to be told.
        if signal::caught().is_some() {
            return;
        }
        if let Err(error) = self.hand_over().and_then(|()| self.send()) {
            output::tell(&format!("alerts wait: {error:#}"));
        }
    }

    fn hand_over(&self) -> Result<()> {
        let journal = &self.office.journal;
        let letters = journal.letters()?;
        if letters.is_empty() {
            return Ok(());
        }
        let config = self.routes();
        for letter in letters {
            let rotation = journal.load(letter.rotation)?.rotation;
            let mut facts =
                if letter.kind == "blocked" { self.users(letter.rotation, &rotation) } else { Vec::new() };
            if rotation.halt.is_some()
                && let Some(said) = journal.answered(letter.rotation)?
            {
                facts.push(("last answer".to_owned(), said));
            }
            let event = of_letter(&letter, &rotation, facts);
            let routes = self.told(&config, &event);
            let routes: Vec<&str> = routes.iter().map(String::as_str).collect();
            journal.hand_over(&letter, &event, &routes, QUIET, self.office.now())?;
        }
        Ok(())
    }

    /// Tells of something that no change of state brings, once.
    pub(super) fn announce(&self, event: Option<Event>) {
        let Some(event) = event else { return };
        let routes = self.told(&self.routes(), &event);
        let routes: Vec<&str> = routes.iter().map(String::as_str).collect();
        if let Err(error) = self.office.journal.announce(&event, &routes, ONCE) {
            output::tell(&format!("{}: an alert could not be written down: {error}", event.subject));
        }
    }

    /// Tells of a longest overlap that is about to end.
    pub(super) fn last_call(&self, id: RotationId) {
        let Ok(record) = self.office.journal.load(id) else { return };
        let now = self.office.now();
        if record.rotation.phase == Phase::Overlap
            && overlap_ending(&record.rotation, Vec::new(), now).is_some()
        {
            let facts = self.users(id, &record.rotation);
            self.announce(overlap_ending(&record.rotation, facts, now));
        }
    }

    /// Who uses the old key, as far as it is known.
    fn users(&self, id: RotationId, rotation: &Rotation) -> Vec<(String, String)> {
        let mut facts = Vec::new();
        if let Some(Halt::Blocked(keywheel::rotate::machine::InUse::LastUsed(at))) = &rotation.halt {
            facts.push(("last used".to_owned(), at.to_string()));
        }
        let key = self.organisation.policy.key(&rotation.lineage);
        let consumers: Vec<String> =
            key.iter().flat_map(|key| &key.consumers).map(|c| c.name.to_string()).collect();
        if !consumers.is_empty() {
            facts.push(("consumers".to_owned(), consumers.join(", ")));
        }
        match traffic::seen(self, rotation, self.value(id, &rotation.old.id).as_ref()) {
            Ok(Some(seen)) if !seen.users.is_empty() => {
                facts.push(("used by".to_owned(), seen.users.join("; ")));
            }
            Ok(_) => {}
            Err(error) => facts.push(("used by".to_owned(), format!("not known: {error:#}"))),
        }
        facts
    }

    /// The routes of the organisation's file.
    fn routes(&self) -> Config {
        let route = &self.organisation.policy.file.route;
        let route = route.iter().map(|(name, spec)| (name.to_string(), spec.clone())).collect();
        Config { route, ..Config::default() }
    }

    /// The routes that the policy names for a key and that want this event.
    fn told(&self, config: &Config, event: &Event) -> Vec<String> {
        let policy = &self.organisation.policy;
        let named = match policy.key(&event.subject) {
            Some(key) => policy.resolve(key).alerts.value,
            // A key that left the policy while it was turned over is still somebody's.
            None => policy.file.default.alerts.clone().unwrap_or_default(),
        };
        let wanting = config.routes(event);
        named.iter().map(ToString::to_string).filter(|name| wanting.contains(&name.as_str())).collect()
    }

    fn send(&self) -> Result<()> {
        let outbox = self.office.journal.outbox()?;
        let now = self.office.now().0.div_euclid(1000);
        if !outbox.list(Standing::Due)?.iter().any(|d| d.next <= now) {
            return Ok(());
        }
        let (config, http) = (self.routes(), self.asker.http()?);
        let post = Post {
            outbox: &outbox,
            config: &config,
            transport: &http,
            mailer: &Smtp::default(),
            fetch: &Places,
            clock: &SystemClock,
        };
        let done = post.run()?;
        if done.dead > 0 {
            output::tell(&format!(
                "{} alerts were given up: `keywheel rotate alerts` says why, `--retry` tries them again",
                done.dead
            ));
        }
        Ok(())
    }
}

/// Lists what waits and what was given up.
pub(super) fn alerts(args: &AlertsArgs) -> Result<u8> {
    let office = if args.retry { args.office.open()? } else { args.office.look()? };
    let outbox = office.journal.outbox()?;
    if args.retry {
        outbox.revive(office.now().0.div_euclid(1000))?;
    }
    let letters = office.journal.letters()?.len();
    let (due, dead) = (outbox.list(Standing::Due)?, outbox.list(Standing::Dead)?);
    let text = match args.format {
        Plain::Text => {
            let mut out = String::new();
            for (word, d) in due.iter().map(|d| ("waits", d)).chain(dead.iter().map(|d| ("given up", d))) {
                let error = if d.error.is_empty() { String::new() } else { format!(" ({})", d.error) };
                let line = format!(
                    "{word:8}  {} {}{error}: {}: {}",
                    d.route, d.event.kind, d.event.subject, d.event.text
                );
                writeln!(out, "{}", plain(&line))?;
            }
            writeln!(out, "{letters} not handed over, {} wait, {} were given up", due.len(), dead.len())?;
            out
        }
        Plain::Json => {
            let one = |d: &Delivery| {
                json!({"alert": d.letter, "route": d.route, "tries": d.tries, "error": d.error, "kind": d.event.kind,
                       "urgency": d.event.urgency.word(), "subject": d.event.subject, "text": d.event.text,
                       "facts": d.event.facts})
            };
            let [due, dead] = [&due, &dead].map(|l| l.iter().map(one).collect::<Vec<_>>());
            json_line(&json!({"version": 1, "not_handed_over": letters, "waiting": due, "given_up": dead}))?
        }
    };
    output::print(text.as_bytes())?;
    Ok(if dead.is_empty() { code::CLEAN } else { code::FINDINGS })
}
