# One place for the commands that people and CI run. PYTHON makes the virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: setup demo test check

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

# The main job: agents compared on synthetic video, as a table and a page.
demo: setup
	$(BIN)/python -m benchmarks.run

test: setup
	$(BIN)/pytest

# Everything that CI asks of a change: format, lint, types, floors, tests, coverage.
check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --cov --cov-fail-under=90
