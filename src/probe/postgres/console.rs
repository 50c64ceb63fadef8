//! Statements of an administrator: the simple query protocol
//! (<https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SIMPLE-QUERY>).

use super::super::{Answer, Fault, Net, plain};
use super::begin;
use super::login::Login;
use super::session::{Begun, Session, field};
use std::time::Instant;

/// Most rows of one answer. Our questions have a few.
const ROWS: usize = 1000;

/// A row: each column's text, or none where it is NULL.
pub type Row = Vec<Option<String>>;

/// Why a statement has no answer. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsoleError {
    /// No session came about, so that nothing was asked; later perhaps.
    #[error("no session at {place}: {why}")]
    Unreached {
        /// Host and port.
        place: String,
        /// Why.
        why: String,
    },
    /// The login was refused, or our own rules forbid it.
    #[error("no session at {place}: {why}")]
    Denied {
        /// Host and port.
        place: String,
        /// Why.
        why: String,
    },
    /// The server refused the statement. What its transaction did is undone.
    #[error("{code} of PostgreSQL: {message}")]
    Refused {
        /// The SQLSTATE.
        code: String,
        /// The server's words, cut to plain characters.
        message: String,
    },
    /// The answer did not come whole.
    #[error("the answer was lost: {0}")]
    Lost(String),
}

/// A session that takes statements.
pub struct Console {
    session: Session,
}

impl Console {
    /// Signs in. Every statement must have its answer before the deadline.
    ///
    /// # Errors
    /// [`ConsoleError::Unreached`] or [`ConsoleError::Denied`].
    pub fn open(net: &Net, login: &Login, deadline: Instant) -> Result<Console, ConsoleError> {
        let place = login.place();
        let denied = |why: String| ConsoleError::Denied { place: place.clone(), why };
        match begin(net, login.target(), login.password(), deadline) {
            Ok(Begun::In(session)) => Ok(Console { session }),
            Ok(
                Begun::Over(Answer::Out(why) | Answer::Absent(why) | Answer::Barred(why))
                | Begun::Barred(why),
            ) => Err(denied(format!("the login was refused ({why})"))),
            Ok(Begun::Over(Answer::In { detail, .. })) => Err(denied(detail)),
            Err(Fault { why: crate::model::Unknown::Refused, detail }) => Err(denied(detail)),
            Err(Fault { detail, .. }) => Err(ConsoleError::Unreached { place, why: detail }),
        }
    }

    /// Runs one statement and gives its rows.
    ///
    /// # Errors
    /// [`ConsoleError::Refused`] or [`ConsoleError::Lost`].
    pub fn rows(&mut self, sql: &str) -> Result<Vec<Row>, ConsoleError> {
        self.run(sql).map(|(rows, _)| rows)
    }

    /// Runs one statement and gives the word that the server ends it with, such as `COMMIT`.
    ///
    /// # Errors
    /// See [`Console::rows`].
    pub fn does(&mut self, sql: &str) -> Result<String, ConsoleError> {
        self.run(sql).map(|(_, tag)| tag)
    }

    fn run(&mut self, sql: &str) -> Result<(Vec<Row>, String), ConsoleError> {
        let lost = |fault: Fault| ConsoleError::Lost(fault.detail);
        let odd = || ConsoleError::Lost("the server does not speak PostgreSQL as it should".to_owned());
        if sql.contains('\0') {
            return Err(odd());
        }
        self.session.send(Some(b'Q'), &[sql.as_bytes(), b"\0"].concat()).map_err(lost)?;
        let (mut rows, mut tag, mut refused) = (Vec::new(), String::new(), None);
        loop {
            let (kind, body) = self.session.message().map_err(lost)?;
            match kind {
                b'D' if rows.len() < ROWS => rows.push(row(&body).ok_or_else(odd)?),
                b'C' => tag = plain(&String::from_utf8_lossy(&body)),
                b'E' => {
                    let (code, message) = (field(&body, b'C'), field(&body, b'M'));
                    refused = Some(ConsoleError::Refused { code, message });
                }
                // RowDescription, EmptyQueryResponse, ParameterStatus, NoticeResponse, NotificationResponse.
                b'T' | b'I' | b'S' | b'N' | b'A' => {}
                b'Z' => return refused.map_or(Ok((rows, tag)), Err),
                _ => return Err(odd()),
            }
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.session.close();
    }
}

/// The columns of a DataRow.
fn row(body: &[u8]) -> Option<Row> {
    let (count, mut rest) = body.split_at_checked(2)?;
    let count = u16::from_be_bytes([count[0], count[1]]);
    let mut row = Vec::new();
    for _ in 0..count {
        let (len, after) = rest.split_at_checked(4)?;
        let len = i32::from_be_bytes([len[0], len[1], len[2], len[3]]);
        rest = after;
        row.push(match usize::try_from(len) {
            Ok(len) => {
                let (text, after) = rest.split_at_checked(len)?;
                rest = after;
                Some(String::from_utf8_lossy(text).into_owned())
            }
            Err(_) if len == -1 => None,
            Err(_) => return None,
        });
    }
    rest.is_empty().then_some(row)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{WORD, net, script, soon};
    use super::*;
    use crate::model::Secret;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        [&[tag][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
    }

    /// A server that lets in and then answers the first statement so.
    fn answers(answer: &[u8]) -> Result<Vec<Row>, ConsoleError> {
        let ask = |kind: u32, rest: &[u8]| message(b'R', &[&kind.to_be_bytes()[..], rest].concat());
        let ready = message(b'Z', b"I");
        let port = script(&[&ask(5, b"salt"), &[ask(0, b""), ready].concat(), answer]);
        let url = format!("postgres://svc:{WORD}@127.0.0.1:{port}/app?sslmode=disable");
        let login = Login::read(&Secret::new(url.as_bytes())).unwrap();
        Console::open(&net("postgres", port), &login, soon()).unwrap().rows("SELECT 1")
    }

    #[test]
    fn rows_errors_and_cuts_are_told_apart() {
        let (done, ready) = (message(b'C', b"SELECT 1\0"), message(b'Z', b"I"));
        let data = message(b'D', b"\0\x02\0\0\0\x02ab\xff\xff\xff\xff");
        let whole = [message(b'T', b"x"), data.clone(), done.clone(), ready.clone()].concat();
        assert_eq!(answers(&whole), Ok(vec![vec![Some("ab".to_owned()), None]]));
        let error = message(b'E', b"SERROR\0C42501\0Mpermission\x1b denied\0\0");
        let refused = answers(&[error.clone(), ready.clone()].concat()).unwrap_err();
        assert_eq!(refused.to_string(), "42501 of PostgreSQL: permission denied");
        // Without the end nothing is known, whatever was said before.
        for cut in [error, data, done, message(b'D', b"\0\x02\0\0\0\x09ab"), message(b'G', b""), Vec::new()] {
            assert!(matches!(answers(&cut), Err(ConsoleError::Lost(_))), "{cut:?}");
        }
    }

    #[test]
    fn no_session_means_that_nothing_was_asked() {
        let open = |answers: &[&[u8]], own: bool| {
            let port = script(answers);
            let url = format!("postgres://svc:{WORD}@127.0.0.1:{port}/app?sslmode=disable");
            let login = Login::read(&Secret::new(url.as_bytes())).unwrap();
            let net = net("postgres", if own { port } else { port.wrapping_add(1) });
            Console::open(&net, &login, soon()).err().unwrap()
        };
        let error = |code: &str| message(b'E', format!("C{code}\0\0").as_bytes());
        let md5 = message(b'R', b"\0\0\0\x05salt");
        assert!(matches!(open(&[&md5, &error("28P01")], true), ConsoleError::Denied { .. }));
        assert!(matches!(open(&[&error("57P03")], true), ConsoleError::Unreached { .. }));
        assert!(matches!(open(&[], true), ConsoleError::Unreached { .. }));
        assert!(matches!(open(&[], false), ConsoleError::Denied { .. }), "a host that nobody allowed");
    }
}
