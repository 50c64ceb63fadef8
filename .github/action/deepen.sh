#!/usr/bin/env bash
# Fetches the commits that the event names, and as much of their history as the comparison needs. Keywheel itself never
# fetches: what is missing after this it reports, and fails.
#
# Environment: KEYWHEEL_BIN; KEYWHEEL_TOKEN (may be empty, a public repository needs none); KEYWHEEL_SCAN;
# KEYWHEEL_ALLOW_TARGET; what the runner sets.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=.github/action/common.sh
. "$here/common.sh"

server=${GITHUB_SERVER_URL:?run it in a step of GitHub Actions}
url=$server/${GITHUB_REPOSITORY:?run it in a step of GitHub Actions}
folder=${KEYWHEEL_PATH:-.}
token=${KEYWHEEL_TOKEN:-}
unset KEYWHEEL_TOKEN

# Nobody's configuration but the repository's own is read, no helper is run, and nothing is asked.
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0 GIT_ALLOW_PROTOCOL=https:http
export GIT_NO_REPLACE_OBJECTS=1 GIT_ASKPASS=/bin/false SSH_ASKPASS=/bin/false
unset GIT_DIR GIT_WORK_TREE GIT_SSH GIT_SSH_COMMAND GIT_EXEC_PATH GIT_TRACE GIT_TRACE_CURL GIT_CURL_VERBOSE
# The credential goes by environment, so that it stands neither in a file nor on a command line. The empty value first
# takes away what the checkout may have stored: a server refuses two. It is sent to this server alone.
config=(
  "safe.directory=$(cd -- "$folder" && pwd)"
  "http.$server/.extraHeader="
)
[ -z "$token" ] ||
  config+=("http.$server/.extraHeader=AUTHORIZATION: basic $(printf 'x-access-token:%s' "$token" | base64 | tr -d '\n')")
export GIT_CONFIG_COUNT=${#config[@]}
for i in "${!config[@]}"; do
  export "GIT_CONFIG_KEY_$i=${config[$i]%%=*}" "GIT_CONFIG_VALUE_$i=${config[$i]#*=}"
done

git_() {
  git -C "$folder" -c core.hooksPath=/dev/null -c protocol.ext.allow=never -c core.fsmonitor=false \
    -c credential.helper= -c submodule.recurse=false -c fetch.recurseSubmodules=false -c gc.auto=0 \
    -c maintenance.auto=false -c core.sshCommand=/bin/false -c http.followRedirects=false -c advice.detachedHead=false "$@"
}

# What git says comes from a server and a repository: no line of it begins as a command to the runner.
fetch() {
  local log code=0
  log=$(git_ fetch --quiet --no-tags --no-recurse-submodules --no-write-fetch-head --no-auto-maintenance "$@" 2>&1) || code=$?
  [ -z "$log" ] || printf '%s\n' "$log" | tr '\r' '\n' | sed 's/##/# #/g; s/^/git: /' >&2
  return "$code"
}

have() { git_ cat-file -e "$1^{commit}" 2>/dev/null; }
shallow() { [ "$(git_ rev-parse --is-shallow-repository)" = true ]; }
# Whether a commit of the list on standard input is at the edge of what was fetched.
at_edge() { [ -s "$edge" ] && grep -qFxf "$edge"; }

head='' base='' merge='' before='' branch='' whole=''
args=(ci github --print-needs --scan "${KEYWHEEL_SCAN:-auto}")
[ "${KEYWHEEL_ALLOW_TARGET:-false}" != true ] || args+=(--allow-pull-request-target)
# Why an event is refused is told by the scan.
plan=$("$KEYWHEEL_BIN" "${args[@]}" 2>/dev/null) || exit 0
while read -r word value; do
  case $word in
  head) head=$value ;;
  base) base=$value ;;
  merge) merge=$value ;;
  before) before=$value ;;
  branch) branch=$value ;;
  history) whole=yes ;;
  esac
done <<<"$plan"

edge=$(git_ rev-parse --git-path shallow) || fail "there is no git repository at $folder; check out before this action"
case $edge in /*) ;; *) edge=$folder/$edge ;; esac

once=()
if [ -n "$whole" ]; then
  ! shallow || once=(--unshallow)
  fetch ${once[@]+"${once[@]}"} -- "$url" '+refs/heads/*:refs/remotes/origin/*' '+refs/tags/*:refs/tags/*' ||
    tell "the history could not be fetched; what is missing makes the scan incomplete"
  exit 0
fi

! shallow || once=(--depth=1)
into=+refs/heads/$branch:refs/remotes/origin/$branch
if [ -n "$branch" ] && ! have "refs/remotes/origin/$branch"; then
  fetch ${once[@]+"${once[@]}"} -- "$url" "$into" || tell "the default branch could not be fetched"
fi
for id in $head $base $merge $before; do
  have "$id" || fetch ${once[@]+"${once[@]}"} -- "$url" "$id" || tell "$id could not be fetched"
done
if [ -z "$head" ] || ! have "$head" || ! shallow; then
  exit 0
fi

# The comparison that the scan will make: of the trial merge with its first parent, or of the head with what is known
# of its base.
compared() {
  from=$head onto=''
  if [ -n "$merge" ] && [ "$(git_ rev-parse --verify --quiet "$merge^2")" = "$head" ]; then
    from=$merge onto=$merge^1
  elif [ -n "$base" ]; then
    onto=$base
  elif [ -n "$before" ] && have "$before"; then
    onto=$before
  elif [ -n "$branch" ]; then
    onto=refs/remotes/origin/$branch
  fi
}

# Whether it can be made: nothing of it lies at the edge of what was fetched, and it has a merge base.
enough() {
  compared
  [ -n "$onto" ] && have "$onto" || return 1
  ! { [ -n "$merge" ] && have "$merge" && at_edge <<<"$merge"; } || return 1
  git_ merge-base "$from" "$onto" >/dev/null 2>&1 || return 1
  ! git_ rev-list "$from" --not "$onto" -- | at_edge
}

tips=("$head")
[ -z "$branch" ] || tips+=("$into")
for id in $base $merge $before; do
  ! have "$id" || tips+=("$id")
done
for depth in --depth=64 --depth=512 --depth=4096 --unshallow; do
  ! enough || exit 0
  shallow || exit 0
  fetch "$depth" -- "$url" "${tips[@]}" || {
    tell "the history could not be fetched; what is missing makes the scan incomplete"
    exit 0
  }
done
