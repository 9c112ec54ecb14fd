#!/bin/sh
# Runs the tests that know the flag -soak with it: longer counts of what is
# random or depends on timing.
set -eu
cd "$(dirname "$0")/.."

packages=$(grep -rl --include='*_test.go' --exclude-dir=node_modules 'flag.Bool("soak"' cmd internal test | xargs -n1 dirname | sort -u)
for package in $packages; do
	"${GO:-go}" test -timeout 4h -count 1 "./$package" -soak
done
