#!/bin/sh
# Vets and tests the builds that reach further root keys: the clouds' key
# services against stand-ins of their APIs, and PKCS#11 against SoftHSM 2, which
# it installs as root on Debian or Ubuntu. The latter needs CGO and a C
# compiler. What is missing is said; with CI=true that is a failure.
set -eu
cd "$(dirname "$0")/.."
go="${GO:-go}"

$go vet -tags ostiary_cloudkms ./internal/kms ./internal/app
$go test -tags ostiary_cloudkms ./internal/kms

if ! command -v "${CC:-gcc}" >/dev/null 2>&1; then
	echo "SKIPPED: there is no C compiler, so PKCS#11 is not tested" >&2
	[ "${CI:-}" != true ] || exit 1
	exit 0
fi
if ! command -v softhsm2-util >/dev/null 2>&1 && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "install softhsm2"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq && apt-get install -y -qq --no-install-recommends softhsm2 >/dev/null || true
fi
CGO_ENABLED=1 $go vet -tags ostiary_pkcs11 ./internal/kms
CGO_ENABLED=1 $go test -tags ostiary_pkcs11 ./internal/kms
