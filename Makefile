# `make` lists the targets. Nothing is needed but make and Python 3.11 or newer; another
# interpreter: make test PYTHON=/path/to/python3.12
#
# Each virtual environment is made once and again when pyproject.toml changes or the checkout
# has moved. All paths are relative to this file, so the checkout may be anywhere.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo "$$p"; break; }; done)

VENVS := .venv .venv-test .venv-dev .venv-oracle .venv-integrations .venv-lower-bounds

# What is installed besides lmkit itself in each of them.
EXTRAS_.venv := [report]
EXTRAS_.venv-test := [test]
EXTRAS_.venv-dev := [dev]
EXTRAS_.venv-oracle := [oracle]
EXTRAS_.venv-lower-bounds := [test]
# Its release asks for a NumPy older than 2, but runs on NumPy 2.
ALONE_.venv-oracle := pyctcdecode==0.5.0
CONSTRAINTS_.venv-lower-bounds := --constraint .venv-lower-bounds/lower-bounds.txt

# Tests start many processes: compiled modules are kept, whatever the caller's shell says.
export PYTHONDONTWRITEBYTECODE :=

# How it is installed, where no other way is said.
INSTALL = -m pip install $(PIP_FLAGS) $(CONSTRAINTS_$*) --editable '.$(EXTRAS_$*)'
PIP_FLAGS := --quiet --quiet --disable-pip-version-check
# One process for each core; PYTEST_FLAGS comes last and may say otherwise: PYTEST_FLAGS="-n 0 -x".
PYTEST := -m pytest -n auto --dist worksteal
PYTEST_FLAGS ?=
FUZZ_FLAGS ?=

# A stamp holds the folder it was made in: scripts inside a virtual environment point there.
STALE := $(shell for v in $(VENVS); do \
	[ ! -e $$v/.installed ] || [ "$$(cat $$v/.installed)" = "$$(pwd -P)" ] || rm -f $$v/.installed; \
	done)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo picture test quick coverage fuzz oracle integrations report lower-bounds lint types imports format bench readme docs wheel clean venvs

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

demo: .venv/.installed ## Compare models of every kind on the built-in text, with a report: a minute
	PATH="$$(pwd)/.venv/bin:$$PATH" lmkit compare --suite quick --force --output build/demo \
		--report build/demo/report.html </dev/null

picture: .venv/.installed ## Draw the picture of the README, docs/images/compare.svg, with the models of the demo
	PATH="$$(pwd)/.venv/bin:$$PATH" lmkit compare --suite quick --output build/demo \
		--report docs/images/compare.svg </dev/null

test: .venv-test/.installed ## Run the tests that need neither a compiler nor a heavy package
	.venv-test/bin/python $(PYTEST) $(PYTEST_FLAGS)

quick: .venv-test/.installed ## The same without the slow ones, and with fewer random examples: about a minute
	.venv-test/bin/python $(PYTEST) -m "not slow" --hypothesis-profile=quick $(PYTEST_FLAGS)

coverage: .venv-dev/.installed ## Run the tests and list the lines that none of them reaches
	.venv-dev/bin/python $(PYTEST) --cov --cov-report=term-missing:skip-covered $(PYTEST_FLAGS)

fuzz: .venv-test/.installed ## Damage 25,000 files, and see that each is refused or read as before
	.venv-test/bin/python tests/fuzz/fuzz.py --cases 25000 --jobs 2 $(FUZZ_FLAGS)

oracle: .venv-oracle/.installed ## Compare with kenlm (compiled here), nltk, torch and other packages
	LMKIT_REQUIRE_ORACLES=1 .venv-oracle/bin/python $(PYTEST) tests/oracle $(PYTEST_FLAGS)

integrations: .venv-integrations/.installed ## Run docs/integrations.md: in a fresh environment, by its own commands
	LMKIT_REQUIRE_ORACLES=1 .venv-integrations/bin/python $(PYTEST) $(wildcard tests/integrations tests/serve) $(PYTEST_FLAGS)

report: .venv-dev/.installed ## Test the HTML report, in a browser too where there is one
	.venv-dev/bin/python $(PYTEST) tests/report tests/cli/test_kills.py $(PYTEST_FLAGS)

lower-bounds: .venv-lower-bounds/.installed ## Run the tests with the oldest dependencies allowed
	.venv-lower-bounds/bin/python $(PYTEST) $(PYTEST_FLAGS)

lint: .venv-dev/.installed ## Check style and formatting with ruff
	.venv-dev/bin/ruff check
	.venv-dev/bin/ruff format --check

types: .venv-dev/.installed ## Check types with mypy
	.venv-dev/bin/mypy

imports: .venv-dev/.installed ## Check that imports go down the floors only
	.venv-dev/bin/lint-imports

format: .venv-dev/.installed ## Format the code and mend what ruff can mend
	.venv-dev/bin/ruff check --fix-only --quiet
	.venv-dev/bin/ruff format

bench: .venv-dev/.installed ## Time whole commands, then bulk work inside the process
	.venv-dev/bin/python benchmarks/run.py
	.venv-dev/bin/python -m pytest benchmarks $(PYTEST_FLAGS)

readme: .venv-test/.installed ## Run what README.md and the pages in docs/ show, and write its output there
	.venv-test/bin/python docs/examples.py

docs: .venv-test/.installed ## Write docs/commands.md, the reference of the commands, from their help
	.venv-test/bin/python docs/reference.py

wheel: .venv-dev/.installed ## Build the wheel into dist/ and check what it holds
	.venv-dev/bin/python -m pip wheel $(PIP_FLAGS) . --no-deps --wheel-dir dist
	.venv-dev/bin/python .ci/check_wheel.py

clean: ## Remove everything that these targets have made
	rm -rf $(VENVS) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	rm -rf .import_linter_cache
	find lmkit tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

venvs: .venv/.installed .venv-test/.installed .venv-dev/.installed .venv-oracle/.installed .venv-integrations/.installed

# What it installs stands on the page.
.venv-integrations/.installed: docs/integrations.md .ci/integrations.py
.venv-integrations/.installed: INSTALL = .ci/integrations.py docs/integrations.md

# The second line finds a Python that Debian has split: venv without ensurepip.
%/.installed: pyproject.toml
	@"$(or $(PYTHON),false)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Error: lmkit needs Python 3.11 or newer, and '$(or $(PYTHON),python3)' is not." \
		"Try: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Error: $(PYTHON) cannot make virtual environments." \
		"Try: install its venv package (Debian: python3-venv)" >&2; exit 1; }
	@echo "Installing lmkit$(EXTRAS_$*) in $*" >&2
	@"$(PYTHON)" -m venv --clear "$*"
	@$(if $(CONSTRAINTS_$*),"$*/bin/python" .ci/lower_bounds.py pyproject.toml > $*/lower-bounds.txt)
	@"$*/bin/python" $(INSTALL)
	@$(if $(ALONE_$*),"$*/bin/python" -m pip install $(PIP_FLAGS) --no-deps $(ALONE_$*))
	@pwd -P > "$@"
