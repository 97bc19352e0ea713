#!/bin/sh
# Installs the Chromium that `make test-browser` drives, where it is missing: Debian's package. Silent when it is there.
set -eu

say() { echo "install-chromium: $*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium >&2
}

has chromium && exit 0
if ! has apt-get; then
	say "install Chromium to run the test, as the command chromium."
	exit 1
fi
say "installing chromium: apt-get install"
apt_install || {
	say "that failed; updating the package lists, and trying again: apt-get update"
	as_root apt-get update -q >&2
	apt_install
} || {
	say "chromium cannot be had here: the test needs it"
	exit 1
}
