#!/usr/bin/env bash
# The page of usage in a browser without a network: it must draw, and nothing may go wrong in it.
#
#   tests/page/render.sh KEYWHEEL [SCREENSHOT.png]
#
# Exit code 77: there is no Chromium here.
set -euo pipefail
keywheel=$1 shot=${2:-}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[ -n "$browser" ] || exit 77
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
now=$(date +%s)

# Made-up use of four services for four weeks, with days, weekends and one spike.
awk -v now="$now" 'BEGIN {
  srand(7)
  split("checkout search support batch", service, " ")
  for (hour = 28 * 24; hour > 0; hour--) {
    at = now - hour * 3600
    for (s = 1; s <= 4; s++) {
      day = 1 + 0.8 * cos(6.283 * ((at / 3600) % 24 - 14) / 24)
      n = int((5 - s) * 60 * day * (0.7 + 0.6 * rand()) * (int(at / 86400 + 4) % 7 < 2 ? 0.4 : 1))
      if (s == 2 && hour < 60 && hour > 48) n *= 9
      printf "{\"t\":%d,\"k\":\"key_%s\",\"m\":\"large\",\"n\":%d,\"in\":%d,\"out\":%d,\"usd\":%.6f}\n", at, service[s], n, n * 900, n * 240, n * 0.004
    }
  }
}' >"$folder/log"
cat >"$folder/map.toml" <<'MAP'
form = "jsonl"
provider = "openai"
[columns]
at = "/t"
key = "/k"
model = "/m"
requests = "/n"
input = ["/in"]
output = ["/out"]
cost = "/usd"
MAP
{
  echo 'version = 1'
  for service in checkout search support batch; do
    printf '[team.%s]\n' "$service"
  done
  for service in checkout search support batch; do
    printf '[[key]]\nid = "web/%s/production/openai"\nteam = "%s"\nservice = "%s"\nenvironment = "production"\n' "$service" "$service" "$service"
    printf 'provider = "openai"\nrule = "openai-project-key"\naccount = "web"\nknown-as = ["key_%s"]\n' "$service"
    [ "$service" != checkout ] || printf 'rotated = %s\n' "$(date -u -d "@$((now - 9 * 86400))" +%Y-%m-%dT%H:%M:%SZ)"
  done
} >"$folder/policy.toml"
"$keywheel" usage import --store "$folder/u.db" --mapping "$folder/map.toml" --name gateway "$folder/log"
printf '' >"$folder/alerts.toml"
# It tells the spike, with exit code 1, and the page shows it.
"$keywheel" usage watch --store "$folder/u.db" --policy "$folder/policy.toml" --alerts "$folder/alerts.toml" || [ $? = 1 ]
"$keywheel" usage show --store "$folder/u.db" --policy "$folder/policy.toml" --format html >"$folder/page.html"

options=(--headless --no-sandbox --disable-gpu --hide-scrollbars --force-color-profile=srgb
  --host-resolver-rules='MAP * ~NOTFOUND' --user-data-dir="$folder/profile" --window-size=1100,1250
  --virtual-time-budget=4000 --enable-logging=stderr)
"$browser" "${options[@]}" --dump-dom "file://$folder/page.html" >"$folder/dom.html" 2>"$folder/browser.log"
if grep -E 'CONSOLE.*(Uncaught|Error|Refused)' "$folder/browser.log"; then
  echo "something went wrong in the page"
  exit 1
fi
grep -q '<body data-drawn="cost">' "$folder/dom.html" || { echo "the page did not draw"; exit 1; }
grep -q '<td>spike<td' "$folder/page.html" || { echo "the spike has no mark"; exit 1; }
grep -q '<canvas' "$folder/dom.html" || { echo "there is no drawing"; exit 1; }
if [ -n "$shot" ]; then
  "$browser" "${options[@]}" --screenshot="$shot" "file://$folder/page.html" 2>"$folder/browser.log"
fi
echo "the page draws without a network"
