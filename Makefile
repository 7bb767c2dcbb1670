# Each target does its own set-up, in the virtual environment .venv, once, and again when pyproject.toml changes.
#   make PYTHON=/path/to/python3 ...   takes another interpreter (3.11 or newer) for a .venv yet to be made
#   make bench ARGS="lenet --vs torch" passes ARGS on; likewise for demo, test and slow

VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
ARGS :=
WORKERS := 2
# Tests are small and run side by side: more threads would only stand in each other's way.
PYTEST := -m pytest -n $(WORKERS)
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MPLBACKEND=agg
TEST := $(ONE_THREAD) $(BIN)/python $(PYTEST)

.DEFAULT_GOAL := help
.PHONY: help demo test oracle oldest slow bench notebooks format clean
.DELETE_ON_ERROR:
export PYTHON PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## a circuit's gradients, and two nets trained on handwritten digits; pictures in demo-output/
	@$(RUN) notebooks.demo $(ARGS)

test: $(VENV)/.test ## linters, type checks, and every test but the slow ones
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	$(TEST) --ignore=tests/oracle $(ARGS)

oracle: $(VENV)/.test $(VENV)/.oracle ## the same numbers as PyTorch, side by side
	$(TEST) tests/oracle $(ARGS)

oldest: $(VENV)/oldest/.made ## the tests with NumPy 2.0, for which there is Python 3.11 or 3.12
	$(ONE_THREAD) $(VENV)/oldest/bin/python $(PYTEST) --ignore=tests/oracle $(ARGS)

slow: $(VENV)/.test ## the slow tests
	$(TEST) --ignore=tests/oracle -m slow $(ARGS) || [ $$? -eq 5 ] # 5: there are none

bench: $(VENV)/.bench $(VENV)/hips/.made ## time and memory beside NumPy by hand, PyTorch, JAX and others
	@$(RUN) benchmarks $(ARGS)

notebooks: $(VENV)/.notebooks ## run every notebook, keeping what it prints
	@$(RUN) notebooks.execute $(ARGS)

format: $(VENV)/.lint ## format the code, and mend what the linter can
	$(RUN) ruff check --fix
	$(RUN) ruff format

clean: ## remove the environment and whatever was made by running things
	rm -rf $(VENV) demo-output benchmarks/results dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/pip: | .ci/venv
	@.ci/venv $(VENV)

# One stamp for each extra of pyproject.toml.
$(VENV)/.%: pyproject.toml | $(BIN)/pip
	@echo "Setting up $(VENV) for: $*"
	@$(RUN) pip install --quiet --editable '.[$*]'
	@touch $@

# HIPS autograd has our import name, so the benchmarks ask it from an environment of its own.
$(VENV)/hips/.made: pyproject.toml | $(BIN)/pip
	@echo "Setting up $(VENV)/hips for: bench"
	@PYTHON=$(CURDIR)/$(BIN)/python .ci/venv $(VENV)/hips
	@$(VENV)/hips/bin/python -m pip install --quiet 'autograd>=1.7'
	@touch $@

$(VENV)/oldest/.made: pyproject.toml .ci/oldest.txt | $(BIN)/pip
	@echo "Setting up $(VENV)/oldest for: test"
	@PYTHON=$(CURDIR)/$(BIN)/python .ci/venv $(VENV)/oldest
	@$(VENV)/oldest/bin/python -m pip install --quiet --constraint .ci/oldest.txt --editable '.[test]'
	@touch $@
