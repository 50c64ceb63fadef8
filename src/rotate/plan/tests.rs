use super::*;
use crate::rotate::machine::{Class, Phase, Powers, Proof};
use crate::rotate::policy::tests::{fingerprint, policy};
use crate::rotate::policy::{Catalogue, Policy};
use crate::rotate::store::Spec;
use crate::rotate::time::Span;

const HEAD: &str = "[team.web]\n[store.env]\nkind = 'file'\n[store.bao]\nkind = 'openbao'\naddress = 'http://127.0.0.1:8200'\n\
    role-id = 'file:/run/role'\nsecret-id = 'file:/run/secret'\n[store.sm]\nkind = 'aws-secrets-manager'\nregion = 'eu-west-1'\n\
    credential = 'env:AWS'\n[hook.put]\nrun = ['/usr/bin/put']\ntimeout = '5s'\n[store.own]\nkind = 'hook'\nhook = 'put'\n\
    staged = true\nreadable = false\n[approver.ann]\npublic-key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI";

fn organisation(settings: &str) -> Policy {
    let head = format!("{HEAD}{}'\n", "A".repeat(43));
    let key = format!(
        "[[key]]\nid = 'k'\nteam = 'web'\nservice = 's'\nenvironment = 'staging'\nprovider = 'anthropic'\n\
         rule = 'anthropic-api-key'\naccount = 'a'\nowner = 'ann'\nfingerprints = ['{}']\n\
         stores = [{{ store = 'env', path = '/srv/.env', field = 'KEY' }}, {{ store = 'sm', path = 'shop' }},\n\
         {{ store = 'bao', path = 'kv/shop', field = 'KEY' }}, {{ store = 'own', path = 'x' }}]\n\
         consumers = [{{ name = 'api', owner = 'ann' }}, {{ name = 'job', owner = 'ann' }}]\n[key.policy]\n{settings}\n",
        fingerprint("now")
    );
    policy(&[&head, &key])
}

fn plan_of(policy: &Policy, kind: Kind) -> Plan {
    let catalogue = Catalogue::embedded().unwrap();
    let facts =
        Facts { catalogue: &catalogue, now: "2026-11-23T00:00:00Z".parse().unwrap(), discovered: None };
    Plan::new(policy, facts, "k", &Known { kind, current: None, generation: 4 }).unwrap()
}

/// A plan for a provider with calls.
fn by_call(class: Class, kind: Kind, settings: &str) -> Plan {
    let mut plan = plan_of(&organisation(settings), kind);
    plan.way = Way::Calls;
    plan.planned.frozen.powers = Powers {
        class,
        quota: (class == Class::D).then_some(2),
        disable: class.separate(),
        enable: class.separate(),
        delete: !class.in_place(),
        list: true,
        usage: true,
        propagation: Span::seconds(30),
        native_overlap: Span::hours(1),
        chained: false,
    };
    plan
}

#[test]
fn settings_become_what_the_machine_wants() {
    let policy = organisation(
        "overlap = '2h'\ngrace = '3h'\nquiet = '4m'\nmax-overlap = '1h'\nproof = ['timer', 'ack', 'usage']\nsoak = '1d'\n\
         approvals = 1\napprovers = ['ann']\nemergency-soak = '0s'",
    );
    let plan = plan_of(&policy, Kind::Scheduled);
    assert_eq!(plan.way, Way::ByHand, "no call makes such keys");
    let f = plan.frozen();
    assert_eq!(
        f.overlap,
        Span::hours(3),
        "grace counts from the first use, which comes after the distribution"
    );
    assert!(f.max_overlap >= f.overlap);
    assert_eq!((f.quiet, f.poll), (Span::seconds(240), Span::seconds(10)));
    assert_eq!(f.proofs, [Proof::Usage, Proof::Ack, Proof::Timer], "strongest first");
    assert_eq!((f.acks, f.approvals), (1, 1), "one owner of two consumers speaks once");
    assert_eq!((f.powers.class, f.powers.delete, f.powers.disable), (Class::A, true, false));
    let staged: Vec<_> = f.stores.iter().map(|s| (s.staged, s.readable)).collect();
    assert_eq!(staged, [(false, true), (true, true), (false, true), (true, false)]);
    assert_eq!(plan.claims(), ["env:/srv/.env#KEY", "sm:shop", "bao:kv/shop#KEY", "own:x"]);
    let Spec::Openbao(bao) = &plan.landings[2].spec else { panic!() };
    assert!(
        bao.plain && bao.token.is_none() && bao.approle.as_ref().unwrap().secret_id == "file:/run/secret"
    );
    let Spec::Hook(hook) = &plan.landings[3].spec else { panic!() };
    assert_eq!((hook.timeout, hook.staged, hook.readable), (5, true, false));
}

#[test]
fn stores_of_services_are_opened_as_they_are_declared() {
    let shop = |store: &str, path: &str| {
        let head = format!("[team.web]\n[store.saas]\n{store}\n");
        let key = format!(
            "[[key]]\nid = 'k'\nteam = 'web'\nservice = 's'\nenvironment = 'staging'\nprovider = 'anthropic'\n\
             rule = 'anthropic-api-key'\naccount = 'a'\nowner = 'ann'\nfingerprints = ['{}']\n\
             stores = [{{ store = 'saas', path = '{path}', field = 'KEY' }}]\n",
            fingerprint("now")
        );
        plan_of(&policy(&[&head, &key]), Kind::Scheduled).landings.remove(0).spec
    };
    let Spec::Doppler(doppler) = shop("kind = 'doppler'\ncredential = 'env:D'", "shop/prd") else { panic!() };
    assert_eq!((doppler.credential.as_str(), doppler.address, doppler.plain), ("env:D", None, false));
    let identity =
        "kind = 'infisical'\naddress = 'http://127.0.0.1:1'\nrole-id = 'env:ID'\nsecret-id = 'env:SECRET'";
    let Spec::Infisical(infisical) = shop(identity, "p-1/prod/pay") else { panic!() };
    let identity = infisical.identity.unwrap();
    assert_eq!((identity.client_id.as_str(), identity.client_secret.as_str()), ("env:ID", "env:SECRET"));
    assert!(infisical.token.is_none() && infisical.plain);
    let token = "kind = 'infisical'\ncredential = 'file:/run/token'";
    let Spec::Infisical(infisical) = shop(token, "p-1/prod") else { panic!() };
    assert_eq!((infisical.token.as_deref(), infisical.identity), (Some("file:/run/token"), None));
}

#[test]
fn the_hash_is_the_plan() {
    let hash = |settings: &str, kind| plan_of(&organisation(settings), kind).hash();
    let one = hash("overlap = '2h'", Kind::Scheduled);
    assert_eq!(one, hash("overlap = '2h'", Kind::Scheduled));
    assert_ne!(one, hash("overlap = '3h'", Kind::Scheduled));
    // It is the one that the journal will have, whatever the kind: approvals are bound to it.
    let plan = plan_of(&organisation("overlap = '2h'"), Kind::Scheduled);
    let planned = Rotation::plan("k", 5, plan.frozen().clone(), plan.old().clone(), false, Moment(77));
    assert_eq!(planned.plan_hash(), one);
}

#[test]
fn what_keeps_it_from_beginning_is_told() {
    let policy = organisation("overlap = '100d'\ncadence = '10d'\nmax-overlap = '200d'");
    let gaps = plan_of(&policy, Kind::Scheduled).gaps.join("\n");
    assert!(gaps.contains("overlap-exceeds-cadence"), "{gaps}");
    let catalogue = Catalogue::embedded().unwrap();
    let facts =
        Facts { catalogue: &catalogue, now: "2026-11-23T00:00:00Z".parse().unwrap(), discovered: None };
    let known = Known { kind: Kind::Scheduled, current: None, generation: 1 };
    assert_eq!(Plan::new(&policy, facts, "x", &known).unwrap_err(), PlanError::NoKey("x".into()));
}

/// The place of the first step that begins like that.
fn at(steps: &[Step], text: &str) -> usize {
    steps.iter().position(|s| s.text.starts_with(text)).unwrap_or_else(|| panic!("{text}: {steps:#?}"))
}

#[test]
fn the_course_is_whole_and_in_order_for_every_class() {
    for class in Class::ALL.into_iter().filter(|class| class.separate()) {
        for kind in [Kind::Scheduled, Kind::Emergency] {
            let steps = course(&by_call(class, kind, "overlap = '2h'\nquiet = '1h'"));
            let (make, write) = (at(&steps, "make a new key"), at(&steps, "write the new key to env"));
            let (give, export) = (at(&steps, "give the new key to the readers of sm"), at(&steps, "export"));
            let (off, gone) = (at(&steps, "switch the old key off"), at(&steps, "delete the old key"));
            assert!(
                make < write && write < give && give < export && export < off && off < gone,
                "{class:?} {kind:?}"
            );
            let proved = steps.iter().any(|s| s.text.starts_with("prove that nobody uses"));
            assert_eq!(proved, kind == Kind::Scheduled);
            assert_eq!(steps.last().unwrap().phase, Phase::Deleting, "{class:?}: {steps:#?}");
        }
    }
    let steps = course(&by_call(Class::G, Kind::Scheduled, "overlap = '30m'\nquiet = '10m'\ngrace = '0s'"));
    assert!(
        at(&steps, "export") < at(&steps, "change the key in place"),
        "its making begins the old key's end"
    );
}

#[test]
fn revoke_first_is_told_as_an_outage() {
    let plan = by_call(Class::C, Kind::Emergency, "emergency-order = 'revoke-first'");
    let steps = course(&plan);
    assert!(at(&steps, "switch the old key off") < at(&steps, "make a new key"));
    assert!(plan.cuts_off() && plan.text().contains("cut off"));
    assert!(plan.runbook(&[]).contains("There is no way back"));
}

#[test]
fn people_are_told_what_they_have_to_do() {
    let settings = "approvals = 1\napprovers = ['ann']\nproof = ['ack']\noverlap = '2h'\nquiet = '1h'";
    let plan = plan_of(&organisation(settings), Kind::Scheduled);
    let steps = course(&plan);
    assert!(at(&steps, "wait for 1 approvals of ann") < at(&steps, "take the new key, which a person makes"));
    assert!(at(&steps, "prove that nobody uses") < at(&steps, "prove that a person deleted the old key"));
    let (text, markdown) = (plan.text(), plan.markdown());
    for told in ["1 of ann must approve", "ann makes the new key at anthropic", "ann may say that api"] {
        assert!(text.contains(told) && markdown.contains(told), "{told}: {text}");
    }
    let json = plan.json();
    assert_eq!((&json["by_hand"], &json["plan"]), (&true.into(), &plan.hash().into()));
    assert_eq!(json["stores"][0], "env:/srv/.env#KEY");
    let runbook = plan.runbook(&["2026 done <b>".to_owned()]);
    for told in [
        "env:/srv/.env#KEY",
        "read by api, ann speaks for it",
        "keywheel rotate abort",
        "2026 done",
        "make a new key",
    ] {
        assert!(runbook.contains(told), "{told}: {runbook}");
    }
}
