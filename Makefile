# What people and CI run. `make` alone says what there is.

GO        ?= go
GOFLAGS   ?=
FUZZ_TIME ?= 5s
SOAK_TIME ?= 10m
KILLS     ?= 200
CUTS      ?= 400
ORACLE_TIME ?= 1h
ORACLE_SEED ?= $(shell date +%s)000
BENCH     ?= .

LINT = $$($(GO) -C tools tool -n golangci-lint)
UNIT = $$($(GO) list ./... | grep -v -e /internal/tidy$$ -e /tests/e2e$$)

.DEFAULT_GOAL := help
.PHONY: help build demo setup test unit race tidy e2e slt oracle bench fuzz lint golden garbage kill cuts soak promises ci

help: ## say what there is
	@grep -E '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):.*## /\1\t/' | expand -t 10

build: ## build bin/millrace
	$(GO) build -trimpath -o bin/millrace ./cmd/millrace

demo: build ## run the server with a broker, a registry and a shop inside; prints what to paste
	bin/millrace demo

setup: ## install and fetch what the end-to-end tests need, start nothing
	$(GO) run ./tests/stack/cmd fetch

test: unit tidy e2e ## everything: unit tests, layout, end to end on real servers

unit: ## tests that need nothing but Go
	$(GO) test $(UNIT)

race: ## the same under the race detector, with fewer random histories
	$(GO) test -race -short -timeout 30m $(UNIT)

tidy: ## layout and style: imports, sizes, comments, links
	$(GO) test -count=1 ./internal/tidy

e2e: build ## end to end: PostgreSQL, MariaDB, Kafka, registry, Debezium, psql and drivers
	MILLRACE_E2E=1 $(GO) test -count=1 -timeout 30m -v ./tests/e2e
	MILLRACE_E2E=1 $(GO) test -count=1 -timeout 15m -run TestLive ./tests/stack
	MILLRACE_E2E=1 $(GO) test -count=1 -timeout 15m -p 1 ./tests/tpch ./tests/nexmark ./tests/slt
	MILLRACE_E2E=1 $(GO) test -count=1 -timeout 15m -v -run TestRandom ./tests/oracle/postgres

slt: ## the scripts of tests/slt: as they stand, as views, and against PostgreSQL
	MILLRACE_E2E=1 $(GO) test -count=1 -v ./tests/slt

oracle: ## random queries against PostgreSQL for ORACLE_TIME from ORACLE_SEED on; what differs is kept in tests/slt/found
	MILLRACE_E2E=1 ORACLE_TIME=$(ORACLE_TIME) ORACLE_SEED=$(ORACLE_SEED) $(GO) test -count=1 -timeout 0 -v -run TestRandom ./tests/oracle/postgres

bench: build ## every query over its event file, then the benchmarks beside the code; BENCH=Name for some of these
	bench/run
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(UNIT)

fuzz: ## every fuzz target for FUZZ_TIME each
	FUZZ_TIME=$(FUZZ_TIME) .ci/fuzz

lint: ## linters
	$(LINT) run ./...

golden: ## rewrite golden files with what the tests get; read the diff
	GOLDEN=update $(GO) test $(UNIT)

garbage: ## a million bad records among as many good ones
	GARBAGE_RECORDS=1000000 $(GO) test -count=1 -timeout 0 -v ./tests/garbage

kill: build ## kill the server under load KILLS times, checking after each start
	MILLRACE_E2E=1 MILLRACE_KILLS=$(KILLS) $(GO) test -count=1 -timeout 0 -v -run 'TestKill$$' ./tests/e2e

cuts: build ## disturb the network and the servers behind a server under load CUTS times
	MILLRACE_E2E=1 MILLRACE_CUTS=$(CUTS) $(GO) test -count=1 -timeout 0 -v -run 'TestCuts$$' ./tests/e2e

soak: build ## random changes and faults for SOAK_TIME each: simulated, and on the real servers
	SIM_TIME=$(SOAK_TIME) $(GO) test -count=1 -timeout 0 -v -run TestSoak ./tests/sim
	MILLRACE_E2E=1 MILLRACE_SOAK=$(SOAK_TIME) $(GO) test -count=1 -timeout 0 -v -run TestSoak ./tests/e2e

promises: build ## the tests of the promises that have a count, as often as a release needs
	MILLRACE_RELEASE=1 $(GO) test -count=1 -timeout 0 -v -run 'TestWorkersDoNotShow|TestFullDisks|TestDamage|TestStopBusy|TestLives|TestAgain' ./internal/journal ./coord ./cmd/millrace ./tests/sim

ci: ## what CI runs
	.ci/run
