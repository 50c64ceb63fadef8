#!/usr/bin/env bash
# Runs the binary in an empty chroot, since some servers run their hooks in one: it must need no file of the system.
#
#   tests/static.sh sample BINARY KEY   the given binary, with the shared libraries that it names
#   tests/static.sh full KEY            builds a static binary and runs it alone; takes minutes
#
# KEY is a synthetic key that a scan has to find. Skips with a reason where chroot is not permitted.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
jail=$scratch/jail
mkdir -p "$jail/tree/keys" "$jail/tree/clean"

case ${1:-} in
sample)
  binary=$2 key=$3
  # `name => /path (address)` and `/loader (address)`.
  for library in $(ldd "$binary" | grep -o '/[^ ]*'); do
    mkdir -p "$jail$(dirname "$library")"
    cp -L "$library" "$jail$library"
  done
  ;;
full)
  key=$2 host=$(rustc -vV | sed -n 's/^host: //p')
  # The target is named, so that the flags do not reach build scripts and macros, which cannot be static. The backend is
  # named since getrandom looks its function up at run time, which a static binary cannot, and then opens /dev/urandom.
  RUSTFLAGS='-C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom"' cargo build --quiet --profile "${PROFILE:-release}" --locked --target "$host" \
    --bin keywheel
  binary=${CARGO_TARGET_DIR:-target}/$host/${PROFILE:-release}/keywheel
  if readelf --program-headers "$binary" | grep -q INTERP || readelf --dynamic "$binary" | grep -q NEEDED; then
    echo "the binary is not static"
    exit 1
  fi
  echo "the binary is static, $(stat -c %s "$binary") bytes"
  ;;
*)
  echo "usage: tests/static.sh sample BINARY KEY | full KEY"
  exit 2
  ;;
esac

cp "$binary" "$jail/keywheel"
printf 'token = "%s"\n' "$key" >"$jail/tree/keys/a.py"
echo nothing >"$jail/tree/clean/a.py"
# As root this is enough; elsewhere a user namespace may permit it.
enter=(chroot "$jail")
if ! "${enter[@]}" /keywheel --version >"$scratch/log" 2>&1; then
  enter=(unshare --user --map-root-user chroot "$jail")
  if ! "${enter[@]}" /keywheel --version >>"$scratch/log" 2>&1; then
    if grep -Eq 'Operation not permitted|Permission denied' "$scratch/log"; then
      echo "skipped: chroot is not permitted here"
      exit 0
    fi
    cat "$scratch/log"
    exit 1
  fi
fi

# check EXIT-CODE WORDS ARGUMENTS…
check() {
  local expected=$1 words=$2 code=0
  shift 2
  env -i "PATH=$PATH" "${enter[@]}" /keywheel "$@" >"$scratch/out" 2>&1 </dev/null || code=$?
  if [ "$code" != "$expected" ] || ! grep -q -- "$words" "$scratch/out" || grep -qF -- "$key" "$scratch/out"; then
    cat "$scratch/out"
    echo "in an empty chroot \`keywheel $*\` ended with $code, not $expected, or without the words \`$words\`"
    exit 1
  fi
}
check 0 'No findings' scan /tree/clean
check 1 'GitHub' scan /tree/keys
check 1 'github-pat-classic' scan /tree --format jsonl
check 0 'rules' rules check
echo "the binary runs in an empty chroot"
