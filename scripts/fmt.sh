#!/bin/sh
# Fails when a Go file is not formatted, and names it.
set -eu
cd "$(dirname "$0")/.."

found=$(find cmd internal test examples \( -name node_modules -o -name .venv \) -prune -o -name '*.go' -print | xargs gofmt -l)
if [ -n "$found" ]; then
	echo "not formatted; run gofmt -w on:" >&2
	echo "$found" >&2
	exit 1
fi
