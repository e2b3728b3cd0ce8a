# Two commands to know: `make run` and `make test`. Both need Python 3.11 or newer, and nothing else.
# Why it is done this way: docs/adr/0001-installing.md

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PACKAGES := engine workflows projections consumers app
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run test chaos check check-style check-types check-floors check-workflows bench lock clean FORCE

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile
	@printf '\n  ARGS="..." is passed on: make test ARGS="-k deadline -x"\n'
	@printf '  PYTHON=... chooses the interpreter: make test PYTHON=python3.12\n'

run: $(VENV)/run.done ## eight years of a real portfolio and a year of one PMO, on the screen
	@$(BIN)/pmo demo --home .pmo/demo $(ARGS)

test: $(VENV)/dev.done ## run the tests, a process for each core
	@$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: check-style check-types check-floors check-workflows ## lint, format, types, floors, and the shipped workflows

check-style: $(VENV)/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check-types: $(VENV)/dev.done
	$(BIN)/mypy --strict $(PACKAGES)

check-floors: $(VENV)/dev.done
	$(BIN)/pytest -q tests/test_floors.py

check-workflows: $(VENV)/run.done
	$(BIN)/pmo check workflows

chaos: $(VENV)/dev.done ## kill everything at random, and look what is left (ARGS="--seed 7 --seconds 600")
	@$(BIN)/python -m tests.chaos.storm $(ARGS)

bench: $(VENV)/bench.done ## measure, each beside a peer or a limit (ARGS=deciding for one)
	@$(BIN)/python -m bench $(ARGS)

clean: ## remove what make made: .venv, caches, the demo
	rm -rf $(VENV) .pmo/demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@for d in $(PACKAGES) tests bench; do [ ! -d $$d ] || find $$d -name __pycache__ -prune -exec rm -rf {} +; done

# --- requirements -----------------------------------------------------------------------------------------------------
# One resolution serves every Python from 3.11 on. The locks keep their versions until ARGS=--upgrade, and each larger
# one agrees with the smaller. No address of an index is written into them.

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command 'make lock' $(ARGS)

lock: $(VENV)/made ## write requirements/*.txt anew (ARGS=--upgrade for newer versions)
	@[ -x $(BIN)/uv ] || { echo 'make lock needs uv, which could not be installed here.' >&2; exit 1; }
	$(COMPILE) pyproject.toml --group build -o requirements/run.txt
	$(COMPILE) pyproject.toml --group build --group dev -c requirements/run.txt -o requirements/dev.txt
	$(COMPILE) pyproject.toml --group build --group dev --group bench -c requirements/dev.txt -o requirements/bench.txt
	$(COMPILE) --group uv -o requirements/uv.txt

# --- the virtual environment ------------------------------------------------------------------------------------------
# Each *.done file says that the lock of that name is installed; while they are newer than the lock, no installer runs.

# uv is quick but does not read pip's settings (an index or proxy of your own): whatever it cannot do, pip does. Like pip
# it compiles what it installs, and so do we with our own packages: else every `pmo` of a user who may not write here, or
# whose PYTHONDONTWRITEBYTECODE is set, compiles again, 300 ms each time.
install = { [ -x $(BIN)/uv ] && $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python $(1); } \
	|| $(BIN)/python -m pip install --quiet --disable-pip-version-check $(1)

$(VENV)/run.done: requirements/run.txt pyproject.toml $(VENV)/made
	@echo 'Installing requirements/run.txt'
	@$(call install,--require-hashes -r requirements/run.txt)
	@$(call install,--no-deps --no-build-isolation -e .)
	@$(BIN)/python -m compileall -q $(PACKAGES)
	@touch $@

$(VENV)/dev.done: requirements/dev.txt $(VENV)/run.done
	@echo 'Installing $<'
	@$(call install,--require-hashes -r $<)
	@touch $@

$(VENV)/bench.done: requirements/bench.txt $(VENV)/dev.done
	@echo 'Installing $<'
	@$(call install,--require-hashes -r $<)
	@touch $@

# A venv holds absolute paths: a checkout that was moved, or another PYTHON asked for by name, makes it anew.
-include $(VENV)/made.mk
ifeq ($(origin PYTHON),file)
PYTHON := $(or $(made_by),$(PYTHON))
endif
ifneq ($(made_by) $(made_in),$(PYTHON) $(CURDIR))
$(VENV)/made: FORCE
endif

$(VENV)/made:
	@$(PYTHON) -c '' 2>/dev/null \
		|| { echo 'No $(PYTHON) here: install Python 3.11 or newer (Debian: python3 python3-venv), or name one: make PYTHON=...' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1), too old: install Python 3.11 or newer, or name one: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo '$(PYTHON) has no venv module: install it (Debian: apt-get install python3-venv), or name another: make PYTHON=...' >&2; exit 1; }
	@echo 'Making $(VENV)'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt 2>/dev/null \
		|| echo 'uv could not be installed: going on with pip, which takes longer'
	@printf 'made_by := %s\nmade_in := %s\n' '$(PYTHON)' '$(CURDIR)' > $(VENV)/made.mk
	@touch $@
