#!/usr/bin/env bash
# feedmill with one serving thread against nginx with one worker: the same bytes, a core for the server, another one for wrk, taking
# turns run by run. BENCH_RUNS (5) and BENCH_SECONDS (3) make it longer or shorter.
set -euo pipefail

runs=${BENCH_RUNS:-5}
seconds=${BENCH_SECONDS:-3}

missing=()
for program in nginx wrk taskset curl python3; do
  command -v "$program" >/dev/null 2>&1 || missing+=("$program")
done
if [ "${#missing[@]}" != 0 ]; then
  echo "bench serving: missing: ${missing[*]}" >&2
  exit 2
fi
if [ "$(nproc)" -lt 2 ]; then
  echo "bench serving: needs two cores, one for the server and one for wrk" >&2
  exit 2
fi
# wrk holds a thousand connections, and so does the server.
ulimit -n 4096

folder=$(mktemp -d)
started=()
finish() {
  for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

python3 scripts/bench.d/serving.py sources "$folder"
cat >"$folder/feeds.toml" <<'CONFIG'
[server]
listen = "127.0.0.1:8481"
threads = 1
[sources.large]
url = "file:large.xml"
topics = ["large"]
[sources.small]
url = "file:small.xml"
topics = ["small"]
CONFIG
taskset -c 0 "$FEEDMILL" --config "$folder/feeds.toml" >"$folder/feedmill.log" 2>&1 &
feedmill=$!
started+=("$feedmill")
for _ in $(seq 100); do
  sleep 0.1
  if curl -s 127.0.0.1:8481/topics/small.atom | grep -q '<entry>' && curl -s 127.0.0.1:8481/topics/large.atom | grep -q '<entry>'; then
    break
  fi
done

mkdir "$folder/files"
for size in large small; do
  curl -s "127.0.0.1:8481/topics/$size.atom" >"$folder/files/$size.atom"
  curl -s -H 'Accept-Encoding: gzip' "127.0.0.1:8481/topics/$size.atom" >"$folder/files/$size.atom.gz"
  touch -d 2026-01-01 "$folder/files/$size.atom" "$folder/files/$size.atom.gz"
  echo "$size: $(wc -c <"$folder/files/$size.atom") bytes, $(wc -c <"$folder/files/$size.atom.gz") in gzip"
done
chmod -R a+rX "$folder"
cat >"$folder/nginx.conf" <<CONFIG
worker_processes 1;
daemon off;
pid $folder/nginx.pid;
error_log $folder/nginx.log;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; gzip_static on; open_file_cache max=100; keepalive_requests 100000000;
  types { application/atom+xml atom; }
  server { listen 127.0.0.1:8482; root $folder/files; }
}
CONFIG
taskset -c 0 nginx -c "$folder/nginx.conf" -e "$folder/nginx.log" &
started+=("$!")
for _ in $(seq 50); do
  sleep 0.1
  curl -s -o /dev/null 127.0.0.1:8482/small.atom && break
done
worker=$(pgrep -P "$!" | head -1)

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

# One run: server, process, address, case, connections, headers.
measure() {
  local server=$1 process=$2 address=$3 what=$4 connections=$5
  shift 5
  local before after
  before=$(ticks "$process")
  taskset -c 1 wrk -t1 -c"$connections" -d"${seconds}s" --timeout 10s --latency "$@" "$address" >"$folder/wrk.txt"
  after=$(ticks "$process")
  python3 scripts/bench.d/serving.py run "$server" "$what" "$connections" "$((after - before))" "$(getconf CLK_TCK)" \
    <"$folder/wrk.txt" >>"$folder/runs.tsv"
}

tag() { curl -s -o /dev/null -D - -H 'Accept-Encoding: gzip' "$1" | tr -d '\r' | sed -n 's/^[Ee][Tt][Aa][Gg]: //p'; }

for what in 304 small large; do
  size=${what/304/small}
  mine=127.0.0.1:8481/topics/$size.atom
  other=127.0.0.1:8482/$size.atom
  for connections in 64 1000; do
    for _ in $(seq "$runs"); do
      if [ "$what" = 304 ]; then
        measure nginx "$worker" "http://$other" 304 "$connections" -H 'Accept-Encoding: gzip' -H "If-None-Match: $(tag "$other")"
        measure feedmill "$feedmill" "http://$mine" 304 "$connections" -H 'Accept-Encoding: gzip' -H "If-None-Match: $(tag "$mine")"
      else
        measure nginx "$worker" "http://$other" "$what" "$connections" -H 'Accept-Encoding: gzip'
        measure feedmill "$feedmill" "http://$mine" "$what" "$connections" -H 'Accept-Encoding: gzip'
      fi
    done
  done
done
python3 scripts/bench.d/serving.py table "$folder/runs.tsv"
