# Everything runs in ./.venv, made on first use; nothing needs root. PYTHON=python3.12 make ... chooses an interpreter.
.DEFAULT_GOAL := help
.PHONY: help run test check bench scaling soak lint format setup otel dev clients lock upgrade clean

PY := .venv/bin/python
NODE := tests/real/node
LOCK = $(PY) -m uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(LOCK_OPTIONS)

help: ## list these commands
	@awk -F ':[^#]*## ' '/^[a-z]+:[^#]*## / {printf "%-9s %s\n", $$1, $$2}' Makefile

run: setup ## start the gateway on port 8976
	@exec $(PY) app.py serve

test: dev ## run every check: format, lint, types, tests on all cores (ARGS="-k name" goes to pytest)
	@scripts/packages.sh
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy --no-error-summary .
	@$(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup ## print the configuration in effect, secrets masked
	@$(PY) app.py check

bench: dev ## print what a start, a request and a streamed chunk cost
	@$(PY) -m tests.performance.bench

scaling: dev ## print what a request costs a worker and redis, for docs/scaling.md
	@$(PY) -m tests.performance.scaling

soak: dev ## send 20,000 mixed requests and print what is left of them (ARGS="--redis" for four workers on a redis)
	@$(PY) -m tests.performance.soak $(ARGS)

lint: dev ## format, lint and types, without the tests
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy .

format: dev ## rewrite the files in the house style
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

setup: ## fill .venv with what the gateway needs
	@scripts/setup.sh runtime

otel: ## fill .venv with what traces need as well
	@scripts/setup.sh otel

dev: ## fill .venv with what development needs as well
	@scripts/setup.sh dev

clients: ## get the clients, Node and the model server that the tests in tests/real use
	@scripts/setup.sh clients
	@$(MAKE) --no-print-directory --silent $(NODE)/node_modules/.package-lock.json

$(NODE)/node_modules/.package-lock.json: $(NODE)/package-lock.json
	@.venv/bin/npm ci --prefix $(NODE)

lock: clients ## write all lock files after a change of the dependencies in pyproject.toml or package.json
	$(LOCK) --output-file requirements.txt
	$(LOCK) --extra otel --constraints requirements.txt --output-file requirements-otel.txt
	$(LOCK) --extra dev --constraints requirements-otel.txt --output-file requirements-dev.txt
	$(LOCK) --extra dev --extra clients --constraints requirements-dev.txt --output-file requirements-clients.txt
	.venv/bin/npm $(if $(LOCK_OPTIONS),update,install) --package-lock-only --prefix $(NODE)

upgrade: ## as lock, with the newest versions
	@$(MAKE) --no-print-directory lock LOCK_OPTIONS=--upgrade

clean: ## remove .venv and caches; data stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis $(NODE)/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
