PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REFEREE := .venv-referee
GOOGLE := .venv-google
DBT := .venv-dbt
UI := .venv-ui
DOCS := .venv-docs
PYTHON313 ?= $(shell for each in python3.13 "$$(pyenv root 2>/dev/null)"/versions/3.13*/bin/python3.13; do \
	"$$each" --version >/dev/null 2>&1 && echo "$$each" && break; done)

.PHONY: help install demo reference licences test lint types unit chaos referee dbt google test-google ui docs format clean

help:  ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(VENV)/.installed  ## Create .venv with everything that the demo and the tests need

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,report,sandbox]'
	@touch $@

demo: install  ## Run two example Dags against the sandbox and print what BigQuery then holds
	$(BIN)/python -m airflow_provider_iginsights demo

reference: install  ## Write docs/reference and catalog/rows.py anew from the code
	$(BIN)/python -m tests.support.write_reference

licences: install google  ## Write docs/licences.md anew from what is installed
	$(GOOGLE)/bin/python -m tests.support.licences
	$(BIN)/python -m tests.support.licences

test: lint types unit  ## Lint, types, tests

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install $(VENV)/.pyright
	$(BIN)/mypy
	$(BIN)/python -m tests.support.type_completeness 99

$(VENV)/.pyright: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[types]'
	@touch $@

unit: install
	$(BIN)/coverage erase
	$(BIN)/pytest --numprocesses auto --dist loadfile --cov --cov-report=term

MINUTES ?= 10
chaos: install  ## Mutate answers of the Graph API for MINUTES=10 [SEED=1] [COUNT=1] [REPORT=file]
	$(BIN)/python -m tests.support.mutation.run_scenarios --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT)) \
		$(if $(REPORT),--report $(REPORT))

referee: $(REFEREE)/.installed  ## Install the independent BigQuery emulator (needs Python 3.13), for the loader's tests

$(REFEREE)/.installed: tests/referee-requirements.txt
	@test -n "$(PYTHON313)" || { echo "Python 3.13 is needed: make referee PYTHON313=/path/to/python3.13"; exit 1; }
	$(PYTHON313) -m venv $(REFEREE)
	$(REFEREE)/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	$(REFEREE)/bin/python -c 'from duckdb_extensions import import_extension; [import_extension(name) for name in ("ducklake", "icu", "spatial")]'
	@touch $@

dbt: $(DBT)/.installed  ## Install dbt in an environment of its own, for the tests of the dbt project

$(DBT)/.installed: tests/dbt-requirements.txt
	$(PYTHON) -m venv $(DBT)
	$(DBT)/bin/pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(DBT) $(DBT)/bin/uv pip install --quiet --no-deps --requirement $<
	@touch $@

google: $(GOOGLE)/.installed  ## Create an environment that has Airflow's Google provider

$(GOOGLE)/.installed: pyproject.toml constraints-google.txt
	$(PYTHON) -m venv $(GOOGLE)
	$(GOOGLE)/bin/pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(GOOGLE) $(GOOGLE)/bin/uv pip install --quiet --constraint constraints-google.txt \
		--editable '.[google,dev,report,sandbox]'
	@touch $@

test-google: google  ## The few tests that need the Google provider
	$(GOOGLE)/bin/pytest tests/hooks tests/test_example_dags.py tests/test_licences.py

$(UI)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(UI)
	$(UI)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,report,sandbox,ui]'
	@touch $@

ui: $(UI)/.installed  ## Browser tests, which take the screenshots of docs/images (Debian: chromium, postgresql)
	$(UI)/bin/pytest tests/ui

# Sphinx reads Markdown alone, so its environment holds neither Airflow nor this package.
$(DOCS)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"], sep="\n")' \
		> $(DOCS)/requirements.txt
	$(DOCS)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --requirement $(DOCS)/requirements.txt
	@touch $@

docs: $(DOCS)/.installed  ## Build the site into docs/_build; warnings and dead inner links are errors
	$(DOCS)/bin/sphinx-build -q -n -W --keep-going -b dirhtml docs docs/_build

format: install  ## Let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove the environments and caches
	rm -rf $(VENV) $(REFEREE) $(DBT) $(GOOGLE) $(UI) $(DOCS) docs/_build .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
