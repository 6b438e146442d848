PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REFEREE := .venv-referee
GOOGLE := .venv-google
DBT := .venv-dbt
UI := .venv-ui
DOCS := .venv-docs
DEMO := .venv-demo
RELEASE := .venv-release
MATRIX := .venv-matrix
MUTATION := .venv-mutation
list_extra = $(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$(1)"], sep="\n")'
PYTHON313 ?= $(shell for each in python3.13 "$$(pyenv root 2>/dev/null)"/versions/3.13*/bin/python3.13; do \
	"$$each" --version >/dev/null 2>&1 && echo "$$each" && break; done)

# The tests start hundreds of processes: each would compile again what it imports, where the caller's environment says so.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo demo-picture constraints reference licences test test-slow test-stalls lint types unit check coverage mutation-score chaos soak referee dbt google test-google ui docs matrix matrix-results release-check format clean

help:  ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# What is installed is what was looked at: the files of requirements/ name each distribution by version and hash. Then the
# project itself is linked, built by the hatchling that is among them.
PIP := pip install --quiet --disable-pip-version-check
define install_hashed
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(1)
	$(1)/bin/$(PIP) --require-hashes --no-deps --requirement $(2)
	$(1)/bin/$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@
endef

install: $(VENV)/.installed  ## Create .venv with everything that the tests need

$(VENV)/.installed: pyproject.toml requirements/test.txt
	$(call install_hashed,$(VENV),requirements/test.txt)

$(DEMO)/.installed: pyproject.toml requirements/demo.txt
	$(call install_hashed,$(DEMO),requirements/demo.txt)

demo: $(DEMO)/.installed  ## Play a day with the sandbox and a real Airflow, and show what BigQuery then holds
	$(DEMO)/bin/python -m airflow_provider_iginsights demo

# Versions are those that the files hold already, where they still fit; UPGRADE=--upgrade takes the newest.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-emit-index-url \
	--custom-compile-command 'make constraints'
HASHED := $(COMPILE) --generate-hashes --constraint constraints.txt
constraints: install  ## Resolve pyproject.toml anew: constraints*.txt, and requirements/ with hashes [UPGRADE=--upgrade]
	$(COMPILE) $(UPGRADE) pyproject.toml --extra dev --extra docs --extra matrix --extra mutation --extra release --extra report --extra sandbox --extra types --extra ui --output-file constraints.txt
	$(COMPILE) $(UPGRADE) pyproject.toml --extra google --extra dev --extra report --extra sandbox --output-file constraints-google.txt
	echo hatchling | $(HASHED) pyproject.toml - --extra sandbox --output-file requirements/demo.txt
	$(HASHED) pyproject.toml --extra dev --extra report --extra sandbox --output-file requirements/test.txt
	$(call list_extra,types) | $(HASHED) - --output-file requirements/types.txt

demo-picture: install  ## Run the demo and draw docs/images/demo.svg from what it prints
	$(BIN)/python -m tests.support.demo_picture

reference: install  ## Write the generated parts of docs/, and catalog/rows.py, anew from the code
	$(BIN)/python -m tests.support.write_reference

licences: install google  ## Write docs/licences.md anew from what is installed
	$(GOOGLE)/bin/python -m tests.support.licences
	$(BIN)/python -m tests.support.licences

test: lint types unit  ## Lint, types, and all tests that are not slow

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install $(VENV)/.pyright
	$(BIN)/mypy
	$(BIN)/python -m tests.support.type_completeness 99

$(VENV)/.pyright: $(VENV)/.installed requirements/types.txt
	$(BIN)/$(PIP) --require-hashes --no-deps --requirement requirements/types.txt
	@touch $@

# A test and the sandbox that it asks wait for one another a third of the time: one process more than cores uses it.
PROCESSES = $(shell $(PYTHON) -c 'import os; print(os.cpu_count() + 1)')
# While tests look at what is installed, nothing else is.
unit: install | $(VENV)/.pyright
	$(BIN)/pytest --numprocesses $(PROCESSES) --dist loadfile -m "not slow"

test-slow: install  ## The slow tests: many nights, kills, whole commands, and all that runs on local-bigquery or dbt
	$(BIN)/pytest --numprocesses $(PROCESSES) --dist loadfile -m slow

test-stalls: install  ## The tests that are not slow, on a machine that stands still now and then [SEED=1]
	$(BIN)/python -m tests.support.stalls $(if $(SEED),--seed $(SEED)) -- \
		$(BIN)/pytest --numprocesses $(PROCESSES) --dist loadfile -m "not slow"

check: lint  ## For daily work: lint, mypy, and the tests that start no server
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses auto --dist loadfile --without-servers tests

# Tracing takes longer than the tests themselves, so it has a run of its own.
coverage: install  ## All tests again, with the branches that they take
	$(BIN)/coverage erase
	$(BIN)/pytest --numprocesses $(PROCESSES) --dist loadfile --cov --cov-report=term

$(MUTATION)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(MUTATION)
	$(MUTATION)/bin/$(PIP) --constraint constraints.txt --editable '.[dev,report,sandbox,mutation]'
	@touch $@

mutation-score: $(MUTATION)/.installed  ## Change the code in one place at a time: how many do the tests notice? [PART=window]
	$(MUTATION)/bin/pytest -q tests/test_mutation_score.py -k changed
	$(MUTATION)/bin/python -m tests.support.mutation_score $(if $(PART),"$(PART)")

MINUTES ?= 10
chaos: install  ## For MINUTES=10 [SEED=1] [COUNT=1] [STATE=file] [REPORT=file], all or PART=: kills, scripts, writers, limits, loads, mutations, referee
	$(BIN)/python -m tests.support.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT)) \
		$(if $(PART),--part $(PART)) $(if $(STATE),--state $(STATE)) $(if $(REPORT),--report $(REPORT))

soak: install  ## 365 nights with random faults in one process, five at a time, each five in tables of their own
	$(BIN)/python -m benchmarks.soak

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
	$(GOOGLE)/bin/pytest tests/hooks tests/sandbox/test_bigquery_discovery.py tests/test_example_dags.py tests/test_licences.py

$(UI)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(UI)
	$(UI)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,report,sandbox,ui]'
	@touch $@

ui: $(UI)/.installed  ## Browser tests, which take the screenshots of docs/images (Debian: chromium, postgresql)
	$(UI)/bin/pytest tests/ui

# Sphinx reads Markdown alone, so its environment holds neither Airflow nor this package.
$(DOCS)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DOCS)
	$(call list_extra,docs) > $(DOCS)/requirements.txt
	$(DOCS)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --requirement $(DOCS)/requirements.txt
	@touch $@

$(RELEASE)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(RELEASE)
	$(call list_extra,release) > $(RELEASE)/requirements.txt
	$(RELEASE)/bin/$(PIP) --constraint constraints.txt --requirement $(RELEASE)/requirements.txt
	@touch $@

release-check: $(RELEASE)/.installed  ## Build a release into dist/, and check it as a user would meet it: run from the tagged commit
	$(RELEASE)/bin/python -m tests.support.release_check

docs: $(DOCS)/.installed  ## Build the site into docs/_build; warnings and dead inner links are errors
	$(DOCS)/bin/sphinx-build -q -n -W --keep-going -b dirhtml docs docs/_build

$(MATRIX)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(MATRIX)
	$(call list_extra,matrix) > $(MATRIX)/requirements.txt
	$(MATRIX)/bin/$(PIP) --constraint constraints.txt --requirement $(MATRIX)/requirements.txt
	@touch $@

matrix: $(MATRIX)/.installed  ## Test the built wheel in one environment a cell [CELL="3.1-py3.12 ..."] [FAST=1] [AGAIN=1]
	PATH="$(CURDIR)/$(MATRIX)/bin:$$PATH:$$(ls -d "$$(pyenv root 2>/dev/null)"/versions/3.1[1-9]*/bin 2>/dev/null | paste -s -d :)" \
		FAST="$(FAST)" CELL="$(CELL)" AGAIN="$(AGAIN)" $(MATRIX)/bin/python -m nox

matrix-results: install  ## Take what make matrix found into docs/compatibility.md
	$(BIN)/python -m tests.support.matrix.results .matrix
	$(BIN)/python -m tests.support.write_reference

format: install  ## Let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove the environments and caches
	rm -rf $(VENV) $(DEMO) $(REFEREE) $(DBT) $(GOOGLE) $(UI) $(DOCS) $(RELEASE) $(MATRIX) $(MUTATION) .matrix dist docs/_build .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
