#!/bin/sh
# Installs the clients that `make test-clients` runs, where they are missing: Debian's packages of the AWS CLI, boto3,
# celery, Symfony Messenger, and the Perl and Ruby libraries; Node with npm; and the packages of test/clients/js.
# Silent when all is there. What cannot be had is named here, and its test fails.
set -eu
cd "$(dirname "$0")/clients/js"

say() { echo "install-clients: $*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# wanted prints the packages that are missing. Any Node from 18 on will do, whoever packaged it.
wanted() {
	for package in awscli python3-boto3 \
		python3-celery python3-kombu python3-pycurl \
		php-cli php-symfony-amazon-sqs-messenger php-symfony-event-dispatcher \
		libamazon-sqs-simple-perl ruby-aws-sdk; do
		installed "$package" || echo "$package"
	done
	has node || echo nodejs
	has npm || echo npm
}

# offered prints those of its arguments that Debian offers, and complains of the others.
offered() {
	for package; do
		if apt-cache show "$package" >/dev/null 2>&1; then
			echo "$package"
		else
			say "$package cannot be had here: the test that needs it will fail"
		fi
	done
}

install_packages() {
	if ! has apt-get; then
		say "Debian's packages are needed:" "$@"
		exit 1
	fi
	say "installing" "$@" "(apt-get install)"
	as_root apt-get update -q >&2
	as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
		apt-get install -y -q --no-install-recommends $(offered "$@") >&2
}

packages=$(wanted)
[ -z "$packages" ] || install_packages $packages

if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
	say "installing the packages of test/clients/js: npm ci"
	npm ci --no-audit --no-fund --ignore-scripts >&2
	cp package-lock.json node_modules/.installed-lock.json
fi
