//! The exit code of a scan.

use super::code;
use keywheel::config::FailOn;
use keywheel::model::{Coverage, Finding, Severity, Validity};

/// The code for these findings (those at or above the floors) and this account of what was read.
pub(crate) fn exit_code(findings: &[Finding], coverage: &Coverage, fail_on: FailOn) -> u8 {
    let counts = |f: &&Finding| {
        f.severity > Severity::Info
            && match fail_on {
                FailOn::New => f.status.counts(),
                FailOn::Active => matches!(f.validity, Validity::Active { .. }),
                FailOn::Any => true,
                FailOn::None => false,
            }
    };
    if findings.iter().any(|f| counts(&f)) {
        code::FINDINGS
    } else if coverage.is_complete() {
        code::CLEAN
    } else {
        code::INCOMPLETE
    }
}
