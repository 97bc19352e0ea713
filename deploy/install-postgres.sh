#!/bin/sh
# Installs the programs of a PostgreSQL server, 14 or newer, where none are found: what `tusq serve` needs for its embedded
# database. No server is started, and no existing one is touched. Silent when there is nothing to do.
set -eu

oldest=14
createcluster=/etc/postgresql-common/createcluster.d/tusq-install.conf

say() { echo "install-postgres: $*" >&2; }

fail() {
	say "$*"
	say "Install PostgreSQL $oldest or newer yourself, or give tusq a server with --database-url."
	exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# as_root runs a command as root: directly, or through sudo.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif has sudo; then
		sudo "$@"
	else
		fail "installing needs root, and there is no sudo; run this as root: $*"
	fi
}

# new_enough: the first number in the text is a major version that tusq runs on.
new_enough() {
	major=$(printf '%s\n' "$1" | sed -n '1s/^[^0-9]*\([0-9][0-9]*\).*/\1/p')
	[ -n "$major" ] && [ "$major" -ge "$oldest" ]
}

# usable: the directory has the programs in a version that is new enough. Links are followed as tusq does: PATH may have a
# link to postgres alone.
usable() {
	[ -x "$1/postgres" ] || return 1
	real=$(readlink -f "$1/postgres" 2>/dev/null || echo "$1/postgres")
	[ -x "$1/initdb" ] || [ -x "$(dirname "$real")/initdb" ] || return 1
	new_enough "$("$1/postgres" --version 2>/dev/null)"
}

# installed looks where tusq looks.
installed() {
	old_ifs=$IFS
	IFS=:
	for dir in $PATH; do
		if usable "$dir"; then
			IFS=$old_ifs
			return 0
		fi
	done
	IFS=$old_ifs
	for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin \
		/usr/local/opt/postgresql@*/bin /Library/PostgreSQL/*/bin /Applications/Postgres.app/Contents/Versions/*/bin; do
		if usable "$dir"; then return 0; fi
	done
	return 1
}

# apt_candidate prints the version that would be installed, or nothing.
apt_candidate() { LC_ALL=C apt-cache policy postgresql 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9].*\)/\1/p'; }

install_with_apt() {
	if [ -z "$(apt_candidate)" ]; then
		say "updating the package lists: apt-get update"
		as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
	fi
	candidate=$(apt_candidate)
	[ -n "$candidate" ] || fail "the package lists have no package postgresql."
	new_enough "$candidate" || fail "this distribution has PostgreSQL $candidate only; newer ones are at https://apt.postgresql.org."
	say "installing PostgreSQL $candidate: apt-get install postgresql (no server is started)"
	# Debian makes and starts a cluster with each new version, unless told otherwise; the file is in place for this installation only.
	trap 'as_root rm -f "$createcluster"' EXIT
	trap 'exit 1' HUP INT TERM
	as_root mkdir -p "$(dirname "$createcluster")"
	echo 'create_main_cluster = false' | as_root tee "$createcluster" >/dev/null
	apt_install || {
		say "that failed; updating the package lists, and trying again: apt-get update"
		as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
		apt_install || fail "apt-get could not install postgresql."
	}
}

apt_install() { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql; }

# dnf_candidate prints the version of a package that would be installed, or nothing.
dnf_candidate() { dnf -q repoquery --latest-limit=1 --queryformat '%{version}\n' "$1" 2>/dev/null | head -n 1; }

install_with_dnf() {
	for package in postgresql-server postgresql17-server postgresql16-server postgresql15-server; do
		if new_enough "$(dnf_candidate "$package")"; then
			say "installing PostgreSQL: dnf install $package (no server is started)"
			as_root dnf install -y -q "$package" || fail "dnf could not install $package."
			return
		fi
	done
	# RHEL 8 and 9 keep newer versions in streams of a module.
	for stream in 16 15; do
		if dnf -q module list "postgresql:$stream" >/dev/null 2>&1; then
			say "installing PostgreSQL: dnf module install postgresql:$stream/server (no server is started)"
			as_root dnf module install -y -q "postgresql:$stream/server" || fail "dnf could not install postgresql:$stream."
			return
		fi
	done
	fail "dnf has no PostgreSQL $oldest or newer; newer ones are at https://yum.postgresql.org."
}

install_with_brew() {
	say "installing PostgreSQL: brew install postgresql@17 (no server is started)"
	brew install postgresql@17 || fail "brew could not install postgresql@17."
}

if installed; then exit 0; fi
if has apt-get; then
	install_with_apt
elif has dnf; then
	install_with_dnf
elif has brew; then
	install_with_brew
else
	fail "PostgreSQL is missing, and this machine has none of apt-get, dnf and brew."
fi
installed || fail "PostgreSQL was installed, but its initdb and postgres are not where tusq looks."
