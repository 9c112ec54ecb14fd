#!/bin/sh
# Tests the packages that share memory between goroutines under the race
# detector. It is the only part that needs CGO and a C compiler. Packages
# without goroutines are left out: detectors, client files, this house's rules.
set -eu
cd "$(dirname "$0")/.."

if ! command -v "${CC:-gcc}" >/dev/null 2>&1; then
	echo "SKIPPED: there is no C compiler, so the race detector cannot run" >&2
	[ "${CI:-}" != true ] || exit 1
	exit 0
fi
packages=$("${GO:-go}" list ./internal/... | grep -v -e '/internal$' -e '/internal/pii$' -e '/internal/clientfile$')
CGO_ENABLED=1 "${GO:-go}" test -race -timeout 15m $packages
