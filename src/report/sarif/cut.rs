//! Which places are written when there are more than a run may hold.

use crate::model::Finding;

/// How many places of each finding are written.
pub(super) struct Plan {
    order: Vec<usize>,
    quotas: Vec<usize>,
    /// All places there are.
    pub(super) total: usize,
    /// Whether anything is accepted anywhere.
    pub(super) any_accepted: bool,
}

impl Plan {
    /// Gives each finding a share of `limit` places: what nothing accepts before what something
    /// does, worst first, and one value in thousands of places does not push the others out.
    pub(super) fn new(findings: &[Finding], limit: usize) -> Self {
        let is_new = |i: &usize| findings[*i].status.counts();
        let (mut order, accepted): (Vec<_>, Vec<_>) = (0..findings.len()).partition(is_new);
        let places = |list: &[usize]| list.iter().map(|i| findings[*i].occurrences.len()).collect::<Vec<_>>();
        let mut quotas = share(&places(&order), limit);
        let left = limit - quotas.iter().sum::<usize>();
        quotas.extend(share(&places(&accepted), left));
        let inline = findings.iter().any(|f| f.occurrences.iter().any(|o| o.suppression.is_some()));
        let any_accepted = inline || !accepted.is_empty();
        order.extend(accepted);
        Plan { order, quotas, total: findings.iter().map(|f| f.occurrences.len()).sum(), any_accepted }
    }

    /// Index of a finding and how many of its places are written, in the order of writing.
    pub(super) fn quotas(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.order.iter().copied().zip(self.quotas.iter().copied())
    }
}

/// Shares of `limit`, each at most what is wanted: equal up to a common cap, the remainder to the
/// first that want more.
fn share(wants: &[usize], limit: usize) -> Vec<usize> {
    let with_cap = |cap: usize| wants.iter().map(|w| *w.min(&cap)).sum::<usize>();
    // The greatest cap that fits; a sum over all findings for each of at most 64 steps.
    let (mut low, mut high) = (0, wants.iter().copied().max().unwrap_or(0));
    while low < high {
        let mid = low + (high - low).div_ceil(2);
        if with_cap(mid) <= limit { low = mid } else { high = mid - 1 }
    }
    let mut spare = limit - with_cap(low).min(limit);
    let give = |w: &usize| {
        let more = usize::from(*w > low && spare > 0);
        spare -= more;
        *w.min(&low) + more
    };
    wants.iter().map(give).collect()
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_are_fair_and_use_the_limit() {
        for (wants, limit, expected) in [
            (vec![3, 1, 2], 10, vec![3, 1, 2]),
            (vec![100, 1, 2], 10, vec![7, 1, 2]),
            (vec![5, 5, 5], 7, vec![3, 2, 2]),
            (vec![1, 1, 1], 2, vec![1, 1, 0]),
            (vec![4, 4], 0, vec![0, 0]),
            (vec![], 5, vec![]),
        ] {
            assert_eq!(share(&wants, limit), expected, "{wants:?} {limit}");
        }
    }
}
