//! Mail over SMTP.

use super::{Outcome, Way, again, headline, mark, number, refused};
use crate::alert::outbox::Delivery;
use crate::model::Secret;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport as _};
use std::time::Duration;

/// The port on which TLS begins at once (RFC 8314).
const SUBMISSIONS: u16 = 465;

/// A mail, and the server that takes it.
#[derive(Debug)]
pub struct Mail<'a> {
    /// Host.
    pub host: &'a str,
    /// Port.
    pub port: u16,
    /// Whether nothing is encrypted, for a server on this machine.
    pub plain: bool,
    /// User and password.
    pub login: Option<(&'a str, &'a Secret)>,
    /// From whom.
    pub from: &'a str,
    /// To whom.
    pub to: &'a [String],
    /// Its own id: the same in every try, so that readers show it once.
    pub id: String,
    /// Subject.
    pub subject: String,
    /// Text.
    pub text: String,
}

/// Why a mail was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// Perhaps later.
    #[error("{0}")]
    Again(String),
    /// Never.
    #[error("{0}")]
    Refused(String),
}

/// Sends mail.
pub trait Mailer {
    /// Hands a mail to its server.
    ///
    /// # Errors
    /// See [`MailError`].
    fn send(&self, mail: &Mail<'_>) -> Result<(), MailError>;
}

/// Speaks SMTP.
#[derive(Clone, Copy, Debug)]
pub struct Smtp {
    /// Longest time of one step of the conversation.
    pub step: Duration,
}

impl Default for Smtp {
    fn default() -> Self {
        Smtp { step: Duration::from_secs(20) }
    }
}

impl Mailer for Smtp {
    fn send(&self, mail: &Mail<'_>) -> Result<(), MailError> {
        let wrong = |what: &str| MailError::Refused(what.to_owned());
        let mailbox =
            |text: &str| text.parse::<Mailbox>().map_err(|_| wrong("an address of the route is none"));
        let mut message = Message::builder()
            .from(mailbox(mail.from)?)
            .subject(&mail.subject)
            .message_id(Some(mail.id.clone()))
            .date_now();
        for to in mail.to {
            message = message.to(mailbox(to)?);
        }
        let message = message.body(mail.text.clone()).map_err(|_| wrong("the mail cannot be written"))?;
        let tls = || TlsParameters::new(mail.host.to_owned()).map_err(|_| wrong("TLS cannot be set up"));
        let tls = match (mail.plain, mail.port) {
            (true, _) => Tls::None,
            (false, SUBMISSIONS) => Tls::Wrapper(tls()?),
            (false, _) => Tls::Required(tls()?),
        };
        let mut server =
            SmtpTransport::builder_dangerous(mail.host).port(mail.port).tls(tls).timeout(Some(self.step));
        if let Some((user, password)) = &mail.login {
            let password =
                std::str::from_utf8(password.expose()).map_err(|_| wrong("the password is no text"))?;
            server = server.credentials(Credentials::new((*user).to_owned(), password.to_owned()));
        }
        server.build().send(&message).map(drop).map_err(|e| {
            let status = e.status().map_or_else(|| "no answer".to_owned(), |code| code.to_string());
            let told = format!("the mail server did not take it: {status}");
            if e.is_permanent() { MailError::Refused(told) } else { MailError::Again(told) }
        })
    }
}

impl Way<'_> {
    pub(super) fn mail(&self, delivery: &Delivery) -> Result<Outcome, Outcome> {
        let spec = self.spec.mail.as_ref().ok_or_else(|| refused("the route names no mail server"))?;
        let password = match &spec.user {
            Some(_) => Some(self.secret(self.spec.credential.as_deref())?),
            None => None,
        };
        let event = &delivery.event;
        let mut text = headline(event);
        for (name, value) in &event.facts {
            text += &format!("\n{name}: {value}");
        }
        text += &format!("\n\n{}\n", number(delivery));
        let mail = Mail {
            host: &spec.host,
            port: spec.port,
            plain: self.spec.plain,
            login: spec.user.as_deref().zip(password.as_ref()),
            from: &spec.from,
            to: &spec.to,
            id: format!("<{}.{}@keywheel.invalid>", mark(&event.same), delivery.letter),
            subject: headline(event),
            text,
        };
        Ok(match self.mailer.send(&mail) {
            Ok(()) => Outcome::Taken,
            Err(MailError::Again(why)) => again(&why),
            Err(MailError::Refused(why)) => refused(&why),
        })
    }
}
