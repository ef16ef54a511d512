# How `sam build` makes each function and layer. sam runs `make build-<LogicalId>` in a copy of its source folder, with
# the target folder in ARTIFACTS_DIR. A makefile instead of sam's pip builder because that ships no .pyc, which every
# cold start would then compile again, and insists on an interpreter of exactly the template's version.
#
#   SAMPAI_BUILD_FOR       aws (default): wheels for Lambda · host: wheels for PYTHON itself, as the local stack needs
#   SAMPAI_PYTHON_VERSION  of the Lambda runtime, default 3.13; the same as the parameter PythonRuntime
#   SAMPAI_ARCHITECTURE    x86_64 (default) or arm64; the same as the parameter Architecture
#   PYTHON                 the interpreter that builds; it need not have the runtime's version
#   COMPILER               the interpreter that makes the .pyc; it must have the runtime's version

SAMPAI_BUILD_FOR ?= aws
SAMPAI_PYTHON_VERSION ?= 3.13
SAMPAI_ARCHITECTURE ?= x86_64

# A version manager's shim can be there and yet not run, so each candidate is tried.
PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3,$(shell $(p) -m pip --version >/dev/null 2>&1 && echo $(p))))
ifeq ($(PYTHON),)
$(error no python3.11, python3.12 or python3.13 with pip found; name one with PYTHON=/path/to/python)
endif

host_version := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')

ifeq ($(SAMPAI_BUILD_FOR),host)
target_version := $(host_version)
else
target_version := $(SAMPAI_PYTHON_VERSION)
wheels_of_x86_64 := manylinux2014_x86_64
wheels_of_arm64 := manylinux2014_aarch64
pip_target := --platform $(wheels_of_$(SAMPAI_ARCHITECTURE)) --implementation cp --python-version $(target_version)
endif

# Only the same version can read a .pyc. Where it is not the one that builds, it may be there all the same: by its name,
# or as one of pyenv's, whose shims run the chosen versions alone. It needs no pip.
compilers := $(PYTHON) python$(target_version) $(wildcard $(HOME)/.pyenv/versions/$(target_version).*/bin/python)
is_target := -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(target_version)")'
COMPILER ?= $(firstword $(foreach p,$(compilers),$(shell $(p) $(is_target) >/dev/null 2>&1 && echo $(p))))

# Unchecked: the task root is read-only and its time stamps mean nothing.
ifneq ($(COMPILER),)
compile = $(COMPILER) -m compileall -q --invalidation-mode unchecked-hash $(1)
else
compile = @echo "$@: no .pyc, so cold starts will take twice as long: no Python $(target_version) found; name one with COMPILER" >&2
endif

# The AWS APIs that the functions call; botocore ships the models of some four hundred.
services := dynamodb events secretsmanager sqs ssm
python = $(ARTIFACTS_DIR)/python

.PHONY: build-%
build-%Function:
	cp app.py $(ARTIFACTS_DIR)
	$(call compile,$(ARTIFACTS_DIR))

build-SampaiLayer:
	mkdir -p $(python)
	cp -R sampai $(python)
	find $(python) -name __pycache__ -prune -exec rm -rf {} +
	$(call compile,$(python))

build-DependenciesLayer:
	$(PYTHON) -m pip install -qq --disable-pip-version-check --no-compile --no-deps --require-hashes \
	  --only-binary=:all: $(pip_target) --target $(python) --requirement requirements.txt
	rm -rf $(python)/bin
	$(PYTHON) trim.py $(python) $(services)
	$(call compile,$(python))
ifeq ($(SAMPAI_BUILD_FOR),host)
	$(PYTHON) -I -S smoke_test.py $(python) $(services)
endif
