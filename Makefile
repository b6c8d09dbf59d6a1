# Sluicegate. `make help` lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# The first Python of 3.12 or newer that can make virtual environments; PYTHON=... names another.
PYTHON ?= $(shell for p in $$(cat .python-version 2>/dev/null | sed 's/^/python/') python3.14 python3.13 python3.12 python3 \
	"$$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3; do \
	command -v "$$p" >/dev/null 2>&1 && "$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1 \
	&& { command -v "$$p"; break; }; done)

BIN := .venv/bin
PIP_FLAGS := --quiet --disable-pip-version-check --require-hashes
T ?= tests
K ?=

.PHONY: help setup setup-dev demo up test fuzz fuzz-readers lint format type check-docs bench bench-detectors bench-masking interop torture lock clean leak-matrix held-clients bench-detection

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r t d; do printf '  %-16s %s\n' "$$t" "$$d"; done

.venv/.ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Sluicegate needs Python 3.12 or newer with venv (Debian: apt install python3-venv), and found none; install it, or run: make PYTHON=/path/to/python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; print("sluicegate: using", sys.executable, sys.version.split()[0], "- installing into .venv")'
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements.lock || { echo "sluicegate: the packages in requirements.lock could not be installed (see above); is a package index reachable?" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.ready-dev: .venv/.ready requirements-dev.lock
	@echo "sluicegate: installing the test tools"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements-dev.lock || { echo "sluicegate: the packages in requirements-dev.lock could not be installed (see above)" >&2; exit 1; }
	@touch $@

setup: .venv/.ready ## Make .venv and install Sluicegate from the lock file
setup-dev: .venv/.ready-dev ## The same, with the tools for tests, lint and types

demo: setup ## Start everything, play the story with real clients, stop; leaves recordings in .sluicegate
	@$(BIN)/python -m demo.story

up: setup ## Start the demo's services and the gateway, and stay
	@$(BIN)/python -m demo.processes

# One worker more than there are cores of a small machine: many tests wait for others. What they start again and again is
# compiled once, whatever the environment says of that.
test: setup-dev ## Run the tests (T=path, K=expression, WORKERS=3)
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest $(T) $(if $(K),-k "$(K)") -n $(or $(WORKERS),3) --dist loadfile --no-loadscope-reorder

fuzz: setup-dev ## Run the property tests with examples that were never tried before (T=path, K=expression)
	@HYPOTHESIS_PROFILE=search $(BIN)/python -m pytest $$(grep -rl "import.*given" $(T)) $(if $(K),-k "$(K)") -n 2 --dist loadfile --no-loadscope-reorder

fuzz-readers: setup-dev ## Fuzz the readers of requests, led by the branches they reach (atheris; RUNS=n of each)
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements-fuzz.lock
	@for each in sql request destination curl parameters; do $(BIN)/python -m tests.fuzz.run $$each $(or $(RUNS),20000) || exit 1; done

lint: setup-dev ## Ruff, and the import contract
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports --no-cache

format: setup-dev ## Let ruff format the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

type: setup-dev ## mypy, strict
	@$(BIN)/mypy

check-docs: setup-dev ## Keep commands, settings, links and docs in step
	@$(BIN)/python -m pytest tests/docs

bench: setup-dev ## Measure: the gate beside bare mitmdump, decisions, reading of requests and SQL
	@status=0; for each in decide operations sql identity recording gateway "detection --speed" "replay 100000"; do $(BIN)/python -m bench.$$each || status=1; done; exit $$status

bench-detectors: setup-dev ## Measure what the detectors find, on data that was not written here (kept in .bench)
	@$(BIN)/python -m bench.detectors

leak-matrix: setup-dev ## Every format, coding, framing, HTTP version and split position through a gateway (SHARD=1/4: a part; DONE=FILE: go on)
	@LEAK_MATRIX=full $(BIN)/python -m pytest tests/masking/leak_matrix tests/e2e/test_e2e_leak_matrix.py --timeout 3600 -n 2 \
		-p tests.masking.leak_matrix.selection $(if $(SHARD),--shard $(SHARD)) $(if $(DONE),--done $(DONE))

held-clients: setup-dev ## Real clients held for 3, 20 and 70 seconds, by their own clocks (takes three minutes)
	@HELD=full $(BIN)/python -m pytest tests/e2e/test_e2e_held.py --timeout 600

bench-masking: setup-dev ## Measure masking beside the parsers alone
	@$(BIN)/python -m bench.masking

bench-detection: setup-dev ## Measure detection: who is found, how soon, how often for nothing; labelled events; taint through real encoders
	@$(BIN)/python -m bench.detection --ablations 1 && $(BIN)/python -m bench.labelled && $(BIN)/python -m bench.taint

interop: setup-dev ## Run the tests with real servers and clients, in environments kept in .interop (T=path, K=expression)
	@status=0; SEEN=keep $(BIN)/python -m pytest $(if $(filter tests,$(T)),tests/interop,$(T)) $(if $(K),-k "$(K)") -m interop || status=1; \
	$(BIN)/python -m tests.interop.checked docs/services.md && exit $$status

torture: setup-dev ## Kill the recorder 500 times between and within its writes, and prove what is left (ROUNDS=n)
	@$(BIN)/python -m tests.recording.torture $(or $(ROUNDS),500)

lock: ## Make the lock files anew from pyproject.toml (needs uv)
	@uv pip compile -q --universal --python-version 3.12 --generate-hashes --no-header --no-emit-index-url --no-annotate --extra demo --extra build pyproject.toml -o requirements.lock
	@uv pip compile -q --universal --python-version 3.12 --generate-hashes --no-header --no-emit-index-url --no-annotate --extra demo --extra build --group dev pyproject.toml -o requirements-dev.lock
	@uv pip compile -q --universal --python-version 3.12 --generate-hashes --no-header --no-emit-index-url --no-annotate --group fuzz -o requirements-fuzz.lock

clean: ## Remove .venv and caches (recordings stay)
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .bench
