//! The exit code of a scan.

use super::code;
use keywheel::config::FailOn;
use keywheel::model::{Coverage, Finding, Severity, Unchecked, Validity};

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

/// Whether somebody was, or should have been, asked about it, and it is still not known.
pub(crate) fn is_open(finding: &Finding) -> bool {
    let open = matches!(finding.validity, Validity::Unknown(_) | Validity::NotChecked(Unchecked::Stopped));
    open && finding.severity > Severity::Info
}
