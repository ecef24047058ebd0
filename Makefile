# One place for the commands that people and CI run. PYTHON makes the virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

PYTEST = $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal
TORCH_TESTS = tests/agents/qwen tests/agents/sb3/test_sb3.py --deselect tests/agents/qwen/training/test_recipes.py \
    --deselect tests/agents/sb3/test_sb3.py::test_maskable_ppo_learns_to_find_the_symbol_and_to_read_it
INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

# Many processes start in the demo and in the tests: our code is compiled once, not in each.
unexport PYTHONDONTWRITEBYTECODE

.NOTPARALLEL:
.PHONY: setup demo test docs check lint package processors

setup: $(VENV)/.dev

# What the demo needs, which is little; and everything, PyTorch too.
$(VENV)/.demo: pyproject.toml constraints.txt
	@echo "Installing what the demo needs into $(VENV): 250 MB, a minute or two .."
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) ".[benchmarks]"
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@echo "Installing what the tests need into $(VENV), PyTorch too: 2.5 GB, some minutes .."
	@$(INSTALL) ".[dev]"
	@touch $@

$(VENV)/.package: $(VENV)/.demo
	@$(BIN)/pip install --quiet --disable-pip-version-check "hatchling>=1.25" "twine>=6.1"
	@touch $@

# The main job: agents compared on synthetic video, as a table and a page.
demo: $(VENV)/.demo
	@$(BIN)/python -m benchmarks.run suite

# Without tests that are `long` (whole commands, other processes, a browser) or `slow` (minutes).
# `make check` runs the long ones too, and asks for coverage.
test: setup
	$(PYTEST) $(WHICH)

# The documentation site, in build/site.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Everything that CI asks of a change: format, lint, types, floors, the site, tests, coverage.
check: WHICH = -m "not slow and not gpu" --cov --cov-fail-under=90
check: lint package test
	$(PYTEST) -m slow tests/agents/qwen/training/test_scale.py

# The files of a release, in build/dist: as PyPI wants them, and the wheel plays where it is installed.
package: $(VENV)/.package
	rm -rf build/dist build/installed
	$(BIN)/hatchling build --directory build/dist
	$(BIN)/twine check --strict build/dist/*
	$(BIN)/python -m venv build/installed
	build/installed/bin/pip install --quiet --disable-pip-version-check build/dist/*.whl
	cd build && installed/bin/python -I ../tests/installed.py

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The tests of PyTorch, slow ones too, with the instructions of older processors: CI runs this beside
# `make check`, which uses those of the processor that is there.
processors: setup
	ATEN_CPU_CAPABILITY=avx2 $(PYTEST) -m "not gpu" $(TORCH_TESTS)
	ATEN_CPU_CAPABILITY=default $(PYTEST) -m "not gpu" $(TORCH_TESTS)
