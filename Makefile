# One place for the commands that people and CI run. PYTHON makes the virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

PYTEST = $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile
INSTALL = $(BIN)/pip install --quiet --constraint constraints.txt --editable

.PHONY: setup demo test check

setup: $(VENV)/.dev

# What the demo needs, which is little; and everything, PyTorch too.
$(VENV)/.demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) ".[benchmarks]"
	touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(INSTALL) ".[dev]"
	touch $@

# The main job: agents compared on synthetic video, as a table and a page.
demo: $(VENV)/.demo
	$(BIN)/python -m benchmarks.run

test: setup
	$(PYTEST)

# Everything that CI asks of a change: format, lint, types, floors, tests, coverage.
check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) --cov --cov-fail-under=90
