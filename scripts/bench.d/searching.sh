#!/usr/bin/env bash
# What readers of feeds notice of searches: a small feed is asked for as often as the server can answer, without and with 50 searches a
# second for two words each over BENCH_ENTRIES (20,000) entries, taking turns run by run. Every search asks something else.
# BENCH_RUNS (5) and BENCH_SECONDS (3) make it longer or shorter.
set -euo pipefail
: "${FEEDMILL:?is the program to be measured; scripts/bench sets it}"

runs=${BENCH_RUNS:-5}
seconds=${BENCH_SECONDS:-3}
entries=${BENCH_ENTRIES:-20000}

missing=()
for program in wrk taskset curl python3; do
  command -v "$program" >/dev/null 2>&1 || missing+=("$program")
done
if [ "${#missing[@]}" != 0 ]; then
  echo "bench searching: missing: ${missing[*]}" >&2
  exit 2
fi
if [ "$(nproc)" -lt 2 ]; then
  echo "bench searching: needs two cores, one for the server and one for those who ask" >&2
  exit 2
fi

folder=$(mktemp -d)
started=()
finish() {
  for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

python3 scripts/bench.d/searching.py sources "$folder" "$entries"
taskset -c 0 "$FEEDMILL" --config "$folder/feeds.toml" >"$folder/feedmill.log" 2>&1 &
feedmill=$!
started+=("$feedmill")
python3 scripts/bench.d/searching.py wait 127.0.0.1:8483 "$entries"

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

# One run: what it is called.
measure() {
  local before after
  before=$(ticks "$feedmill")
  taskset -c 1 wrk -t1 -c64 -d"${seconds}s" --timeout 10s --latency -H 'Accept-Encoding: gzip' \
    http://127.0.0.1:8483/topics/small.atom >"$folder/wrk.txt"
  after=$(ticks "$feedmill")
  python3 scripts/bench.d/serving.py run "$1" small 64 "$((after - before))" "$(getconf CLK_TCK)" \
    <"$folder/wrk.txt" >>"$folder/runs.tsv"
}

for run in $(seq "$runs"); do
  measure alone
  nice -n 19 taskset -c 1 python3 scripts/bench.d/searching.py search 127.0.0.1:8483 "$run" "$seconds" >>"$folder/searches.tsv" &
  searching=$!
  measure searched
  wait "$searching"
done
python3 scripts/bench.d/searching.py table "$folder/runs.tsv" "$folder/searches.tsv"
