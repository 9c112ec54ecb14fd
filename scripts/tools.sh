#!/bin/sh
# Installs the pinned checker into bin/: tools.sh STATICCHECK_VERSION
set -eu
cd "$(dirname "$0")/.."

want=$1
if "${GO:-go}" version -m bin/staticcheck 2>/dev/null | grep -q "honnef.co/go/tools[[:space:]]$want[[:space:]]"; then
	exit 0
fi
echo "install staticcheck $want"
GOBIN=$(pwd)/bin "${GO:-go}" install "honnef.co/go/tools/cmd/staticcheck@$want"
