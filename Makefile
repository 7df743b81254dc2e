# Every target builds the environment first; only Python 3.11+, pip, make and git are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: install demo check test bench bench-replay bench-prediction bench-profiles bench-journal bench-serving bench-batch bench-release bench-release_replay bench-monitor bench-estimates bench-rollback bench-one_client bench-pages bench-overload soak lock locale screenshots clean

install: $(STAMP)

$(STAMP): requirements.lock requirements-data.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Vitok needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation -r requirements-data.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: install
	@if [ -d demo-flights ]; then echo "Building demo-flights anew: the one of an earlier run is removed"; rm -rf demo-flights; fi
	$(BIN)/vitok demo

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/unit/test_documentation.py

test: install
	$(BIN)/pytest -n 2 --dist loadgroup

soak: install
	$(BIN)/pytest -n 0 -s -m soak

bench: bench-prediction bench-journal bench-profiles bench-replay bench-batch bench-release bench-release_replay

bench-prediction bench-journal bench-serving bench-profiles bench-replay bench-batch bench-release bench-release_replay bench-monitor bench-estimates bench-rollback bench-one_client bench-pages bench-overload: bench-%: install
	$(BIN)/python bench/$*.py

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --extra dev pyproject.toml requirements-build.in -o requirements.lock

# Takes new texts from the pages into the catalogues, and compiles those; what is missing then has an empty msgstr.
locale: install
	$(BIN)/pybabel -q extract -F src/vitok/web/locale/babel.cfg -k _ --no-location --sort-output -o $(VENV)/vitok.pot src/vitok/web
	$(BIN)/pybabel -q update -D vitok -i $(VENV)/vitok.pot -d src/vitok/web/locale --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	$(BIN)/pybabel -q compile -D vitok -d src/vitok/web/locale

screenshots: install
	$(BIN)/python docs/screenshots.py demo-flights/year

clean:
	rm -rf $(VENV) demo-flights
