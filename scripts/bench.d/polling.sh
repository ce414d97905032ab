#!/usr/bin/env bash
# Polling, beside a bare loop of the same client over the same scripted origin in the same run: all documents new, then all 304, with
# kept connections and with one for each poll. Needs the origin's source (ORIGIN_SOURCE, by default beside the project).
# FEEDS="1000 5000" says for how many sources.
set -euo pipefail

source=${ORIGIN_SOURCE:-../shared/tools/origin}
if [ ! -f "$source/Cargo.toml" ]; then
  echo "skipped: there is no scripted origin at $source (name its folder with ORIGIN_SOURCE)"
  exit 0
fi
CARGO_TARGET_DIR=target/origin cargo build --quiet --release --locked --manifest-path "$source/Cargo.toml"
bench=$(cargo bench --locked --no-run --bench polling --message-format json 2>/dev/null |
  sed -n 's/.*"name":"polling".*"executable":"\([^"]*\)".*/\1/p' | tail -1)
if [ ! -x "$bench" ]; then
  echo "scripts/bench: the bench \`polling\` was not built" >&2
  exit 1
fi

port=8951
for feeds in ${FEEDS:-1000 5000}; do
  printf '\n%s sources\n' "$feeds"
  target/origin/release/origin --feeds "$feeds" --epoch 1795000000 --port "$port" >/dev/null 2>&1 &
  origin=$!
  trap 'kill "$origin" 2>/dev/null || true' EXIT
  for _ in $(seq 150); do
    curl -fs "127.0.0.1:$port/stats" >/dev/null 2>&1 && break
    sleep 0.2
  done
  for mode in "bare parse" "mill" "bare alone" "mill alone"; do
    read -r kind flags <<<"$mode"
    # shellcheck disable=SC2086
    "$bench" "$kind" "http://127.0.0.1:$port" $flags | sed "s/^/${flags:+$flags, }/"
  done
  kill "$origin"
  wait "$origin" 2>/dev/null || true
  trap - EXIT
  port=$((port + 1))
done
