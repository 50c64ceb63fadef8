#!/usr/bin/env bash
# The page of usage in a browser without a network: it must draw, and nothing may go wrong in it.
#
#   tests/page/render.sh KEYWHEEL SCREENSHOT.png
#
# KEYWHEEL_STATE and KEYWHEEL_MASTER_KEY name a journal with one rotation of `team/app/prod` and its overlap, as the
# test `course::a_journal_to_draw` writes it. Exit code 77: there is no Chromium here.
set -euo pipefail
keywheel=$1 shot=$2
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
print=kw1:00000001:$(printf '%031d1' 0)
printf '{"version":1,"findings":[{"fingerprint":"%s","rule":"openai-project-key","provider":"openai","validity":"active","status":"new","occurrences":[{"path":"search/app.py","line":7,"history":{"authored":"%s"}}]}]}' \
  "$print" "$(date -u -d "@$((now - 5 * 86400))" +%Y-%m-%dT%H:%M:%SZ)" >"$folder/report.json"
{
  echo 'version = 1'
  for service in checkout search support batch; do
    printf '[team.%s]\n' "$service"
  done
  for service in checkout search support batch; do
    id=web/$service/production/openai
    [ "$service" != checkout ] || id=team/app/prod
    printf '[[key]]\nid = "%s"\nteam = "%s"\nservice = "%s"\nenvironment = "production"\n' "$id" "$service" "$service"
    printf 'provider = "openai"\nrule = "openai-project-key"\naccount = "web"\nknown-as = ["key_%s"]\n' "$service"
    [ "$service" != batch ] || printf 'rotated = %s\n' "$(date -u -d "@$((now - 20 * 86400))" +%Y-%m-%dT%H:%M:%SZ)"
    [ "$service" != search ] || printf 'fingerprints = ["%s"]\n' "$print"
  done
} >"$folder/policy.toml"
"$keywheel" usage import --store "$folder/u.db" --mapping "$folder/map.toml" --name gateway "$folder/log"
printf '' >"$folder/alerts.toml"
# It tells the spike, with exit code 1, and the page shows it.
known=(--store "$folder/u.db" --policy "$folder/policy.toml" --findings "$folder/report.json")
"$keywheel" usage watch "${known[@]}" --alerts "$folder/alerts.toml" || [ $? = 1 ]
"$keywheel" usage show "${known[@]}" --format html >"$folder/page.html"

options=(--headless --no-sandbox --disable-gpu --hide-scrollbars --force-color-profile=srgb
  --host-resolver-rules='MAP * ~NOTFOUND' --user-data-dir="$folder/profile" --window-size=1100,1250
  --virtual-time-budget=4000 --enable-logging=stderr)
"$browser" "${options[@]}" --dump-dom "file://$folder/page.html" >"$folder/dom.html" 2>"$folder/browser.log"
if grep -E 'CONSOLE.*(Uncaught|Error|Refused)' "$folder/browser.log"; then
  echo "something went wrong in the page"
  exit 1
fi
drawn() { grep -Eq "<body [^>]*$1" "$folder/dom.html" || { echo "the page did not draw: $2"; exit 1; }; }
drawn 'data-drawn="cost"' 'the costs'
drawn 'data-windows="1"' 'the overlap'
drawn 'data-marks="[4-9]"' 'the marks'
for kind in rotation finding spike use-with-finding; do
  grep -q "<td>$kind<td" "$folder/page.html" || { echo "there is no mark: $kind"; exit 1; }
done
grep -q '<canvas' "$folder/dom.html" || { echo "there is no drawing"; exit 1; }
"$browser" "${options[@]}" --screenshot="$shot" "file://$folder/page.html" 2>"$folder/browser.log"
size=$(wc -c <"$shot")
if [ "$size" -lt 20000 ] || [ "$size" -gt 150000 ]; then
  echo "the picture of the page has $size bytes, and should have 20,000 to 150,000"
  exit 1
fi
echo "the page draws without a network; its picture: $shot"
