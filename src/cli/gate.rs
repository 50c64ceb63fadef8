//! The exit code of a scan.

use super::{code, output};
use keywheel::config::FailOn;
use keywheel::model::{Checks, Coverage, Finding, Severity, Unchecked, Validity};

/// The code for these findings (those at or above the floors) and this account of what was read.
pub(crate) fn exit_code(findings: &[Finding], coverage: &Coverage, fail_on: FailOn) -> u8 {
    let counts = |f: &&Finding| {
        f.severity > Severity::Info
            && match fail_on {
                FailOn::New => f.status.counts(),
                FailOn::Active => f.validity.is_active(),
                FailOn::Any => true,
                FailOn::None => false,
            }
    };
    // A gate that waits for proof does not pass on what could not be proved either way.
    let open = fail_on == FailOn::Active && findings.iter().any(is_open);
    if findings.iter().any(|f| counts(&f)) {
        code::FINDINGS
    } else if coverage.is_complete() && !open {
        code::CLEAN
    } else {
        code::INCOMPLETE
    }
}

/// Tells who asks nobody, and has the gate count what is proved to work, that this is nothing.
pub(crate) fn tell_unproved(fail_on: FailOn) {
    if fail_on == FailOn::Active {
        output::tell(
            "the gate counts what is proved to work, and nothing is: pass --verify to have it proved",
        );
    }
}

/// Whether somebody was, or should have been, asked about it, and it is still not known.
pub(crate) fn is_open(finding: &Finding) -> bool {
    let open = matches!(finding.validity, Validity::Unknown(_) | Validity::NotChecked(Unchecked::Stopped));
    open && finding.severity > Severity::Info
}

/// Leaves only what is proved to work, and says what that hides.
pub(crate) fn keep_active(findings: &mut Vec<Finding>, checks: Option<&mut Checks>) {
    let (before, open) = (findings.len(), findings.iter().filter(|f| is_open(f)).count());
    findings.retain(|f| f.validity.is_active());
    let hidden = before - findings.len();
    if let Some(checks) = checks.filter(|_| hidden > 0) {
        checks.notices.push(format!(
            "not listed: findings that are not proved to work: {hidden}, of which it is not known of {open}"
        ));
    }
}
