//! Credentials of several parts, hosts from the text, and endpoints of one's own.

use super::*;

/// A second rule, for a credential of two parts at a host of its own.
const PAIR: &str = r#"
    [[rule]]
    id = "acmev-pair"
    name = "Acme pair"
    severity = "high"
    confidence = "high"
    pattern = '\b(?<secret>pair_[a-z0-9]{24})\b'
    matches = ['k=<pair_{lnum:24}>']
    with = [{ rule = "acmev-key", as = "account" }]
    [rule.verify]
    request = { method = "GET", url = "https://{{ site }}.tenant.example/me", basic = { user = "{{ account }}", password = "{{ secret }}" } }
    active = [{ status = 200, json = { "/id" = "*" } }]
    inactive = [{ status = 401, json = { "/error" = "bad_key" } }]
"#;

fn pair(parts: &[(&str, &str)]) -> Finding {
    of_rule("acmev-pair", &format!("pair_{:024}", 1), vec![place(parts)])
}

/// `user:password` of a request's basic authentication, decoded.
fn user(request: &Prepared) -> String {
    let text = wire(request);
    let coded = text.split("Basic ").nth(1).unwrap().lines().next().unwrap();
    let bits = |c: u8| "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".find(char::from(c));
    let mut out = Vec::new();
    for four in coded.trim_end_matches('=').as_bytes().chunks(4) {
        let word = four.iter().fold(0usize, |w, &c| w << 6 | bits(c).unwrap()) << (6 * (4 - four.len()));
        out.extend_from_slice(&(word as u32).to_be_bytes()[1..four.len()]);
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn all_parts_are_tried_and_the_first_that_works_wins() {
    let rules = rules(PAIR);
    let network = |good: &'static str| {
        Network::new(move |r| {
            let works = user(r) == format!("{good}:pair_{:024}", 1);
            if works { reply(200, r#"{"id":7}"#) } else { reply(401, r#"{"error":"bad_key"}"#) }
        })
    };
    let parts = [("site", "eu"), ("account", "a1"), ("account", "a2"), ("account", "a3")];
    let net = network("a2");
    let mut list = [pair(&parts)];
    let checks = run(&rules, &net, &mut list);
    assert!(list[0].validity.is_active());
    assert_eq!((checks.calls, checks.controls), (2, 1));
    // The control asks the same host for the same account, with another secret.
    let sent = net.sent.lock().unwrap();
    assert!(sent.iter().all(|(host, _)| host == "eu.tenant.example"));
    drop(sent);

    let mut list = [pair(&parts)];
    let checks = run(&rules, &network("zz"), &mut list);
    assert_eq!((list[0].validity.clone(), checks.calls), (Validity::Inactive, 3));
    // With more candidates than are tried, death is not proved.
    let many = [&parts[..], &[("account", "a4"), ("account", "a5")]].concat();
    let mut list = [pair(&many)];
    let checks = run(&rules, &network("zz"), &mut list);
    assert_eq!((list[0].validity.clone(), checks.calls), (Validity::Unknown(Unknown::Ambiguous), 4));

    let mut list = [pair(&parts[..1]), pair(&parts[1..])];
    let net = network("a1");
    run(&rules, &net, &mut list);
    assert!(list.iter().all(|f| f.validity == Validity::NotChecked(Unchecked::MissingPart)));
    let mut list = [pair(&[("site", "a.evil"), ("account", "a1")]), pair(&[("site", ""), ("account", "a1")])];
    run(&rules, &net, &mut list);
    assert!(list.iter().all(|f| f.validity == Validity::Unknown(Unknown::Refused)), "{list:?}");
    assert_eq!(net.calls(), 0);
}

#[test]
fn a_loose_host_taints_itself_only() {
    let rules = rules(PAIR);
    let network = Network::new(|r| match r.host.as_str() {
        "planted.tenant.example" => reply(200, r#"{"id":7}"#),
        _ if user(r) == format!("a:pair_{:024}", 1) => reply(200, r#"{"id":7}"#),
        _ => reply(401, r#"{"error":"bad_key"}"#),
    });
    let mut list =
        [pair(&[("site", "planted"), ("account", "a")]), pair(&[("site", "eu"), ("account", "a")])];
    let checks = run(&rules, &network, &mut list);
    assert_eq!(list[0].validity, Validity::Unknown(Unknown::Ambiguous));
    assert!(list[1].validity.is_active());
    assert_eq!(checks.notices.len(), 1);
}

#[test]
fn hosts_from_the_text_must_be_allowed() {
    let rules = rules("");
    let network = sound(200, r#"{"id":7}"#);
    for host in ["evilcorp.example", "git.corp.example.evil.example", "git.corp.example@evil.example", ""] {
        let mut list = [finding(&key(0), vec![place(&[("host", host)])])];
        run(&rules, &network, &mut list);
        assert_eq!(list[0].validity, Validity::Unknown(Unknown::Refused), "{host}");
    }
    let only = vec![Pattern::of_operator("*.corp.example").unwrap()];
    let mut list = [finding(&key(0), vec![place(&[])])];
    let options = Options { only, ..Options::default() };
    run_with(&rules, &network, &mut list, options, &[], None);
    assert!(list[0].evidence.as_ref().unwrap().detail.contains("not among `hosts`"));
    // A rule of a user's file that the organisation does not list.
    let verifier = Verifier {
        rules: &rules,
        transport: &network,
        hosts: &Hosts::default(),
        probes: &[],
        clock: &Still,
        options: Options::default(),
    };
    let watch = Watch { progress: &|_, _| {}, cancel: &AtomicBool::new(false) };
    verifier.check(&mut list, None, &watch);
    assert_eq!(list[0].validity, Validity::Unknown(Unknown::Refused));
    assert_eq!(network.calls(), 0);
}

#[test]
fn an_endpoint_of_ones_own_proves_life_but_not_death() {
    let rules = rules("");
    let parts: &[(&str, &str)] = &[("host", "git.corp.example")];
    let check = |network: &Network| {
        let mut list = [finding(&key(0), vec![place(parts)])];
        run(&rules, network, &mut list);
        let [f] = list;
        (f.validity.clone(), f.evidence.unwrap())
    };
    let (validity, evidence) = check(&sound(200, r#"{"id":7}"#));
    assert!(validity.is_active() && evidence.host == "git.corp.example");
    let (validity, evidence) = check(&sound(401, r#"{"error":"bad_key"}"#));
    assert_eq!(validity, Validity::Unknown(Unknown::Ambiguous));
    assert!(evidence.detail.contains("the public service was not asked"));
}

#[test]
fn another_rule_is_asked_only_if_the_first_cannot() {
    let rules = rules(PAIR);
    let network = sound(401, r#"{"error":"bad_key"}"#);
    let mut list = [pair(&[]), finding(&key(1), vec![place(&[])])];
    list[0].also = vec!["acmev-key".to_owned()];
    list[1].also = vec!["acmev-pair".to_owned()];
    let checks = run(&rules, &network, &mut list);
    assert!(list.iter().all(|f| f.validity == Validity::Inactive));
    assert!(list.iter().all(|f| f.evidence.as_ref().unwrap().rule == "acmev-key"));
    assert_eq!(checks.calls, 2);
}
