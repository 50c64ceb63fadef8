//! What holds for every format, and what each says about the common fixture.

use super::fixture::{coverage, findings, secrets};
use super::*;
use crate::model::{By, Coverage, Provenance, RawPath, SkipReason, Skipped, Status, Validity};
use serde_json::Value;

const START: Timestamp = Timestamp::constant(1_767_323_045, 0);
const END: Timestamp = Timestamp::constant(1_767_323_107, 999_999_999);

fn render(name: &str, findings: &[Finding], change: impl FnOnce(&mut Report<'_>)) -> String {
    let (coverage, veil) = (coverage(), Veil::new(findings));
    let mut report = Report {
        findings,
        below: 4,
        coverage: &coverage,
        lifecycle: None,
        checks: None,
        veil: &veil,
        started: START,
        finished: END,
        exit_code: 1,
        show_secrets: false,
        color: false,
        category: "push",
    };
    change(&mut report);
    let mut out = Vec::new();
    by_name(name).unwrap().write(&report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn shown(name: &str) -> String {
    render(name, &findings(), |_| {})
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn formats_have_distinct_names_by_which_they_are_found() {
    let names: Vec<_> = FORMATS.iter().map(|f| f.name()).collect();
    assert_eq!(names, ["text", "json", "jsonl", "sarif", "csv", "junit", "markdown", "github", "gitlab"]);
    assert!(by_name("html").is_none());
}

#[test]
fn no_format_writes_a_secret_unasked() {
    for format in FORMATS {
        let text = shown(format.name());
        for secret in secrets() {
            assert!(!text.contains(&secret), "{} writes {secret}", format.name());
        }
        assert!(!text.contains("partner-value"), "{}", format.name());
    }
}

#[test]
fn secrets_are_written_when_asked_and_only_where_allowed() {
    for format in FORMATS {
        let text = render(format.name(), &findings(), |r| r.show_secrets = true);
        let allowed = ["text", "json", "jsonl", "csv"].contains(&format.name());
        for secret in secrets() {
            assert_eq!(text.contains(&secret), allowed, "{} and {secret}", format.name());
        }
        assert!(!text.contains("partner-value"), "{}", format.name());
    }
}

#[test]
fn nothing_acts_on_a_terminal_or_a_build_log() {
    for format in FORMATS {
        let text = shown(format.name());
        for line in text.lines() {
            let odd = line.trim_end_matches('\r').chars().find(|c| escape::unprintable(*c));
            assert!(odd.is_none(), "{}: {line:?}", format.name());
            assert!(!line.contains("##[") && !line.contains("##vso["), "{}: {line}", format.name());
            let command = line.trim_start().starts_with("::");
            assert!(!command || format.name() == "github", "{}: {line}", format.name());
        }
    }
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    for format in FORMATS {
        assert_eq!(shown(format.name()), shown(format.name()));
    }
}

#[test]
fn every_format_can_say_that_there_is_nothing() {
    let clean = Coverage { blobs: 3, bytes: 10, ..Coverage::default() };
    for format in FORMATS {
        let (name, none) = (format.name(), []);
        let empty = Report {
            findings: &none,
            below: 0,
            coverage: &clean,
            lifecycle: None,
            checks: None,
            veil: &Veil::default(),
            started: START,
            finished: END,
            exit_code: 0,
            show_secrets: false,
            color: true,
            category: "",
        };
        let mut out = Vec::new();
        format.write(&empty, &mut out).unwrap();
        assert_eq!(out.is_empty(), name == "jsonl", "{name}");
        if ["json", "sarif", "gitlab"].contains(&name) {
            serde_json::from_slice::<Value>(&out).unwrap();
        }
    }
}

#[test]
fn a_failing_sink_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (findings, coverage) = (findings(), coverage());
    let veil = Veil::new(&findings);
    let report = Report {
        findings: &findings,
        below: 0,
        coverage: &coverage,
        lifecycle: None,
        checks: None,
        veil: &veil,
        started: START,
        finished: END,
        exit_code: 1,
        show_secrets: false,
        color: false,
        category: "",
    };
    for format in FORMATS {
        let error = format.write(&report, &mut Full).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{}", format.name());
    }
}

#[test]
fn text_says_what_where_and_what_next() {
    let text = shown("text");
    has(
        &text,
        &[
            "CRITICAL GitHub personal access token (classic) · GitHub · ghp_…\n  at        a\\u{a}::error::x:1:10\n",
            "        1 | token = \"ghp_…\" # 漢 line 1\n          |          ^^^^^\n",
            "  and at    inv\\xffalid:4:10\n",
            "            and 3 more\n",
            "  validity  active, restricted (owner <b>@you</b>\\u{a}::error::ghp_…): proved by 403 from evil\\u{1b}.example at \
             2026-01-02T03:04:05Z, as restricted[0], from the cache · new · confidence high\n",
            "  access    admin: makes and deletes keys (scopes <i>all</i>\\u{a}::error::ghp_…)\n",
            "  validity  unknown, the provider asked to slow down: 429 from api.example.org at 2026-01-02T03:04:05Z · known",
            "  next      it works: rotate and revoke it now at https://docs.example.org/keys?a=1&b=2, then remove it here\n",
            "  at        app/settings.py:7:10\n",
            "  within    base64, gzip\n  with      account on line 8\n  and at    app/other.py:1:10 (suppressed)\n",
            "  accepted  baseline: rotated in May (ann@example.org; until 2027-01-01)\n",
            "  note      a well-known development default; short or regular enough to be guessed\n",
            "6 findings in 16 places: 1 critical, 2 high, 1 medium, 1 low, 1 info\n",
            "  4 new, 1 known (baseline), 1 suppressed (inline 1), 1 proved active, 1 of unknown validity, 1 place of the new ones accepted\n",
            "  4 weaker findings not listed: ",
            "Read 120 files and archive members, 3.4 MB.\n",
            "The scan is incomplete: 2 items were not read whole",
            "  unreadable 1: check permissions\n    secret\\u{a}::error::y: Permission denied (os error 13)\n",
        ],
    );
    // An excerpt that still holds the value is not shown at all.
    assert!(!text.contains("left raw by mistake"));
    assert!(!text.contains('\x1b'));
}

#[test]
fn text_colours_only_when_told() {
    let text = render("text", &findings(), |r| r.color = true);
    has(&text, &["\x1b[1;97;41mCRITICAL\x1b[0m", "|          \x1b[1;31m^^^^^\x1b[0m"]);
    let opened = text.matches("\x1b[").count();
    assert_eq!(opened, 2 * text.matches("\x1b[0m").count());
}

#[test]
fn json_is_one_versioned_document() {
    let doc: Value = serde_json::from_str(&shown("json")).unwrap();
    assert_eq!(doc["version"], 1);
    assert_eq!(doc["summary"]["by_severity"]["high"], 2);
    assert_eq!(doc["summary"]["below_gate"], 4);
    assert_eq!(doc["coverage"]["complete"], false);
    let first = &doc["findings"][0];
    assert_eq!(first["validity"], "active-restricted");
    assert_eq!(first["evidence"]["status"], 403);
    assert_eq!(first["evidence"]["at"], "2026-01-02T03:04:05Z");
    assert_eq!(first["access"]["level"], "admin");
    let known = doc["findings"].as_array().unwrap().iter().find(|f| f["rule"] == "gitlab-pat").unwrap();
    assert_eq!((&known["validity"], &known["unknown_because"]), (&"unknown".into(), &"rate-limited".into()));
    let trap = doc["findings"].as_array().unwrap().iter().find(|f| f["rule"] == "generic-password").unwrap();
    assert_eq!(trap["not_checked_because"], "development");
    assert_eq!(first["occurrences"].as_array().unwrap().len(), 9);
    assert_eq!(first["occurrences"][8]["members"][0], "in\\u{1b}[0m{0}[x](y).env");
    assert_eq!(doc["findings"][2]["acceptance"]["owner"], "ann@example.org");
    assert!(first.get("secret").is_none());
}

#[test]
fn jsonl_is_one_flat_line_a_place() {
    let lines: Vec<Value> = shown("jsonl").lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 16);
    let promised = [
        "path",
        "line",
        "end_line",
        "start",
        "end",
        "rule",
        "provider",
        "fingerprint",
        "severity",
        "confidence",
        "validity",
        "status",
        "via",
    ];
    for line in &lines {
        for field in promised {
            assert!(line.get(field).is_some(), "{field} in {line}");
        }
        assert!(line.get("secret").is_none());
    }
    assert_eq!(lines[9]["status"], "suppressed");
    assert_eq!(
        (&lines[10]["line"], &lines[10]["start"], &lines[10]["end"]),
        (&7.into(), &9.into(), &4.into())
    );
    assert_eq!(lines[10]["via"], serde_json::json!(["base64", "gzip"]));
    let open = render("jsonl", &findings(), |r| r.show_secrets = true);
    let first: Value = serde_json::from_str(open.lines().next().unwrap()).unwrap();
    assert_eq!(first["secret"], secrets()[0]);
}

#[test]
fn a_secret_that_is_no_text_is_written_losslessly() {
    let mut findings = findings();
    findings[0].secret = crate::model::Secret::new(b"a\xff\\b");
    let line = render("jsonl", &findings, |r| r.show_secrets = true);
    let first: Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    assert_eq!((&first["secret"], &first["secret_encoding"]), (&"a\\xff\\\\b".into(), &"escaped".into()));
}

#[test]
fn csv_rows_are_whole_and_harmless() {
    let text = shown("csv");
    let rows: Vec<_> = text.split("\r\n").collect();
    assert_eq!(rows.len(), 1 + 16 + 1);
    for row in &rows[..17] {
        assert_eq!(row.matches("\",\"").count(), 20, "{row}");
        assert!(!row.contains("\"=") && !row.contains("\"@"), "{row}");
    }
    has(&text, &["\"'=cmd()\"", "\"stdin\"", "\"app/settings.py\",\"\",\"7\",\"10\",\"9\",\"5\""]);
}

#[test]
fn junit_counts_agree_with_its_cases() {
    let text = shown("junit");
    has(
        &text,
        &[
            "<testsuite name=\"keywheel\" tests=\"18\" failures=\"11\" errors=\"2\" skipped=\"4\" time=\"0\">",
            "&lt;script&gt;alert(1)&lt;/script&gt;:3:10",
            "<skipped message=\"known, accepted by baseline: rotated in May (ann@example.org; until 2027-01-01)\"/>",
        ],
    );
    for (element, n) in
        [("<testcase ", 18), ("<failure ", 11), ("<error ", 2), ("<skipped ", 4), ("<system-out>", 1)]
    {
        assert_eq!(text.matches(element).count(), n, "{element}");
    }
}

#[test]
fn markdown_has_one_row_a_finding_and_no_foreign_markup() {
    let text = shown("markdown");
    assert_eq!(text.lines().filter(|l| l.starts_with("| ")).count(), 1 + 6);
    for row in text.lines().filter(|l| l.starts_with("| ")) {
        assert_eq!(row.matches('|').count(), 7, "{row}");
    }
    let foreign = text
        .replace("<code>", "")
        .replace("</code>", "")
        .replace("<span>@</span>", "")
        .replace("(<https://docs", "");
    assert!(!foreign.contains('<') && !foreign.contains('@') && !foreign.contains('`'), "{foreign}");
    has(&text, &["**The scan is incomplete: 2 items", "4 weaker findings not listed"]);
}

#[test]
fn a_summary_fits_however_long_the_names_are() {
    let mut one = findings().remove(1);
    let mut many = vec![one.clone()];
    one.occurrences = vec![super::fixture::at(&b"&".repeat(60_000), 1)];
    many.extend(std::iter::repeat_n(one, 12));
    let mut coverage = Coverage::default();
    for n in 0..40 {
        let provenance = crate::model::Provenance::file(crate::model::RawPath::new(&[b'&'; 60_000]));
        let detail = format!("no. {n}");
        coverage.skip(crate::model::Skipped { provenance, reason: crate::model::SkipReason::Broken, detail });
    }
    let coverage: &'static Coverage = Box::leak(Box::new(coverage));
    let text = render("markdown", &many, |report| report.coverage = coverage);
    assert!(text.len() < 900 << 10, "{} bytes", text.len());
    has(&text, &["app/settings.py", "3 of 13 findings are listed", "- broken 40", "incomplete"]);
}

#[test]
fn github_shows_no_line_of_what_is_no_file() {
    use crate::model::{Held, ObjectId, Origin, Provenance, RawPath};
    let mut list = findings();
    list.truncate(1);
    let origin = |held| Origin {
        held,
        object: ObjectId::NULL,
        commit: None,
        reachable: true,
        at_head: true,
        also_at: vec![],
    };
    let mut annotated = |held| {
        let place = Provenance::history(RawPath::new(b"a/b"), origin(held));
        list[0].occurrences[0].provenance = std::sync::Arc::new(place);
        render("github", &list, |_| {})
    };
    has(&annotated(Held::Blob), &["::error file=a/b,line=1,"]);
    for held in [Held::Commit, Held::Tag, Held::Name, Held::Ref] {
        has(&annotated(held), &["::error title="]);
    }
}

#[test]
fn github_annotates_the_ten_worst_that_count() {
    let text = shown("github");
    let commands: Vec<_> = text.lines().filter(|l| l.starts_with("::")).collect();
    // Four new findings and the warning that the scan is incomplete.
    assert_eq!(commands.len(), 5, "{text}");
    assert!(
        commands[0].starts_with(
            "::error file=a\\u{a}%3A%3Aerror%3A%3Ax,line=1,endLine=1,col=10,endColumn=50,title="
        )
    );
    assert!(
        commands[1]
            .starts_with("::error file=app/settings.py,line=7,endLine=9,title=AWS access key (high)::")
    );
    assert!(commands[3].starts_with("::notice "));
    let one = findings().remove(0);
    let many: Vec<_> = std::iter::repeat_n(one, 12).collect();
    let text = render("github", &many, |_| {});
    assert_eq!(text.lines().filter(|l| l.starts_with("::error ")).count(), 10);
    has(&text, &["the 10 worst of 12 new findings"]);
}

#[test]
fn gitlab_lists_what_counts_and_counts_the_rest() {
    let doc: Value = serde_json::from_str(&shown("gitlab")).unwrap();
    let list = doc["vulnerabilities"].as_array().unwrap();
    assert_eq!(list.len(), 12);
    let ids: std::collections::BTreeSet<_> = list.iter().map(|v| v["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 12);
    assert_eq!(list[0]["severity"], "Critical");
    assert_eq!(list[7]["location"]["file"], "stdin");
    assert_eq!(doc["scan"]["status"], "failure");
    has(&doc["scan"]["messages"].to_string(), &["4 accepted places not listed", "unreadable 1"]);
    assert!(list.iter().all(|v| v.get("raw_source_code_extract").is_none()));
}

#[test]
fn a_working_key_never_looks_accepted_while_it_counts() {
    let mut list = findings();
    list.truncate(2);
    // Each place is accepted, yet the finding still counts: the gate overruled the comments.
    list[1].occurrences[1].suppression = list[1].occurrences[0].suppression.clone();
    for validity in
        [Validity::default(), Validity::Active { restricted: false, identity: Default::default() }]
    {
        list[1].validity = validity;
        let lines = render("jsonl", &list, |_| {});
        assert!(!lines.contains("\"status\":\"suppressed\""));
        let sarif: Value = serde_json::from_str(&render("sarif", &list, |_| {})).unwrap();
        for result in sarif["runs"][0]["results"].as_array().unwrap() {
            assert!(result.get("suppressions").is_none_or(|s| s == &serde_json::json!([])));
        }
    }
}

#[test]
fn no_name_or_reason_shows_what_another_place_holds() {
    let mut findings = findings();
    let keys = secrets();
    let path = format!("dumps/{}.env", keys[0]);
    let mut other = fixture::at(path.as_bytes(), 3);
    let inner = RawPath::new(keys[1].as_bytes());
    other.provenance = std::sync::Arc::new(other.provenance.member(inner));
    other.excerpt.text.push_str(&keys[3]);
    other.suppression = Some(fixture::by(By::Inline, &format!("like {}", keys[5])));
    findings[2].occurrences.push(other);
    findings[2].status = Status::New;
    let mut coverage = Coverage::default();
    for reason in [SkipReason::Unreadable, SkipReason::Excluded] {
        let provenance =
            Provenance::file(RawPath::new(path.as_bytes())).member(RawPath::new(keys[1].as_bytes()));
        coverage.skip(Skipped { provenance, reason, detail: format!("open {}", keys[5]) });
    }
    let coverage: &'static Coverage = Box::leak(Box::new(coverage));
    for format in FORMATS {
        let text = render(format.name(), &findings, |r| r.coverage = coverage);
        for key in keys.iter().filter(|k| k.len() >= 16) {
            assert!(!text.contains(key), "{} writes {key}:\n{text}", format.name());
        }
    }
}

#[test]
fn gitlab_has_the_times_it_was_given() {
    let report: Value = serde_json::from_str(&shown("gitlab")).unwrap();
    assert_eq!(report["scan"]["start_time"], "2026-01-02T03:04:05");
    assert_eq!(report["scan"]["end_time"], "2026-01-02T03:05:07");
}

#[test]
fn every_format_shows_a_verdict_with_its_evidence() {
    for format in FORMATS {
        let text = shown(format.name());
        for part in ["403", "example", "restricted[0]", "2026-01-02T03:04:05Z", "makes and deletes keys"] {
            // Markup has its own way with some signs.
            let plain = text.replace("&#58;", ":").replace("&#91;", "[").replace("&#93;", "]");
            let there = plain.replace("%5B", "[").replace("%5D", "]").contains(part);
            assert!(there, "{} lacks {part}", format.name());
        }
    }
}

#[test]
fn what_checks_say_of_themselves_is_reported() {
    let notice = format!("host\u{1b}x takes a made-up credential; {}", secrets()[0]);
    let checks = Checks { calls: 12, controls: 1, reads: 2, cached: 3, notices: vec![notice] };
    let checks: &'static Checks = Box::leak(Box::new(checks));
    for name in ["text", "json", "sarif", "markdown", "github", "gitlab"] {
        let text = render(name, &findings(), |r| r.checks = Some(checks));
        assert!(text.contains("takes a made-up credential"), "{name}");
        assert!(!text.contains(&secrets()[0]) && !text.contains('\x1b'), "{name}");
    }
    has(
        &render("text", &findings(), |r| r.checks = Some(checks)),
        &["Asked providers in 12 calls, 1 control, 2 reads of rights; 3 verdicts from the cache.\n"],
    );
}
