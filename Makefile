# Everything here works from a bare Python 3.11: the first target that needs it makes .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: demo test gate bench bench-full docs lock clean

demo: .venv/runtime.stamp ## generate a synthetic company, run it, compare planted and found
	$(BIN)/answerable demo

test: .venv/dev.stamp ## the tests
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

gate: .venv/dev.stamp ## lint, types, layers, spelling, dependencies, generated docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check --python .venv
	$(BIN)/lint-imports
	$(BIN)/typos
	$(BIN)/deptry .
	$(BIN)/python -m flows.docs --check

bench: .venv/dev.stamp ## our job against DuckDB's over 10 million events, all cells compared; writes docs/benchmarks.md
	$(BIN)/python -m tests.bench.curve build/bench 1e7 1

bench-full: .venv/dev.stamp ## every benchmark; the curve over 1, 10 and 100 million events, which says first what room it takes
	$(BIN)/python -m pytest tests/bench --benchmark-only --benchmark-disable-gc -s
	$(BIN)/python -m tests.bench.curve build/bench 1e6,1e7,1e8 2

docs: .venv/dev.stamp ## write the generated pages
	$(BIN)/python -m flows.docs

lock: .venv/dev.stamp ## resolve the hash-pinned requirements anew; names no host
	$(BIN)/uv pip compile pyproject.toml --group build --generate-hashes --no-header --no-annotate --universal --upgrade -o requirements.txt
	$(BIN)/uv pip compile pyproject.toml --group build --group dev --generate-hashes --no-header --no-annotate --universal -c requirements.txt -o requirements-dev.txt

clean: ## drop what the demo and the tests made
	rm -rf build .pytest_cache .ruff_cache .hypothesis .benchmarks

.venv/runtime.stamp: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check --disable-pip-version-check
	$(BIN)/python -m compileall -q contracts transforms warehouse views flows examples
	touch $@

.venv/dev.stamp: .venv/runtime.stamp requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.txt
	touch $@
