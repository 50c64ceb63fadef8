//! Texts that every match holds: at its front, or anywhere.

use super::{bytes_of, has};
use regex_syntax::hir::literal::{ExtractKind, Extractor};
use regex_syntax::hir::{Hir, HirKind};

/// Every literal with which a match can begin, or `None` if there are too many or none.
pub(super) fn prefixes(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let mut extractor = Extractor::new();
    extractor.kind(ExtractKind::Prefix).limit_class(10).limit_literal_len(16).limit_total(512);
    let mut seq = extractor.extract(hir);
    seq.dedup();
    let list: Vec<Vec<u8>> = seq.literals()?.iter().map(|l| l.as_bytes().to_vec()).collect();
    (!list.is_empty()).then_some(list)
}

/// Lower-case literals of which every match holds one.
pub(super) struct Required {
    pub(super) literals: Vec<Vec<u8>>,
    /// Most bytes of the match before it.
    pub(super) back: usize,
    /// The pattern of what a match has before it, if it can be told apart.
    pub(super) front: Option<Hir>,
}

/// Most spellings that one place may have.
const SPELLINGS: usize = 128;

/// The longest set of required literals that is found.
pub(super) fn required(hir: &Hir) -> Option<Required> {
    if let Some(literals) = spelled(hir) {
        return literals.iter().all(|l| !l.is_empty()).then_some(Required {
            literals,
            back: 0,
            front: Some(Hir::empty()),
        });
    }
    match hir.kind() {
        HirKind::Capture(c) => required(&c.sub),
        HirKind::Repetition(rep) if rep.min > 0 => required(&rep.sub).map(|r| Required { front: None, ..r }),
        HirKind::Alternation(parts) => {
            let mut all = Required { literals: Vec::new(), back: 0, front: None };
            let mut fronts = Some(Vec::new());
            for part in parts {
                let Required { literals, back, front } = required(part)?;
                all.literals.extend(literals);
                fronts = fronts.zip(front).map(|(mut list, front)| {
                    list.push(front);
                    list
                });
                all.back = all.back.max(back);
            }
            all.front = fronts.map(Hir::alternation);
            all.literals.sort();
            all.literals.dedup();
            (all.literals.len() <= SPELLINGS).then_some(all)
        }
        HirKind::Concat(parts) => {
            let mut best: Option<Required> = None;
            let mut keep = |candidate: Required| {
                let score = |r: &Required| {
                    (r.literals.iter().map(Vec::len).min().unwrap_or(0), usize::MAX - r.literals.len())
                };
                if best.as_ref().is_none_or(|b| score(&candidate) > score(b)) {
                    best = Some(candidate);
                }
            };
            let row = |n: usize, last: Hir| Hir::concat(parts[..n].iter().cloned().chain([last]).collect());
            let mut texts = vec![Vec::new()];
            // Most bytes before this part, and before the texts that are being put together.
            let (mut before, mut from, mut first) = (0usize, 0usize, 0usize);
            for (i, part) in parts.iter().enumerate() {
                let longest = part.properties().maximum_len().unwrap_or(usize::MAX);
                match spelled(part).and_then(|more| product(&texts, &more)) {
                    Some(more) => texts = more,
                    None => {
                        keep(Required {
                            literals: std::mem::replace(&mut texts, vec![Vec::new()]),
                            back: from,
                            front: Some(row(first, Hir::empty())),
                        });
                        match spelled(part) {
                            Some(more) => (texts, from, first) = (more, before, i),
                            None => {
                                if let Some(r) = required(part) {
                                    keep(Required {
                                        back: r.back.saturating_add(before),
                                        front: r.front.map(|front| row(i, front)),
                                        literals: r.literals,
                                    });
                                }
                                (from, first) = (before.saturating_add(longest), i + 1);
                            }
                        }
                    }
                }
                before = before.saturating_add(longest);
            }
            keep(Required { literals: texts, back: from, front: Some(row(first, Hir::empty())) });
            best.filter(|b| b.literals.iter().all(|l| !l.is_empty()))
        }
        _ => None,
    }
}

/// The part of a pattern that stands before the first `text` in a row of its parts.
pub(super) fn before(hir: &Hir, text: &[u8]) -> Option<Hir> {
    let HirKind::Concat(parts) = hir.kind() else { return None };
    parts.iter().enumerate().find_map(|(i, part)| {
        let HirKind::Literal(l) = part.kind() else { return None };
        let at = l.0.windows(text.len()).position(|w| w == text)?;
        let front = parts[..i].iter().cloned().chain([Hir::literal(&l.0[..at])]);
        Some(Hir::concat(front.collect()))
    })
}

fn product(a: &[Vec<u8>], b: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    (a.len() * b.len() <= SPELLINGS)
        .then(|| a.iter().flat_map(|x| b.iter().map(|y| [x.as_slice(), y].concat())).collect())
}

/// Lower-case literals with one of which a match begins, as long as they can be told.
pub(super) fn leading(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let mut texts = match hir.kind() {
        _ if spelled(hir).is_some() => spelled(hir)?,
        HirKind::Capture(c) => leading(&c.sub)?,
        HirKind::Repetition(rep) if rep.min > 0 => leading(&rep.sub)?,
        HirKind::Alternation(parts) => {
            let mut texts = Vec::new();
            for part in parts {
                texts.extend(leading(part)?);
            }
            texts
        }
        HirKind::Concat(parts) => {
            let mut texts = vec![Vec::new()];
            for part in parts {
                match (spelled(part), leading(part)) {
                    (Some(more), _) if product(&texts, &more).is_some() => texts = product(&texts, &more)?,
                    (_, Some(more)) => {
                        texts = product(&texts, &more).unwrap_or(texts);
                        break;
                    }
                    _ => break,
                }
            }
            texts
        }
        _ => return None,
    };
    // Longer ones are no rarer, and each costs a comparison.
    texts.iter_mut().for_each(|t| t.truncate(24));
    texts.sort();
    texts.dedup();
    (texts.iter().all(|t| !t.is_empty()) && texts.len() <= 128).then_some(texts)
}

/// The few lower-case texts that a part can be.
fn spelled(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let mut texts = match hir.kind() {
        HirKind::Literal(l) => vec![l.0.to_ascii_lowercase()],
        HirKind::Look(_) | HirKind::Empty => vec![Vec::new()],
        HirKind::Capture(c) => spelled(&c.sub)?,
        HirKind::Concat(parts) => {
            let mut texts = vec![Vec::new()];
            for part in parts {
                texts = product(&texts, &spelled(part)?)?;
            }
            texts
        }
        HirKind::Alternation(parts) => {
            let mut texts = Vec::new();
            for part in parts {
                texts.extend(spelled(part)?);
            }
            texts
        }
        HirKind::Class(class) => {
            let set = bytes_of(class)?;
            (0..=255u8).filter(|&b| has(&set, b)).map(|b| vec![b.to_ascii_lowercase()]).collect()
        }
        // `[_-]?`
        HirKind::Repetition(rep) if rep.min == 0 && rep.max == Some(1) => {
            let mut texts = spelled(&rep.sub)?;
            texts.push(Vec::new());
            texts
        }
        HirKind::Repetition(_) => return None,
    };
    texts.sort();
    texts.dedup();
    // A class of more than a few letters is no spelling.
    (texts.len() <= if matches!(hir.kind(), HirKind::Class(_)) { 10 } else { SPELLINGS }).then_some(texts)
}
