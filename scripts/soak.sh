#!/bin/sh
# Runs long counts of what is random or depends on timing: the tests that know
# the flag -soak with it, and a million mutated messages against other parsers.
set -eu
cd "$(dirname "$0")/.."

"${GO:-go}" test -timeout 4h -count 1 -run '^TestDifferential$' ./internal/wire -wire.diff 1000000
packages=$(grep -rl --include='*_test.go' --exclude-dir=node_modules 'flag.Bool("soak"' cmd internal test | xargs -n1 dirname | sort -u)
for package in $packages; do
	"${GO:-go}" test -timeout 4h -count 1 "./$package" -soak
done
