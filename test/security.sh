#!/bin/sh
# The checks of `make security`, each of which runs even when another fails. It needs the Makefile's LINT and VERSION, and a
# bin/tusq that was just built. VULNDB names another database than govulncheck's own, such as a copy: file:///path.
set -eu
cd "$(dirname "$0")/.."

GOVULNCHECK="go run golang.org/x/vuln/cmd/govulncheck@v1.9.0"
SBOM="go run -trimpath github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"

say() { echo "security: $*" >&2; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

# code: gosec and staticcheck.
code() { $LINT run --config .golangci-security.yml --allow-serial-runners --max-same-issues 0; }

# vulnerabilities: known ones in what is called. A database that cannot be reached is said, and is no failure: the code has
# not changed for it.
vulnerabilities() {
	if $GOVULNCHECK ${VULNDB:+-db "$VULNDB"} ./... >"$scratch/vulnerabilities" 2>&1; then return 0; fi
	if grep -q '^govulncheck: fetching vulnerabilities: Get "' "$scratch/vulnerabilities"; then
		say "vulnerabilities: NOT CHECKED: the database cannot be reached"
		return 0
	fi
	cat "$scratch/vulnerabilities" >&2
	return 1
}

# modules: what was downloaded is what go.sum names. Of the module of this repository, which others replace by its directory,
# `go mod verify` complains that it was not downloaded.
modules() {
	for file in $(git ls-files '*go.mod'); do
		go -C "$(dirname "$file")" mod verify 2>&1 |
			awk -v file="$file" '/^all modules verified/ || /^tusq v0\.0\.0[^ ]*: missing ziphash/ { verified = 1; next }
				{ bad = 1; print file ": " $0 }
				END { exit bad || !verified }' >&2 || return 1
	done
}

# reproducible: the same sources elsewhere, without git and flags of the environment, make the same bytes. Nothing that was
# compiled for the first build is used: the second has its own cache, which is kept, since an empty one takes minutes.
reproducible() {
	copy="$scratch/another/place"
	mkdir -p "$copy"
	git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$copy" || return 1
	GOCACHE="$PWD/bin/second-cache" GOFLAGS= make -s -C "$copy" build VERSION="$VERSION" || return 1
	cmp bin/tusq "$copy/bin/tusq" >&2 || {
		sha256sum bin/tusq "$copy/bin/tusq" >&2
		go version -m bin/tusq >"$scratch/here"
		go version -m "$copy/bin/tusq" | diff "$scratch/here" - >&2
		return 1
	}
}

# sbom: writes bin/tusq.cdx.json, which has each module of the binary, the standard library, and nothing else.
sbom() {
	for file in "$scratch/again.json" bin/tusq.cdx.json; do
		$SBOM bin -json -output-version 1.5 -std -noserial -notimestamp -version "$VERSION" -output "$file" bin/tusq \
			2>"$scratch/sbom" || {
			cat "$scratch/sbom" >&2
			return 1
		}
	done
	cmp "$scratch/again.json" bin/tusq.cdx.json >&2 || return 1
	{
		echo "tusq@$VERSION"
		go version bin/tusq | sed 's/.*: go/std@/'
		go version -m bin/tusq | awk '$1 == "dep" { print $2 "@" $3 }'
	} | sort >"$scratch/built"
	sed -n 's/^ *"purl": "pkg:golang\/\([^?#"]*\).*/\1/p' bin/tusq.cdx.json | sed 's/%2B/+/g' | sort >"$scratch/listed"
	diff "$scratch/built" "$scratch/listed" >&2
}

# pinned: no script, image or target fetches what has no version or hash. Packages of a distribution are signed, and npm's are
# in a lock file whose hashes `npm ci` checks.
pinned() {
	git ls-files -z '*.sh' '*Dockerfile' '*docker-compose*.yml' '*Makefile' .ci ':!test/security.sh' | xargs -0 awk '
		/^[ \t]*#/ { next }
		/(curl|wget)[^#]*https?:/ || /^ADD +https?:/ { complain("fetches a file by its address") }
		/@latest|:latest/ { complain("names no version") }
		/^FROM / && $2 != "scratch" && $2 !~ /:/ { complain("names an image without a tag") }
		/npm (install|i|add) / || /pip3? install/ || /gem install/ { complain("installs without a lock file") }
		/^[^"]*npm ci/ && !/--ignore-scripts/ { complain("runs the scripts of packages") }
		function complain(what) { print FILENAME ":" FNR ": " what ": " $0; bad = 1 }
		END { exit bad }' >&2
}

failed=""
for check in ${CHECKS:-code vulnerabilities modules pinned reproducible sbom}; do
	began=$(date +%s)
	if $check; then result="ok"; else result="FAILED" failed="$failed $check"; fi
	say "$check: $result ($(($(date +%s) - began)) s)"
done
[ -z "$failed" ] || {
	say "FAILED:$failed"
	exit 1
}
