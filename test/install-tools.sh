#!/bin/sh
# Installs what the tests run besides PostgreSQL, where it is missing: curl for the README's commands, haproxy for the
# test of several replicas, with the very configuration that docker-compose.yml mounts, nginx, which is tested beside it
# against smuggled requests, and pgbouncer, through which the life cycles are tested. Silent when all is there.
set -eu

say() { echo "install-tools: $*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

missing=""
has curl || missing="$missing curl"
# Debian keeps servers in a directory that is not in every user's PATH.
for server in haproxy nginx pgbouncer; do
	has $server || [ -x /usr/sbin/$server ] || missing="$missing $server"
done
[ -n "$missing" ] || exit 0

apt_install() {
	# Debian's small nginx; its metapackage brings modules.
	missing=$(echo "$missing" | sed 's/ nginx$/ nginx-light/; s/ nginx / nginx-light /')
	# The runlevel keeps Debian from starting servers as services.
	as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends $missing
}

if has apt-get; then
	say "installing$missing: apt-get install (no service is left running)"
	apt_install || {
		say "that failed; updating the package lists, and trying again: apt-get update"
		as_root apt-get update -q
		apt_install
	}
	for server in haproxy nginx pgbouncer; do
		case "$missing" in *$server*)
			if has systemctl; then as_root systemctl disable --now $server >/dev/null 2>&1 || true; fi
			;;
		esac
	done
elif has dnf; then
	say "installing$missing: dnf install"
	as_root dnf install -y -q $missing
elif has brew; then
	say "installing$missing: brew install"
	brew install $missing
else
	say "install$missing to run the tests."
	exit 1
fi
