use super::super::fixture;
use super::*;
use crate::model::Coverage;
use serde_json::Value;

fn run(report: &Report<'_>, limits: Limits) -> Value {
    let mut out = Vec::new();
    write_within(report, limits, &mut out).unwrap();
    let mut log: Value = serde_json::from_slice(&out).unwrap();
    log["runs"][0].take()
}

fn report<'a>(findings: &'a [crate::model::Finding], coverage: &'a Coverage) -> Report<'a> {
    let veil = Box::leak(Box::new(super::super::Veil::new(findings)));
    let (started, finished) = Default::default();
    let category = "push";
    Report {
        findings,
        below: 0,
        coverage,
        lifecycle: None,
        checks: None,
        veil,
        started,
        finished,
        exit_code: 1,
        show_secrets: true,
        color: false,
        category,
    }
}

#[test]
fn each_place_is_a_result_with_a_stable_hash_of_its_own() {
    let (findings, coverage) = (fixture::findings(), fixture::coverage());
    let run = run(&report(&findings, &coverage), LIMITS);
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), findings.iter().map(|f| f.occurrences.len()).sum::<usize>());
    let mut seen = std::collections::HashSet::new();
    for r in results {
        let uri = r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
        let hash = r["partialFingerprints"]["primaryLocationLineHash"].as_str().unwrap();
        let (value, n) = hash.split_once(':').unwrap();
        assert!(value.len() == 16 && n.parse::<u64>().unwrap() >= 1, "{hash}");
        assert!(seen.insert(format!("{uri} {hash}")), "{uri} {hash}");
        assert!(uri.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b)), "{uri}");
        let rule = &run["tool"]["driver"]["rules"][r["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], r["ruleId"]);
    }
    let tag = findings[0].fingerprint.as_str().rsplit(':').next().unwrap();
    assert!(seen.contains(&format!("%3Dcmd%28%29 {}:2", &tag[..16])));
    assert!(seen.contains(&format!("stdin {}:1", &tag[..16])));
    assert!(seen.contains(&format!("inv%FFalid {}:1", &tag[..16])));
}

#[test]
fn regions_count_from_one_and_archives_have_none_of_their_members() {
    let (findings, coverage) = (fixture::findings(), fixture::coverage());
    let run = run(&report(&findings, &coverage), LIMITS);
    let of = |uri: &str| {
        let places = run["results"].as_array().unwrap().iter();
        let mut hits =
            places.filter(|r| r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri);
        hits.next().unwrap().clone()
    };
    let region = |r: &Value| r["locations"][0]["physicalLocation"]["region"].clone();
    let settings = of("app/settings.py");
    assert_eq!(region(&settings), json!({"startLine": 7, "startColumn": 10, "endLine": 9, "endColumn": 5}));
    let zip = of("dist.zip");
    assert_eq!(region(&zip)["startLine"], 1);
    let text = zip["message"]["text"].as_str().unwrap();
    assert!(text.contains("'in%1B%5B0m%7B0%7D%5Bx%5D(y).env' at line 12, column 10"), "{text}");
}

#[test]
fn acceptance_and_baseline_are_told() {
    let (findings, coverage) = (fixture::findings(), fixture::coverage());
    let run = run(&report(&findings, &coverage), LIMITS);
    let mut kinds = Vec::new();
    for r in run["results"].as_array().unwrap() {
        let list = r["suppressions"].as_array().unwrap();
        let kind = list.first().map_or("none", |s| s["kind"].as_str().unwrap());
        kinds.push((r["ruleId"].as_str().unwrap(), kind, r["baselineState"].as_str().unwrap()));
    }
    kinds.dedup();
    assert_eq!(
        kinds,
        [
            ("github-pat-classic", "none", "new"),
            ("aws-access-key", "inSource", "new"),
            ("aws-access-key", "none", "new"),
            ("acme-key", "none", "new"),
            ("generic-password", "none", "new"),
            ("gitlab-pat", "external", "unchanged"),
            ("openai-key", "inSource", "new"),
        ]
    );
    // Without any acceptance the property is absent everywhere, as the standard asks.
    let fresh = self::run(&report(&findings[..1], &coverage), LIMITS);
    assert!(fresh["results"].as_array().unwrap().iter().all(|r| r.get("suppressions").is_none()));
}

#[test]
fn the_run_says_what_was_not_read() {
    let (findings, coverage) = (fixture::findings(), fixture::coverage());
    let run = run(&report(&findings, &coverage), LIMITS);
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let notes = invocation["toolExecutionNotifications"].to_string();
    for part in ["skipped-unreadable", "secret%0A%3A%3Aerror%3A%3Ay", "skipped-broken", "skipped-excluded"] {
        assert!(notes.contains(part), "{part} in {notes}");
    }
    assert_eq!(run["automationDetails"]["id"], "push/");
    let clean = Coverage::default();
    let run = self::run(&Report { exit_code: 0, ..report(&[], &clean) }, LIMITS);
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
}

#[test]
fn a_cut_keeps_every_value_and_is_told() {
    let coverage = Coverage::default();
    let mut findings = fixture::findings();
    let extra = findings[0].occurrences[0].clone();
    findings[0].occurrences.extend(std::iter::repeat_n(extra, 40));
    let ids = |run: &Value| {
        let results = run["results"].as_array().unwrap();
        let ids: Vec<_> = results.iter().map(|r| r["ruleId"].as_str().unwrap().to_owned()).collect();
        (results.len(), ids.into_iter().collect::<std::collections::BTreeSet<_>>().len())
    };
    let by_count = run(&report(&findings, &coverage), Limits { results: 10, ..LIMITS });
    // The two accepted ones come last and find no room.
    assert_eq!(ids(&by_count), (10, 4));
    let text =
        by_count["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
    assert!(text.starts_with("Only 10 of 56 results are listed"), "{text}");

    let by_bytes = run(&report(&findings, &coverage), Limits { bytes: 16_000, ..LIMITS });
    let (written, _) = ids(&by_bytes);
    assert!((1..56).contains(&written), "{written}");
    let text =
        by_bytes["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
    assert!(text.starts_with(&format!("Only {written} of 56 ")), "{text}");
}

#[test]
fn absolute_paths_are_file_uris() {
    let p = Provenance::file(crate::model::RawPath::new(b"/a b/c"));
    let a = artifact(&p, p.path.as_bytes());
    assert_eq!((a.uri.as_str(), a.uri_base_id), ("file:///a%20b/c", None));
}

#[test]
fn categories_end_in_a_slash() {
    assert_eq!(["", "a", "a/b/"].map(automation), ["keywheel/", "a/", "a/b/"]);
}
