# What a developer does daily. `make help` lists it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CONFIG ?= config.example.yaml

.DEFAULT_GOAL := help
.PHONY: help run test check format bench fuzz chaos lock schema docs clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/run.done ## install what is locked and run the example in the foreground
	@exec $(BIN)/watchkeeper run -c $(CONFIG)

test: $(VENV)/dev.done ## install what the tests need and run them all
	@tests/install-peers.sh
	$(BIN)/python -m pytest -n 4 --dist loadgroup $(ARGS)

check: $(VENV)/dev.done ## formatting, lint, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate --check

format: $(VENV)/dev.done ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fuzz: $(VENV)/dev.done ## feed the loader and the compilers with bad input, 100,000 times
	$(BIN)/python -m tests.fuzz $(ARGS)

chaos: $(VENV)/dev.done ## kill the daemon at work, hundreds of times at each ticket system (an hour)
	@tests/install-peers.sh
	$(BIN)/python -m tests.chaos $(ARGS)

bench: $(VENV)/dev.done ## measure, side by side with what people use today
	@bench/install-peers.sh
	$(BIN)/python -m bench $(ARGS)

docs: $(VENV)/dev.done ## write the generated reference pages and schemas again
	$(BIN)/python -m docs.generate

lock: $(VENV)/dev.done ## resolve the dependencies again and write the lock files
	requirements/lock.sh

clean: ## remove what was installed and built
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# A lock file that changed installs again; nothing else does.
$(VENV)/run.done: requirements/run.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "watchkeeper needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 run")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "Could not create $(VENV). On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV) (once; about half a minute)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/run.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.done: $(VENV)/run.done requirements/dev.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@
