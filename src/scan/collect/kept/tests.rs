use super::*;
use crate::detect::Detector;
use crate::model::{Held, Origin, RawPath, Sink};
use crate::rule::RuleSet;
use crate::scan::{Options, Outcome};

const RULES: &str = "[provider]\nid = 'peer'\nname = 'P'\n[[rule]]\nid = 'peer-a'\nname = 'A'\nseverity = 'low'\n\
                     confidence = 'medium'\npattern = 'key=(\\w+)'\n[rule.text]\n";

/// A value alone on its line in two texts, and two on one line.
const TEXTS: [&str; 3] = ["a\nkey=alone\n", "key=alone # keywheel:allow a sample\n", "key=one key=other\n"];

fn object(n: u8) -> ObjectId {
    ObjectId::from_bytes(&[n; 20]).unwrap()
}

fn place(n: usize) -> Arc<Provenance> {
    let origin = Origin {
        held: Held::Blob,
        object: object(n as u8),
        commit: None,
        reachable: true,
        at_head: true,
        also_at: Vec::new(),
    };
    Arc::new(Provenance::history(RawPath::new(format!("{n}.txt").as_bytes()), origin))
}

fn collector() -> Collector {
    let mut set = RuleSet::empty();
    set.add_texts(vec![("peer.toml".into(), RULES.to_owned())]).unwrap();
    Collector::new(Detector::new(set.into()), Options { inline_allow: true, ..Options::default() })
}

fn searched() -> Outcome {
    let collector = collector();
    (0..).zip(TEXTS).for_each(|(n, text)| collector.blob(Blob::whole(text.as_bytes(), place(n))));
    collector.finish()
}

fn kept(outcome: &Outcome) -> Vec<Kept> {
    let number = |p: &Provenance| p.origin.as_ref().map(|o| u32::from(o.object.as_bytes()[0]));
    outcome.findings.iter().map(|f| keep(f, &number).unwrap()).collect()
}

/// What is told again of texts, and whether that is all.
fn retold(kept: &[Kept], texts: [&str; 3]) -> (Vec<Finding>, bool) {
    let collector = collector();
    let mut retelling = Retelling::new(&collector, kept);
    for n in retelling.texts() {
        retelling.text(n, &place(n as usize), texts[n as usize].as_bytes());
    }
    let all = retelling.finish();
    let outcome = collector.finish();
    assert_eq!((outcome.coverage.blobs, outcome.coverage.bytes), (0, 0));
    (outcome.findings, all)
}

#[test]
fn it_tells_what_a_search_told_and_searches_only_what_hides_more() {
    let outcome = searched();
    let kept = kept(&outcome);
    let mut plain: Vec<Vec<bool>> = kept.iter().map(|k| k.spots.iter().map(|s| s.plain).collect()).collect();
    plain.sort();
    assert_eq!(plain, [vec![false], vec![false], vec![true, true]]);
    let (findings, all) = retold(&kept, TEXTS);
    assert!(all);
    assert_eq!(format!("{findings:#?}"), format!("{:#?}", outcome.findings));
    let same = |(a, b): (&Finding, &Finding)| a.secret == b.secret;
    assert!(findings.len() == 3 && findings.iter().zip(&outcome.findings).all(same));
}

#[test]
fn a_value_that_is_not_where_it_stood_is_not_told() {
    let kept = kept(&searched());
    for (n, other) in [
        (0, "a\nkey=clone\n"),
        (0, "a\n"),
        (0, "\na\nkey=alone\n"),
        (2, "key=one key=0ther\n"),
        (2, "two key=one key=other\n"),
    ] {
        let mut texts = TEXTS;
        texts[n] = other;
        let (findings, all) = retold(&kept, texts);
        assert!(!all && findings.len() < 3, "{other:?}");
    }
    // A rule that is not there any more names nothing.
    let mut others = kept.clone();
    others[0].rule = "peer-b".to_owned();
    assert!(!retold(&others, TEXTS).1);
}

#[test]
fn what_shares_a_value_with_what_is_searched_is_searched() {
    let outcome = searched();
    let print = |value: &str| fingerprint(&Options::default().key, value.as_bytes());
    let chain = [("alone", vec![0, 1]), ("one", vec![1, 2]), ("other", vec![2]), ("far", vec![4])];
    let findings = chain.iter().map(|(v, at)| (print(v), at.iter().map(|n| object(*n)).collect())).collect();
    let spread = Spread { findings, skipped: BTreeSet::new() };
    let by_value = || {
        let mut kept: BTreeMap<Fingerprint, Kept> =
            kept(&outcome).into_iter().map(|k| (Fingerprint::parse(&k.fingerprint).unwrap(), k)).collect();
        kept.insert(print("far"), kept[&print("one")].clone());
        kept
    };
    let mut all = by_value();
    assert_eq!(spread.searched(BTreeSet::new(), &mut all), BTreeSet::new());
    assert_eq!(all.len(), 4);
    // From the first text to the second by one value, and on to the third by another.
    let mut rest = by_value();
    assert_eq!(spread.searched([object(0)].into(), &mut rest), (0..3).map(object).collect());
    assert_eq!(rest.into_keys().collect::<Vec<_>>(), [print("far")]);
    // What cannot be kept is searched wherever it stands.
    let mut without = by_value();
    without.remove(&print("far"));
    assert_eq!(spread.searched(BTreeSet::new(), &mut without), [object(4)].into());
}
