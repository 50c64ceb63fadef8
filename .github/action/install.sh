#!/usr/bin/env bash
# Finds the binary and gives its path as the step's output `bin`: a released one whose digest stands in digests.txt,
# or one built from the action's own checkout while there is no release.
#
# Environment: KEYWHEEL_VERSION (empty: the default), and what the runner sets.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=.github/action/common.sh
. "$here/common.sh"

: "${GITHUB_OUTPUT:?run it in a step of GitHub Actions}"
temp=${RUNNER_TEMP:?run it in a step of GitHub Actions}
version=${KEYWHEEL_VERSION:-}

case $(uname -s)-$(uname -m) in
Linux-x86_64) target=x86_64-linux ;;
Linux-aarch64 | Linux-arm64) target=aarch64-linux ;;
Darwin-x86_64) target=x86_64-macos ;;
Darwin-arm64) target=aarch64-macos ;;
*) target=other ;;
esac

digest() {
  if command -v sha256sum >/dev/null; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d ' ' -f 1
}

# Sets `version`, `sha` and `address` from the list; fails if it has no such line.
listed() {
  local v t s a
  while read -r v t s a; do
    case $v in '' | '#'*) continue ;; esac
    : "${version:=$v}"
    if [ "$v" = "$version" ] && [ "$t" = "$target" ]; then
      sha=$s address=$a
      return 0
    fi
  done <"$here/digests.txt"
  return 1
}

# The archive, from the runner's cache or the network. A cache is shared with other jobs, so its copy is trusted no more
# than a download.
released() {
  local cache=${RUNNER_TOOL_CACHE:-$temp}/keywheel/$version/$target archive
  archive=$cache/keywheel.tar.gz
  if [ -f "$archive" ] && [ "$(digest "$archive")" != "$sha" ]; then
    tell "the cached archive has another digest than the list; it is fetched again"
    rm -f -- "$archive"
  fi
  # What is checked and what is unpacked are the same private file.
  local own
  own=$(mktemp -d "$temp/keywheel.XXXXXXXX")
  if [ -f "$archive" ]; then
    cp -- "$archive" "$own/keywheel.tar.gz"
  else
    command -v curl >/dev/null || fail "curl is not there to download Keywheel; install it on the runner"
    curl --proto '=https' --proto-redir '=https' --tlsv1.2 --fail --silent --show-error --location --retry 3 \
      --max-time 300 --output "$own/keywheel.tar.gz" -- "$address" ||
      fail "Keywheel $version could not be downloaded; run the job again, or put the archive into the tool cache"
  fi
  [ "$(digest "$own/keywheel.tar.gz")" = "$sha" ] ||
    fail "the archive of Keywheel $version has another digest than the action's list; it is not used"
  if [ ! -f "$archive" ]; then
    mkdir -p -- "$cache"
    cp -- "$own/keywheel.tar.gz" "$archive.$$" && mv -f -- "$archive.$$" "$archive"
  fi
  tar -xzf "$own/keywheel.tar.gz" -C "$own" keywheel
  bin=$own/keywheel
}

# Builds the checkout in which this script stands. Cargo reads configuration from the folder it runs in, so it must not
# run in the scanned one.
built() {
  local root
  root=$(cd -- "$here/../.." && pwd)
  grep -qs '^name = "keywheel"$' "$root/Cargo.toml" ||
    fail "there is no release of Keywheel for this runner ($target), and the action is no source checkout"
  command -v cargo >/dev/null || fail "cargo is not there to build Keywheel; install Rust before this action"
  local folder=${CARGO_TARGET_DIR:-$temp/keywheel-target}
  (cd -- "$root" && CARGO_TARGET_DIR=$folder cargo build --release --locked --bin keywheel) >&2 ||
    fail "Keywheel could not be built; see the log"
  bin=$folder/release/keywheel
}

sha='' address='' bin=''
if listed; then
  released
elif [ -n "$version" ] && grep -Eqsv '^(#|$)' "$here/digests.txt"; then
  fail "the action's list has no Keywheel $version for this runner ($target)"
elif [ -n "${KEYWHEEL_VERSION:-}" ]; then
  fail "the action knows no release $KEYWHEEL_VERSION yet; leave the input version empty to build from source"
else
  built
fi
[ -x "$bin" ] || fail "the binary is not there: $bin"
printf 'bin=%s\n' "$bin" >>"$GITHUB_OUTPUT"
