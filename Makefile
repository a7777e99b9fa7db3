# Everything is done in .venv, which the first command makes. `make help` lists the commands.
PYTHON ?= python3
BIN := .venv/bin
# What tests and benchmarks load in their own processes does not report to its maker; the daemon sees to its own.
export ORT_DISABLE_TELEMETRY := 1
# Compiled code is kept, whatever the shell says: the tests start the daemon again and again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo run test check chaos soak bench format docs lock model model-check clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/run ## the main job end to end on real speech: no key, no GPU, no network
	@$(BIN)/python -m examples.demo

run: .venv/run ## the daemon in the foreground, with config.json
	@exec $(BIN)/python run_daemon.py

test: .venv/test check ## all checks and all tests
	@$(BIN)/python -m pytest -q -n 4 --maxschedchunk 1

check: .venv/test ## linters, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

chaos: .venv/test ## kill, stop, starve and deceive the daemon for half an hour, and print what was measured
	@$(BIN)/python -m pytest -q --whole -o faulthandler_timeout=7200 tests/chaos tests/unit

soak: .venv/run ## 200 mixed videos in a minute or two: does anything grow?
	@$(BIN)/python -m tests.soak

bench: .venv/run ## measure the daemon as a whole against its bars: some ten minutes of a quiet machine
	@$(BIN)/python -m benchmarks

format: .venv/test ## put the code into its one format
	@$(BIN)/ruff check --fix -q .
	@$(BIN)/ruff format -q .

docs: .venv/run ## write the generated pages again
	@$(BIN)/python -m tools.make_docs

lock: .venv/test ## take the newest versions that setup.cfg allows into requirements/*.txt
	@$(BIN)/python -m pip install -q uv
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade setup.cfg -o requirements/run.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade --extra test setup.cfg -o requirements/test.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --upgrade --extra model setup.cfg -o requirements/model.txt

model: .venv-model/ready ## train the bundled model anew: half an hour of two cores; see tools/model/README.md
	@.venv-model/bin/python -m tools.model make

model-check: .venv-model/ready ## go through that recipe in small, to see that it runs
	@.venv-model/bin/python -m tools.model check

clean: ## remove the virtual environment and what tools left behind
	rm -rf .venv .venv-model .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.venv/run: requirements/run.txt
	@PYTHON=$(PYTHON) tools/prepare.sh requirements/run.txt && touch $@

.venv/test: requirements/test.txt
	@PYTHON=$(PYTHON) tools/prepare.sh requirements/test.txt && touch $@ .venv/run

.venv-model/ready: requirements/model.txt
	@PYTHON=$(PYTHON) tools/prepare.sh requirements/model.txt .venv-model && touch $@
