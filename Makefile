# Each target is one recipe; .ci/run calls the same ones.

# Modules that go.work joins, and those too heavy for it. A module added here
# is covered by every loop below.
MODULES := . examples redis prometheus otel graphqlws cmd/fromvcr
OUTSIDE := compat bench river

FUZZTIME ?= 30s
BENCHTIME ?= 1s
TOOL = GOWORK=off go tool -modfile=$(CURDIR)/tools/go.mod

.DEFAULT_GOAL := help
.PHONY: help test race lint format vet golangci staticcheck modules fuzz bench benchmarks tidy tidy-check api cover compat budgets

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## the test suite of every workspace module
	go test work

race: ## the same under the race detector, never from the cache
	go test -race -count=1 work

lint: format vet golangci staticcheck ## gofmt, go vet, golangci-lint and staticcheck

format: ## list files that gofmt would change, and fail if there are any
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi

vet: ## go vet of every workspace module
	go vet work

golangci: ## golangci-lint in every module, with the root's .golangci.yml
	@for m in $(MODULES) $(OUTSIDE); do echo "golangci-lint $$m"; (cd $$m && $(TOOL) golangci-lint run ./...) || exit 1; done

staticcheck: ## staticcheck in every module
	@for m in $(MODULES) $(OUTSIDE); do echo "staticcheck $$m"; (cd $$m && $(TOOL) staticcheck ./...) || exit 1; done

modules: ## build and vet each module by itself, as its users get it
	@for m in $(MODULES) $(OUTSIDE); do echo "GOWORK=off $$m"; (cd $$m && GOWORK=off go build ./... && GOWORK=off go vet ./...) || exit 1; done

fuzz: ## each fuzz target for FUZZTIME (30s)
	@for p in $$(go list ./...); do \
		names=$$(go test -list '^Fuzz' $$p) || exit 1; \
		for f in $$(echo "$$names" | grep '^Fuzz'); do \
			echo "fuzz $$p $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
		done; \
	done

bench: ## measure aplomb beside its peers, into bench/RESULTS.md, and hold the goals (a quarter of an hour)
	cd bench && GOWORK=off go run ./report -write

benchmarks: ## every benchmark of the root module, with allocations
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...

tidy: ## go mod tidy in every module
	@for m in $(MODULES) $(OUTSIDE) tools; do echo "tidy $$m"; (cd $$m && GOWORK=off go mod tidy) || exit 1; done

tidy-check: ## fail where go mod tidy would change something
	@for m in $(MODULES) $(OUTSIDE) tools; do echo "tidy -diff $$m"; (cd $$m && GOWORK=off go mod tidy -diff) || exit 1; done

api: ## write testdata/api.txt from the exported API
	go test ./internal/house -count=1 -run '^TestAPIGolden$$' -update

cover: ## coverage of the root module, in coverage.html too
	go test -coverpkg=./... -coverprofile=coverage.out ./...
	go tool cover -func=coverage.out | tail -1
	go tool cover -html=coverage.out -o coverage.html

compat: ## the tests against real peers: stripe-mock, an authorization server, a GraphQL server, official SDKs, River
	cd compat && GOWORK=off go test -count=1 ./...
	cd river && GOWORK=off go test -count=1 ./...

budgets: ## what we may cost beside our peers: allocations, time, binary size
	cd bench && GOWORK=off go test -p 1 -count=1 ./... # one at a time: they take each other's time
