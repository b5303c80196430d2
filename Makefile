# Two commands for a fresh machine: `make run` and `make test`. Everything else is listed by `make help`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
# The suites start hundreds of programs: each would compile its modules for a second and more.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
STAMPS := .build/stamps
# The program itself: npm's wrapper of it ends with 0 when tests fail.
FORGE = $(firstword $(wildcard node_modules/@foundry-rs/forge-*/bin/forge*))
IPFS ?= directory
BUNDLES ?=
KILL_POINTS ?= 200

.PHONY: help set-up run demo kubo testnet pages chromium softhsm prometheus haproxy keycloak hapi image test pages-check browser check lint types unit generated contracts-test forge forge-long gas solhint slither \
  brownie proofs differential integration demo-and-fuzz demo-test fuzz test-faults test-networks test-tampering bench bench-enduring bench-restarting bench-study lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

# --- set-up: each stamp is made once and again when its lock file changes ---------------------------------

# The folder is made last: as long as something is missing, each try says so.
$(STAMPS):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Assent needs Python 3.11 or newer. Debian: apt-get install python3.11 python3.11-venv"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Assent needs Python's venv. Debian: apt-get install python3-venv"; exit 1; }
	@command -v node >/dev/null && node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' || \
	  { echo "Assent needs Node.js 20 or newer, for the compiler and the embedded chain."; \
	    echo "Debian 13: apt-get install nodejs npm. Elsewhere: https://nodejs.org"; exit 1; }
	@command -v npm >/dev/null || { echo "Assent needs npm. Debian: apt-get install npm"; exit 1; }
	@mkdir -p $@

$(STAMPS)/runtime: requirements/runtime.txt pyproject.toml | $(STAMPS)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing Python packages ..."
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . 2>/dev/null
	@touch $@

$(STAMPS)/dev: requirements/dev.txt $(STAMPS)/runtime
	@echo "installing development packages ..."
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(STAMPS)/node: package-lock.json | $(STAMPS)
	@echo "installing the compiler and the embedded chain ..."
	@# Not "npm ci": it wants every platform's binary in the lock, and not every registry mirror has them all.
	@npm install --no-save --ignore-scripts --silent --no-audit --no-fund
	@touch $@

$(STAMPS)/brownie: requirements/brownie.txt | $(STAMPS)
	@test -x .venv-brownie/bin/python || $(PYTHON) -m venv .venv-brownie
	@echo "installing Brownie in its own environment ..."
	@.venv-brownie/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements/brownie.txt
	@touch $@

$(STAMPS)/proofs-tools: requirements/proofs.txt | $(STAMPS)
	@test -x .venv-proofs/bin/python || $(PYTHON) -m venv .venv-proofs
	@echo "installing the prover in its own environment ..."
	@.venv-proofs/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements/proofs.txt
	@touch $@

$(STAMPS)/checkers: requirements/checkers.txt | $(STAMPS)
	@test -x .venv-checkers/bin/python || $(PYTHON) -m venv .venv-checkers
	@echo "installing the outside checkers of anonymization in their own environment ..."
	@.venv-checkers/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements/checkers.txt
	@touch $@

KERNEL_SOURCES := $(wildcard backend/research/anonymize/*.py)
$(STAMPS)/kernels: $(KERNEL_SOURCES) $(STAMPS)/runtime
	@echo "compiling the kernels of anonymization ..."
	@$(BIN)/python -m backend.research.anonymize.compile_kernels >/dev/null
	@touch $@

CONTRACT_SOURCES := $(shell find contracts -name '*.sol' 2>/dev/null)
$(STAMPS)/contracts: $(CONTRACT_SOURCES) scripts/compile.py $(STAMPS)/runtime $(STAMPS)/node
	@echo "compiling the contracts ..."
	@$(BIN)/python scripts/compile.py
	@touch $@

# --- use --------------------------------------------------------------------------------------------------

WEB_SOURCES := $(shell find web -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' -not -name 'schema.gen.ts')
$(STAMPS)/web-tools: web/package-lock.json | $(STAMPS)
	@echo "installing what the pages are made with ..."
	@cd web && npm install --no-save --ignore-scripts --silent --no-audit --no-fund
	@touch $@

$(STAMPS)/web-api: docs/openapi.json $(STAMPS)/web-tools
	@cd web && npm run --silent api >/dev/null
	@touch $@

$(STAMPS)/pages: $(WEB_SOURCES) $(STAMPS)/web-api
	@echo "building the pages ..."
	@cd web && npm run --silent build >/dev/null
	@touch $@

set-up: $(STAMPS)/dev $(STAMPS)/contracts $(STAMPS)/kernels $(STAMPS)/pages $(STAMPS)/checkers $(STAMPS)/brownie ## all that the tests need, but servers

run: $(STAMPS)/contracts $(STAMPS)/kernels $(STAMPS)/pages ## set up and start the whole system at http://localhost:8000
	@exec $(BIN)/assent up

kubo: $(STAMPS)/runtime ## build a Kubo node (needs Go)
	@$(BIN)/python scripts/kubo/run.py build

testnet: $(STAMPS)/runtime ## build geth for a network of several nodes (needs Go): docs/testnet.md
	@$(BIN)/python -m scripts.testnet.run build

pages: $(STAMPS)/pages ## build the pages into web/dist

chromium: $(STAMPS)/runtime ## find or fetch Chromium for the tests of the pages (Debian's packages, no root)
	@$(BIN)/python -m scripts.chromium.run

softhsm: $(STAMPS)/runtime ## find or fetch SoftHSM2 for the tests of the HSM key store (Debian's packages, no root)
	@$(BIN)/python -m scripts.softhsm.run

prometheus: $(STAMPS)/runtime ## find or fetch Prometheus and build its Alertmanager, for the tests of alerts (needs Go)
	@$(BIN)/python -m scripts.prometheus.run

haproxy: $(STAMPS)/runtime ## find or fetch HAProxy for the tests of its configuration (Debian's packages, no root)
	@$(BIN)/python -m scripts.haproxy.run

image: $(STAMPS)/dev ## run the steps of the Dockerfile on a bare Debian, and start what comes out (needs root)
	@$(BIN)/python -m scripts.bare_debian.run || { [ $$? -eq 75 ] && [ "$(CI)" != true ]; }

keycloak: $(STAMPS)/dev ## fetch Keycloak for the tests of OpenID Connect (skipped without Java 17 and Maven)
	@if command -v java >/dev/null && command -v mvn >/dev/null; then $(BIN)/python -m scripts.keycloak.run fetch; else \
	  echo "skipped: Keycloak needs Java 17 and Maven. Debian: apt-get install default-jdk-headless maven"; \
	  [ "$(CI)" != true ]; fi

hapi: $(STAMPS)/dev ## validate what we emit as FHIR with the HAPI validator (skipped without Java 17 and Maven)
	@if command -v java >/dev/null && command -v mvn >/dev/null; then $(BIN)/python -m scripts.hapi.run; else \
	  echo "skipped: the HAPI validator needs Java 17 and Maven. Debian: apt-get install default-jdk-headless maven"; \
	  [ "$(CI)" != true ]; fi

demo: $(STAMPS)/contracts $(STAMPS)/kernels $(if $(filter kubo,$(IPFS)),kubo) ## the whole story over the API, checked; BUNDLES=DIR takes your own, IPFS=kubo a real node
	@$(BIN)/assent demo --storage $(IPFS) $(if $(BUNDLES),--bundles $(BUNDLES))

# --- checks -----------------------------------------------------------------------------------------------

check: $(STAMPS)/dev lint types unit ## the quick checks: lint, types, imports, unit tests

lint: $(STAMPS)/dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/bandit -q -ll -c pyproject.toml -r backend scripts  # the low ones are ruff S rules

types: $(STAMPS)/dev
	@$(BIN)/mypy

unit: $(STAMPS)/dev $(STAMPS)/node $(STAMPS)/checkers $(STAMPS)/kernels
	@$(BIN)/pytest -q -n 2 tests/unit

# --- everything -------------------------------------------------------------------------------------------

test: check pages-check generated differential integration browser ## all that CI runs, the same way
	@# What uses one core each goes side by side.
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target contracts-test demo-and-fuzz
	@echo "All checks passed."

demo-and-fuzz: $(STAMPS)/dev $(STAMPS)/contracts $(STAMPS)/kernels
	@$(MAKE) --no-print-directory --jobs=1 demo-test fuzz

generated: $(STAMPS)/dev $(STAMPS)/contracts ## generated files are what their sources give
	@$(BIN)/python scripts/compile.py --check
	@$(BIN)/python -m scripts.make_vectors --check
	@$(BIN)/python -m scripts.make_openapi --check
	@$(BIN)/python -m scripts.make_errors --check
	@$(BIN)/python -m scripts.properties --check

contracts-test: $(STAMPS)/contracts ## the contracts: unit, fuzz, invariants, gas, lint, scenarios
	@# One after the other: they write into the same folders.
	@$(MAKE) --no-print-directory --jobs=1 forge gas solhint slither brownie

forge: $(STAMPS)/contracts
	@$(FORGE) test

forge-long: $(STAMPS)/contracts ## the fuzz and invariant tests at length: a million calls a campaign
	@FOUNDRY_PROFILE=long $(FORGE) test

gas: $(STAMPS)/contracts ## the gas table is what the contracts cost
	@FOUNDRY_PROFILE=gas $(FORGE) test
	@git diff --exit-code -- contracts/gas.md

solhint: $(STAMPS)/node
	@node_modules/.bin/solhint --max-warnings 0 'contracts/**/*.sol'

slither: $(STAMPS)/dev $(STAMPS)/contracts
	@PATH="$(CURDIR)/node_modules/.bin:$$PATH" FOUNDRY_OUT=.build/slither/out FOUNDRY_CACHE_PATH=.build/slither/cache \
	  $(BIN)/slither . --fail-low --compile-force-framework foundry

brownie: $(STAMPS)/contracts $(STAMPS)/brownie forge
	@mkdir -p .build/brownie
	@PATH="$(CURDIR)/node_modules/.bin:$$PATH" SOLCX_BINARY_PATH="$(CURDIR)/.build/solcx" \
	  .venv-brownie/bin/brownie test --network anvil

proofs: $(STAMPS)/proofs ## the contracts' proofs, for all inputs within the bounds of contracts/proofs.md

# Proved once, and again when a contract, a proof, a bound or the prover changes.
$(STAMPS)/proofs: $(CONTRACT_SOURCES) $(wildcard tests/proofs/*.* tests/proofs/support/*.sol) \
  tests/forge/support/Tokens.sol foundry.toml scripts/proofs.py $(STAMPS)/proofs-tools $(STAMPS)/contracts
	@$(BIN)/python -m scripts.proofs
	@touch $@

integration: $(STAMPS)/dev $(STAMPS)/contracts $(STAMPS)/kernels
	@$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder tests/integration

test-networks: $(STAMPS)/dev $(STAMPS)/contracts $(STAMPS)/kernels ## the service on a network of six nodes that fail (after make testnet)
	@$(BIN)/pytest -q tests/networks

pages-check: $(STAMPS)/web-api ## the pages: types, lint, unit tests
	@cd web && npm run --silent check && npm run --silent test

browser: $(STAMPS)/dev $(STAMPS)/contracts $(STAMPS)/kernels $(STAMPS)/pages ## the pages in a browser, against a running service
	@$(BIN)/pytest -q -n 2 tests/browser

differential: $(STAMPS)/dev $(STAMPS)/contracts ## random sequences against plain models; ASSENT_DIFFERENTIAL_SEQUENCES=N for longer
	@$(BIN)/pytest -q -n 2 tests/differential

demo-test: $(STAMPS)/dev $(STAMPS)/contracts $(STAMPS)/kernels ## the story, as CI tells it
	@$(BIN)/assent demo --report .build/demo-report.json

fuzz: $(STAMPS)/dev $(STAMPS)/contracts $(STAMPS)/kernels ## every route against generated requests
	@$(BIN)/pytest -q tests/fuzz

test-faults: $(STAMPS)/dev $(STAMPS)/contracts $(STAMPS)/kernels ## the long crash suite: KILL_POINTS=N kills, 200 without
	@ASSENT_KILL_POINTS=$(KILL_POINTS) ASSENT_KILL_LANES=2 ASSENT_INDEX_KILLS=50 $(BIN)/pytest -q -n 2 --timeout=3600 \
	  tests/integration/test_crash.py tests/integration/test_index_conformance.py -k "kill or program"

test-tampering: $(STAMPS)/dev $(STAMPS)/contracts ## every stored document changed, not some of each collection
	@ASSENT_TAMPER_ALL=1 $(BIN)/pytest -q --timeout=1800 tests/integration/stores/test_tampering.py

bench: $(STAMPS)/dev $(STAMPS)/contracts $(STAMPS)/checkers $(STAMPS)/kernels $(STAMPS)/pages ## measure, into bench/results.json
	@$(BIN)/python -m bench.run

bench-enduring: $(STAMPS)/dev $(STAMPS)/contracts $(STAMPS)/kernels ## 24 minutes of load on a network, a fault each minute (after make testnet kubo); MINUTES=N
	@$(BIN)/python -m bench.run --only enduring $(if $(MINUTES),--minutes $(MINUTES))

bench-study: $(STAMPS)/dev $(STAMPS)/contracts $(STAMPS)/kernels ## a study over 10,000 patients' encrypted records, about an hour
	@$(BIN)/python -m bench.run --only extracting --patients 10000

bench-restarting: $(STAMPS)/dev $(STAMPS)/contracts $(STAMPS)/kernels ## restart and reindex with 100,000 consents and records, about an hour; CONSENTS=N
	@$(BIN)/python -m bench.run --only restarting $(if $(CONSENTS),--consents $(CONSENTS))

clean: ## remove what set-up and the programs made (not the data directory)
	rm -rf .build web/dist web/node_modules web/src/api/schema.gen.ts .venv .venv-brownie .venv-proofs .venv-checkers node_modules build out cache

lock: $(STAMPS)/dev ## lock the dependencies again, with hashes and without addresses
	@for part in runtime dev brownie proofs checkers; do \
	  $(BIN)/pip-compile -q --generate-hashes --no-emit-index-url --no-emit-find-links --strip-extras --allow-unsafe \
	    -o requirements/$$part.txt requirements/$$part.in; done
	@npm install --package-lock-only --ignore-scripts --silent
