# Three virtual environments: .venv for developing and testing, .venv-emulator for the local AWS, .venv-audit for what
# looks for known weaknesses. Everything that these targets write stays in this folder, most of it in .local.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := bash
STAGE ?= dev

# A version manager's shim can be there and yet not run, so each candidate is tried.
ifndef PYTHON
PYTHON := $(firstword $(foreach p,python3.13 python3.12 python3.11 python3,$(shell $(p) -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1 && echo $(p))))
endif

export SAM_CLI_TELEMETRY := 0
export __SAM_CLI_APP_DIR := $(CURDIR)/.local/sam
export PIP_CACHE_DIR ?= $(CURDIR)/.local/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1

BIN := .venv/bin
DEV := .venv/.installed
EMULATOR := .venv-emulator/.installed
AUDIT := .venv-audit/.installed
PIP_INSTALL := -m pip install -qq --no-deps --require-hashes --requirement

.PHONY: help demo up down test check simulate fuzz mutants chaos privileges bench cost scale audit docs format deploy smoke sam-local lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  PYTHON=...    the interpreter to use, 3.11 to 3.13 (now: $(or $(PYTHON),none found))"
	@echo "  SAMPAI_PORT   the port of the local AWS (now: $${SAMPAI_PORT:-4566})"

demo: $(DEV) $(EMULATOR) ## one message of every kind on the local stack, until each has its final status
	@$(BIN)/python -m local.demo

up: $(DEV) $(EMULATOR) ## start the local AWS and the vendor simulators, deploy, write .local/outputs.json
	@$(BIN)/python -m local.stack up

down: ## stop what `make up` started
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local.stack down; fi

test: check $(EMULATOR) ## everything that must be green before a merge
	$(BIN)/python -m pytest

# The functions' modules are all named app, so each is checked by itself.
check: $(DEV) ## the static half of `make test`: ruff, mypy, cfn-lint, sam validate, the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy layers/sampai/sampai local docs
	@set -e; for app in functions/*/app.py; do echo "$(BIN)/mypy $$app"; (cd $${app%/app.py} && MYPYPATH=../../layers/sampai ../../$(BIN)/mypy --config-file ../../pyproject.toml app.py); done
	$(BIN)/cfn-lint --template template.yaml --regions ap-southeast-1
	AWS_DEFAULT_REGION=ap-southeast-1 $(BIN)/sam validate --lint
	$(BIN)/python -m pytest -q tests/unit/test_architecture.py

simulate: $(DEV) ## every one-fault schedule and N seeded many-fault ones: make simulate N=100000 SEED=1
	@$(BIN)/python -m tests.simulation -n $(or $(N),100000) --seed $(or $(SEED),1) --jobs $$(getconf _NPROCESSORS_ONLN)

fuzz: $(DEV) ## N generated callbacks and N generated queue bodies: make fuzz N=10000
	@$(BIN)/python -m tests.fuzz $(or $(N),10000)

mutants: $(DEV) $(EMULATOR) ## plant known defects one by one, and name the test that notices each
	@$(BIN)/python -m tests.mutants

chaos: $(DEV) $(EMULATOR) ## kill the local stack's processes while messages flow
	@$(BIN)/python -m local.chaos

privileges: $(DEV) $(EMULATOR) ## take each permission of the template away, and see that something misses it
	@$(BIN)/python -m local.privileges

bench: $(DEV) $(EMULATOR) ## measure speed, calls, memory and growth beside yardsticks: make bench ONLY="send flow"
	@$(BIN)/python -m tests.bench $(ONLY)

cost: $(DEV) $(EMULATOR) ## what a million messages cost, by counted calls and public prices
	@$(BIN)/python -m tests.bench.cost

scale: $(DEV) ## simulate 10, 1,000 and 100,000 messages a second: what gets hot, and what moves it
	@$(BIN)/python -m tests.bench.scale

LOCKS := layers/dependencies/requirements.txt requirements-dev.txt requirements-emulator.txt requirements-audit.txt tests/bench/requirements.txt
CHECKOV := CKV_SKIP_PACKAGE_UPDATE_CHECK=1 .venv-audit/bin/checkov
PIP_AUDIT := .venv-audit/bin/pip-audit --progress-spinner off --cache-dir .local/pip-audit --strict --disable-pip
# Passed over: CVE-2024-23342, by which ecdsa leaks a key that it signs with. It has no mend, and checkov signs nothing.
PASSED_OVER := --ignore-vuln CVE-2024-23342

# Where an index has no advisories, pip-audit says that there are no weaknesses. So it has to find a known one first.
audit: $(AUDIT) ## known weaknesses: checkov on the template, pip-audit on what is pinned (needs the internet)
	$(CHECKOV)
	@answer=$$($(PIP_AUDIT) --format json --no-deps --requirement <(echo flask==0.5) 2>&1); \
	grep -q CVE-2018-1000656 <<< "$$answer" || { echo "$$answer"; \
	echo "The advisories could not be asked: the one on flask 0.5 was not found. Is it pypi.org that answers?"; exit 1; } >&2
	@for lock in $(LOCKS); do echo "pip-audit $$lock"; \
	$(PIP_AUDIT) $(PASSED_OVER) --require-hashes --requirement $$lock || failed=1; done; exit $${failed:-0}

docs: $(DEV) ## write the generated pages of docs/reference again
	$(BIN)/python -m docs.generate

format: $(DEV) ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

deploy: $(DEV) ## build and deploy a stage to AWS: make deploy STAGE=dev|staging|prod
	$(BIN)/sam build --config-env $(STAGE)
	$(BIN)/sam deploy --config-env $(STAGE)

smoke: $(DEV) ## check a deployed stage, without a vendor: make smoke STAGE=dev|staging|prod|local
	@$(BIN)/python -m local.smoke $(STAGE)

sam-local: $(DEV) $(EMULATOR) ## run docs/how-to/invoke-locally.md in a Docker engine, on the running local stack
	@$(BIN)/python -m local.sam_local

# uv is fetched for the occasion. The layer is pinned to what the tests run with.
UV_COMPILE := .local/uv/bin/uv pip compile -q --universal --generate-hashes --no-annotate --no-header --python-version 3.11 --upgrade
lock: $(DEV) ## pin the newest versions of all requirements
	$(PYTHON) -m venv .local/uv && .local/uv/bin/pip install -qq uv
	$(UV_COMPILE) requirements-dev.in -o requirements-dev.txt
	$(UV_COMPILE) -c requirements-dev.txt layers/dependencies/requirements.in -o layers/dependencies/requirements.txt
	$(UV_COMPILE) requirements-emulator.in -o requirements-emulator.txt
	$(UV_COMPILE) requirements-audit.in -o requirements-audit.txt
	$(UV_COMPILE) tests/bench/requirements.in -o tests/bench/requirements.txt

clean: ## remove everything that was built or installed (stops the local stack first)
	@$(MAKE) down
	rm -rf .venv .venv-emulator .venv-audit .aws-sam .local .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found. Install one, or name it: make PYTHON=/path/to/python3.13" >&2; exit 1; }

$(DEV): requirements-dev.txt | python
	@echo "Installing development tools into .venv (once) ..."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python $(PIP_INSTALL) requirements-dev.txt
	@touch $@

# With the interpreter of .venv, whatever PYTHON says now: the layers are built for the one and run in the other.
$(EMULATOR): requirements-emulator.txt $(DEV)
	@echo "Installing the local AWS into .venv-emulator (once) ..."
	@$(BIN)/python -m venv --clear .venv-emulator
	@.venv-emulator/bin/python $(PIP_INSTALL) requirements-emulator.txt
	@touch $@

$(AUDIT): requirements-audit.txt | python
	@echo "Installing checkov and pip-audit into .venv-audit (once) ..."
	@$(PYTHON) -m venv --clear .venv-audit
	@.venv-audit/bin/python $(PIP_INSTALL) requirements-audit.txt
	@touch $@
