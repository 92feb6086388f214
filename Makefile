# What there is to run. `make check` before a commit; the rest when its folder
# changed. None of the tests needs a key, Docker or a network beyond loopback;
# `clients` and `frameworks` install what they test with.

GO          ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME    ?= 10s
BENCH       ?= .
COUNT       ?= 6
IMAGE       ?= spanwire:$(VERSION)

.PHONY: build check vet staticcheck tidy test race fuzz fuzz-long bench reading accuracy growth runs recordings crash hostile images million collector clients frameworks demo image clean help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## bin/spanwire, static and without paths of this machine
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/spanwire ./cmd/proxy

check: vet staticcheck tidy ## what must be green before a commit
	$(GO) test -shuffle=on ./...

vet:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...

staticcheck:
	$(GO) run $(STATICCHECK) ./...

tidy:
	$(GO) mod tidy -diff

test: ## all tests of the main module
	$(GO) test ./...

race: ## the same with the race detector, in random order
	$(GO) test -race -shuffle=on ./...

fuzz: ## every fuzz target for FUZZTIME (10s) each
	.ci/fuzz $(FUZZTIME)

fuzz-long: ## bench/results/fuzz.md: the dialects' fuzz targets for five minutes each, beside other work
	FUZZ_IN=./providers/... FUZZ_NAMES='Request|Response|Session|Form' FUZZ_WORKERS=1 FUZZ_TABLE=bench/results/fuzz.md nice -n 19 .ci/fuzz 5m

bench: ## benchmarks, COUNT (6) runs each, for benchstat; BENCH chooses
	$(GO) test -run='^$$' -bench='$(BENCH)' -benchmem -count=$(COUNT) ./...

reading: ## bench/results/reading.md: what reading a call costs, by dialect
	$(GO) test ./providers -run='^TestReadingCost$$' -count=1 -args -reading="$(CURDIR)/bench/results/reading.md"

accuracy: ## docs/accuracy.md: token counts against what recorded traffic reports (SPANWIRE_DATA)
	$(GO) test ./cmd/proxy -run='^TestAccuracy$$' -count=1 -args -accuracy="$(CURDIR)/docs/accuracy.md"

growth: ## docs/growth.md: how counting grows with a text, beside tiktoken-go
	$(GO) test ./tokenizer -run='^TestGrowth$$' -count=1 -timeout=20m -args -growth="$(CURDIR)/docs/growth.md"

runs: ## how well runs are rebuilt from recorded conversations, by the spans that come out (SPANWIRE_DATA)
	$(GO) test -count=1 -v -run TestRunsOfConversations ./cmd/proxy -args -recordings
	$(GO) test -count=1 -v -run 'TestRecordedRuns|TestMadeRuns' ./internal/runstest -args -seeds=14
	$(GO) test -count=1 -v -run 'TestLongAgent|TestCostIsLinear' ./runs

recordings: ## every recorded exchange and WebSocket through the proxy, in every way (SPANWIRE_DATA)
	cd cmd/proxy && $(GO) test -run='^Test(Recordings|Sessions)$$' -count=1 -timeout=20m -args -recordings

crash: ## the program killed 35 times under load and across midnight, its disk full, its journal damaged
	$(GO) test ./cmd/proxy -run='^(TestKilled.*|TestDiskFull|TestDamagedLastSegment|TestJournalLostItsEnd)$$' -count=1 -v -kills=35

hostile: ## the store with a million users, bodies of 100 MB, 10,000 messages
	$(GO) test ./store -run='^(TestHostileValues|TestVeryManyValues|TestLargeCalls|TestImagesAreKeptOnce)$$' -count=1 -timeout=30m -v -long

images: ## a day of 1,000 calls that repeat 50 images of 1 MB: the program keeps each once (minutes, 2 GB)
	$(GO) test ./cmd/proxy -run='^TestDayOfImages$$' -count=1 -timeout=30m -v -images

million: ## questions to a store of 1,000,000 calls in 30 days, cold and warm (minutes, 3 GB)
	$(GO) test ./store -run='^(TestMillion|TestLoad)$$' -count=1 -timeout=60m -v -million

collector: ## spans into a real OpenTelemetry Collector (a large build the first time)
	cd internal/collectortest && $(GO) test -count=1 ./...

# The SDKs for Go are large and tests need not be fast: not optimised, they compile in
# half of the time. They do while those for Python and Node are installed.
clients: export GOFLAGS := $(GOFLAGS) '-gcflags=github.com/openai/...=-N -l' '-gcflags=github.com/anthropics/...=-N -l'
clients: ## the official SDKs of the vendors, for Go, Python and Node, through the proxy; CLIENTS='Gemini|Ollama' chooses
	@clients/setup & installing=$$!; (cd clients && $(GO) test -c -o /dev/null); compiled=$$?; wait $$installing && exit $$compiled
	cd clients && $(GO) test -count=1 $(if $(CLIENTS),-run='TestClients/suites/($(CLIENTS))')

demo: ## see what the product does: no key, no network
	$(GO) run ./cmd/proxy --demo

image: ## the container image
	docker build --build-arg VERSION=$(VERSION) -t $(IMAGE) .

clean:
	rm -rf bin dist
