#!/usr/bin/env bash
# Checks that the committed Python is what the contracts generate, and that no contract breaks its callers: neither those of
# the baseline (baseline.binpb), nor those of the previous commit that changed contracts, unless the baseline changed since.
set -euo pipefail
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
./generate.sh "$scratch" 2> /dev/null
diff --recursive --brief --exclude=__pycache__ src "$scratch" || { echo "generated code is not current: run make protos" >&2; exit 1; }
buf build --exclude-source-info -o "$scratch/now.binpb"
rules='{"version":"v2","breaking":{"use":["FILE"],"ignore":["buf/validate"]}}'
buf breaking "$scratch/now.binpb" --against baseline.binpb --config "$rules"
previous=$(git rev-list -2 HEAD -- lumenmill | tail -1)
if [ -n "$previous" ] && git cat-file -e "$previous:protos/buf.yaml" 2> /dev/null \
  && git diff --quiet "$previous" -- baseline.binpb; then
  mkdir "$scratch/previous"
  git archive "$previous" . | tar -x -C "$scratch/previous"
  (cd "$scratch/previous" && buf build --exclude-source-info -o "$scratch/previous.binpb")
  buf breaking "$scratch/now.binpb" --against "$scratch/previous.binpb" --config "$rules"
fi
