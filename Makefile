# Two commands: `make run` and `make test`. Each sets up what it needs, from nothing.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8501
HOTSPOTS_STORE ?= store
WORKERS ?= 2
BIN = $(VENV)/bin

.PHONY: run test check lock screenshots clean

run: $(VENV)/.runtime
	@$(BIN)/hotspots boundaries list --store "$(HOTSPOTS_STORE)" >/dev/null 2>&1 \
	  || $(BIN)/hotspots demo --store "$(HOTSPOTS_STORE)"
	$(BIN)/hotspots serve --store "$(HOTSPOTS_STORE)" --port $(PORT)

test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "The module venv is missing; install it with: apt install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

# Writes both lock files anew, without addresses (needs the tool uv).
lock:
	uv pip compile pyproject.toml --extra build --generate-hashes --universal --python-version 3.11 \
	  --no-header --no-emit-index-url --quiet --upgrade -o requirements.lock
	uv pip compile pyproject.toml --extra build --extra dev -c requirements.lock --generate-hashes --universal \
	  --python-version 3.11 --no-header --no-emit-index-url --quiet -o requirements-dev.lock

# Takes the README's pictures from a fresh demonstration city (needs Chromium).
screenshots: $(VENV)/.dev
	$(BIN)/python data/screenshots/take.py

clean:
	rm -rf $(VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
