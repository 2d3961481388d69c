# steerway: two commands are enough on a fresh machine: `make demo` and `make test`.
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
CARGO := cargo
PYTEST := $(BIN)/python -m pytest
RING := $(PYTHON) .ci/ring.py
# Folders of real tests in the first and the second lane, so that all lanes take about as long; the third has the others.
REAL_LANE_1 := $(addprefix tests/real/,envoy sources)
REAL_LANE_2 := $(addprefix tests/real/,balancing examples migration security)
UNIT_IO := $(addprefix tests/unit/,cli demo http report sources)
RUST := rust/Cargo.toml
RUST_SOURCES := $(shell find rust \( -path rust/target -o -path rust/fuzz \) -prune -o \( -name '*.rs' -o -name 'Cargo.*' -o -name '*.proto' \) -print)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
# Tests start hundreds of processes; without bytecode on disk each of them compiles all modules.
unexport PYTHONDONTWRITEBYTECODE

# What cargo-fuzz passes to rustc, without the sanitizers that only a nightly has: there is no unsafe code to sanitize.
FUZZ := rust/fuzz/target
FUZZ_SECONDS ?= 600
FUZZ_LIMIT ?= -max_total_time=$(FUZZ_SECONDS)
FUZZ_FLAGS := --cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares
# Programs that look at dependencies, and are none themselves.
TOOLS := build/tools
SBOM := build/sbom
DOCS := build/docs-venv
HOST = $(shell rustc -vV | sed -n 's/^host: //p')

.PHONY: help demo test test-long test-lane-1 test-lane-2 test-lane-3 unit unit-engine unit-io unit-others lint fuzz fuzz-engine fuzz-input test-rust test-python build bench bench-cluster bench-start bench-policy bench-moves bench-files bench-viewers bench-hostile bench-servers bench-signer bench-soak mutants settings-doc capability-doc chart docs audit sbom cluster cluster-stop debian constraints wheel sdist wheel-check sdist-check version notes rootfs image lowest clean tools

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: build ## The outage, before and after: three client fleets through a rolling restart (ARGS='--no-live --seconds 30 --json FILE')
	@$(BIN)/python -m demo $(ARGS)

# Three lanes side by side, since real clients mostly wait; a fourth job is for the unit tests' own parts. The tests on a
# real API server run alone: pods, clients and steerway restart within seconds there.
test: build debian ## Every ring of tests: lint, engine, units, real clients, Envoy, a real Kubernetes API server
	@failed=0; \
	$(MAKE) --no-print-directory --keep-going --jobs=4 test-lane-1 test-lane-2 test-lane-3 || failed=1; \
	$(RING) cluster $(PYTEST) tests/cluster || failed=1; \
	exit $$failed

# A ring that fails does not keep the others of its lane from running.
test-lane-1:
	@failed=0; \
	$(RING) lint $(MAKE) --no-print-directory lint || failed=1; \
	$(RING) rust $(MAKE) --no-print-directory test-rust || failed=1; \
	$(MAKE) --no-print-directory --keep-going unit || failed=1; \
	$(RING) property $(PYTEST) tests/property tests/fuzz || failed=1; \
	$(RING) package $(PYTEST) tests/chart tests/package || failed=1; \
	$(RING) real-envoy $(PYTEST) $(REAL_LANE_1) || failed=1; \
	exit $$failed

test-lane-2:
	@$(RING) real-balancing $(PYTEST) $(REAL_LANE_2)

test-lane-3:
	@$(RING) real $(PYTEST) tests/real $(REAL_LANE_1:%=--ignore=%) $(REAL_LANE_2:%=--ignore=%)

test-long: test ## Also the lowest versions, fuzzing (FUZZ_SECONDS for each target), all mutations, the soak benchmark: about 3 hours
	@$(MAKE) --no-print-directory lowest
	@$(MAKE) --no-print-directory wheel wheel-check
	@$(MAKE) --no-print-directory fuzz
	@$(MAKE) --no-print-directory mutants ARGS=
	@$(MAKE) --no-print-directory bench-soak ARGS='--minutes 30'

# Three processes: tests that wait (the engine on real sockets), tests over HTTP and files, all others.
unit: build ## The unit tests, in under a minute on 2 cores (needs no Debian packages, network namespaces or Go)
	@$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,--jobs=3) unit-engine unit-io unit-others

unit-engine:
	@$(RING) $@ $(PYTEST) tests/unit/engine

unit-io:
	@$(RING) $@ $(PYTEST) $(UNIT_IO)

unit-others:
	@$(RING) $@ $(PYTEST) tests/unit --ignore=tests/unit/engine $(UNIT_IO:%=--ignore=%)

lint: build ## ruff, mypy --strict, stubtest, import contracts, words, commit messages, tsc, cargo fmt, clippy
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest steerway._engine
	$(BIN)/lint-imports
	$(BIN)/python -m tests.lint.words
	$(BIN)/python -m tests.lint.commits
	$(NPM) run --silent check
	$(CARGO) fmt --all --manifest-path $(RUST) --check
	$(CARGO) fmt --manifest-path rust/fuzz/Cargo.toml --check
	$(CARGO) clippy --manifest-path $(RUST) --locked --all-targets -- -D warnings

test-rust: tools ## The native engine's own tests, thousands of orders of its threads, and 20,000 runs of each fuzz target
	$(CARGO) test --manifest-path $(RUST) --locked --workspace --exclude steerway-python
	$(CARGO) test --manifest-path $(RUST) --locked --package steerway-server --features shuttle concurrency
	@$(MAKE) --no-print-directory fuzz-engine FUZZ_LIMIT='-runs=20000 -seed=1'

fuzz: fuzz-engine fuzz-input ## Random bytes against the engine, and mutated manifests and API objects (FUZZ_SECONDS=600 for each target)

fuzz-input: build ## Mutated manifests and API objects against all stages (FUZZ_SECONDS=600 for each target)
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(ARGS)

# Inputs that failed once are kept in rust/fuzz/corpus, by target, and run first.
fuzz-engine: tools ## Random requests, commits and bytes against the engine (FUZZ_SECONDS=600 for each target; needs a C++ compiler)
	@$(CXX) --version >/dev/null 2>&1 || { echo "make: libFuzzer is C++: install g++ or clang" >&2; exit 1; }
	RUSTFLAGS='$(FUZZ_FLAGS)' $(CARGO) build --release --locked --manifest-path rust/fuzz/Cargo.toml --target $(HOST)
	@for target in request stream framing load; do \
	  mkdir -p $(FUZZ)/corpus/$$target && echo "fuzz $$target $(FUZZ_LIMIT)" && \
	  $(FUZZ)/$(HOST)/release/$$target $(FUZZ)/corpus/$$target $$(ls -d rust/fuzz/corpus/$$target 2>/dev/null) \
	    -max_len=1024 -print_final_stats=1 $(FUZZ_LIMIT) -artifact_prefix=$(FUZZ)/$$target- 2>$(FUZZ)/$$target.log \
	    || { tail -n 60 $(FUZZ)/$$target.log; exit 1; }; \
	  grep -E '^Done|new_units_added' $(FUZZ)/$$target.log; \
	done

test-python: build debian ## The Python tests one after the other, from pure to real (ARGS are pytest's)
	$(PYTEST) $(ARGS)

build: $(VENV)/.built page ## The virtual environment with steerway in it: .venv/bin/steerway

# The page is built from web/ by Node: the system's if it is new enough, else that of a wheel, which is no dependency of steerway.
STATIC := src/steerway/admin/static
NODE := $(TOOLS)/node
NPM := PATH="$(CURDIR)/$(NODE)/bin:$$PATH" $(NODE)/bin/npm --prefix web
WEB_SOURCES := $(shell find web -name node_modules -prune -o -type f -print)

.PHONY: page
page: $(STATIC)/index.html ## The files of the admin page, from web/ (only what has changed)

$(STATIC)/index.html: $(WEB_SOURCES) web/node_modules/.package-lock.json
	@$(NPM) run --silent build

web/node_modules/.package-lock.json: web/package-lock.json web/package.json | $(NODE)/.ready
	$(NPM) ci --silent
	@touch $@

$(NODE)/.ready: web/node.sh web/requirements.txt | tools
	PYTHON='$(PYTHON)' web/node.sh $(NODE)
	@touch $@

$(VENV)/.pip: constraints.txt | tools
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) || { echo "make: python3 has no venv module: install python3-venv" >&2; exit 1; }
	$(BIN)/pip install --quiet --require-hashes --requirement constraints.txt
	@touch $@

$(VENV)/.built: $(VENV)/.pip pyproject.toml $(RUST_SOURCES)
	PIP_QUIET=1 $(BIN)/maturin develop --release --locked --extras dev,demo,otel,top --quiet
	@touch $@

COMPILE := $(TOOLS)/venv/bin/uv pip compile --quiet --no-annotate --no-emit-index-url --generate-hashes --custom-compile-command 'make constraints'

# The wheel for a release: zig links the engine against glibc 2.28, so that it runs on every distribution since 2018.
DIST := dist
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' rust/Cargo.toml)
MANYLINUX := manylinux_2_28
TARGET ?=
PACKAGING := $(TOOLS)/packaging

wheel: $(TOOLS)/.packaging page tools ## dist/steerway-*.whl for manylinux_2_28 (TARGET=aarch64-unknown-linux-gnu for another architecture)
	PATH="$(CURDIR)/$(PACKAGING)/bin:$$PATH" $(PACKAGING)/bin/maturin build --release --locked --zig --compatibility $(MANYLINUX) \
	  --out $(DIST) $(if $(TARGET),--target $(TARGET))

sdist: $(TOOLS)/.packaging page tools ## dist/steerway-*.tar.gz, which builds with Rust and maturin
	$(PACKAGING)/bin/maturin sdist --out $(DIST)

wheel-check: ## Install the wheel of this machine into a clean environment without Rust, and make a call through it
	$(PYTHON) deploy/wheel/check.py $(DIST)/steerway-$(VERSION)-*-$(MANYLINUX)_$(shell uname -m).whl

sdist-check: tools ## Build a wheel from the sdist in a folder of its own, with the build requirements that it states
	rm -rf build/sdist && mkdir -p build/sdist
	$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir build/sdist $(DIST)/steerway-$(VERSION).tar.gz
	ls build/sdist/steerway-$(VERSION)-*.whl

version: ## The version that would be released
	@echo $(VERSION)

notes: ## The entry of that version in CHANGELOG.md
	@awk -v version=$(VERSION) '/^## /{on = $$2 == version; next} on' CHANGELOG.md

ARCH ?= $(if $(filter aarch64,$(shell uname -m)),arm64,amd64)

rootfs: ## The root file system of the image for ARCH (amd64, arm64) in build/image/rootfs, as the Dockerfile makes it (needs mmdebstrap)
	deploy/image/build.sh $(ARCH)

# Docker's builder, or another that reads a Dockerfile: make image DOCKER='podman'.
DOCKER ?= docker
IMAGE ?= steerway

image: ## Build the image with docker (IMAGE=registry/name ARGS='--platform linux/amd64,linux/arm64 --push')
	$(DOCKER) build --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) --tag $(IMAGE):$(VERSION) $(ARGS) .

LOWEST_TOOLS := cryptography grpcio-health-checking httpx hypothesis pytest pytest-asyncio pytest-timeout
LOWEST_TESTS := $(addprefix tests/unit/,access admin cli config http log report rest sources)

lowest: build $(TOOLS)/.python ## The unit tests that depend on libraries, with the lowest versions that pyproject.toml allows (2 minutes)
	rm -rf build/lowest && mkdir -p build/lowest
	$(COMPILE) --resolution lowest-direct --output-file build/lowest/requirements.txt pyproject.toml
	$(PYTHON) -m venv build/lowest/venv
	$(TOOLS)/venv/bin/uv pip install --quiet --python build/lowest/venv --requirement build/lowest/requirements.txt $(LOWEST_TOOLS)
	VIRTUAL_ENV=$(CURDIR)/build/lowest/venv $(BIN)/maturin develop --release --locked --quiet
	build/lowest/venv/bin/python -m pytest $(LOWEST_TESTS)

settings-doc: build ## Write the reference part of docs/settings.md from the declarations of settings
	$(BIN)/python -m tests.support.settings_document

capability-doc: build ## Write the tables of clients in docs/conformance.md from the capability table
	$(BIN)/python -m tests.support.capability_document

chart: build ## Write the schema and README of deploy/chart, and deploy/kustomize, from the chart's values (needs Go; Helm is built once)
	$(BIN)/python -m tests.support.chart

docs: $(DOCS)/.installed ## The documentation as a site with all links checked: build/site
	@$(PYTHON) .ci/docs.py docs build/docs
	$(DOCS)/bin/zensical build --clean --strict

$(DOCS)/.installed: docs/requirements.txt
	@$(PYTHON) -m venv $(DOCS) || { echo "make: python3 has no venv module: install python3-venv" >&2; exit 1; }
	PIP_CONSTRAINT= $(DOCS)/bin/pip install --quiet --requirement docs/requirements.txt
	@touch $@

bench: build ## Compare with go-control-plane and a raw TCP fan-out, side by side (needs Go; ARGS='--full' or '--scenario hot --clients 500')
	$(BIN)/python -m bench $(ARGS)

bench-cluster: build debian ## steerway on a real Kubernetes API server: latency to the ACK, CPU, start (ARGS='--scenario single')
	$(BIN)/python -m bench.cluster $(ARGS)

bench-start: build ## Size, start and memory of a replica at 1,000 Services (a minute; ARGS='before=PYTHON after=PYTHON' compares environments)
	$(BIN)/python -m bench.start $(ARGS)

bench-signer: build debian ## Latency and CPU of workload certificates on a real Kubernetes API server (a minute; needs Go once)
	$(BIN)/python -m bench.signer $(ARGS)

bench-policy: build ## What policies cost, and how even and calm subsets are (minutes; needs nothing else)
	$(BIN)/python -m bench.policy $(ARGS)
	$(BIN)/python -m bench.subset

bench-servers: build ## What xDS servers and mTLS cost the translation (seconds; needs nothing else)
	$(BIN)/python -m bench.security.servers $(ARGS)

bench-moves: build ## Calls lost while a Service is replaced in one step, beside go-control-plane (needs Go)
	$(BIN)/python -m bench.moves $(ARGS)

bench-files: build ## What a change of a 10 MB manifest file costs, and how long it stops the event loop (a minute; needs nothing else)
	$(BIN)/python -m bench.files $(ARGS)

bench-viewers: build ## What viewers of the admin server cost (a minute; ARGS='--streams 20000 --services 5000'; needs nothing else)
	$(BIN)/python -m bench.viewers $(ARGS)

bench-hostile: build ## What one hostile client costs the others (two minutes; ARGS='--kind pods --seconds 20')
	$(BIN)/python -m bench.hostile $(ARGS)

bench-soak: build ## Minutes of churn, restarts and abuse; fails on growth (ARGS='--minutes 30'; needs nothing else)
	$(BIN)/python -m bench.soak $(ARGS)

mutants: build ## Faults that the tests must notice, one by one (half an hour; ARGS='catalog', or '--only TEXT')
	$(BIN)/python -m tests.mutation $(ARGS)

# Directories: git clones of the databases of advisories, for a machine that cannot reach their origins.
RUST_ADVISORIES ?=
PYTHON_ADVISORIES ?=

audit: $(TOOLS)/.python $(TOOLS)/bin/cargo-deny ## Licenses and sources of crates, advisories about dependencies (RUST_ADVISORIES=DIR PYTHON_ADVISORIES=DIR)
	$(TOOLS)/venv/bin/python -m tests.audit --tools $(TOOLS) \
	  $(if $(RUST_ADVISORIES),--rust-advisories '$(RUST_ADVISORIES)') \
	  $(if $(PYTHON_ADVISORIES),--python-advisories '$(PYTHON_ADVISORIES)')

sbom: $(TOOLS)/.python $(TOOLS)/bin/cargo-cyclonedx ## Bills of materials of what is shipped: build/sbom/{python,rust}.cdx.json
	@rm -rf $(SBOM) && mkdir -p $(SBOM)
	$(PYTHON) -m venv --without-pip $(SBOM)/venv
	$(TOOLS)/venv/bin/pip --python $(SBOM)/venv/bin/python install --quiet --require-hashes --requirement deploy/image/requirements.txt
	@sed 's/^dynamic = .*/version = "$(VERSION)"/' pyproject.toml > $(SBOM)/pyproject.toml
	$(TOOLS)/venv/bin/cyclonedx-py environment --pyproject $(SBOM)/pyproject.toml --output-reproducible \
	  --output-file $(SBOM)/python.cdx.json $(SBOM)/venv
	$(TOOLS)/bin/cargo-cyclonedx cyclonedx --manifest-path rust/python/Cargo.toml --format json --target all \
	  --no-build-deps --override-filename steerway-sbom
	@sed 's|file://$(CURDIR)/|file:///|g' rust/python/steerway-sbom.json > $(SBOM)/rust.cdx.json && rm -f rust/*/steerway-sbom.json
	$(TOOLS)/venv/bin/python -m tests.audit.bill $(SBOM)/*.cdx.json
	@rm -rf $(SBOM)/venv $(SBOM)/pyproject.toml

$(TOOLS)/.python: tests/audit/requirements.txt | tools
	$(PYTHON) -m venv $(TOOLS)/venv
	$(TOOLS)/venv/bin/pip install --quiet --requirement tests/audit/requirements.txt
	@touch $@

$(TOOLS)/.packaging: deploy/wheel/requirements.txt | tools
	$(PYTHON) -m venv $(PACKAGING)
	$(PACKAGING)/bin/pip install --quiet --require-hashes --requirement deploy/wheel/requirements.txt
	@touch $@

$(TOOLS)/bin/cargo-deny:
	$(CARGO) install --quiet --locked --root $(TOOLS) cargo-deny@0.20.2

$(TOOLS)/bin/cargo-cyclonedx:
	$(CARGO) install --quiet --locked --root $(TOOLS) cargo-cyclonedx@0.5.9

cluster: build debian ## Build (once, 10 minutes) and start a real Kubernetes API server in a network namespace
	$(BIN)/python -m testbed.cluster start

cluster-stop: ## Stop what `make cluster` started
	$(BIN)/python -m testbed.cluster stop

debian: ## Install the Debian packages that tests need: ip, openssl, chromium, mmdebstrap, prometheus (only if missing)
	@testbed/cluster/debian.sh

constraints: $(TOOLS)/.python ## Pin what pyproject.toml declares, with hashes (ARGS=--upgrade for the newest versions)
	$(COMPILE) --universal $(addprefix --extra ,dev demo otel top) $(ARGS) --output-file constraints.txt pyproject.toml
	$(COMPILE) --python-version 3.11 --python-platform linux --extra otel --constraint constraints.txt $(ARGS) \
	  --output-file deploy/image/requirements.txt pyproject.toml
	$(COMPILE) --universal --constraint constraints.txt $(ARGS) --output-file deploy/wheel/requirements.txt deploy/wheel/requirements.in

clean: ## Remove everything that was built here
	rm -rf $(VENV) rust/target $(FUZZ) bench/load/target build dist web/node_modules $(STATIC) .pytest_cache .mypy_cache .ruff_cache .hypothesis .cache
	find src -name '*.so' -delete

tools:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "make: Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/python3" >&2; exit 1; }
	@command -v $(CARGO) >/dev/null || { echo "make: Rust is needed: install rustc and cargo 1.88 or newer (rustup, or your distribution's packages)" >&2; exit 1; }
	@$(CARGO) fmt --version >/dev/null 2>&1 && $(CARGO) clippy --version >/dev/null 2>&1 || echo "make: note: make test needs rustfmt and clippy (rustup component add rustfmt clippy)" >&2
