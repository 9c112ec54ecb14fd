#!/bin/sh
# Makes sure that programs are there which tests put beside the gateway as other
# people's: programs.sh NAME...
# As root on Debian or Ubuntu it installs the distribution's packages of those
# names. Elsewhere it says what is missing; with CI=true that is a failure.
set -eu

missing=
for name in "$@"; do
	command -v "$name" >/dev/null 2>&1 || missing="$missing $name"
done
if [ -z "$missing" ]; then
	exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "install$missing"
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086 # one word for each package
	if apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
		exit 0
	fi
fi
echo "SKIPPED:$missing: not installed, so nobody else's program tries certificates" >&2
[ "${CI:-}" != true ]
