# shellcheck shell=bash
# Shared by the steps of the action.

# Tells on the log; the runner obeys nothing in it.
tell() { printf 'keywheel action: %s\n' "$(printf '%s' "$*" | tr -d '\r\n' | sed 's/##/# #/g')" >&2; }

# Ends the step with an error that says what to do. All of the text is ours.
fail() {
  printf '::error title=Keywheel::%s\n' "$*"
  exit 2
}
