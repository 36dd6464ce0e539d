# Everything here needs Python 3.11 or newer and make; the rest is set up in .venv.
PYTHON ?= python3
BIN := .venv/bin
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
PROJECTS := pyproject.toml core/pyproject.toml sinks/pyproject.toml $(PLUGINS:=/pyproject.toml)
# Hundreds of tests start the command; without compiled modules each start takes twice as long.
unexport PYTHONDONTWRITEBYTECODE
PACKAGES := core/werks sinks/werks_sinks $(foreach p,$(PLUGINS),$(p)/werks_$(notdir $(p)))

.PHONY: demo test test-long lint fix bench clean

# The main job, with no network: a simulated exchange into Feather files and SQLite, and a chart.
demo: .venv/ready
	$(BIN)/werks run examples/quickstart.toml
	$(BIN)/werks chart demo/data --html demo/chart.html

# Three at once, since many tests wait for servers and clocks.
test: lint
	$(BIN)/python -m pytest -q -m "not long" -n 3 --dist worksteal

# Many kills and fuzzing; takes several minutes.
test-long: lint
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -q --timeout 1800

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES)
	$(BIN)/lint-imports

fix: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Prints ratios against peers measured in the same run; peers get an environment of their own.
bench: .venv/ready
	$(BIN)/python tests/bench/run.py all

clean:
	rm -rf .venv demo

.venv/ready: $(PROJECTS) constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "werks needs Python 3.11 or newer: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt \
	  -e 'core[testing]' -e 'sinks[postgres,s3]' $(PLUGINS:%=-e %) --group dev
	@touch $@
