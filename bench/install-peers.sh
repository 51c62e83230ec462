#!/bin/sh
# Installs what the benchmark measures beside watchkeeper, and the web server that all of them ask, from Debian's
# packages. Where that can't be done, says what is missing; cases that need it then say so.
set -eu
wanted=""
need() { command -v "$1" >/dev/null 2>&1 || wanted="$wanted $2"; }
PATH=$PATH:/usr/sbin:/usr/lib/nagios/plugins
need nginx nginx-light
need prometheus prometheus
need prometheus-blackbox-exporter prometheus-blackbox-exporter
need nagios4 nagios4-core
need check_http monitoring-plugins-basic
[ -n "$wanted" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "For all of the benchmark, install:$wanted (as root: apt-get install -y --no-install-recommends$wanted)" >&2
  exit 0
fi
echo "Installing for the benchmark:$wanted" >&2
# A server that a package would start is not wanted: the benchmark starts its own.
policy=/usr/sbin/policy-rc.d
[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"; trap 'rm -f "$policy"' EXIT; }
apt-get update -qq
# shellcheck disable=SC2086  # a list of packages
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted >/dev/null
