//! The routes: what each is sent, and what its answer means.

mod address;
mod github;
mod mail;

pub use mail::{Mail, MailError, Mailer, Smtp};

use super::config::{Kind, RouteSpec};
use super::outbox::{Delivery, Outbox};
use super::{Event, Urgency};
use crate::call::{CallError, Prepared, Reply, Transport, retry_after};
use crate::model::Secret;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};

/// Reads a credential from where it is.
pub trait Fetch {
    /// The value behind `env:NAME` or `file:/path`.
    ///
    /// # Errors
    /// A sentence, without the value.
    fn fetch(&self, reference: &str) -> Result<Secret, String>;
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The route has it.
    Taken,
    /// Not yet; perhaps later.
    Again {
        /// Why.
        why: String,
        /// How long it asks to be left alone.
        after: Option<Duration>,
    },
    /// Never.
    Refused(String),
}

/// One try of one delivery.
pub(super) struct Way<'a> {
    pub(super) spec: &'a RouteSpec,
    pub(super) outbox: &'a Outbox<'a>,
    pub(super) transport: &'a dyn Transport,
    pub(super) mailer: &'a dyn Mailer,
    pub(super) fetch: &'a dyn Fetch,
    pub(super) now: Timestamp,
    pub(super) deadline: Instant,
}

impl Way<'_> {
    pub(super) fn send(&self, delivery: &Delivery) -> Outcome {
        self.try_send(delivery).unwrap_or_else(|outcome| outcome)
    }

    fn try_send(&self, delivery: &Delivery) -> Result<Outcome, Outcome> {
        let event = &delivery.event;
        match self.spec.kind {
            Kind::Slack => self.post(self.hook()?, &slack(delivery), &[]),
            Kind::Teams => self.post(self.hook()?, &teams(delivery), &[]),
            Kind::Pagerduty => {
                let base = self.spec.base.as_deref().unwrap_or("https://events.pagerduty.com");
                let request = address::prepared("POST", base, "/v2/enqueue", self.spec.plain)?;
                let key = self.secret(self.spec.credential.as_deref())?;
                let key =
                    std::str::from_utf8(key.expose()).map_err(|_| refused("the routing key is no text"))?;
                self.post(request, &pagerduty(event, key), &[])
            }
            Kind::Webhook => {
                let body = signed_body(delivery);
                let key = self.secret(self.spec.credential.as_deref())?;
                let at = self.now.as_second();
                let signature = signature(&key, at, body.to_string().as_bytes());
                let headers = [
                    ("X-Keywheel-Delivery", delivery.letter.to_string()),
                    ("X-Keywheel-Signature", format!("t={at},v1={signature}")),
                ];
                self.post(self.hook()?, &body, &headers)
            }
            Kind::Github => self.github(delivery),
            Kind::Smtp => self.mail(delivery),
        }
    }

    /// A POST to the address of a web hook.
    fn hook(&self) -> Result<Prepared, Outcome> {
        let address = self.secret(self.spec.address.as_deref())?;
        let text = std::str::from_utf8(address.expose()).map_err(|_| refused("the address is no text"))?;
        address::prepared("POST", text.trim(), "", self.spec.plain)
    }

    fn secret(&self, reference: Option<&str>) -> Result<Secret, Outcome> {
        let reference = reference.unwrap_or_default();
        // A file that is not there may be there later.
        self.fetch.fetch(reference).map_err(|why| again(&format!("{reference}: {why}")))
    }

    fn post(&self, request: Prepared, body: &Value, headers: &[(&str, String)]) -> Result<Outcome, Outcome> {
        let mut request = request;
        for (name, value) in headers {
            request.headers.push(((*name).to_owned(), Secret::new(value.as_bytes())));
        }
        request.headers.push(("Content-Type".to_owned(), Secret::new(b"application/json")));
        request.body = Some(Secret::new(body.to_string().as_bytes()));
        let reply = self.call(&request)?;
        Ok(self.judged(&reply))
    }

    fn call(&self, request: &Prepared) -> Result<Reply, Outcome> {
        self.transport.send(request, self.deadline).map_err(|e| match e {
            CallError::Unreadable(why) => again(&format!("the answer cannot be read: {why}")),
            e => again(&e.to_string()),
        })
    }

    /// What an answer means: taken, later, or never.
    fn judged(&self, reply: &Reply) -> Outcome {
        let why = format!("it answered {}", reply.status);
        match reply.status {
            200..=299 => Outcome::Taken,
            408 | 425 | 429 | 500..=599 => Outcome::Again { why, after: retry_after(reply, self.now) },
            // GitHub's secondary limits.
            403 if reply.headers.contains_key("retry-after") => {
                Outcome::Again { why, after: retry_after(reply, self.now) }
            }
            _ => Outcome::Refused(why),
        }
    }
}

fn again(why: &str) -> Outcome {
    Outcome::Again { why: why.to_owned(), after: None }
}

fn refused(why: &str) -> Outcome {
    Outcome::Refused(why.to_owned())
}

/// A short name of a subject, for marks in what others keep.
fn mark(text: &str) -> String {
    Sha256::digest(text.as_bytes())[..8].iter().map(|b| format!("{b:02x}")).collect()
}

/// The line that all routes begin with.
fn headline(event: &Event) -> String {
    format!("[{}] {}: {}", event.urgency.word(), event.subject, event.text)
}

/// What a reader must know of a repeated try: no answer to an earlier one came back, so that it may be there twice.
fn number(delivery: &Delivery) -> String {
    let repeated = if delivery.tries > 1 { ", sent again" } else { "" };
    format!("keywheel alert {}{repeated}", delivery.letter)
}

/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>
fn slack(delivery: &Delivery) -> Value {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let event = &delivery.event;
    let mut text = escape(&headline(event));
    for (name, value) in &event.facts {
        text += &format!("\n• {}: {}", escape(name), escape(value));
    }
    json!({"text": format!("{text}\n_{}_", number(delivery)), "unfurl_links": false, "mrkdwn": false})
}

/// An adaptive card in the envelope that workflows of Teams take.
/// <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>
fn teams(delivery: &Delivery) -> Value {
    let event = &delivery.event;
    let color = match event.urgency {
        Urgency::Info => "Default",
        Urgency::Warning => "Warning",
        Urgency::Emergency => "Attention",
    };
    // A text block reads Markdown; a text run does not.
    let run = |text: &str| json!({"type": "TextRun", "text": text});
    let facts: Vec<Value> = event
        .facts
        .iter()
        .map(|(name, value)| json!({"type": "RichTextBlock", "inlines": [run(&format!("{name}: {value}"))]}))
        .collect();
    let mut body = vec![json!({
        "type": "RichTextBlock",
        "inlines": [{"type": "TextRun", "text": headline(event), "weight": "Bolder", "color": color}],
    })];
    body.extend(facts);
    body.push(json!({"type": "RichTextBlock", "inlines": [run(&number(delivery))]}));
    json!({"type": "message", "attachments": [{
        "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null,
        "content": {"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard",
                    "version": "1.4", "body": body}
    }]})
}

/// <https://developer.pagerduty.com/docs/send-alert-event>: the same `dedup_key` is one alert, so that a repeated try
/// changes nothing.
fn pagerduty(event: &Event, key: &str) -> Value {
    let severity = match event.urgency {
        Urgency::Info => "info",
        Urgency::Warning => "warning",
        Urgency::Emergency => "critical",
    };
    let facts: serde_json::Map<String, Value> =
        event.facts.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    let summary: String = headline(event).chars().take(1024).collect();
    json!({
        "routing_key": key, "event_action": "trigger", "dedup_key": format!("keywheel-{}", mark(&event.same)),
        "payload": {"summary": summary, "source": "keywheel", "severity": severity, "class": event.kind,
                    "component": event.subject, "custom_details": facts},
    })
}

fn signed_body(delivery: &Delivery) -> Value {
    let event = &delivery.event;
    json!({
        "version": 1, "delivery": delivery.letter, "kind": event.kind, "urgency": event.urgency.word(),
        "subject": event.subject, "text": event.text, "facts": event.facts,
        "at": Timestamp::from_second(event.at).map(|t| t.to_string()).unwrap_or_default(),
    })
}

/// HMAC-SHA-256 over the time, a dot and the body.
fn signature(key: &Secret, at: i64, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.expose()).expect("because HMAC takes a key of any length");
    mac.update(format!("{at}.").as_bytes());
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests;
