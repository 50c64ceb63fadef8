//! What people must hear of, seen from the state before and after.

use super::halt::{Halt, InUse, Pause};
use super::rotation::{Exported, Phase, Rotation, Standing};
use serde::{Deserialize, Serialize};

/// Something that people must hear of. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// A stable word for routing: `started`, `emergency`, `died-early`, `no-export`, `forced`, `rolling-back`, `paused`,
    /// `blocked`, `stuck`, `done`, `rolled-back`, `aborted`.
    pub kind: String,
    /// A sentence.
    pub text: String,
}

/// The alerts that a change of state owes.
pub fn alerts(before: &Rotation, after: &Rotation) -> Vec<Alert> {
    let mut list = Vec::new();
    let mut tell = |kind: &str, text: String| list.push(Alert { kind: kind.to_owned(), text });
    let name = format!("generation {}", after.generation);
    if before.phase == Phase::Planned && after.phase == Phase::Leased {
        tell("started", format!("{name}: the rotation begins"));
    }
    if after.is_emergency() && !before.is_emergency() {
        tell("emergency", format!("{name}: the old key is leaked; the rotation is an emergency now"));
    }
    if after.died_early && !before.died_early {
        tell("died-early", format!("{name}: the old key died before it was switched off; rolling forward"));
    }
    if let (Some(Exported::Waived(why)), None) = (&after.exported, &before.exported) {
        tell("no-export", format!("{name}: the old key's use is not exported: {why}"));
    }
    if after.forced.is_some() && after.forced != before.forced {
        tell("forced", format!("{name}: the old key may go though it may be in use"));
    }
    if after.old.standing == Standing::Enabled
        && after.phase == Phase::RollingBack
        && before.phase != Phase::RollingBack
    {
        tell("rolling-back", format!("{name}: the stores get the old key back"));
    }
    if let Some(halt) = after.halt.as_ref().filter(|h| before.halt.as_ref() != Some(h)) {
        let kind = match halt {
            Halt::Paused(_) => "paused",
            Halt::Blocked(_) => "blocked",
            Halt::Stuck(_) => "stuck",
        };
        tell(kind, format!("{name}: {}", words(halt)));
    }
    if !before.phase.is_terminal() {
        match after.phase {
            Phase::Done => tell("done", format!("{name}: the new key is everywhere, the old one is dead")),
            Phase::RolledBack => tell("rolled-back", format!("{name}: the old key is in force again")),
            Phase::Aborted => tell("aborted", format!("{name}: nothing was changed")),
            _ => {}
        }
    }
    list
}

fn words(halt: &Halt) -> String {
    match halt {
        Halt::Paused(Pause::Person(reason)) => format!("paused: {reason}"),
        Halt::Paused(Pause::DailyCap) => {
            "paused: as many emergencies of this key began today as the policy allows; resume it by hand"
                .to_owned()
        }
        Halt::Blocked(InUse::LastUsed(at)) => {
            format!(
                "blocked: the old key was last used at {at}; move its user, then retry, or force it, or abort"
            )
        }
        Halt::Blocked(InUse::Unproved) => {
            "blocked: nothing proves that the old key is unused; acknowledge, force it, or abort".to_owned()
        }
        Halt::Stuck(why) => format!("stuck: {why}"),
    }
}

impl Halt {
    /// What waits for a person, and what that person can do.
    pub fn words(&self) -> String {
        words(self)
    }
}
