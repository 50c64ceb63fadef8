//! What the provider cannot do.

use super::{Code, One, Run};
use crate::rotate::policy::{Export, Order, Period, Proof};
use crate::rule::{Can, Capabilities, CreateClass, Native};

pub(super) fn key(run: &mut Run<'_>, one: &One<'_>) {
    let catalogue = run.facts.catalogue;
    roles(run, one);
    if one.key.is_byok() || catalogue.provider_of(one.key.rule.as_str()).is_none() {
        return proofs(run, one, None);
    }
    let Some(able) = catalogue.capabilities(one.key.rule.as_str()) else {
        let message = format!("the rule {} declares no way to rotate", one.key.rule);
        return run.tell_field(Code::NotRotatable, one, &["rule"], message);
    };
    if able.class == CreateClass::None {
        let message = "the provider makes keys for people only".to_owned();
        run.tell_field(Code::MadeByHand, one, &["rule"], message);
    }
    if one.key.admin.is_none() {
        run.tell_field(Code::AdminMissing, one, &["id"], "nothing may make and remove its values".to_owned());
    }
    overlap(run, one, able);
    proofs(run, one, Some(able));
    quota(run, one, able);
    let r = one.resolved;
    if r.export_usage.value == Export::Required && !able.can(Can::Usage) {
        let message = "its use must be exported, and the provider reports none".to_owned();
        run.tell_setting(Code::ExportImpossible, one, "export-usage", message);
    }
    if r.soak.value.as_secs() > 0 && !able.can(Can::Disable) {
        let message = format!("the soak of {} needs a key that can be switched off", r.soak.value);
        run.tell_setting(Code::SoakUseless, one, "soak", message);
    }
}

/// Roles that take turns: their names, and whether anything turns over what the rule finds.
fn roles(run: &mut Run<'_>, one: &One<'_>) {
    let Some(roles) = &one.key.roles else { return };
    let able = run.facts.catalogue.capabilities(one.key.rule.as_str());
    let first = one.key.key_id.as_ref().map(|id| id.as_str());
    let why = match roles.pair() {
        Err(why) => why.to_string(),
        Ok(_) if able.is_none_or(|able| able.native != Some(Native::PostgresRoles)) => {
            format!("nothing lets roles take turns in what the rule {} finds", one.key.rule)
        }
        Ok(_) if one.key.is_byok() => "somebody outside makes its values".to_owned(),
        Ok(pair) => match first.map(|role| pair.other(role)) {
            Some(Err(why)) => why.to_string(),
            Some(Ok(_)) => return,
            None => "`key-id` does not say which role is in use".to_owned(),
        },
    };
    run.tell_field(Code::RolesUnclear, one, &["roles"], why);
}

fn overlap(run: &mut Run<'_>, one: &One<'_>, able: &Capabilities) {
    let r = one.resolved;
    let create_first = r.order.value == Order::CreateFirst;
    if !able.overlaps() && (create_first || r.overlap.value.as_secs() > 0) {
        let message = "old and new key are to live side by side".to_owned();
        run.tell_setting(Code::OverlapSingle, one, "overlap", message);
    }
    let least = r.overlap.value.max(r.grace.value).max(r.quiet.value);
    if let Some(native) = able.native_overlap.map(Period::seconds).filter(|native| least > *native) {
        let message = format!("the old key is to live {least}, and the provider ends it after {native}");
        run.tell_setting(Code::OverlapNative, one, "overlap", message);
    }
    let spread = Period::seconds(able.propagation);
    if create_first && able.overlaps() && r.overlap.value < spread {
        let message =
            format!("the overlap is {}, and a new key takes {spread} to work everywhere", r.overlap.value);
        run.tell_setting(Code::OverlapSpread, one, "overlap", message);
    }
}

/// Whether any accepted proof can be had, and whether its source is up to date in time.
fn proofs(run: &mut Run<'_>, one: &One<'_>, able: Option<&Capabilities>) {
    let (key, r) = (one.key, one.resolved);
    let can = |what| able.is_some_and(|able| able.can(what));
    let had = |proof: &Proof| match proof {
        Proof::Usage => can(Can::Usage),
        Proof::LastUsed => can(Can::LastUsed),
        Proof::Gateway => !r.gateways.value.is_empty(),
        Proof::Smoke => !r.smoke.value.is_empty(),
        Proof::Rollout => !key.consumers.is_empty(),
        Proof::Ack => !key.consumers.is_empty() && key.consumers.iter().all(|c| c.owner.is_some()),
        Proof::Timer => true,
    };
    let reached: Vec<_> = r.proof.value.iter().filter(|proof| had(proof)).collect();
    if reached.is_empty() {
        let list: Vec<_> = r.proof.value.iter().map(|proof| proof.as_str()).collect();
        let message = format!("none of its proofs ({}) can be had", list.join(", "));
        run.tell_setting(Code::ProofUnreachable, one, "proof", message);
    }
    let lag = Period::seconds(able.map_or(0, |able| able.lag));
    let late = reached.first().is_some_and(|proof| [Proof::Usage, Proof::LastUsed].contains(proof));
    if late && r.quiet.value < lag {
        let message = format!("it must be quiet for {}, and figures come {lag} late", r.quiet.value);
        run.tell_setting(Code::QuietLag, one, "quiet", message);
    }
}

/// Whether there is room for the new key beside the old one.
fn quota(run: &mut Run<'_>, one: &One<'_>, able: &Capabilities) {
    let fixed = able.slots.is_some() || able.class == CreateClass::G;
    let Some(most) = able.keys.filter(|most| *most > 1 && !fixed) else { return };
    let key = one.key;
    let same =
        |provider: &str, account: &str| key.provider.as_str() == provider && key.account.as_str() == account;
    let listed = run.policy.file.key.iter();
    let listed =
        listed.filter(|k| same(k.provider.as_str(), k.account.as_str()) && k.rule == key.rule).count();
    let listed = u32::try_from(listed).unwrap_or(u32::MAX);
    let found = run
        .facts
        .discovered
        .and_then(|d| d.accounts.iter().filter(|a| same(&a.provider, &a.account)).map(|a| a.keys).max());
    let (holds, how) = match found {
        Some(found) if found >= listed => (found, "the provider shows"),
        _ => (listed, "the inventory lists"),
    };
    if holds >= most {
        let message = format!("{how} {holds} keys of {}, and {most} are allowed", key.account);
        run.tell_field(Code::QuotaFull, one, &["account"], message);
    }
}
