# Needs only make and Python 3.11 or later: everything else goes into a virtual environment here.
#   AIRFLOW=2.11      run against Airflow 2.11 (in an environment of its own) in place of 3.3
#   PYTHON=python3.12 the interpreter to build the environment with
#   JOBS=4            test processes
#   ARGS="-k hashes"  more arguments for pytest
#   SKIP_POSTGRES=1   leave out the tests that need a PostgreSQL server
#   WHOLE_BACKFILL=1  also backfill three days by Airflow's own command, which takes minutes
#   ROWS=200000       rows of `make scale`, in place of two million

PYTHON ?= python3
AIRFLOW ?= 3.3
JOBS ?= 2
ARGS ?=
ROWS ?=

LATEST := 3.3
LOCK := requirements/airflow-$(AIRFLOW).txt
VENV := .venv$(if $(filter-out $(LATEST),$(AIRFLOW)),-$(AIRFLOW))
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SCALE := .venv-scale
DOCS := .venv-docs
OTHERS := .venv-others
# Percent of lines and branches that the tests must reach at least.
COVERED := 97
CHECKED := airflow_provider_pinterest dags tests $(wildcard demo benchmarks chaos scale harness docs)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
.PHONY: help demo test coverage chaos scale lint format types build docs bench others ci lock clean install servers

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1  \2/p' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## See it work: a warehouse, a local Pinterest, a DAG run
	@$(BIN)/python -m demo

test: $(INSTALLED) servers ## Run all tests
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

coverage: $(INSTALLED) servers ## Run all tests and measure which lines they reach
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --cov --cov-report=term --cov-fail-under=$(COVERED) $(ARGS)

chaos: $(INSTALLED) servers ## Kill the sender at random while everything goes wrong, and count (20 storms)
	@$(BIN)/python -m chaos $(ARGS)

scale: $(SCALE)/.installed servers ## Send two million rows on a CeleryExecutor with two workers, and count
	@$(SCALE)/bin/python -m scale $(if $(ROWS),--rows $(ROWS)) $(ARGS)

lint: $(INSTALLED) ## Check format, style and security
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/bandit --quiet --recursive --configfile pyproject.toml airflow_provider_pinterest

format: $(INSTALLED) ## Format the code and repair what can be repaired
	@$(BIN)/ruff check --fix --show-fixes .
	@$(BIN)/ruff format .

types: $(INSTALLED) ## Check the types
	@$(BIN)/mypy $(CHECKED)

build: $(INSTALLED) ## Build the sdist and the wheel into dist/
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist .

docs: $(DOCS)/.installed ## Build the site of the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --quiet --clean

others: $(OTHERS)/.installed ## Run the examples for Dagster and Prefect, without Airflow
	@$(OTHERS)/bin/python -m pytest --noconftest --timeout 400 -o filterwarnings=default -p no:cacheprovider tests/docs/test_orchestrators.py $(ARGS)

bench: $(VENV)/.bench-installed ## Measure events a second and memory, beside the official client
	@$(BIN)/python -m benchmarks $(ARGS)

ci: ## Everything a change must pass, on every supported Airflow
	@.ci/run

lock: $(INSTALLED) ## Resolve requirements/ anew; ARGS="3.1.8 docs" chooses some lock files
	@$(BIN)/python .ci/lock.py $(ARGS)

clean: ## Remove what was built, cached and installed
	@rm -rf .venv* build dist site .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

install: $(INSTALLED)
	@:

# uv installs several times faster than pip; pip is there when uv cannot run or reach its registry.
$(INSTALLED): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || .ci/apt-install python3-venv
	@test -x $(BIN)/python || { echo "Installing Airflow $(AIRFLOW) into $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(LOCK) uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --requirement $(LOCK) \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.bench-installed: $(INSTALLED) requirements/bench.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --requirement requirements/bench.txt \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements/bench.txt
	@touch $@

# An environment of its own: the tests' Airflow should not find an executor that nobody else has.
$(SCALE)/.installed: $(INSTALLED) requirements/airflow-$(LATEST).txt requirements/scale.txt pyproject.toml
	@test -x $(SCALE)/bin/python || { echo "Installing Airflow $(LATEST) with Celery into $(SCALE)"; $(PYTHON) -m venv $(SCALE); }
	@$(BIN)/uv pip install --quiet --python $(SCALE)/bin/python \
			--requirement requirements/airflow-$(LATEST).txt --requirement requirements/scale.txt \
		|| $(SCALE)/bin/python -m pip install --quiet --disable-pip-version-check \
			--requirement requirements/airflow-$(LATEST).txt --requirement requirements/scale.txt
	@$(SCALE)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# No Airflow: the package is installed without what it requires, and found by its path.
$(OTHERS)/.installed: $(INSTALLED) requirements/others.txt
	@test -x $(OTHERS)/bin/python || { echo "Installing Dagster and Prefect into $(OTHERS)"; $(PYTHON) -m venv $(OTHERS); }
	@$(BIN)/uv pip install --quiet --python $(OTHERS)/bin/python --requirement requirements/others.txt \
		|| $(OTHERS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/others.txt
	@touch $@

$(DOCS)/.installed: $(INSTALLED) requirements/docs.txt
	@test -x $(DOCS)/bin/python || $(PYTHON) -m venv $(DOCS)
	@$(BIN)/uv pip install --quiet --python $(DOCS)/bin/python --requirement requirements/docs.txt \
		|| $(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/docs.txt
	@touch $@

servers: $(INSTALLED)
	@test -n "$(SKIP_POSTGRES)" || $(BIN)/python -m harness.postgres 2>/dev/null || .ci/apt-install postgresql
	@PATH="$$PATH:/usr/sbin" command -v mariadbd >/dev/null || .ci/apt-install mariadb-server
	@command -v redis-server >/dev/null || .ci/apt-install redis-server
