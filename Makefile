# Ferryman. `make` lists the targets; `make demo` shows it work.

# The first that is new enough; `make PYTHON=/path/to/python3` names another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && exit; \
	done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
RUNTIME := $(VENV)/.installed-runtime
DEV := $(VENV)/.installed-dev
UP_OPTIONS ?=
PYTEST_OPTIONS ?=
# Most tests wait for processes: twice as many workers as two cores. A file stays with one worker, for its fixtures, and
# so do files that share servers (tests/distribution.py).
TEST_WORKERS ?= 4
IN_PARALLEL = --numprocesses $(TEST_WORKERS) --dist loadgroup --no-loadscope-reorder
# What of the store and the engine leans on sessions, locks and prepared statements; POOLED='tests/integration/store ...' names more.
POOLED ?= $(addprefix tests/integration/,store/db store/runs store/units engine/runs/test_complete_lists.py engine/announcements)

# Hundreds of processes start here: each would compile all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
ROUNDS ?= 50
SEEDS ?= 1000
FIRST_SEED ?= 0
SEED ?= 20260101
EXAMPLES ?= 200
PARSED ?= 5000
SEQUENCES ?= 1000
SCENARIO ?=
BROKER ?=
BENCH_OPTIONS ?=
PEERS := .venv-peers
# Every warning ends the build (with --quiet none would); the variable silences a notice about another major version of MkDocs.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: help install install-destinations demo up test ecosystem-tools test-ecosystem test-pythons pictures chaos fuzz proofs bench bench-peers run-path check check-static docs wheel format lock clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(RUNTIME)  ## Install Ferryman into its own .venv, from a hash-pinned lock

install-destinations: $(RUNTIME)  ## Add what exports to Parquet, and destinations of files and DuckDB, need
	@$(PIP) install --quiet --require-hashes --requirement requirements/destinations.txt

demo: $(RUNTIME)  ## Show a daemon run and a webhook run against a sample API, from nothing
	@$(BIN)/ferryman demo

up: $(RUNTIME)  ## Run everything on this machine until Ctrl-C; options by UP_OPTIONS='--port 9000'
	@$(BIN)/ferryman up $(UP_OPTIONS)

test: $(DEV)  ## Run the whole test suite, but for what test-ecosystem runs
	$(BIN)/python -m pytest $(IN_PARALLEL) --ignore tests/ecosystem --ignore tests/chaos $(PYTEST_OPTIONS)

ecosystem-tools: | $(BIN)/python  ## Install what tests/ecosystem needs of npm, and of PyPI beside the lock
	@mkdir -p .node-tools && cp tests/ecosystem/node/package.json .node-tools/
	@cd .node-tools && npm install --no-package-lock --no-audit --no-fund --ignore-scripts --silent
	@$(BIN)/python -m venv .venv-tools
	@.venv-tools/bin/python -m pip --disable-pip-version-check --no-input install --quiet --require-hashes \
		--requirement requirements/ecosystem.txt

test-ecosystem: $(DEV)  ## Run what needs packages of Debian, an index or ecosystem-tools, a short make chaos, and POOLED tests through a pooler
	$(BIN)/python -m pytest $(IN_PARALLEL) tests/ecosystem tests/chaos $(PYTEST_OPTIONS)
	FERRYMAN_TESTS_POOLER=pgbouncer $(BIN)/python -m pytest $(IN_PARALLEL) $(POOLED) $(PYTEST_OPTIONS)

test-pythons: $(DEV)  ## Run the demo and the fast half of the tests on each Python from 3.11 on; check the lock's wheels for the others
	@$(BIN)/python -m tests.pythons $(PYTHONS)
	$(BIN)/python -m pytest tests/ecosystem/test_lock.py $(PYTEST_OPTIONS)

pictures: $(DEV)  ## Take the pictures of README and docs anew: docs/images
	FERRYMAN_PICTURES=1 FERRYMAN_TESTS_MUST_RUN=1 $(BIN)/python -m pytest -n0 tests/ecosystem/ui/test_pictures.py

chaos: $(DEV)  ## Kill things for ROUNDS=n rounds, all scenarios in turn or SCENARIO=name,name; BROKER=amqp://... for RabbitMQ
	@CHAOS_SEED=$(CHAOS_SEED) $(BIN)/python -m tests.chaos.campaign --rounds $(ROUNDS) --scenario "$(SCENARIO)" --broker "$(BROKER)"

fuzz: $(DEV)  ## Fuzz the API by its document, EXAMPLES=n of each operation, SEQUENCES=n, SEED=n; messages, requests and answers, PARSED=n
	FUZZ_EXAMPLES=$(EXAMPLES) FUZZ_SEQUENCES=$(SEQUENCES) FUZZ_SEED=$(SEED) \
		$(BIN)/python -m pytest tests/integration/api/documents/test_openapi_fuzz.py
	FUZZ_ENVELOPES=$(PARSED) FUZZ_REQUESTS=$(PARSED) FUZZ_PARSED=$(PARSED) \
		$(BIN)/python -m pytest --timeout 3600 tests/unit/broker tests/unit/serving tests/unit/sources/reading/test_fuzzed_parsers.py

proofs: $(DEV)  ## The long form of the engine's proofs: every commit, readers of a million records, hundreds of models, 2,000 drawn upstreams, SEEDS=n histories of each simulated job
	PROOFS=long SIMULATION_SEEDS=$(SEEDS) SIMULATION_FIRST_SEED=$(FIRST_SEED) $(BIN)/python -m pytest tests/integration/engine \
		tests/integration/destinations/test_readers_at_work.py tests/unit/sources/limiter \
		tests/unit/sources/test_drawn_parts.py tests/unit/sources/test_read_ahead.py

bench: $(DEV)  ## Measure every scenario beside its bar, or SCENARIO=name; BENCH_OPTIONS='--list', '--quick', '--rounds 5'
	@$(BIN)/python -m bench $(if $(SCENARIO),--scenario $(SCENARIO)) $(BENCH_OPTIONS)

bench-peers:  ## Install dlt and airbyte-cdk into .venv-peers, for the scenario peers alone
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip --disable-pip-version-check install --quiet --requirement bench/peers/requirements.txt

check: check-static test  ## Everything that must hold before a commit

check-static: $(DEV)  ## All of check but the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/deptry tests bench --exclude '\.venv' --extend-exclude '^none$$' --ignore DEP001,DEP002,DEP004 \
		--per-rule-ignores DEP003=truto_python_sdk
	$(BIN)/hadolint Dockerfile
	$(BIN)/compose-lint docker-compose.yml
	$(MKDOCS) --site-dir build/site

run-path: $(DEV)  ## Count the modules and lines that one run of one page goes through, from the POST to its last commit
	@$(BIN)/python -m tests.run_path

docs: $(DEV)  ## Build the documentation as a site: site/index.html, to be served by any web server
	$(MKDOCS)
	@echo "Read it at http://127.0.0.1:8001 with: $(BIN)/python -m http.server 8001 --bind 127.0.0.1 --directory site"

wheel: $(DEV)  ## Make the package: dist/ferryman-<version>-py3-none-any.whl
	@rm -rf build
	@$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist .
	@ls dist/*.whl

format: $(DEV)  ## Format the code and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

COMPILE := $(BIN)/uv pip compile --quiet pyproject.toml --group build --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header $(LOCK_OPTIONS)

lock: $(DEV)  ## Pin the dependencies anew; LOCK_OPTIONS=--upgrade takes newer versions
	$(COMPILE) --extra embedded --extra flower --output-file requirements/runtime.txt
	$(COMPILE) --all-extras --group dev --constraint requirements/runtime.txt --output-file requirements/dev.txt
	$(COMPILE) --extra flower --extra otel --constraint requirements/dev.txt --output-file requirements/server.txt
	$(COMPILE) --extra parquet --extra files --extra gcs --extra duckdb --constraint requirements/dev.txt \
		--output-file requirements/destinations.txt
	printf 'openapi-python-client\nopenapi-spec-validator\n' | $(BIN)/uv pip compile --quiet - --universal \
		--python-version 3.11 --no-annotate --generate-hashes --no-emit-index-url --no-header $(LOCK_OPTIONS) \
		--output-file requirements/ecosystem.txt
	echo truto-python-sdk | $(BIN)/uv pip compile --quiet - --no-deps --universal --python-version 3.12 --no-annotate \
		--generate-hashes --no-emit-index-url --no-header $(LOCK_OPTIONS) --output-file requirements/official-sdk.txt

clean:  ## Remove .venv and every cache; the data in .ferryman stays
	rm -rf $(VENV) .venv-pythons .venv-tools .node-tools *.egg-info build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Ferryman needs Python 3.11 or newer: install it, or name it by PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "$(PYTHON) has no venv module: install it (on Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# The stamps make a second call instant; pip itself would take seconds to find that all is there.
$(RUNTIME): requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "Installing Ferryman into $(VENV) (only the first time) ..."
	@$(PIP) install --quiet --require-hashes --requirement requirements/runtime.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# The official SDK, which tests call Ferryman by, asks for Python 3.12 and for a package `asyncio`, and needs neither.
$(DEV): requirements/dev.txt requirements/official-sdk.txt pyproject.toml | $(BIN)/python
	@echo "Installing Ferryman and its development tools into $(VENV) (only the first time) ..."
	@$(PIP) install --quiet --require-hashes --requirement requirements/dev.txt
	@$(PIP) install --quiet --require-hashes --no-deps --ignore-requires-python --requirement requirements/official-sdk.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@ $(RUNTIME)
