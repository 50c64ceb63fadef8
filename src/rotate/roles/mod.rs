//! Two roles of a PostgreSQL server that take turns: a person made both with the same rights, and each rotation gives
//! the idle one a new password.
//!
//! To the engine a role is a key whose value we choose: the connection string with the new password is sealed before
//! the server hears of it. The server gets a SCRAM verifier and never the password, in one transaction that is
//! committed last, so that a session which breaks off before it has changed nothing; one that breaks off in it is
//! found out about by signing in. Switched off is `NOLOGIN` and the end of the role's sessions, which can be taken
//! back; deleted is the password, never the role, which is the idle one of the next rotation.

mod sql;
mod survey;

pub use survey::Survey;

use super::engine::{Answer, Call, Figures, Listed, Made, Provider, Used, Wish};
use super::machine::{Class, KeyId, Life, Powers, Refusal, State};
use super::plan::shown;
use super::time::{Moment, Span};
use crate::model::Secret;
use crate::probe::{Console, ConsoleError, Login, Net, SignedIn, scram_verifier};
use crate::rule::example;
use sql::{commit, end_sessions, start};
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// A password: 43 letters and digits, which no form of a connection string escapes; 256 bits of randomness.
const PASSWORD: &str = "{a62:43}";
/// Longest name of a role, in bytes (`NAMEDATALEN`).
const LONGEST: usize = 63;
/// How often it is looked whether sessions that were ended are gone.
const BEAT: Duration = Duration::from_millis(25);

/// The two roles, and what the organisation accepts of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    names: [String; 2],
    /// Whether they may be superusers.
    pub superuser: bool,
    /// Whether their rights may differ.
    pub differences: bool,
}

/// Why roles cannot take turns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RolesError {
    /// A name that no role of ours has.
    #[error("the name of a role has 1 to 63 bytes and no backslash or control character")]
    Name,
    /// Twice the same.
    #[error("the two roles are one")]
    Same,
    /// The key that goes is neither of them.
    #[error("`{0}` is neither of the two roles")]
    Stranger(String),
    /// The value that the stores hold is another role's.
    #[error(
        "the stores hold a connection string of `{held}`, and the role in use is `{known}`: find out why"
    )]
    Other {
        /// Whose it is.
        held: String,
        /// The role in use.
        known: String,
    },
    /// The value that the stores hold is no connection string.
    #[error("what the stores hold: {0}")]
    Value(#[from] crate::probe::BadLogin),
    /// No store gives the value back.
    #[error("no store can be read back, so that the connection string is not known: add one that can")]
    NotAtHand,
}

impl Pair {
    /// Two roles.
    ///
    /// # Errors
    /// [`RolesError::Name`] or [`RolesError::Same`].
    pub fn new(one: &str, other: &str) -> Result<Pair, RolesError> {
        let fit = |name: &str| {
            !name.is_empty() && name.len() <= LONGEST && !name.chars().any(|c| c == '\\' || c.is_control())
        };
        if !fit(one) || !fit(other) {
            return Err(RolesError::Name);
        }
        if one == other {
            return Err(RolesError::Same);
        }
        let names = [one.to_owned(), other.to_owned()];
        Ok(Pair { names, superuser: false, differences: false })
    }

    /// The role whose turn it is when this one goes.
    ///
    /// # Errors
    /// [`RolesError::Stranger`].
    pub fn other(&self, role: &str) -> Result<&str, RolesError> {
        match &self.names {
            [a, b] if a == role => Ok(b),
            [a, b] if b == role => Ok(a),
            _ => Err(RolesError::Stranger(shown(role))),
        }
    }

    /// Whether the value that goes is a connection string of the role that goes.
    ///
    /// # Errors
    /// See [`RolesError`].
    pub fn fits(&self, old: &KeyId, value: Option<&Secret>) -> Result<Login, RolesError> {
        self.other(&old.0)?;
        let login = Login::read(value.ok_or(RolesError::NotAtHand)?)?;
        match login.user() == old.0 {
            true => Ok(login),
            false => Err(RolesError::Other { held: shown(login.user()), known: shown(&old.0) }),
        }
    }
}

/// What can be done with a pair of roles.
pub fn powers() -> Powers {
    Powers {
        class: Class::A,
        quota: None,
        disable: true,
        enable: true,
        delete: true,
        list: false,
        usage: false,
        propagation: Span::ZERO,
        native_overlap: Span::ZERO,
        chained: false,
    }
}

/// A pair of roles as a provider.
pub struct Roles<'a> {
    pair: Pair,
    old: KeyId,
    net: &'a Net,
    admin: &'a dyn Fn() -> Result<Secret, String>,
    values: &'a dyn Fn(&KeyId) -> Option<Secret>,
    said: RefCell<Option<String>>,
}

impl<'a> Roles<'a> {
    /// The pair of a rotation in which `old` goes. `net` says which servers may be asked; `admin` gives the
    /// administrator's connection string anew for each step; `values` gives the connection string of a role.
    pub fn new(
        pair: Pair,
        old: KeyId,
        net: &'a Net,
        admin: &'a dyn Fn() -> Result<Secret, String>,
        values: &'a dyn Fn(&KeyId) -> Option<Secret>,
    ) -> Roles<'a> {
        Roles { pair, old, net, admin, values, said: RefCell::new(None) }
    }

    /// What is found of the pair, without any change.
    ///
    /// # Errors
    /// Why nothing could be found out.
    pub fn survey(&self, call: Call) -> Result<Survey, String> {
        let idle = self.pair.other(&self.old.0).map_err(|e| e.to_string())?;
        let mut console = self.open(call).map_err(Fault::words)?;
        let found = start(&mut console, call).and_then(|()| survey::look(&mut console, &self.old.0, idle));
        found.map_err(|e| e.to_string())
    }

    /// A session of the administrator's.
    fn open(&self, call: Call) -> Result<Console, Fault> {
        let denied = |why: String| Fault::Denied(format!("the administrator's connection string: {why}"));
        let url = (self.admin)().map_err(denied)?;
        let login = Login::read(&url).map_err(|e| denied(e.to_string()))?;
        Ok(Console::open(self.net, &login, call.deadline)?)
    }

    /// Does one thing in a transaction of its own.
    fn change(
        &self,
        call: Call,
        work: impl FnOnce(&mut Console) -> Result<(), Fault>,
    ) -> Result<Console, Fault> {
        let mut console = self.open(call)?;
        start(&mut console, call)?;
        work(&mut console)?;
        if Instant::now() >= call.deadline {
            return Err(Fault::Busy("the time was over before it was committed".to_owned()));
        }
        commit(&mut console).map_err(|error| match error {
            // Nobody knows whether it was heard.
            ConsoleError::Lost(why) => Fault::Unknown(format!("the answer to COMMIT was lost: {why}")),
            error => Fault::Busy(error.to_string()),
        })?;
        Ok(console)
    }

    /// Whether this is one of the two: no other role is ever touched.
    fn own<'k>(&self, key: &'k KeyId) -> Result<&'k str, Fault> {
        self.pair.other(&key.0).map_err(|e| Fault::Denied(e.to_string()))?;
        Ok(&key.0)
    }

    /// Keeps a role out, with whatever more is said of it, and ends its sessions. A role that is gone is done.
    fn shut(&self, call: Call, key: &KeyId, more: &str) -> Result<(), Fault> {
        let role = self.own(key)?;
        let mut there = true;
        let mut console = self.change(call, |console| {
            there = sql::standing(console, role)?.is_some();
            match there {
                true => Ok(sql::alter(console, role, &format!("NOLOGIN{more}"))?),
                false => Ok(()),
            }
        })?;
        if there { emptied(&mut console, role, call) } else { Ok(()) }
    }

    fn made(&self, call: Call, wish: &Wish<'_>) -> Result<Made, Fault> {
        let idle = self.pair.other(&wish.like.0).map_err(|e| Fault::Denied(e.to_string()))?;
        let value = wish.value.ok_or_else(|| Fault::Denied("no connection string was chosen".to_owned()))?;
        let login = Login::read(value).map_err(|e| Fault::Denied(e.to_string()))?;
        if login.user() != idle {
            return Err(Fault::Denied(format!("the value that was chosen is not of {}", shown(idle))));
        }
        let verifier = scram_verifier(login.password()).map_err(Fault::Busy)?;
        self.change(call, |console| {
            let faults = survey::look(console, &wish.like.0, idle)?.faults(&self.pair);
            if !faults.is_empty() {
                return Err(Fault::Denied(faults.join("; ")));
            }
            // Letters, digits and signs of base64: it needs no escape.
            Ok(sql::alter(console, idle, &format!("LOGIN PASSWORD '{}'", *verifier))?)
        })?;
        Ok(Made { id: KeyId(idle.to_owned()), value: value.clone() })
    }

    fn standing(&self, call: Call, key: &KeyId) -> Result<State, Fault> {
        let role = self.own(key)?;
        let mut console = self.open(call)?;
        start(&mut console, call)?;
        Ok(match sql::standing(&mut console, role)? {
            None => State::Gone,
            Some(true) => State::Enabled,
            // Whoever is still in got in by it.
            Some(false) if sql::sessions(&mut console, role)?.total > 0 => State::Enabled,
            Some(false) => State::Disabled,
        })
    }

    fn seen(&self, call: Call, key: &KeyId) -> Result<bool, Fault> {
        let role = self.own(key)?;
        let mut console = self.open(call)?;
        start(&mut console, call)?;
        let sessions = sql::sessions(&mut console, role)?;
        if sessions.total > 0 {
            self.said.replace(Some(sessions.words(role)));
        }
        Ok(sessions.total > 0)
    }

    fn told<T>(&self, came: Result<T, Fault>) -> Answer<T> {
        let answer = match came {
            Ok(done) => return Answer::Done(done),
            Err(Fault::Busy(words)) => Answer::Refused(Refusal::Busy, words),
            Err(Fault::Denied(words)) => Answer::Refused(Refusal::Denied, words),
            Err(Fault::Unknown(words)) => Answer::Unknown(words),
        };
        if let Answer::Refused(_, words) | Answer::Unknown(words) = &answer {
            self.said.replace(Some(words.clone()));
        }
        answer
    }
}

/// Ends the sessions of a role until none is left.
fn emptied(console: &mut Console, role: &str, call: Call) -> Result<(), Fault> {
    loop {
        match end_sessions(console, role) {
            Ok(0) => return Ok(()),
            Ok(left) if Instant::now() + BEAT >= call.deadline => {
                return Err(Fault::Unknown(format!("{left} sessions of {} go on", shown(role))));
            }
            Ok(_) => std::thread::sleep(BEAT),
            Err(ConsoleError::Refused { code, .. }) if code == "42501" => {
                return Err(Fault::Denied(format!(
                    "nobody signs in as {} any more, and its sessions go on: let the administrator end them \
                     (GRANT pg_signal_backend)",
                    shown(role)
                )));
            }
            Err(error) => return Err(Fault::Unknown(error.to_string())),
        }
    }
}

/// Why something was not done. The words hold no secret.
enum Fault {
    /// Nothing was changed; later perhaps.
    Busy(String),
    /// Nothing was changed, and a person must act.
    Denied(String),
    /// Nothing is proved.
    Unknown(String),
}

impl Fault {
    fn words(self) -> String {
        match self {
            Fault::Busy(words) | Fault::Denied(words) | Fault::Unknown(words) => words,
        }
    }
}

/// Of anything before COMMIT: the server undoes what it was told.
impl From<ConsoleError> for Fault {
    fn from(error: ConsoleError) -> Fault {
        let words = error.to_string();
        match error {
            ConsoleError::Refused { code, .. } if !passing(&code) => Fault::Denied(words),
            ConsoleError::Denied { .. } => Fault::Denied(words),
            ConsoleError::Refused { .. } | ConsoleError::Unreached { .. } | ConsoleError::Lost(_) => {
                Fault::Busy(words)
            }
        }
    }
}

/// Errors that may pass by themselves: conflicts, no room, a shutdown, a limit of time, and two changes of one role at
/// the same moment, which the server calls internal
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn passing(code: &str) -> bool {
    ["40", "53", "55P03", "57", "XX000", "25006"].iter().any(|class| code.starts_with(class))
}

impl Provider for Roles<'_> {
    fn propose(&self) -> Option<Secret> {
        let login = self.pair.fits(&self.old, (self.values)(&self.old).as_ref()).ok()?;
        let password = Secret::new(&example::random(PASSWORD).ok()?);
        login.with(self.pair.other(&self.old.0).ok()?, &password).ok()
    }

    fn id(&self, name: &str, like: &KeyId) -> KeyId {
        KeyId(self.pair.other(&like.0).unwrap_or(name).to_owned())
    }

    fn create(&self, call: Call, wish: &Wish<'_>) -> Answer<Made> {
        self.told(self.made(call, wish))
    }

    fn list(&self, _: Call) -> Answer<Vec<Listed>> {
        Answer::Refused(Refusal::Denied, "two roles take turns; no list is made of them".to_owned())
    }

    fn reveal(&self, _: Call, _: &KeyId) -> Answer<Option<Secret>> {
        Answer::Done(None)
    }

    fn verify(&self, call: Call, value: &Secret) -> Life {
        let unclear = |why: String| {
            self.said.replace(Some(why));
            Life::Unknown
        };
        match Login::read(value).map(|login| login.sign_in(self.net, call.deadline)) {
            Ok(SignedIn::In) => Life::Live,
            Ok(SignedIn::Out(_)) => Life::Dead,
            Ok(SignedIn::Unclear(why)) => unclear(why),
            Err(error) => unclear(error.to_string()),
        }
    }

    fn state(&self, call: Call, key: &KeyId) -> State {
        match self.told(self.standing(call, key)) {
            Answer::Done(state) => state,
            Answer::Refused(..) | Answer::Unknown(_) => State::Unknown,
        }
    }

    fn disable(&self, call: Call, key: &KeyId) -> Answer<()> {
        self.told(self.shut(call, key, ""))
    }

    fn enable(&self, call: Call, key: &KeyId) -> Answer<()> {
        let done = self.own(key).and_then(|role| {
            self.change(call, |console| Ok(sql::alter(console, role, "LOGIN")?))?;
            Ok(())
        });
        self.told(done)
    }

    fn delete(&self, call: Call, key: &KeyId) -> Answer<()> {
        self.told(self.shut(call, key, " PASSWORD NULL"))
    }

    fn usage(&self, _: Call, _: &KeyId) -> Answer<Option<Figures>> {
        Answer::Done(None)
    }

    fn last_used(&self, call: Call, key: &KeyId) -> Answer<(Used, Moment)> {
        // The past is not kept, so that no time is told.
        self.told(self.seen(call, key).map(|busy| (Used::Now(busy), Moment(0))))
    }

    fn said(&self) -> Option<String> {
        self.said.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_quoting_should_meet_are_refused() {
        for (one, other) in [("", "b"), ("a", "a\\"), ("a\n", "b"), ("a", "a"), (&*"a".repeat(64), "b")] {
            assert!(Pair::new(one, other).is_err(), "{one:?} {other:?}");
        }
        let pair = Pair::new("svc a\"", "svc'b").unwrap();
        assert_eq!((pair.other("svc a\"").unwrap(), pair.other("svc'b").unwrap()), ("svc'b", "svc a\""));
        assert!(matches!(pair.other("postgres"), Err(RolesError::Stranger(_))));
    }

    #[test]
    fn the_value_must_be_of_the_role_that_goes() {
        let pair = Pair::new("svc_a", "svc_b").unwrap();
        let word = "w".repeat(12);
        let url = |user: &str| Secret::new(format!("postgres://{user}:{word}@db.example/app").as_bytes());
        let fits = |old: &str, value: Option<&Secret>| pair.fits(&KeyId(old.to_owned()), value).err();
        assert_eq!(fits("svc_a", Some(&url("svc_a"))), None);
        assert!(matches!(fits("svc_b", Some(&url("svc_a"))), Some(RolesError::Other { .. })));
        assert!(matches!(fits("svc_c", Some(&url("svc_c"))), Some(RolesError::Stranger(_))));
        assert!(matches!(fits("svc_a", Some(&Secret::new(b"x"))), Some(RolesError::Value(_))));
        assert_eq!(fits("svc_a", None), Some(RolesError::NotAtHand));
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_a_person_must_mend() {
        for (code, passes) in
            [("40001", true), ("57P01", true), ("XX000", true), ("42501", false), ("42704", false)]
        {
            let error = ConsoleError::Refused { code: code.to_owned(), message: String::new() };
            assert_eq!(matches!(Fault::from(error), Fault::Busy(_)), passes, "{code}");
        }
    }
}
