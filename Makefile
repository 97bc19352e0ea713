# Every target sets up what it needs. `make help` lists them.

LINT    := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
# The race detector needs a C compiler; where there is none the tests run without it.
RACE    := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)
# Most tests wait more than they compute, so that there may be more at a time than processors.
ATATIME := -parallel 4

.DEFAULT_GOAL := help
.PHONY: help build run test test-clients test-browser fault fault-bugs bench bench-peers lint security generate clean setup setup-test

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

build: ## build bin/tusq: the same bytes wherever it is built, by the same Go
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-X tusq/internal/version.release=$(VERSION)" -o bin/tusq ./cmd/tusq

run: setup build ## install what is missing, build, and serve on http://127.0.0.1:9324
	bin/tusq serve

# The race detector watches what shares memory; programs that are started are built without it. `make lint` vets.
# Allocations are counted apart: under the detector pools forget at random.
# The strains say something after minutes only, and Patroni is to be installed first: they are scenarios of make fault.
test: setup-test ## install what is missing and run every test
	go test -vet=off $(RACE) $(ATATIME) -timeout 8m ./service/... ./repository ./api/... ./client ./internal/... ./migrations ./web
	go test -vet=off -run Alloc ./api ./api/auth/sigv4
	go test -vet=off $(ATATIME) -timeout 8m ./test/... ./cmd/... ./openapi/...
	cd test/clients/gocloud && go test -vet=off -timeout 5m ./...
	cd bench && go test -vet=off -timeout 2m ./...
	go test -vet=off -tags fault ./internal/faultpoint
	cd test/fault && go test -vet=off $(ATATIME) -timeout 5m $$(go list ./... | grep -v -e /strain -e /patroni)

fault: setup-test build ## do harm to a whole service for an hour and check that nothing is lost; FAULT="-duration 10m -seed 7"
	go -C test/fault build -o ../../bin/tusq-fault .
	exec bin/tusq-fault -binary bin/tusq -balancer deploy/haproxy.cfg -module . $(FAULT)

test-clients: setup ## install clients of other languages, and run them against tusq
	@sh test/install-clients.sh
	go test -tags clients -count 1 -timeout 5m ./test/clients/scripts

test-browser: setup ## drive the console in Chromium; installs it if missing
	@sh test/install-chromium.sh
	cd test/browser && $(LINT) run
	cd test/browser && go test -vet=off -count 1 -timeout 8m ./...

fault-bugs: setup-test ## put each seeded bug into tusq, and check that the fault suite finds it (half an hour)
	go build -tags fault -o bin/tusq-seeded ./cmd/tusq
	go -C test/fault build -o ../../bin/tusq-fault .
	exec bin/tusq-fault -bugs all -binary bin/tusq-seeded -balancer deploy/haproxy.cfg -module . -replicas 2 -producers 4 -consumers 8 -rate 600 -round 20s $(FAULT)

bench: setup build ## measure tusq beside the limits of this machine (25 minutes); BENCH="-quick" tries it
	go -C bench build -o ../bin/tusq-bench .
	exec bin/tusq-bench $(BENCH)

bench-peers: setup build ## measure tusq beside RabbitMQ, NATS, Redis and River (an hour); installs what is missing
	@sh bench/install-peers.sh
	go -C bench build -o ../bin/tusq-bench .
	exec bin/tusq-bench -peers $(BENCH)

lint: ## check the code's form, and that generated files are up to date
	$(LINT) run --build-tags clients
	$(LINT) run --build-tags fault ./internal/faultpoint/... ./migrations/... ./repository/... ./service/...
	cd test/clients/gocloud && $(LINT) run
	cd bench && $(LINT) run
	cd test/fault && $(LINT) run
	go run ./openapi/generate --check

security: build ## look for holes in the code and its modules, build twice and compare, and write bin/tusq.cdx.json
	@LINT="$(LINT)" VERSION="$(VERSION)" sh test/security.sh

generate: setup ## write openapi/openapi.json and migrations/schema.sql
	go generate ./openapi ./migrations

clean: ## remove what was built; data stays
	rm -rf bin

# PostgreSQL for the embedded database.
setup:
	@sh deploy/install-postgres.sh

# The load balancer for the test of several replicas, and what else the tests run.
setup-test: setup
	@sh test/install-tools.sh
