//! The model: trees in which every node of a level asks the same question, summed. All of it is
//! whole numbers, so that a score is the same on every platform.

use super::features::{COUNT, Feature, Features};
use std::sync::OnceLock;

/// Made by `tests/rank/train.py`. One tree a line: four questions, sixteen answers.
const TABLE: &str = include_str!("model.txt");

/// Questions of a tree.
pub(super) const DEPTH: usize = 4;
/// Answers of a tree.
const LEAVES: usize = 1 << DEPTH;

struct Tree {
    features: [Feature; DEPTH],
    above: [i16; DEPTH],
    leaves: [i16; LEAVES],
    /// For each answer the most of those that differ from it in questions about the file only.
    unplaced: [i16; LEAVES],
    /// The same, with the questions for what the other filters say.
    unsaid: [i16; LEAVES],
}

/// The trees, and the points from which a candidate counts.
pub(super) struct Model {
    base: i32,
    /// Points from which the confidence is medium.
    pub(super) medium: i32,
    /// Points from which it is high.
    pub(super) high: i32,
    trees: Vec<Tree>,
}

/// The model of this version, read when it is first needed.
pub(super) fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| read(TABLE).expect("because a test reads the embedded table"))
}

/// Reads a table.
fn read(text: &str) -> Result<Model, String> {
    let mut model = Model { base: 0, medium: 0, high: 0, trees: Vec::new() };
    for (n, line) in text.lines().enumerate() {
        let fault = |what: &str| format!("line {}: {what}", n + 1);
        let number = |text: &str| text.parse::<i32>().map_err(|_| fault("no whole number"));
        match line.split_once(' ') {
            _ if line.is_empty() || line.starts_with('#') => {}
            Some(("base", value)) => model.base = number(value)?,
            Some(("medium", value)) => model.medium = number(value)?,
            Some(("high", value)) => model.high = number(value)?,
            Some(("tree", rest)) => model.trees.push(tree(rest).map_err(fault)?),
            _ => return Err(fault("neither `base`, `medium`, `high` nor `tree`")),
        }
    }
    Ok(model)
}

fn tree(text: &str) -> Result<Tree, &'static str> {
    let mut tree = Tree {
        features: [Feature::Length; DEPTH],
        above: [0; DEPTH],
        leaves: [0; LEAVES],
        unplaced: [0; LEAVES],
        unsaid: [0; LEAVES],
    };
    let mut words = text.split(' ');
    for i in 0..DEPTH {
        let (name, above) = words.next().and_then(|w| w.split_once('>')).ok_or("a question is missing")?;
        let known = Feature::ALL.iter().find(|f| f.as_str() == name);
        tree.features[i] = *known.ok_or("a question asks for what is not measured")?;
        tree.above[i] = above.parse().map_err(|_| "a question has no number")?;
    }
    for leaf in &mut tree.leaves {
        let word = words.next().ok_or("an answer is missing")?;
        *leaf = word.parse().map_err(|_| "an answer is no number")?;
    }
    tree.unplaced = tree.most(Feature::is_of_file);
    tree.unsaid = tree.most(|f| f.is_of_file() || f.is_said());
    words.next().map_or(Ok(tree), |_| Err("there are too many answers"))
}

impl Tree {
    fn at(&self, features: &Features) -> usize {
        (0..DEPTH).fold(0, |at, i| at << 1 | usize::from(features.get(self.features[i]) > self.above[i]))
    }

    /// For each answer the most of those that are possible if some questions have no reply.
    fn most(&self, is_open: impl Fn(Feature) -> bool) -> [i16; LEAVES] {
        let open = (0..DEPTH).fold(0, |open, i| open << 1 | usize::from(is_open(self.features[i])));
        std::array::from_fn(|at| {
            let like = (0..LEAVES).filter(|leaf| leaf & !open == at & !open);
            like.map(|leaf| self.leaves[leaf]).max().unwrap_or(0)
        })
    }

    /// Adds what each question added: the change of the mean of the answers left.
    fn explain(&self, features: &Features, sums: &mut [i32; COUNT]) {
        let at = self.at(features);
        let mean = |depth: usize| {
            let width = LEAVES >> depth;
            let from = at / width * width;
            self.leaves[from..from + width].iter().map(|&l| i32::from(l)).sum::<i32>() / width as i32
        };
        for (i, feature) in self.features.iter().enumerate() {
            sums[*feature as usize] += mean(i + 1) - mean(i);
        }
    }
}

impl Model {
    /// The points of a candidate: thousandths of the logarithm of its odds.
    pub(super) fn points(&self, features: &Features) -> i32 {
        self.base + self.trees.iter().map(|t| i32::from(t.leaves[t.at(features)])).sum::<i32>()
    }

    /// At least the points that it has under any path.
    pub(super) fn most(&self, features: &Features) -> i32 {
        self.base + self.trees.iter().map(|t| i32::from(t.unplaced[t.at(features)])).sum::<i32>()
    }

    /// At least the points that it has under any path, whatever the other filters say.
    pub(super) fn most_of_all(&self, features: &Features) -> i32 {
        self.base + self.trees.iter().map(|t| i32::from(t.unsaid[t.at(features)])).sum::<i32>()
    }

    /// The features that decided, weightiest first.
    pub(super) fn explain(&self, features: &Features) -> Vec<(Feature, i32)> {
        let mut sums = [0; COUNT];
        self.trees.iter().for_each(|t| t.explain(features, &mut sums));
        let mut list: Vec<(Feature, i32)> = Feature::ALL.iter().copied().zip(sums).collect();
        list.sort_by_key(|(feature, points)| (std::cmp::Reverse(points.abs()), *feature));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_table_is_whole() {
        let model = read(TABLE).unwrap();
        assert!(model.medium <= model.high);
        assert!(model.trees.len() <= 500, "{}", model.trees.len());
    }

    #[test]
    fn answers_are_found_by_their_questions() {
        let numbers: Vec<String> = (0..16).map(|n| n.to_string()).collect();
        let line = format!("tree Length>5 Hex>0 FileTest>0 Digits>10 {}", numbers.join(" "));
        let model = read(&format!("# made up\nbase 100\nmedium 1\nhigh 2\n{line}\n")).unwrap();
        let mut f = Features::new();
        assert_eq!((model.points(&f), model.most(&f)), (100, 102));
        f.set(Feature::Length, 6);
        f.set(Feature::Digits, 11);
        assert_eq!((model.points(&f), model.most(&f)), (109, 111));
        f.flag(Feature::FileTest, true);
        assert_eq!((model.points(&f), model.most(&f)), (111, 111));
        assert_eq!(model.explain(&f)[0], (Feature::Length, 4));
    }

    #[test]
    fn faults_of_a_table_are_told() {
        for (text, fault) in [
            ("leaf 1", "line 1: neither"),
            ("\nbase x", "line 2: no whole number"),
            ("tree Nope>1", "not measured"),
            ("tree Length", "a question is missing"),
            ("tree Length>x", "has no number"),
            ("tree Length>1 Hex>0 Hex>0 Hex>0 1 2", "an answer is missing"),
        ] {
            let error = read(text).err().unwrap();
            assert!(error.contains(fault), "{text}: {error}");
        }
    }
}
