//! Whether a value works: the check that its rule declares, asked for one value at a time.

use crate::cli::verify::{self, Asking, Policy, asking, of_rule};
use anyhow::Result;
use keywheel::call::Http;
use keywheel::config::Config;
use keywheel::model::{Finding, FingerprintKey, Secret, Validity};
use keywheel::rotate::by_hand::Judge;
use keywheel::rotate::engine::Call;
use keywheel::rotate::machine::Life;
use keywheel::rule::RuleSet;
use keywheel::verify::Watch;
use std::sync::Arc;

/// Asks providers.
pub(super) struct Asker {
    rules: Arc<RuleSet>,
    config: Config,
    policy: Policy,
    internal: Vec<String>,
}

impl Asker {
    pub(super) fn new(rules: &Arc<RuleSet>, config: Config, internal: &[String]) -> Asker {
        let policy = Policy::uncached(&config, internal.to_vec());
        Asker { rules: Arc::clone(rules), config, policy, internal: internal.to_vec() }
    }

    /// What carries alerts.
    pub(super) fn http(&self) -> Result<Http> {
        verify::http(&self.config, &self.internal)
    }

    /// Does `work` with what asks, until a signal ends its calls.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Asking<'_>) -> Result<T>) -> Result<T> {
        asking(&self.rules, &self.config, &self.policy, None, |_| {}, |asking| work(&asking))?
    }

    /// Gives a finding its verdict.
    pub(super) fn check(&self, finding: &mut Finding) -> Result<()> {
        self.with(|asking| {
            verdict(asking, finding);
            Ok(())
        })
    }

    /// A judge of values of one rule.
    pub(super) fn judge<'a>(&'a self, asking: &'a Asking<'a>, rule: &'a str) -> OfRule<'a> {
        OfRule { rules: &self.rules, asking, rule }
    }

    /// What is proved of a value of a rule.
    pub(super) fn life(&self, rule: &str, value: &Secret) -> Result<Life> {
        self.with(|asking| Ok(self.judge(asking, rule).proved(value)))
    }
}

fn verdict(asking: &Asking<'_>, finding: &mut Finding) {
    let watch = Watch { progress: &|_, _| {}, cancel: asking.stop };
    asking.verifier.check(std::slice::from_mut(finding), None, &watch);
}

/// Judges values of one rule.
pub(super) struct OfRule<'a> {
    rules: &'a RuleSet,
    asking: &'a Asking<'a>,
    rule: &'a str,
}

impl OfRule<'_> {
    fn proved(&self, value: &Secret) -> Life {
        let Ok(mut finding) = of_rule(self.rules, self.rule, value, &FingerprintKey::default()) else {
            return Life::Unknown;
        };
        verdict(self.asking, &mut finding);
        match finding.validity {
            Validity::Active { .. } => Life::Live,
            Validity::Inactive => Life::Dead,
            Validity::Unknown(_) | Validity::NotChecked(_) => Life::Unknown,
        }
    }
}

impl Judge for OfRule<'_> {
    fn life(&self, value: &Secret, _: Call) -> Life {
        self.proved(value)
    }
}
