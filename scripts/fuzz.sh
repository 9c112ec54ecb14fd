#!/bin/sh
# Runs every fuzz target for a while, one after the other: fuzz.sh [TIME]
set -eu
cd "$(dirname "$0")/.."

time=${1:-10s}
find cmd internal verify -name '*_test.go' | sort | while read -r file; do
	sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file" | while read -r target; do
		echo "$(dirname "$file") $target"
		"${GO:-go}" test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 1x -parallel "${FUZZWORKERS:-1}" "./$(dirname "$file")"
	done
done
