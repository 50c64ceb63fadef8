#!/usr/bin/env bash
# Scans what the event brings. Its exit code is the step's.
#
# Environment: KEYWHEEL_BIN, the inputs as KEYWHEEL_…, and what the runner sets.
set -euo pipefail

args=(ci github --scan "${KEYWHEEL_SCAN:-auto}" --fail-on "${KEYWHEEL_FAIL_ON:-new}")
# Adds an option whose input is not empty.
option() { [ -z "$2" ] || args+=("$1=$2"); }
option --config "${KEYWHEEL_CONFIG_PATH:-}"
option --baseline "${KEYWHEEL_BASELINE:-}"
option --min-confidence "${KEYWHEEL_MIN_CONFIDENCE:-}"
option --min-severity "${KEYWHEEL_MIN_SEVERITY:-}"
option --budget "${KEYWHEEL_BUDGET:-}"
option --category "${KEYWHEEL_CATEGORY:-}"
[ "${KEYWHEEL_REPORT_ONLY:-false}" != true ] || args+=(--exit-zero)
[ "${KEYWHEEL_ALLOW_TARGET:-false}" != true ] || args+=(--allow-pull-request-target)
exec "${KEYWHEEL_BIN:?}" "${args[@]}" -- "${KEYWHEEL_PATH:-.}"
