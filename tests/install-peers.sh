#!/bin/sh
# Installs the real programs that tests talk to, from Debian's packages. Where that can't be done, says what is
# missing; the tests that need it then skip with a reason.
set -eu
wanted=""
need() { command -v "$1" >/dev/null 2>&1 || [ -x "${3:-/nonexistent}" ] || wanted="$wanted $2"; }
need promtool prometheus
need prometheus-alertmanager prometheus-alertmanager
need psql postgresql
need restic restic
need borg borgbackup
need pgbackrest pgbackrest
need zstd zstd
need redis-server redis-server
need check_dummy monitoring-plugins-basic /usr/lib/nagios/plugins/check_dummy
need prometheus-node-exporter prometheus-node-exporter
# Without a database and a daemon of its own, and with the smallest program that passes for a mail server: it is not used.
mailer=$([ -e /usr/sbin/sendmail ] || echo esmtp-run)
need rt-server "request-tracker5 rt5-standalone rt5-db-sqlite dbconfig-no-thanks $mailer" \
  /usr/share/request-tracker5/libexec/rt-server
[ -n "$wanted" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "For all tests, install:$wanted (as root: apt-get install -y$wanted)" >&2
  exit 0
fi
echo "Installing for the tests:$wanted" >&2
# A server that a package would start is not wanted: tests start their own.
policy=/usr/sbin/policy-rc.d
[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"; trap 'rm -f "$policy"' EXIT; }
apt-get update -qq
# Nothing that is there is given up for it. Without a sync for every file it takes half the time.
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove \
  -o Dpkg::Options::=--force-unsafe-io $wanted >/dev/null
