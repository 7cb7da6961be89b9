# Every target makes the environment first if it is missing or out of date.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One thread a test process: the second one of tiny matrices does nothing but wait for the first.
export OMP_NUM_THREADS ?= 1
# A colour or theme setting of the caller's shell would change the interface snapshots.
unexport NO_COLOR
unexport TEXTUAL_THEME

.PHONY: demo test test-rest test-all lint format audit clean

demo: $(VENV)/.installed
	$(BIN)/benchdesign demo

# One room only: `make test AREA=coverage`. The rest are the tests with one of these marks; together
# `test` and `test-rest` run every test once.
TESTS := tests$(if $(AREA),/$(AREA))
REST := slow or process or training or browser or packaging
PYTEST := $(BIN)/pytest -n 2

test: $(VENV)/.installed
	$(PYTEST) -m "not ($(REST))" $(TESTS)

# Status 5: no test of this room has such a mark.
test-rest: $(VENV)/.installed
	$(PYTEST) -m "$(REST)" $(TESTS) || [ $$? = 5 -a -n "$(AREA)" ]

test-all: $(VENV)/.installed
	$(PYTEST) $(TESTS)

lint: $(VENV)/.installed
	$(BIN)/ruff check benchdesign tests measurements examples
	$(BIN)/ruff format --check benchdesign tests measurements examples
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed
	$(BIN)/ruff format benchdesign tests measurements examples
	$(BIN)/ruff check --fix benchdesign tests measurements examples

# Strict: a package whose advisories cannot be looked up is a failure, not a pass.
audit: $(VENV)/.installed
	$(BIN)/pip install --quiet pip-audit
	$(BIN)/pip freeze --exclude-editable | sed 's/+.*//' > $(VENV)/audited.txt
	$(BIN)/pip-audit --strict --no-deps --disable-pip -r $(VENV)/audited.txt

# torch comes first and pinned: a range would let the resolver pick a build with gigabytes of
# accelerator libraries. The rest is pinned by constraints.txt.
$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,web]"
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache dist build
