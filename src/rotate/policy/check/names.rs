//! Names that are used are declared, and once.

use super::{Code, One, Run};
use crate::rotate::inventory::discover::FILL_IN;
use crate::rotate::policy::{Name, StoreKind};
use std::collections::{BTreeMap, BTreeSet};

/// What stands in the file's own tables.
pub(super) fn file(run: &mut Run<'_>) {
    let file = &run.policy.file;
    let mut seen = BTreeSet::new();
    for (n, key) in file.key.iter().enumerate() {
        if !seen.insert(&key.id) {
            let message = format!("the id `{}` stands twice", key.id);
            run.tell(Code::DuplicateKey, &["key", &n.to_string(), "id"], message);
        }
    }
    for (name, service) in &file.service {
        unknown(run, service.team.as_ref(), "team", file.team.keys(), &["service", name.as_str(), "team"]);
    }
    for (name, admin) in &file.admin {
        let at = ["admin", name.as_str(), "key"];
        unknown(run, admin.key.as_ref(), "key", file.key.iter().map(|key| &key.id), &at);
        if !run.facts.catalogue.has_provider(admin.provider.as_str()) {
            let message = format!("no rule is of the provider `{}`", admin.provider);
            run.tell(Code::UnknownProvider, &["admin", name.as_str(), "provider"], message);
        }
    }
    let mut signers = BTreeMap::new();
    for (name, approver) in &file.approver {
        if let Some(other) = signers.insert(&approver.public_key, name) {
            let message = format!("{name} and {other} sign with one key");
            run.tell(Code::ApproverTwice, &["approver", name.as_str(), "public-key"], message);
        }
    }
    for (name, route) in &file.route {
        if let Err(why) = route.check() {
            run.tell(Code::RouteUnclear, &["route", name.as_str()], format!("the route {name}: {why}"));
        }
    }
    for (name, store) in &file.store {
        unknown(run, store.hook.as_ref(), "hook", file.hook.keys(), &["store", name.as_str(), "hook"]);
        let role = store.role_id.is_some() && store.secret_id.is_some();
        let needs: &[(&str, bool)] = match store.kind {
            StoreKind::File => &[],
            StoreKind::Hook => &[("hook", store.hook.is_some())],
            StoreKind::AwsSecretsManager | StoreKind::AwsParameterStore => {
                &[("region", store.region.is_some()), ("credential", store.credential.is_some())]
            }
            StoreKind::GithubActions | StoreKind::GcpSecretManager | StoreKind::Doppler => {
                &[("credential", store.credential.is_some())]
            }
            StoreKind::Infisical => &[("credential", store.credential.is_some() || role)],
            StoreKind::Openbao => {
                &[("address", store.address.is_some()), ("credential", store.credential.is_some() || role)]
            }
            StoreKind::Kubernetes | StoreKind::AzureKeyVault => {
                &[("address", store.address.is_some()), ("credential", store.credential.is_some())]
            }
        };
        let missing: Vec<_> = needs.iter().filter(|(_, there)| !there).map(|(field, _)| *field).collect();
        if !missing.is_empty() {
            let message = format!("the store {name} has no {}", missing.join(" and no "));
            run.tell(Code::StoreIncomplete, &["store", name.as_str()], message);
        }
    }
}

/// What a key names.
pub(super) fn key(run: &mut Run<'_>, one: &One<'_>) {
    let (key, file) = (one.key, &run.policy.file);
    let own = |field| ["key", one.at.as_str(), field];
    let words = [
        ("team", key.team.as_str()),
        ("service", key.service.as_str()),
        ("environment", key.environment.as_str()),
        ("account", key.account.as_str()),
    ];
    for (field, _) in words.iter().filter(|(_, said)| *said == FILL_IN) {
        run.tell_field(Code::Unfilled, one, &[field], format!("`{field}` is a draft's `{FILL_IN}`"));
    }
    unknown(run, key.class.as_ref(), "class", file.class.keys(), &own("class"));
    let team = Some(&key.team).filter(|team| team.as_str() != FILL_IN);
    unknown(run, team, "team", file.team.keys(), &own("team"));
    unknown(run, key.admin.as_ref(), "admin", file.admin.keys(), &own("admin"));
    let ids = || file.key.iter().map(|key| &key.id);
    unknown(run, key.staging.as_ref(), "key", ids(), &own("staging"));
    for other in &key.shared_with {
        unknown(run, Some(other), "key", ids(), &own("shared-with"));
    }
    for (n, target) in key.stores.iter().enumerate() {
        let at = ["key", one.at.as_str(), "stores", &n.to_string(), "store"].map(str::to_owned);
        let at: Vec<&str> = at.iter().map(String::as_str).collect();
        unknown(run, Some(&target.store), "store", file.store.keys(), &at);
    }
    for (n, consumer) in key.consumers.iter().enumerate() {
        let at = ["key", one.at.as_str(), "consumers", &n.to_string(), "owner"].map(str::to_owned);
        let at: Vec<&str> = at.iter().map(String::as_str).collect();
        unknown(run, consumer.owner.as_ref(), "approver", file.approver.keys(), &at);
    }
    let said = one.resolved;
    for (setting, list, what, declared) in [
        ("approvers", &said.approvers.value, "approver", file.approver.keys().collect::<Vec<_>>()),
        ("alerts", &said.alerts.value, "route", file.route.keys().collect()),
        ("smoke", &said.smoke.value, "hook", file.hook.keys().collect()),
        ("gateways", &said.gateways.value, "gateway", file.gateway.keys().collect()),
    ] {
        for name in list.iter().filter(|name| !declared.contains(name)) {
            let message = format!("`{setting}` names `{name}`, and there is no [{what}.{name}]");
            run.tell_setting(Code::UnknownName, one, setting, message);
        }
    }
    if let Some(team) =
        file.service.get(&key.service).and_then(|s| s.team.as_ref()).filter(|t| **t != key.team)
    {
        let message =
            format!("the service {} is the team {team}'s, the key the team {}'s", key.service, key.team);
        run.tell_field(Code::ServiceTeam, one, &["service"], message);
    }
    let catalogue = run.facts.catalogue;
    let provider = key.provider.as_str();
    match catalogue.provider_of(key.rule.as_str()) {
        None => run.tell_field(Code::UnknownRule, one, &["rule"], format!("there is no rule `{}`", key.rule)),
        Some(other) if other != provider && catalogue.has_provider(provider) => {
            let message = format!("the rule {} is of the provider {other}, the key of {provider}", key.rule);
            run.tell_field(Code::RuleOfOther, one, &["rule"], message);
        }
        Some(_) => {}
    }
    if !catalogue.has_provider(provider) {
        let message = format!("no rule is of the provider `{provider}`");
        run.tell_field(Code::UnknownProvider, one, &["provider"], message);
    }
}

fn unknown<'n>(
    run: &mut Run<'_>,
    name: Option<&Name>,
    what: &str,
    mut declared: impl Iterator<Item = &'n Name>,
    at: &[&str],
) {
    let Some(name) = name.filter(|name| !declared.any(|d| d == *name)) else { return };
    let table = if what == "key" { "[[key]] with that id".to_owned() } else { format!("[{what}.{name}]") };
    run.tell(Code::UnknownName, at, format!("`{name}` is named, and there is no {table}"));
}
