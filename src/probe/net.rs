//! Where a login may go, and the connection to it.

use super::link::{Link, Roots};
use super::{Fault, among};
use crate::call::{Host, Hosts, HttpError, Pattern, Reach};
use crate::model::Unknown;
use std::net::TcpStream;
use std::time::Instant;

/// What all logins share: whom the organisation allows, which addresses may be reached, which authorities are
/// trusted.
#[derive(Debug)]
pub struct Net {
    hosts: Hosts,
    reach: Reach,
    only: Vec<Pattern>,
    roots: Roots,
}

impl Net {
    /// Trusts Mozilla's authorities and the further ones of `roots` (PEM). If there are any `only`, no other hosts are
    /// asked. A proxy for HTTP is not used.
    ///
    /// # Errors
    /// The further authorities cannot be read.
    pub fn new(hosts: Hosts, reach: Reach, only: Vec<Pattern>, roots: &[u8]) -> Result<Self, HttpError> {
        Ok(Net { hosts, reach, only, roots: Roots::new(roots)? })
    }

    /// Connects to a host from scanned text, if the organisation allows it.
    pub(super) fn open(
        &self,
        protocol: &str,
        host: &Host,
        port: u16,
        usual: u16,
        deadline: Instant,
    ) -> Result<Link, Fault> {
        let clear =
            self.hosts.login(protocol, host, port, usual).map_err(|e| Fault::refused(e.to_string()))?;
        self.connect(host, port, clear, deadline)
    }

    /// Connects to a host that the organisation itself names for this.
    pub(super) fn named(&self, host: &Host, port: u16, deadline: Instant) -> Result<Link, Fault> {
        self.connect(host, port, false, deadline)
    }

    /// `clear` lets a password go there without TLS.
    fn connect(&self, host: &Host, port: u16, clear: bool, deadline: Instant) -> Result<Link, Fault> {
        among(&self.only, &host.to_string())?;
        let places = self.reach.addresses(&host.to_string(), port, deadline)?;
        for (n, place) in places.iter().enumerate() {
            // Half of what is left for each but the last, so that a dead address does not take the whole time.
            let left = deadline.saturating_duration_since(Instant::now());
            let share = if n + 1 == places.len() { left } else { left / 2 };
            if share.is_zero() {
                break;
            }
            if let Ok(stream) = TcpStream::connect_timeout(place, share) {
                // Only costs time if it fails.
                stream.set_nodelay(true).ok();
                let local = place.ip().is_loopback();
                return Ok(Link::new(stream, host.clone(), self.roots.clone(), local || clear, deadline));
            }
        }
        Err(Fault::new(Unknown::Unreachable, "the host took no connection"))
    }
}
