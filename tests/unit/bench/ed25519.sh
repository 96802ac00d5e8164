#!/usr/bin/env bash
# ed25519.sh BUILD-FOLDER: what scripts may rely on of `quorate-bench ed25519`. No speed is demanded.
set -euo pipefail

bench=$1/bench/quorate-bench
command -v jq >/dev/null || {
  echo "skipped: there is no jq; ./dev deps installs it"
  exit 77
}
folder=$(mktemp -d "${TMPDIR:-/tmp}/quorate-ed25519-XXXXXX")
trap 'rm -rf "$folder"' EXIT
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# expect STATUS COMMAND...: its standard output is left in $folder/out, the other in $folder/err.
expect() {
  local wanted=$1 got=0
  shift
  "$@" >"$folder/out" 2>"$folder/err" || got=$?
  [[ $got -eq $wanted ]] || fail "status $got, expected $wanted: $* ($(<"$folder/err"))"
}

holds() {
  jq -e "$1" "$folder/out" >/dev/null || fail "$1 of $(<"$folder/out")"
}

for backend in portable avx2 ifma; do
  if ! "$bench" ed25519 --backend "$backend" --keys 1 --batch 1 --seconds 0.01 >/dev/null 2>&1; then
    [[ $backend != portable ]] || fail "portable does not run"
    echo "skipped: $backend does not run on this CPU"
    continue
  fi
  expect 0 "$bench" ed25519 --backend "$backend" --keys 3 --batch 70 --message-bytes 33 --seconds 0.05 --json
  [[ $(wc -l <"$folder/out") -eq 1 ]] || fail "not one line"
  holds ".backend == \"$backend\" and .keys == 3 and .batch == 70 and .message_bytes == 33 and .tables_bytes > 0"
  holds '[.verify_ns, .libsodium_verify_ns, .ratio_to_libsodium, .sign_ns, .libsodium_sign_ns, .ratio_sign,
    .key_setup_ns, .table_bytes_per_key] | all(. > 0)'
  holds 'has("host") and has("cpu") and has("kernel") and has("cc") and has("flags") and has("git") and has("dirty")'
done
expect 0 "$bench" ed25519 --keys 2 --batch 8 --seconds 0.01
grep -q '^ratio_to_libsodium ' "$folder/out" || fail "no table"

expect 64 "$bench" ed25519 --keys 0
expect 64 "$bench" ed25519 --batch 0
expect 64 "$bench" ed25519 --backend sse
expect 64 "$bench" ed25519 --keys 1000 --tables-mib 1
expect 64 "$bench" ed25519 file
expect 66 "$bench" ed25519 --vectors "$folder/none"
echo nonsense >"$folder/vectors"
expect 65 "$bench" ed25519 --vectors "$folder/vectors" --json
[[ $(<"$folder/err") == *'line 1'* ]] || fail "the line is not named"
: >"$folder/vectors"
expect 0 "$bench" ed25519 --vectors "$folder/vectors" --json
holds '.total == 0 and .verdicts == ""'

((failures == 0)) || exit 1
