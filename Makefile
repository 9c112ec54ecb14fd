# Ostiary needs Go and git to build and run. The tests also use npm, Python, a C
# compiler (for the race detector), PostgreSQL, curl and openssl where they are
# installed; what is missing is left out and said, or is a failure when CI=true.

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null)
FUZZTIME ?= 10s
SYSTEMS  ?= darwin/arm64 darwin/amd64 windows/amd64 linux/arm64

# The programs are static; only the race detector needs CGO.
export CGO_ENABLED = 0

BUILD := $(GO) build -trimpath -ldflags "-buildid= -X main.version=$(VERSION)"

STATICCHECK_VERSION := v0.8.2

.DEFAULT_GOAL := build
CORPUS   ?=

.PHONY: cloudkms pkcs11 providers eval train build run test tools postgres programs peers fmt vet lint unit fips race doors outside interop cross soak fuzz bench clean

build: ## bin/ostiary and bin/ostiary-verify
	$(BUILD) -o bin/ostiary ./cmd/ostiary
	$(BUILD) -o bin/ostiary-verify ./cmd/ostiary-verify

cloudkms: ## bin/ostiary-cloudkms, which also reaches AWS KMS and Google Cloud KMS
	$(BUILD) -tags ostiary_cloudkms -o bin/ostiary-cloudkms ./cmd/ostiary

pkcs11: ## bin/ostiary-pkcs11, which also reaches PKCS#11 tokens; needs a C compiler
	CGO_ENABLED=1 $(BUILD) -tags ostiary_pkcs11 -o bin/ostiary-pkcs11 ./cmd/ostiary

run: build ## a gateway in ./.ostiary in front of the sample server
	$(BUILD) -o bin/sample-server ./examples/sampleserver
	@sh scripts/run.sh

# What make test runs, in this order; the first failure stops.
test: build tools postgres programs fmt vet lint unit fips race providers outside peers doors interop
	@$(MAKE) --no-print-directory cross SYSTEMS="darwin/arm64 windows/amd64"
	@echo "make test: all parts passed"

tools:
	@GO="$(GO)" sh scripts/tools.sh $(STATICCHECK_VERSION)

postgres: ## the server that the store's tests start for themselves
	@sh scripts/postgres.sh

programs: ## what other people make and check certificates with
	@sh scripts/programs.sh curl openssl

peers: ## the foreign clients and servers of the interop tests
	sh test/interop/install.sh

fmt:
	@sh scripts/fmt.sh

vet:
	$(GO) vet ./...

lint: tools
	bin/staticcheck ./...

unit: ## every package that needs no foreign program
	$(GO) test -timeout 15m ./cmd/... ./internal/... ./verify/... ./examples/...

race: ## the rooms with goroutines, under the race detector
	@GO="$(GO)" sh scripts/race.sh

providers: ## the builds that reach further root keys
	@GO="$(GO)" sh scripts/providers.sh

fips: ## keys and the log with the validated module, in strict mode
	GOFIPS140=v1.0.0 GODEBUG=fips140=only $(GO) test -timeout 15m ./internal/keys ./internal/auditlog ./verify

doors: ## a whole gateway over every transport
	$(GO) test -timeout 15m $$($(GO) list ./test/... | grep -v -e /test/interop -e /test/outside)

outside: ## exports of ours, read by tools of other people
	cd test/outside/thirdparty && $(GO) mod download && $(GO) vet ./...
	cd test/outside/idp && $(GO) mod download && $(GO) vet ./...
	$(GO) test -count=1 ./test/outside/...

interop: ## foreign clients and servers through a whole gateway
	$(GO) test -timeout 20m ./test/interop/...

cross: ## that the other systems' programs build
	@set -e; for system in $(SYSTEMS); do \
		os=$${system%/*}; suffix=; [ $$os != windows ] || suffix=.exe; \
		echo "$(GO) build $$system"; \
		for program in ostiary ostiary-verify; do \
			GOOS=$$os GOARCH=$${system#*/} $(BUILD) -o bin/cross/$$program-$$os-$${system#*/}$$suffix ./cmd/$$program; \
		done; \
	done

soak: peers ## the long counts
	@GO="$(GO)" sh scripts/soak.sh

fuzz: ## every fuzz target for FUZZTIME
	@GO="$(GO)" sh scripts/fuzz.sh $(FUZZTIME)

bench: ## every Go benchmark
	$(GO) test -run '^$$' -bench . -benchmem ./internal/... ./verify/...

eval: ## the detector against labelled results of tool servers and a corpus: make eval CORPUS=FILE
	$(GO) run ./test/eval -corpus internal/pii/testdata/labelled
	$(GO) run ./test/eval -corpus "$(CORPUS)"

train: ## rebuild the tagger's data: make train SOURCES=folder LISTS=folder, see docs/pii-data.md
	python3 internal/pii/testdata/train/lists.py "$(SOURCES)" "$(LISTS)"
	$(GO) test ./internal/pii -run 'TestBuild$$' -build "$(LISTS)" -v

clean: ## what was built; the gateway of make run stays, it holds keys
	rm -rf bin
