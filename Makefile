# Packyard: `make serve` runs it, `make test` proves it.  `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8080
HOST ?= 127.0.0.1
DATA ?= ./data
PYTEST_ARGS ?=
SWIFT ?=
export SWIFT

.DEFAULT_GOAL := help
.PHONY: help install serve tools fmt lint type test apart clients bench docs clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.run: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed (PYTHON=... chooses one)" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

install: $(VENV)/.test ## make .venv with everything that the tests need

serve: $(VENV)/.run ## run the registry on SQLite and files under ./data, ready to use
	exec $(BIN)/packyard serve --quickstart --host $(HOST) --port $(PORT) --data $(DATA)

tools: install ## install the real package managers of the suite under .tools
	bash tests/clients/install.sh

fmt: install ## format the code
	$(BIN)/ruff format registry protocols storage upstreams tests
	$(BIN)/ruff check --fix registry protocols storage upstreams tests

lint: install ## ruff and the import walls
	$(BIN)/ruff format --check registry protocols storage upstreams tests
	$(BIN)/ruff check registry protocols storage upstreams tests
	$(BIN)/lint-imports

type: install ## mypy, strict
	$(BIN)/mypy

test: tools ## everything: units, contracts, the real server, the real clients, the latter also on PostgreSQL and a bucket
	$(BIN)/python -m pytest -n 3 --dist loadfile -q $(PYTEST_ARGS)
	$(MAKE) --no-print-directory apart

apart: tools ## a round trip of each family of clients on PostgreSQL and a bucket
	PACKYARD_TEST_ENGINE=postgres PACKYARD_TEST_BLOBS=s3 $(BIN)/python -m pytest -n 2 -q -m apart tests/clients

clients: tools ## only the round trips of real package managers; SWIFT=1 adds a Swift toolchain of 2.9 GB
	$(BIN)/python -m pytest -n 3 --dist loadfile -q -m "clients or live" $(PYTEST_ARGS)

bench: install ## ratios to nginx and to peers in one run; writes docs/performance.md
	$(BIN)/python -m tests.bench $(BENCH_ARGS)

docs: install ## check that every command, setting and operation is documented
	$(BIN)/python -m pytest -q tests/test_docs.py

clean: ## remove what make made, never ./data
	rm -rf $(VENV) .tools build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
