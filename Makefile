# "make" alone says what there is. Building and running need Go and make only;
# the tests install their peers or say what to install, and build a Vault
# server and a Traefik once (VAULT_BIN, TRAEFIK_BIN name one that is there).

VERSION ?= $(shell git describe --always --dirty 2>/dev/null || echo dev)
TAGS     = nomsgpack
COMMAND  = ./cmd/embedseal
BINARY   = bin/embedseal

# make run
DATA_DIR ?= data
STORE    ?= bbolt
LISTEN   ?= 127.0.0.1:8080

# make test, make test-long: RACE= where there is no C compiler; LONG is the
# share of a campaign's full length that runs (1 is all of it, CI takes 0.2).
RACE         ?= -race
TEST_TIMEOUT ?= 8m
LONG         ?= 1
LONG_TIMEOUT ?= 120m
TESTFLAGS    ?=

# make fuzz: seconds for each target, and for all of them together
FUZZTIME  ?= 30
FUZZTOTAL ?= 3600

# make bench
BENCH     ?= .
BENCHTIME ?= 1s

# make bench-peers: rounds, seconds of a turn, and what is measured
ROUNDS  ?= 5
SECONDS ?= 4
PARTS   ?= mint,small,overload

FOLDERS = domain ports adapters app configs cmd docs

.PHONY: help build run test test-long fuzz bench bench-peers peers vault traefik wire check fmt-check vet lint api-lint proxy-check wire-diff layers allocs tidy-check clean
.DEFAULT_GOAL := help

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## build the static binary bin/embedseal
	CGO_ENABLED=0 go build -trimpath -tags $(TAGS) -ldflags "-s -w -X main.version=$(VERSION)" -o $(BINARY) $(COMMAND)

run: build ## build, prepare DATA_DIR (data) and serve on LISTEN (127.0.0.1:8080)
	@$(BINARY) init --data-dir "$(DATA_DIR)" --store "$(STORE)" --listen "$(LISTEN)"
	@exec $(BINARY) serve --data-dir "$(DATA_DIR)" --store "$(STORE)" --listen "$(LISTEN)"

test: export REQUIRE_VAULT = 1
test: peers vault traefik ## unit, contract, property, interop and end-to-end tests
	@CGO_ENABLED=$(if $(RACE),1,0) go run .ci/gotest.go -log .ci/log/test-full.log -- $(RACE) -tags $(TAGS) -timeout $(TEST_TIMEOUT) $(TESTFLAGS) ./...

test-long: export REQUIRE_VAULT = 1
test-long: peers vault ## the TestCampaign… tests, LONG times their full length (1)
	@EMBEDSEAL_LONG=$(LONG) CGO_ENABLED=$(if $(RACE),1,0) go run .ci/gotest.go -log .ci/log/long-full.log -- $(RACE) -tags $(TAGS) -run '^TestCampaign' -timeout $(LONG_TIMEOUT) $(TESTFLAGS) ./...

fuzz: ## every fuzz target for FUZZTIME seconds (30)
	@FUZZTIME=$(FUZZTIME) FUZZTOTAL=$(FUZZTOTAL) .ci/fuzz

bench: vault ## benchmarks with allocations; BENCH chooses by name
	@targets=$$(.ci/targets Benchmark) && go test -tags $(TAGS) -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem -timeout 60m \
		$$(echo "$$targets" | cut -d ' ' -f 1 | sort -u)

bench-peers: build peers vault ## embedseal beside the floor, Express and Vault; ROUNDS, SECONDS, PARTS
	@VAULT_BIN=$$(.ci/vault) go run -tags $(TAGS) ./.ci/benchpeers -rounds $(ROUNDS) -seconds $(SECONDS) -parts $(PARTS)

peers: ## install the JOSE implementations and tools that the tests run
	@.ci/peers

vault: ## build the Vault server that the tests run, once, and say where it is
	@.ci/vault

traefik: ## build the Traefik that the tests run, once, and say where it is
	@.ci/traefik

wire: ## write the wire injectors anew
	go tool wire gen $(COMMAND)

check: fmt-check vet tidy-check layers allocs wire-diff api-lint proxy-check lint ## everything that is checked without running the product

fmt-check: ## fail where gofmt would change a file
	@files=$$(gofmt -l $(FOLDERS) .ci) && if [ -n "$$files" ]; then echo "gofmt would change:"; echo "$$files"; exit 1; fi

vet: ## go vet
	@go vet -tags $(TAGS) ./... ./.ci/benchpeers

lint: ## golangci-lint, built once into the user's cache (about 145 s)
	@.ci/golangci-lint run ./...

api-lint: peers ## lint docs/api/openapi.yaml
	@.ci/api-lint

proxy-check: ## hold configs/proxy/envoy.yaml to Envoy's own API
	@go -C .ci/envoy run . ../../configs/proxy/envoy.yaml

wire-diff: ## fail when wire_gen.go is not what wire would write
	@go tool wire diff $(COMMAND) || { status=$$?; \
		if [ $$status = 1 ]; then echo "wire-diff: wire_gen.go is stale: run make wire"; else echo "wire-diff: the injectors do not build"; fi; exit $$status; }

layers: ## the import rules of docs/architecture.md
	@go test -tags $(TAGS) -count=1 -run '^TestLayout' $(COMMAND)

allocs: ## fail when a mint leaves more to the garbage collector than it did
	@go test -tags $(TAGS) -count=1 -run 'Allocation' ./domain/jwe ./domain/strictjson ./adapters/jose $(COMMAND)

tidy-check: ## fail when go.mod or go.sum is not tidy
	@go mod tidy -diff

clean: ## remove what was built; data directories stay
	rm -rf bin .ci/log
