//! Random histories: merges of all kinds, renames, deletions, several roots, clocks right and wrong.

use super::made::{Made, id};
use keywheel::model::ObjectId;
use std::collections::BTreeMap;
use std::fs;

/// A small generator, the same on every machine.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

const PATHS: [&str; 7] = ["a", "b", "dir/a", "dir/b", "dir/sub/a", "dir/sub/c", "other/a"];

/// Commits of one history, oldest first.
pub(crate) type Dag = Vec<ObjectId>;

/// Puts `count` histories into one repository. Every second one has clocks that are wrong.
pub(crate) fn make(count: usize, seed: u64) -> (Made, Vec<Dag>) {
    let made = Made::folder();
    made.git(&["init", "-q", "-b", "main", "--bare", "."]);
    let mut dice = Dice(seed);
    let mut stream = String::new();
    let (mut mark, mut dags) = (0, Vec::new());
    for dag in 0..count {
        let commits = 3 + dice.roll(22);
        // What each commit's tree holds, so that files can be taken from other parents.
        let mut made: Vec<(usize, BTreeMap<&str, String>)> = Vec::new();
        for n in 0..commits {
            let mut parents: Vec<usize> = Vec::new();
            let wanted = [0, 1, 1, 1, 1, 1, 2, 2, 2, 3][dice.roll(10)]
                .min(n)
                .max(usize::from(n > 0 && dice.roll(8) > 0));
            for _ in 0..wanted {
                let back = 1 + dice.roll(4.min(n));
                let parent = if dice.roll(4) == 0 { dice.roll(n) } else { n - back };
                if !parents.contains(&parent) {
                    parents.push(parent);
                }
            }
            let mut files = parents.first().map(|&p| made[p].1.clone()).unwrap_or_default();
            for p in parents.iter().skip(1) {
                for (path, text) in &made[*p].1 {
                    if dice.roll(2) == 0 {
                        files.insert(path, text.clone());
                    }
                }
            }
            for _ in 0..dice.roll(4) {
                let path = PATHS[dice.roll(PATHS.len())];
                match dice.roll(6) {
                    0 => drop(files.remove(path)),
                    1 => {
                        // A rename, or a copy of what stands elsewhere.
                        let from = PATHS[dice.roll(PATHS.len())];
                        let taken =
                            if dice.roll(2) == 0 { files.remove(from) } else { files.get(from).cloned() };
                        if let Some(text) = taken {
                            files.insert(path, text);
                        }
                    }
                    // Few texts, so that the same ones come back.
                    _ => drop(files.insert(path, format!("text {dag} {}\n", dice.roll(12)))),
                }
            }
            mark += 1;
            let date = if dag % 2 == 0 { 1_600_000_000 + n } else { 1_600_000_000 + dice.roll(100_000_000) };
            // A new branch each time: the parents are given one by one.
            stream +=
                &format!("commit refs/heads/d{dag}/{n}\nmark :{mark}\ncommitter C <c@d.e> {date} +0000\n");
            let message = format!("commit {dag}.{n}");
            stream += &format!("data {}\n{message}\n", message.len());
            for (i, p) in parents.iter().enumerate() {
                stream += &format!("{} :{}\n", if i == 0 { "from" } else { "merge" }, made[*p].0);
            }
            stream += "deleteall\n";
            for (path, text) in &files {
                stream += &format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len());
            }
            stream.push('\n');
            made.push((mark, files));
        }
        dags.push(made.into_iter().map(|(mark, _)| mark).collect::<Vec<_>>());
    }
    let marks = made.path("marks");
    let export = format!("--export-marks={}", marks.display());
    made.git_with(&["fast-import", "--quiet", "--force", &export], stream.as_bytes());
    let names: BTreeMap<usize, ObjectId> = fs::read_to_string(marks)
        .unwrap()
        .lines()
        .map(|l| l.split_once(' ').unwrap())
        .map(|(mark, hex)| (mark[1..].parse().unwrap(), id(hex)))
        .collect();
    let dags = dags.into_iter().map(|d| d.into_iter().map(|m| names[&m]).collect()).collect();
    (made, dags)
}
