//! The structured half of the own set: every kind of key that a rule names, under the names that people give it, in the
//! lines of many file types, none of which is a rule's own example; and what is shaped like such keys and is none.

use super::Random;
use keywheel::detect::{Detector, Workspace};
use keywheel::model::{Class, Confidence};
use keywheel::rule::analyse::Gate;
use keywheel::rule::{self, Rule, RuleSet, checksum, embedded_texts, example};
use keywheel::scan::eval::{Label, Options, Report, score};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// How often each kind is drawn: other values under other names in other files.
const DRAWS: usize = 12;
/// Floor under F1 of all, and under the share that is reported by a rule of the provider.
const FLOOR: f64 = 0.99;
const FLOOR_NAMED: f64 = 0.97;

/// Files with lines for one key: `{N}` its name in capitals, `{n}` in lower case, `{c}` in camelCase, `{k}` with dashes,
/// `{v}` the value.
const FILES: &[(&str, &[&str])] = &[
    ("deploy/.env", &["{N}={v}", "export {N}=\"{v}\"", "{N}='{v}' # rotated in May"]),
    ("app/settings.py", &["{N} = \"{v}\"", "    \"{n}\": '{v}',", "client = Client({n}=\"{v}\")"]),
    ("src/config.js", &["const {c} = '{v}';", "  {c}: \"{v}\",", "process.env.{N} = `{v}`;"]),
    ("src/service.ts", &["  private readonly {c}: string = \"{v}\";", "export const {N} = '{v}';"]),
    ("config/values.yaml", &["{n}: {v}", "  {c}: \"{v}\"", "    - name: {N}\n      value: \"{v}\""]),
    ("config/app.json", &["  \"{c}\": \"{v}\",", "{\"{n}\":\"{v}\",\"retries\":3}"]),
    ("conf/application.properties", &["{n}={v}", "app.{k}={v}"]),
    ("infra/main.tf", &["  {n} = \"{v}\"", "variable \"{n}\" { default = \"{v}\" }"]),
    ("cmd/main.go", &["\t{c} := \"{v}\"", "const {N} = \"{v}\"", "\tos.Setenv(\"{N}\", \"{v}\")"]),
    (
        "src/App.java",
        &["    private static final String {N} = \"{v}\";", "    config.put(\"{k}\", \"{v}\");"],
    ),
    ("Program.cs", &["    const string {N} = \"{v}\";", "    options[\"{c}\"] = \"{v}\";"]),
    ("lib/boot.rb", &["ENV['{N}'] = '{v}'", "config.{n} = \"{v}\""]),
    ("web/config.php", &["define('{N}', '{v}');", "    '{n}' => '{v}',"]),
    ("scripts/run.sh", &["export {N}={v}", "{N}=\"{v}\" ./serve", "docker run -e {N}={v} acme/app"]),
    ("Dockerfile", &["ENV {N}={v}", "ARG {N}=\"{v}\""]),
    ("notes/setup.md", &["`{N}={v}`", "- {N}: {v}"]),
    ("config/app.ini", &["{n} = {v}", "{N}={v}"]),
    ("src/main.rs", &["const {N}: &str = \"{v}\";", "    std::env::set_var(\"{N}\", \"{v}\");"]),
    ("nb/run.ipynb", &["    \"os.environ['{N}'] = '{v}'\\n\",", "    \"{n} = \\\"{v}\\\"\\n\","]),
    ("logs/app.log", &["2026-03-01T10:00:00Z INFO loaded {N}={v} from env"]),
];

/// What is no key, whatever stands beside it.
const BLANKS: &[&str] = &[
    "${{N}}",
    "<{k}>",
    "your-{k}-here",
    "{{ secrets.{N} }}",
    "$(cat /run/secrets/{n})",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "********************************",
    "process.env.{N}",
    "changeme",
    "None",
];

/// Lines of no key at all, with values that are drawn as keys are.
const OTHERS: &[(&str, &str)] = &[
    ("go.sum", "github.com/acme/lib v1.4.2 h1:{b43}="),
    ("yarn.lock", "  integrity sha512-{b86}=="),
    ("Cargo.lock", "checksum = \"{h64}\""),
    ("data/map.json", "{\"commit\":\"{h40}\",\"etag\":\"{h32}\"}"),
    ("logs/app.log", "2026-03-01T10:00:00Z INFO request_id={u} trace={h32} took 12ms"),
    ("src/ids.ts", "export const NAMESPACE = '{u}';"),
    ("web/index.html", "<script src=\"/app.{h20}.js\" integrity=\"sha256-{b43}=\"></script>"),
    ("ci/build.yml", "      - uses: actions/checkout@{h40}"),
    ("docs/hash.md", "The digest of the image is sha256:{h64}."),
    ("src/palette.css", ".a { background: url(data:image/png;base64,{b200}) }"),
];

/// A kind of key, as its rule's file describes it.
struct Kind {
    provider: String,
    rule: Rule,
    group: &'static str,
}

/// Every kind that the default gate reports, with how it can be told from other text.
fn kinds(rules: &RuleSet) -> Vec<Kind> {
    let mut out = Vec::new();
    for (name, text) in embedded_texts() {
        let file = rule::parse(Path::new(name), text).unwrap();
        for rule in file.rule {
            let kind = &rules.kinds()[rules.position(&rule.id).unwrap()];
            let said = rule.class == Class::Structured && rule.confidence >= Confidence::Medium;
            // The unnamed have the other half of the set; what needs a certain file or text has its examples.
            if !said || file.provider.id == "generic" || kind.text.is_some() || !kind.paths.is_empty() {
                continue;
            }
            let group = match kind.analysis.gate {
                _ if kind.block => "block",
                Gate::Partner => "paired",
                _ if kind.context.is_some() => "named",
                _ if alone(&rule) => "shaped",
                _ => "form",
            };
            out.push(Kind { provider: file.provider.id.clone(), rule, group });
        }
    }
    out
}

/// Whether the values of a rule are told by themselves, as a token is, and not by the text around them, as a URL's
/// password is.
fn alone(rule: &Rule) -> bool {
    let pattern = regex::bytes::RegexBuilder::new(&rule.pattern).unicode(false).build().unwrap();
    let algorithm = rule.checksum.as_ref().and_then(|c| checksum::by_name(&c.algorithm));
    let made = example::expand(&rule.matches[0], algorithm, 1).unwrap();
    pattern.is_match(&[b"\"", &made.value[..], b"\""].concat())
}

fn named(line: &str, name: &str, value: &str) -> String {
    let words: Vec<String> = name.split('_').filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
    let mut camel = String::new();
    for (i, word) in words.iter().enumerate() {
        camel += &if i == 0 { word.clone() } else { word[..1].to_uppercase() + &word[1..] };
    }
    line.replace("{N}", name)
        .replace("{n}", &words.join("_"))
        .replace("{c}", &camel)
        .replace("{k}", &words.join("-"))
        .replace("{v}", value)
}

/// The set: by path its text and labels. A label's class is the group, the provider and the rule.
#[derive(Default)]
struct Set(BTreeMap<String, (String, Vec<Label>)>);

impl Set {
    /// Adds lines and labels the place of `value` in them, or the whole of them as no secret.
    fn add(&mut self, path: &str, body: &str, value: Option<&str>, class: &str) {
        let (text, labels) = self.0.entry(path.to_owned()).or_default();
        let first = text.matches('\n').count() + 1;
        let label = |line, start, end| Label {
            path: path.to_owned(),
            line,
            start,
            end,
            class: class.to_owned(),
            secret: value.is_some(),
        };
        match value.map(|value| body.find(value).unwrap()) {
            Some(at) => {
                let line = body[..at].rfind('\n').map_or(0, |n| n + 1);
                let end = at - line + value.map_or(0, |v| v.lines().next().unwrap().len());
                labels.push(label(first + body[..at].matches('\n').count(), Some(at - line), Some(end)));
            }
            None => labels.extend((0..=body.matches('\n').count()).map(|n| label(first + n, None, None))),
        }
        text.push_str(body);
        // What is near is not read as one.
        text.push_str("\n\n\n");
    }

    fn score(&self, detector: &Detector) -> Report {
        let (mut report, mut work) = (Report::default(), Workspace::default());
        for (path, (text, labels)) in &self.0 {
            // Every line has a label but those beside the key of a rule's example, where its other parts stand.
            let options = Options { floor: Confidence::Medium, labelled_only: true };
            score(&mut report, detector, options, path, text.as_bytes(), labels, &mut work);
        }
        report
    }
}

fn set(rules: &RuleSet) -> Set {
    let mut set = Set::default();
    for Kind { provider, rule, group } in kinds(rules) {
        let algorithm = rule.checksum.as_ref().and_then(|c| checksum::by_name(&c.algorithm));
        let mut random =
            Random(rule.id.bytes().fold(7, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)));
        for draw in 0..DRAWS {
            let text = &rule.matches[random.below(rule.matches.len())];
            let made = example::expand(text, algorithm, random.below(1 << 40) as u64).unwrap();
            let value = String::from_utf8_lossy(&made.value).into_owned();
            let class = format!("{group} {provider} {}", rule.id);
            // Files of their own, so that no other key's name or value stands near.
            let (path, lines) = FILES[random.below(FILES.len())];
            let path = format!("{}/{draw}/{path}", rule.id);
            // A key that is told by what stands beside it stands there as in its example, whose value is drawn anew.
            let own = !rule.with.is_empty()
                || rule.block
                || ["paired", "form"].contains(&group)
                || made.text.contains(&b'\n');
            let plain = made.text[made.secret.clone()] == made.value[..];
            if own || !plain || group == "named" && rule.env.is_empty() {
                let shown = String::from_utf8_lossy(&made.text[made.secret.clone()]).into_owned();
                set.add(&path, &String::from_utf8_lossy(&made.text), Some(&shown), &class);
                continue;
            }
            let name = match rule.env.len() {
                0 => "API_KEY",
                n => &rule.env[random.below(n)],
            };
            let line = lines[random.below(lines.len())];
            set.add(&path, &named(line, name, &value), Some(&value), &class);
            let blank = named(BLANKS[random.below(BLANKS.len())], name, "");
            set.add(&path, &named(line, name, &blank), None, "blank");
        }
    }
    let mut random = Random(11);
    for n in 0..600 {
        let (path, line) = OTHERS[n % OTHERS.len()];
        let mut line = line.to_owned();
        for (hole, alphabet, len) in [
            ("{b43}", super::B64, 43),
            ("{b86}", super::B64, 86),
            ("{b200}", super::B64, 200),
            ("{h20}", super::HEX, 20),
            ("{h32}", super::HEX, 32),
            ("{h40}", super::HEX, 40),
            ("{h64}", super::HEX, 64),
        ] {
            line = line.replace(hole, &random.text(alphabet, len));
        }
        let id = [8, 4, 4, 4, 12].map(|n| random.text(super::HEX, n)).join("-");
        set.add(&format!("other/{n}/{path}"), &line.replace("{u}", &id), None, "other");
    }
    set
}

/// Writes the set to a folder, classes by group.
pub(super) fn leave(folder: &Path) {
    let mut set = set(&RuleSet::embedded());
    for (_, labels) in set.0.values_mut() {
        for label in labels {
            label.class = label.class.split(' ').next().unwrap().to_owned();
        }
    }
    let files = set.0.iter().map(|(path, (text, labels))| (path.as_str(), text.as_str(), labels.as_slice()));
    super::leave(folder, files);
}

#[test]
fn structured_secrets_keep_their_score() {
    let rules = Arc::new(RuleSet::embedded());
    let set = set(&rules);
    let detector = Detector::new(Arc::clone(&rules));
    let mut report = set.score(&detector);
    // Classes name the rule: summed up by group.
    let mut groups: BTreeMap<String, _> = BTreeMap::new();
    for (class, count) in std::mem::take(&mut report.classes) {
        let group = class.split(' ').next().unwrap().to_owned();
        let sum: &mut keywheel::scan::eval::Count = groups.entry(group).or_default();
        sum.found += count.found;
        sum.wrong += count.wrong;
        sum.missed += count.missed;
    }
    report.classes = groups;
    super::print("structured", &report);
    let named = named_share(&set, &detector);
    println!("  by a rule of the provider: {:.4} of {} secrets", named, report.labels.0);
    if std::env::var_os("KEYWHEEL_FAULTS").is_some() {
        for (path, line, class, secret) in &report.faults {
            let text = set.0[path].0.lines().nth(line - 1).unwrap();
            println!("{} {class} {path}:{line}: {text:.160}", if *secret { "missed" } else { "wrong " });
        }
    }
    assert!(report.labels.0 > 5000 && report.labels.1 > 5000, "{:?}", report.labels);
    assert!(report.all.f1() >= FLOOR, "F1 fell to {:.4}", report.all.f1());
    assert!(named >= FLOOR_NAMED, "named by its provider: {named:.4}");
}

/// The share of the secrets of which a rule of their own provider tells.
fn named_share(set: &Set, detector: &Detector) -> f64 {
    let (rules, mut work) = (detector.rules(), Workspace::default());
    let (mut right, mut all) = (0u64, 0u64);
    for (path, (text, labels)) in &set.0 {
        let found = detector.scan(text.as_bytes(), path.as_bytes(), &mut work);
        for label in labels.iter().filter(|l| l.secret) {
            let provider = label.class.split(' ').nth(1).unwrap();
            let line: usize = text.split_inclusive('\n').take(label.line - 1).map(str::len).sum();
            let span = line + label.start.unwrap()..line + label.end.unwrap();
            let here = found.iter().filter(|f| {
                f.confidence >= Confidence::Medium && f.span.start < span.end && span.start < f.span.end
            });
            let told: Vec<&str> = here.map(|f| rules.reference(f.kind).provider.as_str()).collect();
            all += 1;
            if told.contains(&provider) {
                right += 1;
            } else if std::env::var_os("KEYWHEEL_FAULTS").is_some() {
                println!("misnamed {} as {told:?}", label.class);
            }
        }
    }
    right as f64 / all as f64
}
