#!/bin/sh
# Installs haproxy where it is missing: the test of several replicas runs them behind
# the very configuration that docker-compose.yml mounts. Silent when it is there.
set -eu

say() { echo "install-haproxy: $*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian keeps it in a directory that is not in every user's PATH.
if has haproxy || [ -x /usr/sbin/haproxy ]; then exit 0; fi
if has apt-get; then
	say "installing haproxy: apt-get install haproxy (no service is left running)"
	as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends haproxy || {
		as_root apt-get update -q
		as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends haproxy
	}
	# Debian starts and enables the service, which nobody asked for.
	if has systemctl; then
		as_root systemctl disable --now haproxy >/dev/null 2>&1 || true
	fi
elif has dnf; then
	say "installing haproxy: dnf install haproxy"
	as_root dnf install -y -q haproxy
elif has brew; then
	say "installing haproxy: brew install haproxy"
	brew install haproxy
else
	say "haproxy is missing; install it to run the tests."
	exit 1
fi
