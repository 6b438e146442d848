PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REFEREE := .venv-referee

.PHONY: help install demo test lint types unit format referee clean

help:  ## Show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(VENV)/.installed  ## Create .venv with everything that the demo and the tests need

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,sandbox]'
	@touch $@

demo: install  ## Run the daily example Dag against the sandbox and print what BigQuery then holds
	$(BIN)/python -m airflow_provider_iginsights.sandbox.demo example_dags/instagram_daily_insights.py

test: lint types unit  ## Lint, types, tests

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

unit: install
	$(BIN)/coverage erase
	$(BIN)/pytest --cov --cov-report=term

format: install  ## Let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove the environments and caches
	rm -rf $(VENV) $(REFEREE) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
