# `make` or `make help` lists the targets. Needed: rustup, python3 with venv, a C compiler, network.
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# envoy/envoy.yaml finds the module under target/.
unexport CARGO_TARGET_DIR
export PATH := $(HOME)/.cargo/bin:$(PATH)
WASM := target/wasm32-wasip1/release/sluice.wasm
# The target is 921,600 bytes, which the module has outgrown with its formats and kinds of provider. Only ever lower this.
SIZE_BUDGET := 1326000
# The tables of src/tokens: used where they lie, so each worker has them in memory once and nothing besides.
VOCABULARY := 2782272
VENV := .venv
PYTHON ?= python3
# Seconds for each fuzz target, Envoy versions for test-envoy, further arguments for pytest.
SECONDS ?= 30
ENVOY_VERSIONS ?=
PYTEST ?=

.PHONY: help setup build run test lint test-native test-wasm test-envoy prove size bench fuzz coverage conformance

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .run/rust $(VENV)/ready ## Install what is missing: the wasm target, Envoy and Python packages in .venv

build: .run/rust ## Build the module, the stand-in providers and the command target/release/sluice
	@cargo build --release --target wasm32-wasip1
	@cargo build --release -p sluice-standin -p sluice-cli

run: setup build ## Start Envoy with the gateway on port 10000; ENVOY=/path/to/envoy for another binary
	@exec $(VENV)/bin/python envoy/run

test: lint test-native test-wasm test-envoy size ## Run everything

lint: .run/rust ## Check format and lints, for this machine and for wasm32
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets -- -D warnings
	@cargo clippy --target wasm32-wasip1 -- -D warnings

test-native: .run/rust ## Run the native tests: core, scenarios, stand-in providers
	@cargo test --workspace --exclude sluice-wasm

test-wasm: build ## Run the scenarios on the module under wasmtime
	@cargo test -p sluice-wasm

test-envoy: setup build ## Run the module in Envoy, with the SDKs; ENVOY_VERSIONS="1.37.0 1.40.0" for others, PYTEST="-k name"
	@tests/envoy/run $(ENVOY_VERSIONS) -- $(PYTEST)

prove: setup build ## Print how limits hold under load in Envoy, as a table; PYTEST="-k name" picks
	@SLUICE_PROVE=1 tests/envoy/run -- -n 0 -m proof $(PYTEST)

size: build ## Print the module's bytes, its vocabularies apart, against its budget
	@size() { stat -c %s "$$1" 2>/dev/null || stat -f %z "$$1"; }; \
	words=0; for file in src/tokens/*.bin; do words=$$((words + $$(size $$file))); done; \
	if [ "$$words" -ne $(VOCABULARY) ]; then echo "the vocabularies are $$words bytes, not $(VOCABULARY): say so in the Makefile" >&2; exit 1; fi; \
	bytes=$$(size $(WASM)); code=$$((bytes - words)); \
	echo "$(WASM): $$bytes bytes, $$words of them vocabularies; the rest: $$code of $(SIZE_BUDGET)"; \
	if [ "$$code" -gt $(SIZE_BUDGET) ]; then echo "the module is over its budget" >&2; exit 1; fi

bench: setup build ## Measure what the module adds to Envoy
	@$(VENV)/bin/python tests/bench/run

fuzz: ## Fuzz each target for SECONDS=30
	@rustup toolchain list | grep -q '^nightly' || rustup toolchain install nightly --profile minimal
	@command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	@targets=$$(cargo +nightly fuzz list --fuzz-dir tests/fuzz); for target in $$targets; do \
	  echo "== $$target"; cargo +nightly fuzz run --fuzz-dir tests/fuzz $$target -- -max_total_time=$(SECONDS); done

coverage: .run/rust ## Print the lines that native tests run, by room; the wire formats need 95 %
	@rustup component add llvm-tools
	@command -v cargo-llvm-cov >/dev/null || cargo install --locked cargo-llvm-cov
	@mkdir -p target
	@cargo llvm-cov --lib --tests --ignore-filename-regex '/tests/' --json --summary-only --output-path target/coverage.json
	@$(PYTHON) tests/coverage target/coverage.json

conformance: ## Print which recorded cases pass, by provider and kind
	@cargo test --test conformance -- --nocapture

.run/rust:
	@command -v rustup >/dev/null || { echo "rustup is needed: https://rustup.rs" >&2; exit 1; }
	@rustup component add rustfmt clippy
	@rustup target add wasm32-wasip1
	@mkdir -p .run && touch $@

$(VENV)/ready: tests/envoy/requirements.txt
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "python3 with venv is needed (Debian: apt install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@
