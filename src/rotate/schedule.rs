//! When a key's turn comes. Pure: the same policy, history and moment give the same answer, so that
//! several copies of a scheduler agree without talking.

use super::policy::{Name, Period, Resolved};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::fmt;

/// How far beyond the due time an opening is looked for: whatever opens later never does.
const HORIZON: SignedDuration = SignedDuration::from_hours(3 * 366 * 24);

/// What is known of a key besides its policy.
#[derive(Clone, Copy, Debug, Default)]
pub struct History<'a> {
    /// Since when its current value has been in use.
    pub since: Option<Timestamp>,
    /// Why no rotation of it may begin, if that was said.
    pub paused: Option<&'a str>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// When the cadence is over; `None` if the key's age is not known, which makes it due at once.
    pub due: Option<Timestamp>,
    /// When its rotation should have begun or will begin; `None` if no window ever opens.
    pub first: Option<Timestamp>,
    /// What to do now.
    pub now: Now,
    /// How that came about, a sentence each.
    pub because: Vec<String>,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Now {
    /// Begin.
    Begin,
    /// Look again at that time.
    Wait(Timestamp),
    /// Somebody paused it.
    Paused,
    /// No window ever opens.
    Never,
}

impl Turn {
    /// How long the rotation should have begun ago.
    pub fn late(&self, now: Timestamp) -> Option<SignedDuration> {
        self.first.map(|first| now.duration_since(first)).filter(|late| late.is_positive())
    }
}

impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Now::Begin => f.pad("begin"),
            Now::Wait(until) => write!(f, "wait until {until}"),
            Now::Paused => f.pad("paused"),
            Now::Never => f.pad("never"),
        }
    }
}

/// When the turn of the key of that id comes.
pub fn turn(id: &Name, policy: &Resolved, history: History<'_>, now: Timestamp) -> Turn {
    let mut because = Vec::new();
    let cadence = &policy.cadence;
    let due = history.since.map(|since| {
        let due = since.saturating_add(cadence.value.signed()).unwrap_or(Timestamp::MAX);
        because
            .push(format!("in use since {since}; cadence {} ({}): due {due}", cadence.value, cadence.from));
        due
    });
    if due.is_none() {
        because.push("nobody knows how old it is, so it is due at once".to_owned());
    }
    let first = seek(id, policy, due, due.unwrap_or(now), Some(&mut because));
    let now = match (history.paused, first) {
        (Some(why), _) => {
            because.push(format!("paused: {why}"));
            Now::Paused
        }
        (None, None) => Now::Never,
        (None, Some(first)) if now < first => Now::Wait(first),
        // Its first opening may be over: what counts is whether one is open now.
        (None, Some(_)) => match seek(id, policy, due, now, None) {
            Some(next) if next <= now => Now::Begin,
            Some(next) => Now::Wait(next),
            None => Now::Never,
        },
    };
    Turn { due, first, now, because }
}

/// The earliest moment from `from` on at which a rotation that is due at `due` may begin.
fn seek(
    id: &Name,
    policy: &Resolved,
    due: Option<Timestamp>,
    from: Timestamp,
    mut told: Option<&mut Vec<String>>,
) -> Option<Timestamp> {
    let mut tell = |sentence: &dyn Fn() -> String| {
        if let Some(list) = told.as_deref_mut() {
            list.push(sentence());
        }
    };
    // What the spread counts from, if it is not an opening: the due time, or the end of a freeze.
    let mut base = due;
    let mut at = from;
    let last = from.saturating_add(HORIZON).unwrap_or(Timestamp::MAX);
    while at <= last {
        let (open, close) = match &policy.window.value[..] {
            [] => (Timestamp::MIN, Timestamp::MAX),
            windows => windows.iter().filter_map(|w| w.after(at)).min()?,
        };
        let base_here = base.map_or(open, |b| b.max(open));
        let room = close.duration_since(base_here);
        let spread = spread(id, policy.jitter.value, room);
        // An unknown age without windows has nothing to count from.
        let start = base_here.saturating_add(spread).unwrap_or(Timestamp::MAX).max(at);
        if let Some(freeze) = policy.freeze.iter().find(|f| f.value.holds(start)) {
            tell(&|| format!("{start} is frozen: {} ({})", freeze.value, freeze.from));
            at = freeze.value.span().1;
            base = Some(at);
            continue;
        }
        if open > from {
            tell(&|| format!("a window opens {open} ({})", policy.window.from));
        }
        if spread.is_positive() && start > at {
            tell(&|| format!("spread by {} (jitter {})", whole(spread), policy.jitter.value));
        }
        tell(&|| format!("begins {start}"));
        return Some(start);
    }
    tell(&|| "nothing opens within three years".to_owned());
    None
}

/// The key's own share of the jitter, as far as there is room: always the same for the same id.
fn spread(id: &Name, jitter: Period, room: SignedDuration) -> SignedDuration {
    let digest = Sha256::new().chain_update(b"keywheel jitter 1\0").chain_update(id.as_str()).finalize();
    let number = digest.iter().take(8).fold(0u64, |n, b| n << 8 | u64::from(*b));
    let most = jitter.as_secs().min(u64::try_from(room.as_secs()).unwrap_or(0));
    let seconds = number.checked_rem(most).unwrap_or(0);
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0))
}

fn whole(time: SignedDuration) -> Period {
    Period::seconds(u64::try_from(time.as_secs()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotate::policy::{Level, Settings};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn resolved(text: &str) -> Resolved {
        let mut resolved = Resolved::default();
        resolved
            .overlay(&toml::from_str::<Settings>("jitter = '0s'\ncadence = '10d'").unwrap(), &Level::Default);
        resolved.overlay(&toml::from_str::<Settings>(text).unwrap(), &Level::Key);
        resolved
    }

    /// Now in short, for a key in use since 2026-11-01 (Sunday), so that it is due on the 11th.
    fn now(text: &str, at_time: &str) -> String {
        let history = History { since: Some(at("2026-11-01T00:00:00Z")), paused: None };
        turn(&name("k"), &resolved(text), history, at(at_time)).now.to_string()
    }

    const OFFICE: &str =
        "window = [{ days = ['tue'], from = '09:00', until = '16:00', zone = 'Europe/Berlin' }]";

    #[test]
    fn a_key_is_due_when_its_cadence_is_over() {
        assert_eq!(now("", "2026-11-10T23:59:59Z"), "wait until 2026-11-11T00:00:00Z");
        assert_eq!(now("", "2026-11-11T00:00:00Z"), "begin");
        assert_eq!(now("cadence = '30d'", "2026-11-11T00:00:00Z"), "wait until 2026-12-01T00:00:00Z");
    }

    #[test]
    fn it_begins_inside_a_window_only() {
        // The 11th is a Wednesday; the next Tuesday is the 17th, the one after it the 24th.
        assert_eq!(now(OFFICE, "2026-11-11T00:00:00Z"), "wait until 2026-11-17T08:00:00Z");
        assert_eq!(now(OFFICE, "2026-11-17T08:00:00Z"), "begin");
        assert_eq!(now(OFFICE, "2026-11-17T14:59:59Z"), "begin");
        assert_eq!(now(OFFICE, "2026-11-17T15:00:00Z"), "wait until 2026-11-24T08:00:00Z");
    }

    #[test]
    fn a_window_where_clocks_change_opens_once() {
        let night = |zone: &str| {
            format!("window = [{{ days = ['sun'], from = '02:15', until = '02:45', zone = '{zone}' }}]")
        };
        let since = |text: &str| History { since: Some(at(text)), paused: None };
        let first =
            |text: &str, since| turn(&name("k"), &resolved(text), since, at("2026-01-01T00:00:00Z")).first;
        // Forward on 2027-03-28: the window lies in the missing hour. Back on 2026-10-25: it comes twice.
        let berlin = night("Europe/Berlin");
        assert_eq!(first(&berlin, since("2027-03-15T12:00:00Z")), Some(at("2027-03-28T01:15:00Z")));
        assert_eq!(first(&berlin, since("2026-10-12T12:00:00Z")), Some(at("2026-10-25T00:15:00Z")));
        // After the first showing of the hour the window is closed, not open again.
        assert_eq!(first(&berlin, since("2026-10-15T01:00:00Z")), Some(at("2026-11-01T01:15:00Z")));
        // New York on 2026-11-01. On Lord Howe Island clocks go forward by half an hour, onto its closing.
        assert_eq!(
            first(&night("America/New_York"), since("2026-10-19T12:00:00Z")),
            Some(at("2026-11-01T07:15:00Z"))
        );
        assert_eq!(
            first(&night("Australia/Lord_Howe"), since("2026-09-20T12:00:00Z")),
            Some(at("2026-10-10T15:15:00Z"))
        );
    }

    #[test]
    fn a_freeze_holds_it_back() {
        let text = "freeze = [{ from = 2026-11-10, until = 2026-11-20, reason = 'sale' }]";
        assert_eq!(now(text, "2026-11-15T00:00:00Z"), "wait until 2026-11-21T00:00:00Z");
        let both = format!("{text}\n{OFFICE}");
        assert_eq!(now(&both, "2026-11-15T00:00:00Z"), "wait until 2026-11-24T08:00:00Z");
        // It was free when it was due, and is frozen now.
        let late = "freeze = [{ from = 2026-11-20, until = 2026-11-21, reason = 'sale' }]";
        assert_eq!(now(late, "2026-11-20T05:00:00Z"), "wait until 2026-11-22T00:00:00Z");
        assert_eq!(now("freeze = [{ from = 2026-11-10, reason = 'sale' }]", "2026-11-15T00:00:00Z"), "never");
        // Two that meet.
        let two = "freeze = [{ from = 2026-11-10, until = 2026-11-12, reason = 'a' }, { from = 2026-11-13, until = 2026-11-14, reason = 'b' }]";
        assert_eq!(now(two, "2026-11-12T00:00:00Z"), "wait until 2026-11-15T00:00:00Z");
    }

    #[test]
    fn the_spread_is_the_keys_own_and_stays_inside() {
        let first = |id: &str, text: &str| {
            let history = History { since: Some(at("2026-11-01T00:00:00Z")), paused: None };
            turn(&name(id), &resolved(text), history, at("2026-11-01T00:00:00Z")).first.unwrap()
        };
        let plain = "jitter = '6h'";
        assert_eq!(first("a", plain), first("a", plain));
        let mut all: Vec<_> = (0..200).map(|n| first(&format!("key-{n}"), plain)).collect();
        all.sort();
        all.dedup();
        assert!(all.len() > 190, "{} of 200 differ", all.len());
        assert!(all.iter().all(|t| *t >= at("2026-11-11T00:00:00Z") && *t < at("2026-11-11T06:00:00Z")));
        // Wider than the window: what is left of it is used, and not more.
        let office = format!("{OFFICE}\njitter = '20d'");
        let all: Vec<_> = (0..200).map(|n| first(&format!("key-{n}"), &office)).collect();
        assert!(all.iter().all(|t| *t >= at("2026-11-17T08:00:00Z") && *t < at("2026-11-17T15:00:00Z")));
        assert!(all.iter().any(|t| *t > at("2026-11-17T14:00:00Z")));
    }

    #[test]
    fn waiting_until_the_time_that_was_told_is_enough() {
        for text in ["jitter = '6h'".to_owned(), format!("{OFFICE}\njitter = '3h'")] {
            let policy = resolved(&text);
            for n in 0..50 {
                let history = History { since: Some(at("2026-11-01T00:00:00Z")), paused: None };
                let id = name(&format!("key-{n}"));
                let Now::Wait(until) = turn(&id, &policy, history, at("2026-11-05T00:00:00Z")).now else {
                    panic!()
                };
                assert_eq!(turn(&id, &policy, history, until).now, Now::Begin, "{id}");
                let before = until.checked_sub(SignedDuration::from_secs(1)).unwrap();
                assert_eq!(turn(&id, &policy, history, before).now, Now::Wait(until), "{id}");
            }
        }
    }

    #[test]
    fn an_unknown_age_is_due_at_once() {
        let t = at("2026-11-15T12:00:00Z");
        assert_eq!(turn(&name("k"), &resolved("jitter = '6h'"), History::default(), t).now, Now::Begin);
        let office = resolved(OFFICE);
        let turn = turn(&name("k"), &office, History::default(), t);
        assert_eq!(turn.now, Now::Wait(at("2026-11-17T08:00:00Z")));
        assert!(turn.due.is_none() && turn.because[0].contains("nobody knows"));
    }

    #[test]
    fn a_pause_and_the_reasons_are_told() {
        let history = History { since: Some(at("2026-11-01T00:00:00Z")), paused: Some("audit") };
        let text = format!(
            "{OFFICE}\njitter = '3h'\nfreeze = [{{ from = 2026-11-11, until = 2026-11-11, reason = 'sale' }}]"
        );
        let turn = turn(&name("k"), &resolved(&text), history, at("2026-11-18T00:00:00Z"));
        assert_eq!(turn.now, Now::Paused);
        let told = turn.because.join("\n");
        for part in [
            "cadence 10d (default): due 2026-11-11",
            "a window opens 2026-11-17T08:00:00Z (key)",
            "spread by",
            "begins 2026-11-17",
            "paused: audit",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(turn.late(at("2026-11-18T00:00:00Z")).is_some());
        assert!(turn.late(at("2026-11-12T00:00:00Z")).is_none());
    }
}
