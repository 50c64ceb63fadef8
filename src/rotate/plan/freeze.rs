//! What a policy says of a key, and a provider can do, as the machine wants it.

use super::Way;
use crate::rotate::inventory::Key;
use crate::rotate::machine::{Class, Emergency, Export, Frozen, Path, Powers, Proof, Staging, Target};
use crate::rotate::policy::{self, Order, Period, Resolved};
use crate::rotate::provider as declared;
use crate::rotate::roles;
use crate::rotate::time::Span;
use crate::rule::{Can, Capabilities};
use std::collections::BTreeSet;

/// Answers in a row that may prove nothing before a person is asked: between a minute and five hours.
const PATIENCE: u8 = 60;
/// How often a matter is looked at: not more than once a second, and every five minutes at the least.
const POLL: (Span, Span) = (Span::seconds(1), Span::seconds(300));
/// How often the old key is tried while both live, at the least.
const PROBE: Span = Span::hours(1);

/// The frozen policy of a key.
///
/// Two settings have no counterpart in the machine. `grace` counts from the first use of the new key, which cannot be
/// before it is everywhere for all of its readers: the overlap is made as long. How often things are looked at follows
/// from `quiet` and `overlap`, so that short ones are not missed and long ones cost little.
pub(super) fn freeze(
    key: &Key,
    resolved: &Resolved,
    able: Option<&Capabilities>,
    way: Way,
    stores: Vec<Target>,
) -> Frozen {
    let r = resolved;
    let overlap = span(r.overlap.value.max(r.grace.value));
    let quiet = span(r.quiet.value);
    let can = |what| way != Way::ByHand && able.is_some_and(|able| able.can(what));
    Frozen {
        path: path(r.order.value),
        // A key that is switched off first has nothing to overlap with.
        overlap: if r.order.value == Order::RevokeFirst { Span::ZERO } else { overlap },
        max_overlap: span(r.max_overlap.value).max(overlap),
        quiet,
        soak: span(r.soak.value),
        proofs: proofs(&r.proof.value),
        export: match r.export_usage.value {
            policy::Export::Required => Export::Required,
            policy::Export::Offered => Export::Offered,
        },
        approvals: r.approvals.value,
        acks: acks(key),
        staging: key
            .staging
            .as_ref()
            .filter(|_| r.staging_first.value)
            .map(|lineage| Staging { lineage: lineage.to_string(), green: span(r.staging_green.value) }),
        stores,
        poll: Span(quiet.0 / 24).clamp(POLL.0, POLL.1),
        probe: Span(overlap.0 / 8).clamp(POLL.0, PROBE),
        probes_count: can(Can::Usage) || can(Can::LastUsed),
        patience: PATIENCE,
        emergency: Emergency {
            path: path(r.emergency_order.value),
            overlap: span(r.emergency_overlap.value),
            soak: span(r.emergency_soak.value),
            export_deadline: span(r.emergency_export.value),
            approvals: r.emergency_approvals.value,
            poll: POLL.0,
            daily_cap: r.emergency_daily.value,
        },
        powers: powers(able, way),
    }
}

/// What can be done by call; by hand, a person does it and the proof is ours.
pub(super) fn powers(able: Option<&Capabilities>, way: Way) -> Powers {
    let propagation = Span::seconds(able.map_or(0, |able| able.propagation));
    match way {
        Way::Calls => able.and_then(declared::powers).unwrap_or_else(|| by_hand(propagation)),
        Way::ByHand => by_hand(propagation),
        Way::Roles => roles::powers(),
    }
}

/// The powers of a person.
pub(in crate::rotate) fn by_hand(propagation: Span) -> Powers {
    Powers {
        // The value is known before it is taken for made, as if we had chosen it.
        class: Class::A,
        quota: None,
        disable: false,
        enable: false,
        delete: true,
        list: false,
        usage: false,
        propagation,
        native_overlap: Span::ZERO,
        chained: false,
    }
}

fn span(period: Period) -> Span {
    Span::seconds(period.as_secs())
}

fn path(order: Order) -> Path {
    match order {
        Order::CreateFirst => Path::CreateFirst,
        Order::RevokeFirst => Path::RevokeFirst,
    }
}

/// Strongest first, whatever the order in the file.
fn proofs(said: &[policy::Proof]) -> Vec<Proof> {
    let said: BTreeSet<_> = said.iter().copied().collect();
    said.into_iter()
        .map(|proof| match proof {
            policy::Proof::Usage => Proof::Usage,
            policy::Proof::LastUsed => Proof::LastUsed,
            policy::Proof::Rollout => Proof::Rollout,
            policy::Proof::Gateway => Proof::Gateway,
            policy::Proof::Ack => Proof::Ack,
            policy::Proof::Smoke => Proof::Smoke,
            policy::Proof::Timer => Proof::Timer,
        })
        .collect()
}

/// How many people must say that the consumers have the new key: their owners, each once.
fn acks(key: &Key) -> u8 {
    let owners: BTreeSet<_> = key.consumers.iter().filter_map(|c| c.owner.as_ref()).collect();
    u8::try_from(owners.len()).unwrap_or(u8::MAX)
}
