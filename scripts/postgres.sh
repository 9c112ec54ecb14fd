#!/bin/sh
# Makes sure that the programs of a PostgreSQL server are there, from which the
# tests start a throwaway server of their own: postgres.sh
# As root on Debian or Ubuntu it installs the distribution's package, without
# the cluster that the package would start. Elsewhere it says what is missing;
# with CI=true that is a failure.
set -eu

for initdb in /usr/lib/postgresql/*/bin/initdb; do
	if [ -x "$initdb" ]; then
		exit 0
	fi
done
if command -v initdb >/dev/null 2>&1; then
	exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "install postgresql"
	if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
		mkdir -p /etc/postgresql-common
		echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
	fi
	export DEBIAN_FRONTEND=noninteractive
	if apt-get update -qq && apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold postgresql >/dev/null; then
		exit 0
	fi
fi
echo "SKIPPED: PostgreSQL is not installed, so its driver is tested without a server" >&2
[ "${CI:-}" != true ]
