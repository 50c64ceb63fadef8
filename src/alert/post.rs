//! Emptying the outbox: one delivery at a time, each until its route has taken it or has been tried too often.

use super::config::Config;
use super::outbox::{Outbox, OutboxError, Standing};
use super::route::{Fetch, Mailer, Outcome, Way};
use crate::call::{Clock, Transport};
use std::time::Duration;

/// Tries after which a delivery is given up: about two days.
const TRIES: u32 = 14;
/// The pause after the first try; each further one is twice as long.
const PAUSE: i64 = 30;
/// Longest pause.
const LONGEST: i64 = 6 * 3600;
/// For how long a sender has a delivery for itself: longer than any try takes.
const LEASE: i64 = 300;
/// Longest time of one call.
const CALL: Duration = Duration::from_secs(30);

/// Sends what is due.
pub struct Post<'a> {
    /// Where events wait.
    pub outbox: &'a Outbox<'a>,
    /// The routes.
    pub config: &'a Config,
    /// Makes calls.
    pub transport: &'a dyn Transport,
    /// Sends mail.
    pub mailer: &'a dyn Mailer,
    /// Reads addresses and credentials from where they are.
    pub fetch: &'a dyn Fetch,
    /// Tells the time.
    pub clock: &'a dyn Clock,
}

impl std::fmt::Debug for Post<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Post").field("outbox", self.outbox).finish_non_exhaustive()
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Posted {
    /// Deliveries that were taken.
    pub sent: u64,
    /// Those that are tried again later.
    pub waiting: u64,
    /// Those that were given up.
    pub dead: u64,
}

impl Post<'_> {
    /// Sends all that is due now, and returns.
    ///
    /// # Errors
    /// The outbox cannot be used. What a route does wrong is written there.
    pub fn run(&self) -> Result<Posted, OutboxError> {
        let mut done = Posted::default();
        let begun = self.clock.wall().as_second();
        while let Some(delivery) = self.outbox.take(begun, LEASE)? {
            let now = self.clock.wall().as_second();
            let Some(spec) = self.config.route.get(&delivery.route) else {
                self.outbox.note(
                    &delivery,
                    Standing::Dead,
                    now,
                    "there is no route of that name any more",
                )?;
                done.dead += 1;
                continue;
            };
            if let Some(until) = spec.quiet_until(now, delivery.event.urgency) {
                self.outbox.put_off(&delivery, until)?;
                done.waiting += 1;
                continue;
            }
            let way = Way {
                spec,
                outbox: self.outbox,
                transport: self.transport,
                mailer: self.mailer,
                fetch: self.fetch,
                now: self.clock.wall(),
                deadline: self.clock.now() + CALL,
            };
            match way.send(&delivery) {
                Outcome::Taken => {
                    self.outbox.note(&delivery, Standing::Sent, now, "")?;
                    done.sent += 1;
                }
                Outcome::Again { why, after } if delivery.tries < TRIES => {
                    let pause = PAUSE.saturating_mul(1 << (delivery.tries - 1).min(20)).min(LONGEST);
                    let after = after.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(LONGEST));
                    self.outbox.note(&delivery, Standing::Due, now.saturating_add(pause.max(after)), &why)?;
                    done.waiting += 1;
                }
                Outcome::Again { why, .. } | Outcome::Refused(why) => {
                    self.outbox.note(&delivery, Standing::Dead, now, &why)?;
                    done.dead += 1;
                }
            }
        }
        Ok(done)
    }
}
