#!/bin/sh
# Installs the pinned peers of the interop tests beside this script:
#   node_modules/      conformance 0.2.0, public servers, TypeScript clients, Node 22
#   old/node_modules/  conformance 0.1.16
#   .venv/             the Python SDK, and Cedar in Rust
# Idempotent: a part is installed again only when its lock file has changed.
# Without npm or Python it says so and leaves that part out; with CI=true it fails.
set -eu
cd "$(dirname "$0")"

missing() {
	echo "interop: $1 is not installed, so $2 will be skipped" >&2
	if [ "${CI:-}" = true ]; then
		exit 1
	fi
}

# stale LOCK DIR succeeds when DIR was not installed from exactly this LOCK.
stale() {
	want=$(cksum "$1")
	[ "$(cat "$2/.stamp" 2>/dev/null || true)" != "$want" ]
}

npm_part() { # DIR
	if stale "$1/package-lock.json" "$1/node_modules"; then
		(cd "$1" && npm ci --no-progress --ignore-scripts --no-fund --no-audit --loglevel=error)
		cksum "$1/package-lock.json" >"$1/node_modules/.stamp"
	fi
}

if command -v npm >/dev/null 2>&1; then
	npm_part .
	npm_part old
else
	missing npm "the conformance suites, npm servers and TypeScript clients"
fi

if python3 -c 'import venv, sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
	if stale requirements.txt .venv; then
		python3 -m venv --clear .venv
		.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
		cksum requirements.txt >.venv/.stamp
	fi
else
	missing "Python 3.10 or newer" "the Python client and Cedar in Rust"
fi
