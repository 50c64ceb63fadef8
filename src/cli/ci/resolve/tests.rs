use super::*;
use std::collections::BTreeMap;

/// A made-up repository: commits with their parents, tags, names.
#[derive(Default)]
struct Fake {
    commits: BTreeMap<ObjectId, Vec<ObjectId>>,
    tags: BTreeMap<ObjectId, ObjectId>,
    names: BTreeMap<&'static str, ObjectId>,
    head: Option<ObjectId>,
    cut: bool,
    unrelated: bool,
}

impl Known for Fake {
    fn commit(&self, id: &ObjectId) -> Result<Option<ObjectId>> {
        let id = self.tags.get(id).unwrap_or(id);
        Ok(self.commits.contains_key(id).then_some(*id))
    }
    fn named(&self, name: &str) -> Result<Option<ObjectId>> {
        Ok(self.names.get(name).copied())
    }
    fn parents(&self, commit: &ObjectId) -> Result<Vec<ObjectId>> {
        Ok(self.commits[commit].clone())
    }
    fn related(&self, _: &ObjectId, _: &ObjectId) -> Result<bool> {
        Ok(!self.unrelated)
    }
    fn head(&self) -> Result<Option<ObjectId>> {
        Ok(self.head)
    }
    fn is_cut(&self) -> bool {
        self.cut
    }
}

fn id(digit: char) -> ObjectId {
    ObjectId::parse(digit.to_string().repeat(40).as_bytes()).expect("because it is hexadecimal")
}

fn fake(commits: &[(char, &[char])]) -> Fake {
    let commits = commits.iter().map(|(c, p)| (id(*c), p.iter().map(|p| id(*p)).collect()));
    Fake { commits: commits.collect(), ..Fake::default() }
}

fn choice(plan: Plan) -> Choice {
    Choice { plan, default_branch: Some("main".to_owned()), on_default: false, foreign: false }
}

fn fork(merge: Option<char>) -> Choice {
    choice(Plan::Range { base: Base::Fork { onto: id('a'), merge: merge.map(id) }, head: id('b') })
}

fn push(forced: bool) -> Choice {
    choice(Plan::Range { base: Base::Before { tip: id('a'), forced }, head: id('b') })
}

fn created() -> Choice {
    choice(Plan::Range { base: Base::New, head: id('b') })
}

fn done(choice: &Choice, known: &Fake) -> Resolved {
    resolve(choice, known, "CURE").unwrap_or_else(|e| panic!("{e}"))
}

#[track_caller]
fn fails(choice: &Choice, known: &Fake, words: &str) {
    let told = resolve(choice, known, "CURE").expect_err("because it must fail").to_string();
    assert!(told.contains(words), "{told}");
}

fn range(base: Option<char>, head: char) -> Work {
    Work::Range { base: base.map(id), head: id(head) }
}

#[test]
fn a_change_is_read_from_its_trial_merge_where_there_is_one() {
    let known = fake(&[('a', &[]), ('b', &['a']), ('c', &['d', 'b']), ('d', &['a']), ('e', &['b', 'd'])]);
    let merged = done(&fork(Some('c')), &known);
    assert_eq!(merged.work, range(Some('d'), 'c'));
    assert_eq!((merged.trusted, merged.proposing), (Some(id('d')), Some(id('c'))));
    // No merge; one that is not there; one whose second parent is not the head.
    for merge in [None, Some('f'), Some('e')] {
        let plain = done(&fork(merge), &known);
        assert_eq!((plain.work, plain.trusted), (range(Some('a'), 'b'), Some(id('a'))), "{merge:?}");
    }
    // A merge whose first parent was not fetched.
    let known = fake(&[('a', &[]), ('b', &['a']), ('c', &['d', 'b'])]);
    assert_eq!(done(&fork(Some('c')), &known).work, range(Some('a'), 'b'));
}

#[test]
fn what_was_not_fetched_is_an_error_with_the_cure() {
    fails(&fork(None), &fake(&[('a', &[])]), "the head of the change, bbbbbbb");
    fails(&fork(None), &fake(&[('b', &['a'])]), "CURE");
    let unrelated = Fake { unrelated: true, ..fake(&[('a', &[]), ('b', &[])]) };
    fails(&fork(None), &unrelated, "no common ancestor");
    let cut = Fake { cut: true, ..fake(&[('b', &['a'])]) };
    fails(&push(false), &cut, "the branch before the push, aaaaaaa");
    fails(&created(), &fake(&[('b', &[])]), "the default branch `main` is not there");
    let nameless = Choice { default_branch: None, ..created() };
    fails(&nameless, &fake(&[('b', &[])]), "--scan tree");
}

#[test]
fn a_push_is_compared_with_what_was_there_and_trusts_the_default_branch() {
    let mut known = fake(&[('a', &[]), ('b', &['a']), ('d', &[])]);
    let own = done(&push(false), &known);
    assert_eq!((own.work, own.trusted), (range(Some('a'), 'b'), Some(id('a'))));
    known.names.insert("refs/remotes/origin/main", id('d'));
    let other = done(&push(false), &known);
    assert_eq!((other.work, other.trusted), (range(Some('a'), 'b'), Some(id('d'))));
    let on_default = Choice { on_default: true, ..push(false) };
    assert_eq!(done(&on_default, &known).trusted, Some(id('a')));
}

#[test]
fn where_the_old_tip_is_gone_the_default_branch_stands_in() {
    let mut known = fake(&[('b', &[]), ('d', &[])]);
    known.names.insert("refs/heads/main", id('d'));
    for (forced, cut) in [(true, true), (true, false), (false, false)] {
        known.cut = cut;
        let gone = done(&push(forced), &known);
        assert_eq!((gone.work, gone.trusted), (range(Some('d'), 'b'), Some(id('d'))), "{forced} {cut}");
        assert!(gone.notes[0].contains("is gone"));
    }
    let on_default = Choice { on_default: true, ..push(true) };
    let all = done(&on_default, &known);
    assert_eq!((all.work, all.trusted), (range(None, 'b'), None));
}

#[test]
fn new_branches_and_tags() {
    let mut known = fake(&[('b', &[]), ('d', &[])]);
    known.names.insert("refs/heads/main", id('d'));
    assert_eq!(done(&created(), &known).work, range(Some('d'), 'b'));
    known.tags.insert(id('7'), id('b'));
    let tag = choice(Plan::Range { base: Base::New, head: id('7') });
    let tag = done(&tag, &known);
    assert_eq!((tag.work, tag.proposing), (range(Some('d'), '7'), Some(id('b'))));
    let first = Choice { on_default: true, ..created() };
    assert_eq!(done(&first, &known).work, range(None, 'b'));
}

#[test]
fn whole_scans_trust_the_default_branch_alone() {
    let mut known = fake(&[('b', &[]), ('d', &[])]);
    known.head = Some(id('b'));
    let tree = done(&choice(Plan::Tree), &known);
    assert_eq!((tree.work, tree.trusted, tree.proposing), (Work::Tree, None, Some(id('b'))));
    assert_eq!(tree.notes.len(), 1);
    known.names.insert("refs/heads/main", id('d'));
    assert_eq!(done(&choice(Plan::History), &known).trusted, Some(id('d')));
    let scheduled = Choice { on_default: true, default_branch: None, plan: Plan::History, foreign: false };
    let scheduled = done(&scheduled, &known);
    assert_eq!((scheduled.trusted, scheduled.proposing), (Some(id('b')), None));
}

#[test]
fn refusals_are_errors() {
    let plan = Plan::Refused { why: "it is unsafe".to_owned(), cure: "do not" };
    fails(&choice(plan), &Fake::default(), "it is unsafe; do not");
}
