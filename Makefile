# Needs make and Python 3.11 or newer with venv; everything else is installed into .venv.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

VENV := .venv
BIN := $(VENV)/bin
MEMBERS := benchmarks codegen conformance-tests reference-server sdk-python
RUN_MEMBERS := reference-server sdk-python
DEV_MEMBERS := benchmarks codegen conformance-tests $(RUN_MEMBERS)

# PYTHON: the newest that works here; a name on the path may be a shim without an interpreter.
CANDIDATES := python3.14 python3.13 python3.12 python3.11 python3
USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in $(CANDIDATES); do "$$name" -c '$(USABLE)' >/dev/null 2>&1 && { echo "$$name"; break; }; done)
# WORKERS: how many tests run at a time. ARGS: more arguments for the command behind a target.
WORKERS ?= 2
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help demo serve test libraries packages npm check generate docs cassettes bench compare conformance selftest kills faults verdicts states clean lock
.PHONY: setup check-format check-lint check-mypy check-pyright check-imports check-dependencies check-generated \
	check-cassettes check-spec check-typescript check-docs check-repository

help: ## Lists the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## Publishes events through the SDK to a real server with good, flaky, dead and slow receivers, and shows what happens.
	@$(BIN)/hookwright-server demo $(ARGS)

serve: $(VENV)/.run ## Starts the server here, with its data in one SQLite file; the first start prints an API key.
	@$(BIN)/hookwright-server serve $(ARGS)

test: $(VENV)/.dev ## Runs the tests of every member (ARGS="-k name" for some of them).
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

libraries: $(VENV)/.check ## Installs the webhook libraries for Node that a test verifies deliveries with.
	@reference-server/tests/libraries/install

packages: $(VENV)/.dev ## Installs wheels and sdists on the oldest and newest Python here, from the network, and tries what the READMEs show (ARGS="--python PATH").
	$(BIN)/python tools/try_packages.py $(ARGS)

npm: $(VENV)/.check ## Packs the TypeScript SDK, installs it into empty projects, type-checks there and runs the README's example, from the network.
	@sdk-typescript/run try

check: check-format check-lint check-mypy check-pyright check-imports check-dependencies check-generated check-cassettes check-spec check-typescript check-docs check-repository ## Checks format, lint, types, import rules, dependencies, generated code, recorded examples, the spec, the TypeScript SDK, the site and the repository itself.
	@echo "All checks passed."

setup: $(VENV)/.check

check-format: $(VENV)/.check
	$(BIN)/ruff format --check .

check-lint: $(VENV)/.check
	$(BIN)/ruff check .

check-mypy: $(VENV)/.check
	@$(BIN)/python tools/examples.py out/typed_examples.py
	$(BIN)/mypy --exclude '/conftest\.py$$' $(MEMBERS) tests tools out/typed_examples.py
	@find conftest.py $(MEMBERS) -name conftest.py | while read -r file; do \
		echo "mypy $$file"; $(BIN)/mypy "$$file"; \
	done

check-pyright: $(VENV)/.check
	$(BIN)/pyright --pythonpath $(BIN)/python
	@$(BIN)/python tools/examples.py out/typed_examples.py
	$(BIN)/pyright --pythonpath $(BIN)/python out/typed_examples.py

check-imports: $(VENV)/.check
	$(BIN)/lint-imports --no-cache

check-dependencies: $(VENV)/.check
	@for member in $(MEMBERS); do \
		echo "deptry $$member"; \
		(cd $$member && ../$(BIN)/deptry src); \
	done

check-generated: $(VENV)/.dev
	$(BIN)/python -m hookwright_codegen generate --check
	$(BIN)/python tools/seed_coverage.py --check

check-cassettes: $(VENV)/.dev
	$(BIN)/python tools/cassettes.py --check

check-spec: $(VENV)/.check
	spec-lint/run openapi.yaml

check-typescript: $(VENV)/.check
	sdk-typescript/run check

# A link that leads nowhere fails, and so does a page that would load something from elsewhere.
check-docs: $(VENV)/.check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	$(BIN)/python tools/check_site.py out/site

check-repository: $(VENV)/.check
	$(BIN)/python tools/check_repository.py
	$(BIN)/towncrier build --draft --version next >/dev/null

docs: check-docs ## Builds the documents as a site that needs no network: out/site/index.html.

generate: $(VENV)/.dev ## Rebuilds the SDKs, the API reference and the server's edge from openapi.yaml, and docs/seed-coverage.md.
	$(BIN)/python -m hookwright_codegen generate $(ARGS)
	$(BIN)/python tools/seed_coverage.py
	@sdk-typescript/run generate

cassettes: $(VENV)/.dev ## Records every documented example, as the reference server answers the SDK, for tests without a server.
	$(BIN)/python tools/cassettes.py

bench: $(VENV)/.dev ## Measures the promises of the performance document on this machine and prints the table.
	$(BIN)/hookwright-bench $(ARGS)

compare: $(VENV)/.dev ## Installs openai, stripe and svix beside the SDK, compares cost and abilities, writes docs/comparison.md.
	$(BIN)/python -m hookwright_benchmarks.comparison $(ARGS)

conformance: $(VENV)/.dev ## Runs the conformance suite on all of ours that claims to conform and builds out/conformance/matrix.html (ARGS="--run sqlite"; ARGS=--write renews docs/conformance.md).
	$(BIN)/python tools/conformance.py $(ARGS)

selftest: $(VENV)/.dev ## Proves the conformance suite: starts broken servers and SDKs, each of which must fail the cases that name it (minutes).
	cd conformance-tests && ../$(BIN)/python mutants/forks.py ../$(BIN)/hookwright-conformance selftest \
		--target mutants/target.yaml --launcher "../$(BIN)/python mutants/launch.py" $(ARGS)
	$(if $(ARGS),,cd conformance-tests && ../$(BIN)/hookwright-conformance selftest \
		--driver "../$(BIN)/python mutants/sdk_driver.py")

kills: $(VENV)/.dev ## Kills a server under load again and again and checks the history (ARGS="--kills 500").
	$(BIN)/python -m hookwright_benchmarks.kill_campaign $(ARGS)

faults: $(VENV)/.dev ## Disturbs a whole installation under load in every way, looks for anything lost, writes docs/faults.md (50 minutes; ARGS="--faults 100" for a fifth of it).
	$(BIN)/python -m hookwright_benchmarks.faults --write docs $(ARGS)

verdicts: $(VENV)/.dev ## Sends 100,000 generated requests to a server on SQLite and one on Postgres: equal answers (ARGS="--seed 2").
	$(BIN)/python -m hookwright_benchmarks.verdicts $(ARGS)

states: $(VENV)/.dev ## Does 100,000 random steps on a server and on a model of it, on SQLite and Postgres: no divergence (ARGS="--steps 5000 --seed 2").
	$(BIN)/python -m hookwright_benchmarks.states $(ARGS)

clean: ## Removes .venv, caches and build products; never a database.
	rm -rf $(VENV) out .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache \
		spec-lint/node_modules reference-server/tests/libraries/node_modules \
		sdk-typescript/node_modules sdk-typescript/dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The largest set is resolved first, so that the smaller ones hold the very same versions.
OURS := hookwright hookwright-benchmarks hookwright-codegen hookwright-conformance hookwright-server
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header $(OURS:%=--no-emit-package %)
lock: $(VENV)/.check ## Resolves the dependencies again and writes requirements/*.txt (ARGS=--upgrade for newer versions).
	$(COMPILE) $(ARGS) requirements/check.in --output-file requirements/check.txt >/dev/null
	for set in dev production run; do $(COMPILE) --constraint requirements/check.txt \
		requirements/$$set.in --output-file requirements/$$set.txt >/dev/null; done

# One stamp for each lock. A larger set contains the smaller ones, so it renews their stamps too.
SHOW := sed -n 's/^Collecting \([^ ]*\).*/  \1/p; s/^Installing collected.*/  installing .../p'
define install
	@echo "Setting up $(VENV) for '$(1)' (once; again only when its requirements change) ..."
	@$(BIN)/python -m pip install --require-hashes -r requirements/$(1).txt | $(SHOW)
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation $(2:%=-e ./%)
endef

$(VENV)/.run: requirements/run.txt reference-server/pyproject.toml sdk-python/pyproject.toml | $(BIN)/python
	$(call install,run,$(RUN_MEMBERS))
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(MEMBERS:%=%/pyproject.toml) | $(BIN)/python
	$(call install,dev,$(DEV_MEMBERS))
	@touch $(VENV)/.run $@

$(VENV)/.check: requirements/check.txt $(MEMBERS:%=%/pyproject.toml) | $(BIN)/python
	$(call install,check,$(DEV_MEMBERS))
	@touch $(VENV)/.run $(VENV)/.dev $@

$(BIN)/python:
	@if [ -z "$(PYTHON)" ] || ! $(PYTHON) -c '$(USABLE)' 2>/dev/null; then \
		echo "Hookwright needs Python 3.11 or newer with its venv module; looked at: $(or $(PYTHON),$(CANDIDATES))." >&2; \
		echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi
	@echo "Creating $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV)
