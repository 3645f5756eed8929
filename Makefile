# `make run` starts the platform for trying it out, `make test` proves it. Everything else is listed by `make help`.

CARGO        ?= cargo
NEXTEST      := 0.9.143
DENY         := 0.20.2
FUZZ         := 0.13.2
FUZZ_SECONDS ?= 10
CRASHES      ?= 50
BENCH        ?= --engine both
FUZZ_TARGETS := envelope sse_openai sse_anthropic usage
VENV         := target/venv
# What npm writes last.
OIDC         := tests/e2e/oidc/node_modules/.package-lock.json

.DEFAULT_GOAL := help
.PHONY: help run demo build test test-rust test-sdk generate fuzz crash check fmt lint deny tidy audit bench

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

run: ## Build and start the platform with the practice provider (debug build: quick to make)
	$(CARGO) run -p tacit -- serve --profile development

demo: ## One streamed call end to end, with its bill
	$(CARGO) run -p tacit -- demo

build: built ## Build everything the tests need

test: test-rust test-sdk fuzz ## Everything: unit, property, storage on both engines, end to end, canary gate, crash loop, fuzz

# Tools are installed as debug builds: they wait for others, and are made in a third of the time.
# With one set of features for all, so that nothing is built twice; before it, the program whose gateway can be told to
# panic, to abort and to leak, for the canary gate.
built:
	$(CARGO) build --workspace --bin tacit --test it --features tacit/faults
	cp "$${CARGO_TARGET_DIR:-target}/debug/tacit" "$${CARGO_TARGET_DIR:-target}/debug/tacit-faults"
	$(CARGO) build --workspace --all-targets

test-rust: built nextest ## Unit, property and storage tests on both engines; canary gate, crash loop, process separation
	$(CARGO) nextest run --workspace

test-sdk: built $(VENV)/ready $(OIDC) ## The real SDKs, a real OpenID provider and a real browser against the real binary
	$(VENV)/bin/python -m pytest -q tests/e2e

generate: ## Write anew what is made from the program: docs/reference
	$(CARGO) xtask generate

fuzz: ## Each fuzz target for a moment (FUZZ_SECONDS)
	@$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install --debug --locked cargo-fuzz@$(FUZZ)
	@set -e; for target in $(FUZZ_TARGETS); do \
	  mkdir -p fuzz/corpus/$$target; \
	  $(CARGO) +nightly fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -verbosity=0 -print_final_stats=1; done

crash: built nextest ## Kill -9 of gateway, control plane or both at random under load, CRASHES times on each engine (minutes)
	TACIT_TEST_CRASHES=$(CRASHES) $(CARGO) nextest run --profile crash -p tacit-testkit crash::

check: fmt tidy deny lint ## Format, layers, licences, lints

fmt:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --workspace --all-targets -- -D warnings

deny:
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --debug --locked cargo-deny@$(DENY)
	$(CARGO) deny check -D warnings bans licenses sources

audit: ## Known advisories; needs the advisory database from the network
	$(CARGO) deny check advisories

tidy:
	$(CARGO) run -q -p xtask -- tidy

bench: ## CPU, latency and memory of a call against nginx on this machine, on both engines (BENCH="--engine sqlite")
	$(CARGO) build --release -p tacit -p tacit-bench
	"$${CARGO_TARGET_DIR:-target}/release/tacit-bench" $(BENCH)

.PHONY: nextest built test-rust test-sdk
nextest:
	@$(CARGO) nextest --version >/dev/null 2>&1 || $(CARGO) install --debug --locked cargo-nextest@$(NEXTEST)

$(VENV)/ready: tests/e2e/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install -q --disable-pip-version-check -r tests/e2e/requirements.txt
	touch $@

$(OIDC): tests/e2e/oidc/package-lock.json
	cd tests/e2e/oidc && npm ci --silent --no-audit --no-fund
	touch $@
