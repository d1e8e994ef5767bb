# Every target makes the virtual environment it needs by itself, and does nothing twice.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
# the tests start hundreds of processes: their modules are compiled once
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
DEMO := $(VENV)/installed-demo
DEV := $(VENV)/installed-dev
WORKERS ?= 6

.PHONY: help demo test check format clients real soak bench docs clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' Makefile

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "smackbox needs Python >= 3.11, this is $$($(PYTHON) --version); try make PYTHON=python3.11"; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(DEMO): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing smackbox[demo] into $(VENV)"
	@$(PIP) -e '.[demo]'
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing smackbox[dev] into $(VENV)"
	@$(PIP) -e '.[dev]'
	@touch $@ $(DEMO)

demo: $(DEMO) ## 336,776 real flights through the whole stack, every figure checked
	@$(BIN)/smack demo

test: $(DEV) ## the test suite, under five minutes on two cores
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup -m 'not slow and not polyglot'

check: $(DEV) ## format, lint, types, import contracts, words
	@$(BIN)/ruff format --check --quiet src tests bench examples docs && $(BIN)/ruff check --quiet src tests bench examples docs
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m docs.glossary
	@$(BIN)/python -m docs.docstrings

format: $(DEV) ## put the code into the house's format
	@$(BIN)/ruff format src tests bench examples docs && $(BIN)/ruff check --fix src tests bench examples docs

clients: $(DEV) ## clients in Go, Java, JavaScript and Rust on our servers (their tools needed)
	@$(BIN)/python -m pytest -q -m polyglot tests/contract

real: $(DEV) ## the contract tests on a real Kafka and a real Cassandra (Java 17 and Maven needed)
	@$(BIN)/python -m tests.contract.real

soak: $(DEV) ## the long failure tests
	@$(BIN)/python -m pytest -q -m slow --timeout 1800

bench: $(DEV) ## every benchmark, side by side with the real engines where they can run
	@$(BIN)/python -m bench

docs: $(DEV) ## the reference pages that are made from the code
	@$(BIN)/python -m docs.reference

clean: ## remove what the targets made
	@rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist out
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
