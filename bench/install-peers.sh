#!/bin/sh
# Installs the servers that `make bench-peers` measures beside tusq, where they are missing: RabbitMQ and Redis. No service is left
# running. NATS and River are Go modules. Silent when all is there.
set -eu

say() { echo "install-peers: $*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# has_rabbitmq: the server's own script, not the wrapper in PATH, is what the benchmark runs.
has_rabbitmq() {
	for script in /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server; do
		[ -x "$script" ] && return 0
	done
	return 1
}

missing=""
services=""
if ! has_rabbitmq; then
	missing="$missing rabbitmq-server"
	services="$services rabbitmq-server"
fi
if ! has redis-server; then
	missing="$missing redis-server"
	services="$services redis-server"
fi
[ -n "$missing" ] || exit 0

if ! has apt-get; then
	say "install$missing: this script knows apt-get alone. What is missing is reported as failed."
	exit 0
fi

policy=/usr/sbin/policy-rc.d

# apt_install keeps Debian from starting the services, by the file that it asks; one that is there already is kept.
apt_install() {
	if [ ! -e "$policy" ]; then
		trap 'as_root rm -f "$policy"' EXIT
		trap 'exit 1' HUP INT TERM
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod +x "$policy"
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
}

say "installing$missing: apt-get install (no service is left running)"
apt_install || {
	say "that failed; updating the package lists, and trying again: apt-get update"
	as_root apt-get update -q
	apt_install
}
if has systemctl; then
	for service in $services; do
		as_root systemctl disable "$service" >/dev/null 2>&1 || true
	done
fi
