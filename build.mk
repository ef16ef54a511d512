# The recipes of `sam build` for each function and layer. sam runs `make build-<LogicalId>` in a copy of the source folder
# and sets ARTIFACTS_DIR to the target folder. sam's own pip builder ships no .pyc, so that every cold start would compile
# the packages, and it needs an interpreter of exactly the template's version.
#
#   SAMPAI_BUILD_FOR       aws (default): wheels for Lambda · host: wheels for PYTHON itself, for the local stack
#   SAMPAI_PYTHON_VERSION  the version of the Lambda runtime, default 3.13; must match the parameter PythonRuntime
#   SAMPAI_ARCHITECTURE    x86_64 (default) or arm64; must match the parameter Architecture
#   PYTHON                 the interpreter that builds; any supported version
#   COMPILER               the interpreter that compiles the .pyc; must have the version of the runtime

SAMPAI_BUILD_FOR ?= aws
SAMPAI_PYTHON_VERSION ?= 3.13
SAMPAI_ARCHITECTURE ?= x86_64

# Run each candidate: a version manager's shim can exist and still fail.
PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3,$(shell $(p) -m pip --version >/dev/null 2>&1 && echo $(p))))
ifeq ($(PYTHON),)
$(error no python3.11, python3.12 or python3.13 with pip found; set one with PYTHON=/path/to/python)
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

# A .pyc is readable by its own Python version only. If PYTHON has another version, look for the right one by name and
# among pyenv's versions, because pyenv's shims run only the selected ones. The compiler needs no pip.
compilers := $(PYTHON) python$(target_version) $(wildcard $(HOME)/.pyenv/versions/$(target_version).*/bin/python)
is_target := -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(target_version)")'
COMPILER ?= $(firstword $(foreach p,$(compilers),$(shell $(p) $(is_target) >/dev/null 2>&1 && echo $(p))))

# Unchecked, because the task root is read-only and its time stamps mean nothing.
ifneq ($(COMPILER),)
compile = $(COMPILER) -m compileall -q --invalidation-mode unchecked-hash $(1)
else
compile = @echo "$@: no .pyc, so cold starts take twice as long: no Python $(target_version) found; set one with COMPILER" >&2
endif

# The AWS APIs that the functions call; botocore ships the models of some four hundred.
services := dynamodb events lambda secretsmanager sqs ssm
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
	$(PYTHON) authorities.py $(python)
	$(call compile,$(python))
ifeq ($(SAMPAI_BUILD_FOR),host)
	$(PYTHON) -I -S smoke_test.py $(python) $(services)
endif
