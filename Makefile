# Ochaq. `make` alone lists what there is. Every target is one line here: the work is done by deploy/local and the tools.

.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON3 := $(shell [ -x /usr/bin/python3 ] && echo /usr/bin/python3 || echo python3)
LOCAL := $(PYTHON3) deploy/local
BIN := .venv/bin
NAME ?=
FAST := shared/tests/unit services/*/tests/unit deploy/local/tests/unit tests/contract
PACKAGES := ochaq_shared ochaq_web ochaq_worker ochaq_realtime ochaq_files ochaq_search ochaq_local

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'

# --- run it

.PHONY: up down restart reset status logs doctor demo
up: ## install what is missing and start everything [PORT=8080] [OBJECT_STORE=local|s3]
	@$(LOCAL) up $(if $(PORT),--port $(PORT)) $(if $(OBJECT_STORE),--object-store $(OBJECT_STORE))

down: ## stop everything, keep the data
	@$(LOCAL) down

restart: ## restart the services, or one process [NAME=web-serve]
	@$(LOCAL) restart $(NAME)

reset: ## stop everything and delete the data [YES=1]
	@$(LOCAL) reset $(if $(YES),--yes)

status: ## every process and whether it is ready [FORMAT=json]
	@$(LOCAL) status $(if $(FORMAT),--format $(FORMAT))

logs: ## what the processes said [NAME=web-serve] [FOLLOW=1]
	@$(LOCAL) logs $(NAME) $(if $(FOLLOW),--follow)

doctor: ## check this machine and what runs on it
	@$(LOCAL) doctor

demo: ## tell the main story through the gateway (starts everything first where nothing runs)
	@$(LOCAL) up $(if $(PORT),--port $(PORT))
	@$(BIN)/python tests/story/demo.py

# --- change it

.PHONY: dev test test-fast test-long lint types format bench bench-bus chaos requirements problems schemas messages
dev: ## install everything that running, testing and checking need
	@$(LOCAL) install dev

test: dev ## every test, on servers of its own; touches nothing that runs [ARGS=…] [WORKERS=2]
	@$(BIN)/pytest -n $(or $(WORKERS),2) $(ARGS)

test-fast: dev ## unit and contract tests, within a minute [ARGS=…]
	@$(BIN)/pytest -m "not platform and not browser and not slow and not long" $(FAST) $(ARGS)

test-long: dev ## what make test leaves out for its length: more kills, widths and rows [ARGS=…]
	@$(BIN)/pytest -m long $(ARGS)

lint: dev ## ruff, mypy and the import laws
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory types
	@$(BIN)/lint-imports

types:
	@$(BIN)/mypy $(addprefix -p ,$(PACKAGES))
	@$(BIN)/mypy tests/support gateway/render.py

format: dev ## put the code in its form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: dev ## measure; figures for docs/benchmarks.md [SIZE=full|small]
	@$(BIN)/python tests/bench/run.py --size $(or $(SIZE),full)

bench-bus: dev ## events through outbox, relay and consumer, on servers of its own [SIZE=full|small]
	@$(BIN)/python tests/bench/bus.py --size $(or $(SIZE),full)

bench-jobs: dev ## what a job costs, on a platform of its own in mode test [SIZE=full|small]
	@$(BIN)/python tests/bench/jobs.py --size $(or $(SIZE),full)

chaos: dev ## kill and freeze everything while clients work, then look for what is lost or done twice [MINUTES=30] [SEED=n]
	@$(BIN)/python tests/chaos/run.py --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED))

.PHONY: test-faults
test-faults: dev ## break everything in every way of the fault matrix, at length [SEEDS=20] [SEED=1] [FAULT=F7] [SIZE=long|short]
	@$(BIN)/python tests/faults/run.py --seeds $(or $(SEEDS),1) --seed $(or $(SEED),1) --size $(or $(SIZE),long) $(if $(FAULT),--fault $(FAULT))

requirements: dev ## compile requirements/*.in to hash-pinned *.txt
	@requirements/compile

problems: dev ## write docs/problems.md from the codes that the source defines
	@$(BIN)/python docs/tools/problems_page.py

schemas: dev ## write the JSON Schemas of new event types, and docs/events (AsyncAPI, the list)
	@$(BIN)/python -m ochaq_shared.events.schema_files

screens: dev ## pictures of the main pages, from what runs, into docs/screens
	@$(BIN)/python tests/browser/screens.py

messages: dev ## collect marked strings and compile the translations
	@$(BIN)/python -m ochaq_web.translations update
	@$(BIN)/python -m ochaq_web.translations compile
	@$(BIN)/python -m ochaq_web.translations check
