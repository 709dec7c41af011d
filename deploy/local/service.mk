# The verbs every deployable has. Its Makefile sets ROOT (the checkout), PATHS (what belongs to it, seen from the root),
# PACKAGE (what mypy checks) and PROCESS (what `run` starts), then includes this file.

.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON3 := $(shell [ -x /usr/bin/python3 ] && echo /usr/bin/python3 || echo python3)
LOCAL := $(PYTHON3) deploy/local
BIN := .venv/bin

.PHONY: help dev test lint format run
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-8s %s\n", $$1, $$2}'

dev:
	@cd $(ROOT) && $(LOCAL) install dev

test: dev ## its tests [ARGS=…]
	@cd $(ROOT) && $(BIN)/pytest $(firstword $(PATHS)) $(ARGS)

lint: dev ## ruff and mypy on it, and the import laws
	@cd $(ROOT) && $(BIN)/ruff check $(PATHS) && $(BIN)/ruff format --check $(PATHS) && $(BIN)/lint-imports
	@cd $(ROOT) && $(if $(PACKAGE),$(BIN)/mypy -p $(PACKAGE),true)

format: dev ## put its code in its form
	@cd $(ROOT) && $(BIN)/ruff check --fix $(PATHS) && $(BIN)/ruff format $(PATHS)

run: ## run its process in the foreground, in the place of the supervised one [PROCESS=…]
	@cd $(ROOT) && $(if $(PROCESS),$(LOCAL) run $(PROCESS),echo "Nothing of this runs by itself." && exit 1)
