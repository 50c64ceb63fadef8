//! Routes as a file says them. Addresses of web hooks are credentials, so that only their place is named.

use super::{Event, Urgency};
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::collections::BTreeMap;

/// The file: `[route.NAME]` tables.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The routes.
    #[serde(default)]
    pub route: BTreeMap<String, RouteSpec>,
    /// Days' budgets in US dollars, by lineage or service.
    #[serde(default)]
    pub budget: BTreeMap<String, f64>,
}

/// What is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AlertError(pub(super) String);

/// One route.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    /// What it is.
    pub kind: Kind,
    /// Where the address of a web hook is: `env:NAME`, `file:/path`. With `kind` slack, teams and webhook.
    #[serde(default)]
    pub address: Option<String>,
    /// Where the credential is: PagerDuty's routing key, GitHub's token, the key that a webhook is signed with, the
    /// password of a mail server.
    #[serde(default)]
    pub credential: Option<String>,
    /// With `kind = "github"`: `owner/name`.
    #[serde(default)]
    pub repository: Option<String>,
    /// With `kind = "smtp"`: the server, its user, and from whom to whom.
    #[serde(default)]
    pub mail: Option<MailSpec>,
    /// The base of its API in the place of the usual one: PagerDuty in the EU, GitHub Enterprise.
    #[serde(default)]
    pub base: Option<String>,
    /// Lets the address be plain HTTP, for a server on this machine.
    #[serde(default)]
    pub plain: bool,
    /// What it is told; everything unless something is said.
    #[serde(default)]
    pub events: Filter,
    /// When it is not told, except of emergencies.
    #[serde(default)]
    pub quiet: Option<Quiet>,
}

/// A mail server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSpec {
    /// Host.
    pub host: String,
    /// Port; 465 with TLS from the beginning, else STARTTLS.
    pub port: u16,
    /// User; without one nobody logs in.
    #[serde(default)]
    pub user: Option<String>,
    /// From whom.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
}

/// What a route is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An incoming webhook of Slack.
    Slack,
    /// A workflow of Microsoft Teams that takes a card.
    Teams,
    /// Events of PagerDuty, version 2.
    Pagerduty,
    /// A mail server.
    Smtp,
    /// One issue of GitHub for each subject.
    Github,
    /// A signed POST.
    Webhook,
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Kinds; none for all.
    pub kinds: Vec<String>,
    /// The least urgency.
    pub least: Option<Urgency>,
}

/// Hours in which nobody is disturbed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// `22:00`.
    #[serde(deserialize_with = "time")]
    pub from: Time,
    /// `07:00`; the next day if it is before `from`.
    #[serde(deserialize_with = "time")]
    pub until: Time,
    /// Such as `Europe/Zurich`.
    #[serde(default = "utc")]
    pub zone: String,
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
    let text = String::deserialize(from)?;
    Time::strptime("%H:%M", &text).map_err(|_| D::Error::custom("this is no time of day; write 22:00"))
}

fn utc() -> String {
    "UTC".to_owned()
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// A sentence for its author. What is refused is never repeated: a credential may stand there.
    pub fn parse(text: &str) -> Result<Config, AlertError> {
        let config: Config = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(0, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            AlertError(format!("line {line}: {}", e.message()))
        })?;
        for (name, route) in &config.route {
            route.check().map_err(|why| AlertError(format!("[route.{name}]: {why}")))?;
        }
        Ok(config)
    }

    /// The routes that are told of an event.
    pub fn routes(&self, event: &Event) -> Vec<&str> {
        let wants = |r: &RouteSpec| {
            (r.events.kinds.is_empty() || r.events.kinds.contains(&event.kind))
                && r.events.least.is_none_or(|least| event.urgency >= least)
        };
        self.route.iter().filter(|(_, r)| wants(r)).map(|(name, _)| name.as_str()).collect()
    }
}

impl RouteSpec {
    /// Whether it has what its kind needs.
    ///
    /// # Errors
    /// A sentence that says what is missing, and repeats nothing.
    pub fn check(&self) -> Result<(), String> {
        let reference = |text: &Option<String>| {
            text.as_ref().is_none_or(|t| t.starts_with("env:") || t.starts_with("file:/"))
        };
        if !reference(&self.address) || !reference(&self.credential) {
            return Err(
                "`address` and `credential` are named, never written here: env:NAME or file:/path".to_owned()
            );
        }
        let needs = |there: bool, what: &str| if there { Ok(()) } else { Err(format!("it needs {what}")) };
        match self.kind {
            Kind::Slack | Kind::Teams => needs(self.address.is_some(), "`address`")?,
            Kind::Pagerduty => needs(self.credential.is_some(), "`credential`, the routing key")?,
            Kind::Webhook => {
                needs(self.address.is_some(), "`address`")?;
                needs(self.credential.is_some(), "`credential`, the key that it is signed with")?;
            }
            Kind::Github => {
                needs(self.credential.is_some(), "`credential`, a token")?;
                let repository = self.repository.as_deref().unwrap_or_default();
                let plain = |t: &str| {
                    !t.is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
                };
                let good = repository.split_once('/').is_some_and(|(o, n)| plain(o) && plain(n));
                needs(good, "`repository` as owner/name")?;
            }
            Kind::Smtp => {
                let mail = self.mail.as_ref().ok_or("it needs `mail`")?;
                needs(!mail.to.is_empty(), "somebody in `to` of `mail`")?;
                needs(
                    mail.user.is_some() == self.credential.is_some(),
                    "both `user` and `credential`, or neither",
                )?;
            }
        }
        if let Some(quiet) = &self.quiet {
            TimeZone::get(&quiet.zone).map_err(|_| format!("there is no time zone `{}`", quiet.zone))?;
            if quiet.from == quiet.until {
                return Err("`quiet` begins when it ends".to_owned());
            }
        }
        Ok(())
    }

    /// Until when it is not to be disturbed at that moment, if so.
    pub(super) fn quiet_until(&self, now: i64, urgency: Urgency) -> Option<i64> {
        let quiet = self.quiet.as_ref().filter(|_| urgency < Urgency::Emergency)?;
        let zone = TimeZone::get(&quiet.zone).ok()?;
        let here = Timestamp::from_second(now).ok()?.to_zoned(zone);
        let time = here.time();
        let over_night = quiet.until < quiet.from;
        let inside = if over_night {
            time >= quiet.from || time < quiet.until
        } else {
            (quiet.from..quiet.until).contains(&time)
        };
        if !inside {
            return None;
        }
        let day = if over_night && time >= quiet.from { here.date().tomorrow().ok()? } else { here.date() };
        let end = day.to_datetime(quiet.until).to_zoned(here.time_zone().clone()).ok()?;
        Some(end.timestamp().as_second())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(more: &str) -> Result<Config, AlertError> {
        Config::parse(&format!("[route.x]\n{more}"))
    }

    #[test]
    fn what_a_route_needs_is_told_and_a_credential_is_never_repeated() {
        for (text, told) in [
            ("kind = 'slack'", "`address`"),
            ("kind = 'pagerduty'", "routing key"),
            ("kind = 'webhook'\naddress = 'env:A'", "signed with"),
            ("kind = 'github'\ncredential = 'env:A'\nrepository = 'a'", "owner/name"),
            ("kind = 'smtp'", "`mail`"),
            ("kind = 'slack'\naddress = 'https://hooks.example/x1y2'", "never written here"),
            (
                "kind = 'slack'\naddress = 'env:A'\nquiet = { from = '22:00', until = '07:00', zone = 'Mars' }",
                "Mars",
            ),
        ] {
            let error = route(text).unwrap_err().to_string();
            assert!(error.contains(told) && !error.contains("x1y2"), "{text}: {error}");
        }
        assert!(route("kind = 'slack'\naddress = 'file:/run/slack'").is_ok());
    }

    #[test]
    fn quiet_hours_end_in_the_morning_and_do_not_hold_for_emergencies() {
        let text = "kind = 'slack'\naddress = 'env:A'\n\
                    quiet = { from = '22:00', until = '07:00', zone = 'Europe/Zurich' }";
        let config = route(text).unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
        let quiet = |now: &str| config.route["x"].quiet_until(at(now), Urgency::Warning);
        assert_eq!(quiet("2026-01-10T21:30:00Z"), Some(at("2026-01-11T06:00:00Z")));
        assert_eq!(quiet("2026-01-11T03:00:00Z"), Some(at("2026-01-11T06:00:00Z")));
        assert_eq!(quiet("2026-01-11T06:00:00Z"), None);
        assert_eq!(config.route["x"].quiet_until(at("2026-01-10T21:30:00Z"), Urgency::Emergency), None);
    }

    #[test]
    fn a_route_hears_what_it_asks_for() {
        let text = "[route.all]\nkind = 'slack'\naddress = 'env:A'\n[route.some]\nkind = 'slack'\naddress = 'env:A'\n\
                    events = { kinds = ['spike'], least = 'warning' }";
        let config = Config::parse(text).unwrap();
        let event = |kind: &str, urgency| Event {
            kind: kind.to_owned(),
            urgency,
            subject: String::new(),
            text: String::new(),
            facts: Vec::new(),
            same: String::new(),
            at: 0,
        };
        assert_eq!(config.routes(&event("spike", Urgency::Warning)), ["all", "some"]);
        assert_eq!(config.routes(&event("spike", Urgency::Info)), ["all"]);
        assert_eq!(config.routes(&event("budget", Urgency::Emergency)), ["all"]);
    }
}
