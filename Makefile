# The two commands that matter: `make results` (the laptop study) and `make test`. `make help` lists the rest.
PYTHON ?= python3
CORES ?= all
CONFIG ?= config/config.yaml
VENV ?= .venv
BIN := $(VENV)/bin
ABREAST := --ignore tests/cluster --numprocesses 2 --dist loadgroup --no-loadscope-reorder
PYTHON_VERSION ?= 3.12
STUDY = $(shell sed -n 's/^study: *\([^ \#]*\).*/\1/p' $(CONFIG))

.PHONY: help setup results reproduction report docs wheels test pandas oldest dist bench bench-gpu lint lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | column -t -s '|'

# Snakemake calls the environment's Python without quotes.
$(VENV)/.installed: requirements.txt pyproject.toml
	@mkdir -p $(dir $(VENV)) && case "$$(cd $(dir $(VENV)) && pwd)" in *\ *) \
	  echo "expected a path without spaces for the environment, got $$(pwd)/$(VENV), where Snakemake cannot call Python;" \
	    "name another place: make $(MAKECMDGOALS) VENV=$${HOME:-/tmp}/.farfield-venv"; exit 1;; esac
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "farfield's lock is for Python 3.11 to 3.13, but $(PYTHON) is $$($(PYTHON) --version); name another: make setup PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

setup: $(VENV)/.installed ## .venv (or VENV=…), installed from the lock

results: setup ## the study: its tables and figures (CONFIG=config/test.yaml for the tiny one)
	@$(BIN)/python workflow/unlock.py --configfile $(CONFIG)
	$(BIN)/snakemake --cores $(CORES) --configfile $(CONFIG)

reproduction: setup ## the published grid at N = 32, collected into docs/reproduction; interrupt it at will
	@$(BIN)/python workflow/unlock.py --configfile config/reproduction.yaml
	$(BIN)/snakemake --cores $(CORES) --configfile config/reproduction.yaml
	mkdir -p docs/reproduction
	cp config/reproduction.yaml results/reproduction/tables/*.csv results/reproduction/tables/*.md docs/reproduction/
	cp results/reproduction/figures/*.png results/reproduction/released/*.md docs/reproduction/

report: results ## results/{study}/report.zip, for a browser
	$(BIN)/snakemake --report results/$(STUDY)/report.zip --configfile $(CONFIG)

# connection-pool has no wheel on PyPI; it is pure Python, and made into one here.
wheels: setup ## what a machine with torch and no network lacks (PYTHON_VERSION=3.12), into wheels/
	rm -rf wheels && mkdir wheels
	grep -v -E '^(torch==|-e)' requirements.txt > wheels/requirements.txt
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir wheels \
	  $$(grep '^connection-pool==' requirements.txt)
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
	  --python-version $(PYTHON_VERSION) --dest wheels --find-links wheels --requirement wheels/requirements.txt

# SLURM waits for nobody, so its tests have the machine to themselves.
test: setup ## pytest, two tests at a time
	$(BIN)/python -m pytest tests/cluster
	$(BIN)/python -m pytest $(ABREAST)

pandas: setup ## the tests of tables and figures with the oldest pandas that is allowed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target .pandas pandas==2.2.2 pytz
	PYTHONPATH=.pandas $(BIN)/python -m pytest tests/study/test_tables.py \
	  tests/study/test_comparison.py tests/study/test_pairing.py tests/study/test_sweep.py tests/study/test_figures.py tests/principle

# Warnings that old packages give of newer ones below them are no mistakes of ours.
oldest: ## all tests but the cluster's with the oldest versions that are allowed, torch apart, in .oldest (needs uv)
	$(PYTHON) -m venv --clear .oldest
	echo 'torch==2.13.0' | uv pip compile pyproject.toml --constraints - --extra workflow --extra cluster --extra test --resolution lowest-direct \
	  --python-version 3.11 --no-header --no-annotate | grep -v -E "^(nvidia-|cuda-|triton)" > .oldest/requirements.txt
	.oldest/bin/python -m pip install --quiet --disable-pip-version-check -r .oldest/requirements.txt
	.oldest/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	.oldest/bin/python -m pytest $(ABREAST) -o filterwarnings=default

dist: ## the package's sdist and wheel, checked for an index, into dist/ (no torch is needed)
	rm -rf dist build && $(PYTHON) -m venv --clear .dist
	.dist/bin/python -m pip install --quiet --disable-pip-version-check build twine
	.dist/bin/python -m build
	.dist/bin/python -m twine check --strict dist/*

bench: setup ## speed and quality of iterative methods, of volumes and of training beside others, into results/benchmarks
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python benchmarks/iterative.py results/benchmarks
	$(BIN)/python benchmarks/solutions.py results/benchmarks
	$(BIN)/python benchmarks/volumes.py results/benchmarks
	$(BIN)/python benchmarks/training.py results/benchmarks

bench-gpu: setup ## speed of iterations, training and SA-MSE on a CUDA GPU, into results/benchmarks
	$(BIN)/python benchmarks/gpu.py results/benchmarks

# Names in single backticks that are no public ones stay code. Every page anew (-E): what Sphinx keeps of one knows nothing of a change in docs/*.py.
docs: setup ## the site, into docs/_build/html; what is broken, missing or not linked ends it
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	$(BIN)/python -m pytest tests/test_docstrings.py
	$(BIN)/sphinx-build -E -W --keep-going --quiet --jobs auto docs docs/_build/html

lint: setup ## ruff, snakefmt and snakemake's own linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint --configfile config/test.yaml

# What torch needs for CUDA is left to torch's own wheel: a CPU build must not pull gigabytes.
lock: ## requirements.txt anew from pyproject.toml (needs uv)
	echo 'torch==2.13.0' | uv pip compile pyproject.toml --constraints - --extra workflow --extra cluster --extra test --universal --fork-strategy fewest \
	  --python-version 3.11 --no-header --no-annotate | grep -v -E "^(nvidia-|cuda-|triton|pip==)|python_full_version >= '3.14'" \
	  | sed -e "s/ ; python_full_version < '3.14'//" > requirements.txt
	echo '-e .' >> requirements.txt

clean: ## every result, and the site (not .venv)
	rm -rf results .snakemake docs/_build docs/reference docs/examples
