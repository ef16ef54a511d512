# Four virtual environments: .venv for development and tests, .venv-emulator for the local AWS, .venv-audit for the audit
# tools, .venv-console for the driver of a browser. The targets write to this folder only, mostly to .local.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := bash
STAGE ?= dev

# Run each candidate: a version manager's shim can exist and still fail.
ifndef PYTHON
PYTHON := $(firstword $(foreach p,python3.13 python3.12 python3.11 python3,$(shell $(p) -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1 && echo $(p))))
endif

export SAM_CLI_TELEMETRY := 0
export __SAM_CLI_APP_DIR := $(CURDIR)/.local/sam
export PIP_CACHE_DIR ?= $(CURDIR)/.local/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Python caches compiled modules also where the caller's environment turns that off: dozens of short programs run here.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
DEV := .venv/.installed
EMULATOR := .venv-emulator/.installed
AUDIT := .venv-audit/.installed
PIP_INSTALL := -m local.pip_progress -m pip install --no-deps --require-hashes --progress-bar off --requirement
CONSOLE := .venv-console/.installed

.PHONY: help demo up down test test-end-to-end test-covered test-uncovered check console-test simulate fuzz mutants chaos outages rude iam bench cost scale audit docs site format hooks sizes deploy smoke webhooks erase consent sam-local lock release-notes clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  PYTHON=...          the interpreter to use, 3.11 to 3.13 (now: $(or $(PYTHON),none found))"
	@echo "  SAMPAI_PORT=...     the port of the local AWS (now: $${SAMPAI_PORT:-4566})"

demo: ports $(DEV) $(EMULATOR) ## send one message of every kind through the local stack and show each until its final status
	@$(BIN)/python -m local.demo

up: ports $(DEV) $(EMULATOR) ## start the local AWS and the vendor simulators, deploy the stack, write .local/outputs.json
	@$(BIN)/python -m local.stack up

down: ## stop everything that `make up` started
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local.stack down; fi

# Side by side, because the end-to-end tests mostly wait. What make itself says comes last: it names the parts that failed.
test: $(DEV) $(EMULATOR) ## run every check and test that a merge needs
	@mkdir -p .local; $(MAKE) --jobs 4 test-end-to-end check test-uncovered test-covered 2> .local/test-errors.log; \
	status=$$?; cat .local/test-errors.log >&2; exit $$status

# Measuring the coverage of these tests would take minutes, and they are no proof that a line has a test of its own. They are
# a part of their own, because pytest-cov's mark `no_cover` has no effect in the workers of pytest-xdist.
UNCOVERED := $(addprefix tests/,canary chaos contract defects functional/test_follow_up_load.py fuzz iam simulation \
	$(addprefix unit/,benchmarks cli local))

# The output of each of the next two parts is printed at its end, so that the parts can be told apart.
PRINT_AT_END = > .local/$@.log 2>&1; status=$$?; cat .local/$@.log; exit $$status

test-end-to-end: $(DEV) $(EMULATOR) ## run a part of `make test`: the tests on the local stack
	@mkdir -p .local; $(BIN)/python -m pytest tests/e2e $(PRINT_AT_END)

test-uncovered: $(DEV) $(EMULATOR) ## run a part of `make test`: the tests whose coverage is not measured
	@mkdir -p .local; $(BIN)/python -m pytest --numprocesses 2 $(UNCOVERED) $(PRINT_AT_END)

test-covered: $(DEV) $(EMULATOR) ## run a part of `make test`: the tests whose coverage is measured
	@mkdir -p .local
	$(BIN)/python -m pytest --numprocesses 2 --cov $(addprefix --ignore=,tests/e2e $(UNCOVERED))

TEMPLATES := template.yaml network.yaml queries.yaml $(wildcard examples/*.yaml)
SCHEMA := $(BIN)/check-jsonschema --quiet --builtin-schema

# Not --quiet: it would also hide the warnings from --strict. The variable turns off an advertisement.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

check: $(DEV) ## run the static half of `make test`: ruff, mypy, cfn-lint, sam validate, lint of the GitHub files, site, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/cfn-lint --template $(TEMPLATES) --regions ap-southeast-1
	@set -e; for template in $(TEMPLATES); do AWS_DEFAULT_REGION=ap-southeast-1 $(BIN)/sam validate --lint --template $$template; done
	$(SCHEMA) vendor.github-workflows .github/workflows/*.yml
	$(SCHEMA) vendor.dependabot .github/dependabot.yml
	$(SCHEMA) vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(SCHEMA) vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/zizmor --quiet --offline --strict-collection .github .pre-commit-config.yaml
	$(BIN)/pre-commit validate-config .pre-commit-config.yaml
	$(MKDOCS)
	$(BIN)/python -m pytest -q tests/unit/test_architecture.py

console-test: $(DEV) ## drive the pages of `sampai console` in headless Chromium, and keep pictures in .local/console
	@$(BIN)/python -m tests.console.browser
	@$(MAKE) $(CONSOLE)
	@.venv-console/bin/python -m tests.console

simulate: $(DEV) ## simulate every schedule with one fault and N random ones with several: make simulate N=100000 SEED=1
	@$(BIN)/python -m tests.simulation -n $(or $(N),100000) --seed $(or $(SEED),1) --jobs $$(getconf _NPROCESSORS_ONLN)

fuzz: $(DEV) ## generate N webhook requests and N queue bodies: make fuzz N=10000
	@$(BIN)/python -m tests.fuzz $(or $(N),10000)

mutants: $(DEV) $(EMULATOR) ## plant known defects one by one and name the test that finds each
	@$(BIN)/python -m tests.defects

chaos: $(DEV) $(EMULATOR) ## kill processes of the local stack and stop its DynamoDB under load, and check the promises
	@$(BIN)/python -m tests.chaos

outages: $(DEV) $(EMULATOR) ## stop DynamoDB for nine seconds around sends on the local stack, put bad items beside good ones, and send a file of 1,000 rows twice
	@$(BIN)/python -m pytest -m slow tests/e2e

rude: $(DEV) $(EMULATOR) ## run the end-to-end tests with vendor simulators that answer as rudely as real servers
	@SAMPAI_RUDE=1 $(BIN)/python -m pytest tests/e2e

iam: $(DEV) $(EMULATOR) ## remove each permission of the template in turn and check that something fails without it
	@$(BIN)/python -m tests.iam

bench: $(DEV) $(EMULATOR) ## measure speed, calls, memory, growth and follow-up against baselines: make bench ONLY="send flow"
	@$(BIN)/python -m benchmarks $(ONLY)

cost: $(DEV) $(EMULATOR) ## compute the price of a million messages from counted calls and public prices, with goals against a floor
	@$(BIN)/python -m benchmarks.cost

scale: $(DEV) ## simulate 10 to 100,000 messages per second and show the bottlenecks
	@$(BIN)/python -m benchmarks.scale

LOCKS := layers/dependencies/requirements.txt $(addprefix requirements/,dev.txt emulator.txt audit.txt bench.txt console.txt)
CHECKOV := CKV_SKIP_PACKAGE_UPDATE_CHECK=1 .venv-audit/bin/checkov
PIP_AUDIT := .venv-audit/bin/pip-audit --progress-spinner off --cache-dir .local/pip-audit --strict --disable-pip
# Ignored: CVE-2024-23342. ecdsa leaks the key that it signs with, and no release fixes that. checkov signs nothing.
IGNORED := --ignore-vuln CVE-2024-23342

# pip-audit reports no vulnerability if the index serves no advisories, so it must find a known one first.
audit: $(AUDIT) ## look for known vulnerabilities: checkov on the templates, pip-audit on the locks (needs the internet)
	$(CHECKOV)
	@answer=$$($(PIP_AUDIT) --format json --no-deps --requirement <(echo flask==0.5) 2>&1); \
	grep -q CVE-2018-1000656 <<< "$$answer" || { echo "$$answer"; \
	echo "No advisories: pip-audit did not find the known one on flask 0.5. Does this machine reach pypi.org?"; exit 1; } >&2
	@for lock in $(LOCKS); do echo "pip-audit $$lock"; \
	$(PIP_AUDIT) $(IGNORED) --require-hashes --requirement $$lock || failed=1; done; exit $${failed:-0}

docs: $(DEV) ## generate the pages of docs/reference that follow from the code
	$(BIN)/python -m docs.generate

site: $(DEV) ## build the documentation as a site that works without a server and without the internet
	@$(MKDOCS)
	@echo "Open .local/site/index.html in a browser."

format: $(DEV) ## fix and format the code with ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

hooks: $(DEV) ## run the fast checks before each commit (installs the git hook of pre-commit)
	@$(BIN)/pre-commit install

sizes: $(DEV) ## print the longest file, class, constructor and function of the layer
	@$(BIN)/python -m local.sizes

deploy: $(DEV) ## build a stage and deploy it to AWS: make deploy STAGE=dev|staging|prod
	$(BIN)/sam build --config-env $(STAGE)
	$(BIN)/sam deploy --config-env $(STAGE)

smoke: $(DEV) ## check a deployed stage, without a vendor: make smoke STAGE=dev|staging|prod|local
	@$(BIN)/python -m local.smoke $(STAGE)

webhooks: $(DEV) ## print the webhook addresses of a deployed stage, with their tokens: make webhooks STAGE=dev|staging|prod|local
	@$(BIN)/python -m local.stage $(STAGE) webhooks urls

# Without STAGE these two work on the local stack: nobody erases a person from a stage by accident. NUMBER and YES reach
# the program through its environment, to which make adds the variables of its command line.
PERSON = $(BIN)/python -m local.stage $(if $(filter file,$(origin STAGE)),local,$(STAGE)) $@
erase: $(DEV) ## erase a person from every table: make erase NUMBER=+62... STAGE=dev|staging|prod (YES=1: without a question)
	@$(PERSON)

consent: $(DEV) ## show whether a number or e-mail address has opted out: make consent NUMBER=+62... STAGE=dev|staging|prod
	@$(PERSON)

sam-local: $(DEV) $(EMULATOR) ## run docs/how-to/invoke-locally.md in a Docker engine, on the running local stack
	@$(BIN)/python -m local.sam_local

# The layer's lock is constrained by dev.txt, so that the tests run the deployed versions. The header that uv writes into
# a lock must stay: Dependabot reads its options from there.
UV_COMPILE := .local/uv/bin/uv pip compile -q --universal --generate-hashes --no-annotate --python-version 3.11 --upgrade
lock: $(DEV) ## pin the newest version of every requirement (fetches uv)
	$(PYTHON) -m venv .local/uv && .local/uv/bin/pip install -qq uv
	$(UV_COMPILE) requirements/dev.in -o requirements/dev.txt
	$(UV_COMPILE) -c requirements/dev.txt layers/dependencies/requirements.in -o layers/dependencies/requirements.txt
	$(UV_COMPILE) requirements/emulator.in -o requirements/emulator.txt
	$(UV_COMPILE) requirements/audit.in -o requirements/audit.txt
	$(UV_COMPILE) requirements/bench.in -o requirements/bench.txt
	$(UV_COMPILE) requirements/console.in -o requirements/console.txt

VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
TAG ?= v$(VERSION)
release-notes: ## print the section of CHANGELOG.md for a tag: make release-notes TAG=v1.2.3
	@test "$(TAG)" = "v$(VERSION)" || { echo "The tag is $(TAG), but pyproject.toml has version $(VERSION)." >&2; exit 1; }
	@awk -v heading="## [$(VERSION)]" '/^## / {on = index($$0, heading) == 1; next} on {print; n += NF} END {exit !n}' CHANGELOG.md \
	|| { echo "CHANGELOG.md has no text under [$(VERSION)]." >&2; exit 1; }

clean: ## stop the local stack and remove everything that was built or installed
	@$(MAKE) down
	rm -rf .venv .venv-emulator .venv-audit .venv-console .aws-sam .local .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found. Install one or set its path: make PYTHON=/path/to/python3.13" >&2; exit 1; }

# Before anything is installed: a port that is taken would stop the stack only after that.
ports: | python
	@$(PYTHON) -m local.ports

$(DEV): requirements/dev.txt | python
	@echo "Installing development tools into .venv (once) ..."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python $(PIP_INSTALL) requirements/dev.txt
	@printf '%s\n' "$(CURDIR)/layers/sampai" "$(CURDIR)/cli" > "$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')/sampai.pth"
	@printf '#!/bin/sh\nexec "%s" -m sampai_cli "$$@"\n' "$(CURDIR)/$(BIN)/python" > $(BIN)/sampai && chmod +x $(BIN)/sampai
	@touch $@

# Use the interpreter of .venv and ignore PYTHON: the layers are built with .venv and run in .venv-emulator.
$(EMULATOR): requirements/emulator.txt $(DEV)
	@echo "Installing the local AWS into .venv-emulator (once) ..."
	@$(BIN)/python -m venv --clear .venv-emulator
	@.venv-emulator/bin/python $(PIP_INSTALL) requirements/emulator.txt
	@touch $@

$(CONSOLE): requirements/console.txt | python
	@echo "Installing the driver of the browser into .venv-console (once) ..."
	@$(PYTHON) -m venv --clear .venv-console
	@.venv-console/bin/python $(PIP_INSTALL) requirements/console.txt
	@touch $@

$(AUDIT): requirements/audit.txt | python
	@echo "Installing checkov and pip-audit into .venv-audit (once) ..."
	@$(PYTHON) -m venv --clear .venv-audit
	@.venv-audit/bin/python $(PIP_INSTALL) requirements/audit.txt
	@touch $@
