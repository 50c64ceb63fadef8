//! Findings that try to break out of every format.

use crate::model::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names that act on some sink.
pub(super) const HOSTILE: &[&[u8]] = &[
    b"a\n::error::x",
    b"=cmd()",
    b"<script>alert(1)</script>",
    b"inv\xffalid",
    b"src/a b#[1]%41,c:d.py",
    b"##[error]`|@you\x1b[31m\xc2\x9b\xe2\x80\xae",
];

/// The values, put together here so that no key-shaped literal stands in the repository.
pub(super) fn secrets() -> Vec<String> {
    let tail = |c: &str, n| c.repeat(n);
    vec![
        format!("ghp_{}", tail("a1B2", 9)),
        format!("AKIA{}", tail("Q7ZT", 4)),
        format!("sk-{}", tail("x9Kq", 11)),
        format!("glpat-{}", tail("w3Np", 5)),
        "postgres-dev-value".to_owned(),
        format!("acme_{}", tail("d4E5", 10)),
    ]
}

pub(super) fn rule(id: &str, name: &str, provider: &str, provider_name: &str, docs: &str) -> Arc<RuleRef> {
    Arc::new(RuleRef {
        id: id.into(),
        name: name.into(),
        provider: provider.into(),
        provider_name: provider_name.into(),
        class: Class::Structured,
        docs: docs.into(),
    })
}

pub(super) fn at(path: &[u8], line: u64) -> Occurrence {
    let text = format!("token = \"ghp_…\" # 漢 line {line}");
    let start = text.find("ghp_").unwrap_or(0);
    Occurrence {
        provenance: Arc::new(Provenance::file(RawPath::new(path))),
        location: Location { byte_start: 9, byte_end: 49, line, end_line: line, start: 9, end: 49 },
        via: vec![],
        excerpt: Excerpt { mark: start..start + "ghp_…".len(), text },
        partners: vec![],
        suppression: None,
        versions: 1,
    }
}

pub(super) fn by(by: By, reason: &str) -> Suppression {
    Suppression { by, reason: reason.into(), owner: "ann@example.org".into(), until: "2027-01-01".into() }
}

pub(super) fn finding(
    secret: &str,
    rule: Arc<RuleRef>,
    severity: Severity,
    occurrences: Vec<Occurrence>,
) -> Finding {
    Finding {
        fingerprint: FingerprintKey::default().fingerprint(secret.as_bytes()),
        rule,
        also: vec![],
        severity,
        confidence: Confidence::High,
        validity: Validity::default(),
        evidence: None,
        access: None,
        status: Status::New,
        secret: Secret::new(secret.as_bytes()),
        notes: vec![],
        occurrences,
    }
}

pub(super) fn findings() -> Vec<Finding> {
    let s = secrets();
    let docs = "https://docs.example.org/keys?a=1&b=2";
    let github =
        rule("github-pat-classic", "GitHub personal access token (classic)", "github", "GitHub", docs);

    let mut places: Vec<_> = HOSTILE.iter().enumerate().map(|(i, p)| at(p, i as u64 + 1)).collect();
    places.push(at(b"=cmd()", 90));
    places.push(at(b"-", 3));
    let mut member = at(b"dist.zip", 12);
    member.provenance = Arc::new(member.provenance.member(RawPath::new(b"in\x1b[0m{0}[x](y).env")));
    places.push(member);
    places[2].excerpt = Excerpt { text: "\x1b]0;x\x07 ::warning::y <b> \u{202e}ghp_…".into(), mark: 0..0 };
    let mut active = finding(&s[0], github, Severity::Critical, places);
    active.validity = Validity::Active {
        restricted: true,
        identity: BTreeMap::from([("owner".into(), format!("<b>@you</b>\n::error::{}", s[0]))]),
    };
    active.evidence = Some(Box::new(Evidence {
        rule: "github-pat-classic".into(),
        status: Some(403),
        expectation: "restricted[0]".into(),
        host: "evil\u{1b}.example".into(),
        at: 1_767_323_045,
        cached: true,
        detail: String::new(),
    }));
    active.access = Some(Box::new(Access {
        grade: Some(Grade { level: Level::Admin, means: "makes and deletes keys".into() }),
        facts: BTreeMap::from([("scopes".into(), format!("<i>all</i>\n::error::{}", s[0]))]),
    }));
    active.notes = vec![Note::ChecksumHolds];
    active.also = vec!["generic-token".into()];

    let mut paired = at(b"app/settings.py", 7);
    paired.via = vec![Encoding::Base64, Encoding::Gzip];
    paired.location.end_line = 9;
    paired.location.end = 4;
    paired.partners =
        vec![Partner { name: "account".into(), value: Secret::new(b"partner-value-001"), line: 8 }];
    let aws = rule("aws-access-key", "AWS access key", "aws", "Amazon Web Services", "javascript:alert(1)");
    let mut second = at(b"app/other.py", 1);
    second.suppression = Some(by(By::Inline, "a sample"));
    let paired = finding(&s[1], aws, Severity::High, vec![second, paired]);

    let mut inline = at(b"tests/test_api.py", 4);
    let words = by(By::Inline, &format!("=1+1 <i>old</i> {} \n::error::z", s[2]));
    inline.suppression = Some(words.clone());
    let openai = rule("openai-key", "OpenAI key", "openai", "OpenAI", "");
    let mut suppressed = finding(&s[2], openai, Severity::Medium, vec![inline]);
    suppressed.status = Status::Suppressed(words);
    suppressed.notes = vec![Note::TestPath];

    let gitlab = rule("gitlab-pat", "GitLab personal access token", "gitlab", "GitLab", docs);
    let mut known = finding(&s[3], gitlab, Severity::High, vec![at(b"old.cfg", 2), at(b"old.cfg", 5)]);
    known.status = Status::Known(by(By::Baseline, "rotated in May"));
    known.validity = Validity::Unknown(Unknown::RateLimited);
    known.evidence = Some(Box::new(Evidence {
        rule: "gitlab-pat".into(),
        status: Some(429),
        host: "api.example.org".into(),
        at: 1_767_323_045,
        ..Evidence::default()
    }));

    let generic = rule("generic-password", "Password", "generic", "Generic", "");
    let mut sample = finding(&s[4], generic, Severity::Info, vec![at(b"compose.yml", 11)]);
    sample.notes = vec![Note::DevelopmentDefault, Note::Guessable];
    sample.confidence = Confidence::Low;
    sample.validity = Validity::NotChecked(Unchecked::Development);

    let odd = rule("acme-key", "A|b](c) {0} <u>\n::error::x", "acme", "=Acme, `Inc`", docs);
    let path = format!("keys/{}.txt", s[5]);
    let mut named = finding(&s[5], odd, Severity::Low, vec![at(path.as_bytes(), 1)]);
    named.occurrences[0].excerpt.text = format!("left raw by mistake: {}", s[5]);
    named.validity = Validity::Inactive;

    vec![active, paired, known, suppressed, named, sample]
}

pub(super) fn coverage() -> Coverage {
    let mut c = Coverage { blobs: 120, bytes: 3_456_789, ..Coverage::default() };
    for (path, reason, detail) in [
        (b"secret\n::error::y".as_slice(), SkipReason::Unreadable, "Permission denied (os error 13)"),
        (b"b<ad>.zip", SkipReason::Broken, "bad\x1b[2Jheader"),
        (b"vendor", SkipReason::Excluded, ""),
    ] {
        let provenance = Provenance::file(RawPath::new(path));
        c.skip(Skipped { provenance, reason, detail: detail.into() });
    }
    c.settle();
    c
}
