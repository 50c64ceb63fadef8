//! From a host to the addresses that may be connected to. A name is looked up once, and what is found is
//! what is used: nothing asks again between the check and the connection.

use super::CallError;
use super::address;
use super::host::{Host, Pattern};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Instant;

/// Most addresses of one host that are tried.
const MOST_ADDRESSES: usize = 4;
/// Most look-ups that may be under way, those given up included: the system cannot be told to stop one.
const MOST_LOOKUPS: usize = 64;

/// Looks names up.
pub trait Resolve: Send + Sync {
    /// The addresses of a name.
    ///
    /// # Errors
    /// [`CallError::Unconnected`] if it has none, or not before `deadline`.
    fn resolve(&self, name: &str, deadline: Instant) -> Result<Vec<IpAddr>, CallError>;
}

/// The operating system's resolver.
#[derive(Clone, Debug, Default)]
pub struct SystemResolver {
    running: Arc<AtomicUsize>,
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: &str, deadline: Instant) -> Result<Vec<IpAddr>, CallError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if self.running.fetch_add(1, Ordering::AcqRel) >= MOST_LOOKUPS {
            self.running.fetch_sub(1, Ordering::AcqRel);
            return Err(CallError::Unconnected(
                "too many names are being looked up, without answer".to_owned(),
            ));
        }
        let (tell, told) = mpsc::sync_channel(1);
        let (name, running) = (name.to_owned(), Arc::clone(&self.running));
        // The look-up has no time limit of its own, so that it runs beside and may be left behind.
        let thread = std::thread::Builder::new().name("resolve".to_owned()).spawn(move || {
            let found =
                (name.as_str(), 0).to_socket_addrs().map(|list| list.map(|a| a.ip()).collect::<Vec<_>>());
            running.fetch_sub(1, Ordering::AcqRel);
            // Nobody listens any more after the deadline.
            tell.send(found).ok();
        });
        if thread.is_err() {
            self.running.fetch_sub(1, Ordering::AcqRel);
            return Err(CallError::Unconnected("no thread is left to look a name up".to_owned()));
        }
        match told.recv_timeout(left) {
            Ok(Ok(list)) => Ok(list),
            Ok(Err(_)) => Err(CallError::Unconnected("the host's name has no address".to_owned())),
            Err(_) => Err(CallError::Unconnected("the host's name was not found in time".to_owned())),
        }
    }
}

/// How hosts are reached.
#[derive(Clone)]
pub struct Reach {
    resolve: Arc<dyn Resolve>,
    internal: Vec<Pattern>,
    pins: BTreeMap<(Host, u16), SocketAddr>,
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reach")
            .field("internal", &self.internal)
            .field("pins", &self.pins)
            .finish_non_exhaustive()
    }
}

impl Reach {
    /// Public addresses only.
    pub fn new(resolve: Arc<dyn Resolve>) -> Self {
        Reach { resolve, internal: Vec::new(), pins: BTreeMap::new() }
    }

    /// Lets hosts have addresses that are not public.
    pub fn allow_internal(&mut self, hosts: Pattern) {
        self.internal.push(hosts);
    }

    /// Says where a host is, whatever its name leads to elsewhere.
    pub fn pin(&mut self, host: Host, port: u16, address: SocketAddr) {
        self.pins.insert((host, port), address);
    }

    /// The addresses of a host that may be connected to, in the order to try. If one of those that its name
    /// leads to is not public, none is used.
    ///
    /// # Errors
    /// [`CallError::Refused`] for a host or address that may not be reached, [`CallError::Unconnected`] for a
    /// name without address.
    pub fn addresses(&self, host: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>, CallError> {
        let host = self.may_name(host)?;
        if let Some(address) = self.pins.get(&(host.clone(), port)) {
            return Ok(vec![*address]);
        }
        let found = match &host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => self.resolve.resolve(name, deadline)?,
        };
        if !self.is_internal(&host)
            && let Some(why) = found.iter().find_map(|a| address::refused(*a))
        {
            return Err(not_public(&host, why));
        }
        ends(found, port)
    }

    /// The addresses of the operator's own proxy: whatever it is, he named it.
    ///
    /// # Errors
    /// [`CallError::Unconnected`] if it has none.
    pub(super) fn proxy(
        &self,
        host: &Host,
        port: u16,
        deadline: Instant,
    ) -> Result<Vec<SocketAddr>, CallError> {
        let found = match host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => self.resolve.resolve(name, deadline)?,
        };
        ends(found, port)
    }

    /// What can be told of a host without looking it up, which is all that can be done where a proxy does that.
    ///
    /// # Errors
    /// [`CallError::Refused`] for what is no host, and for an address that is not public.
    pub(super) fn may_name(&self, host: &str) -> Result<Host, CallError> {
        let host =
            Host::parse(host).map_err(|e| CallError::Refused(format!("the host cannot be used: {e}")))?;
        if let Host::Address(address) = &host
            && !self.is_internal(&host)
            && !self.pins.keys().any(|(pinned, _)| *pinned == host)
            && let Some(why) = address::refused(*address)
        {
            return Err(not_public(&host, why));
        }
        Ok(host)
    }

    fn is_internal(&self, host: &Host) -> bool {
        self.internal.iter().any(|p| p.covers_host(host))
    }
}

fn ends(mut found: Vec<IpAddr>, port: u16) -> Result<Vec<SocketAddr>, CallError> {
    found.truncate(MOST_ADDRESSES);
    if found.is_empty() {
        return Err(CallError::Unconnected("the host's name has no address".to_owned()));
    }
    Ok(found.into_iter().map(|a| SocketAddr::new(a, port)).collect())
}

fn not_public(host: &Host, why: &str) -> CallError {
    CallError::Refused(format!(
        "{host} leads to an address that is not public ({why}); --allow-internal {host} lets it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Fixed(Vec<IpAddr>);

    impl Resolve for Fixed {
        fn resolve(&self, _: &str, _: Instant) -> Result<Vec<IpAddr>, CallError> {
            Ok(self.0.clone())
        }
    }

    fn reach(found: &[&str]) -> Reach {
        Reach::new(Arc::new(Fixed(found.iter().map(|a| a.parse().unwrap()).collect())))
    }

    fn ask(reach: &Reach, host: &str) -> Result<Vec<SocketAddr>, CallError> {
        reach.addresses(host, 443, Instant::now() + Duration::from_secs(1))
    }

    #[test]
    fn one_address_that_is_not_public_spoils_the_name() {
        assert_eq!(ask(&reach(&["1.1.1.1"]), "a.example"), Ok(vec!["1.1.1.1:443".parse().unwrap()]));
        for list in [&["127.0.0.1"][..], &["1.1.1.1", "10.0.0.1"], &["::ffff:1.1.1.1"], &["1.1.1.1", "::1"]] {
            let error = ask(&reach(list), "a.example").unwrap_err();
            assert!(
                matches!(&error, CallError::Refused(t) if t.contains("--allow-internal a.example")),
                "{error}"
            );
        }
        assert!(matches!(ask(&reach(&[]), "a.example"), Err(CallError::Unconnected(_))));
        assert_eq!(ask(&reach(&["1.1.1.1"; 9]), "a.example").unwrap().len(), MOST_ADDRESSES);
    }

    #[test]
    fn addresses_as_hosts_obey_the_same_rules() {
        let reach = reach(&[]);
        assert!(ask(&reach, "1.1.1.1").is_ok() && ask(&reach, "[2606:4700::1111]").is_ok());
        for host in [
            "127.0.0.1",
            "[::1]",
            "2130706433",
            "0x7f.1",
            "127.1",
            "[::ffff:1.1.1.1]",
            "10.0.0.1",
            "a b",
            "a.",
        ] {
            assert!(matches!(ask(&reach, host), Err(CallError::Refused(_))), "{host}");
        }
    }

    #[test]
    fn the_operator_may_name_what_is_internal_and_where_it_is() {
        let mut own = reach(&["10.0.0.1"]);
        own.allow_internal(Pattern::of_operator("git.corp.example").unwrap());
        assert!(ask(&own, "git.corp.example").is_ok() && ask(&own, "evil.corp.example").is_err());
        own.pin(Host::parse("pinned.example").unwrap(), 443, "127.0.0.1:9".parse().unwrap());
        assert_eq!(ask(&own, "pinned.example"), Ok(vec!["127.0.0.1:9".parse().unwrap()]));
        assert!(own.addresses("pinned.example", 444, Instant::now()).is_err());
    }

    #[test]
    fn the_system_knows_localhost_and_keeps_to_the_deadline() {
        let system = SystemResolver::default();
        let soon = Instant::now() + Duration::from_secs(5);
        assert!(system.resolve("localhost", soon).unwrap().iter().all(IpAddr::is_loopback));
        let late = system.resolve("localhost", Instant::now());
        assert!(late.is_ok() || matches!(late, Err(CallError::Unconnected(_))));
    }
}
