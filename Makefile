# Every verb sets up what it needs; all are safe to repeat.
PYTHON ?= python3
CORES ?= all
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := benchmarks/peers/.venv

CONFIG ?= config.yaml

.PHONY: help setup run lab fetch check test test-slurm test-gpu gpu-check measure bench bench-peers architectures lint format docs docs-site clean

help:  ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-13s %s\n", $$1, $$2}'

setup: $(READY)  ## build .venv from requirements.lock

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed ($(PYTHON) is older): make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' \
		|| { echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Installing the packages of requirements.lock into $(VENV), once: some minutes without a word"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@touch $(READY)

run: $(READY)  ## run CONFIG=config.yaml; leaves results/report.html
	@PYTHONPATH=scripts $(BIN)/python -m internal_physics run $(CONFIG) --cores $(CORES)

lab: $(READY)  ## train, measure and profile the models of config/lab.yaml; writes results/report.html and prints which claims are met
	$(BIN)/snakemake lab all --cores $(CORES) --configfile=config/lab.yaml

fetch: $(READY)  ## only fetch the models of CONFIG=config.yaml, for machines whose jobs have no internet
	$(BIN)/snakemake --cores $(CORES) --configfile=$(CONFIG) --until fetch

# Tests that need neither torch nor a run of the workflow, and take seconds.
FAST := tests/config tests/plan tests/records tests/report tests/statistics

check: lint  ## linters and fast tests
	$(BIN)/python -m pytest -q $(FAST)

test: $(READY)  ## run all tests, in WORKERS=2 processes
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-slurm: $(READY)  ## run the tiny config and its faults on a real one-node SLURM; needs root and Debian's packages
	$(BIN)/python -m pytest tests/slurm

test-gpu: $(READY)  ## compare records, readouts and spectra of a GPU with the CPU's; needs a GPU that torch sees
	$(BIN)/python -m pytest tests/gpu

gpu-check: $(READY)  ## compare a GPU's numbers with the CPU's, measure its speed, run its tests and the default config on it
	$(BIN)/python -m benchmarks.gpu
	$(MAKE) docs

measure: $(READY)  ## measure the default run in a fresh clone, for the numbers in README and docs
	$(BIN)/python -m benchmarks.default_run
	$(MAKE) docs

bench: $(READY)  ## measure speed, memory and size; prints a table
	$(BIN)/python -m benchmarks

bench-peers: $(PEERS)/.ready  ## measure nnsight, TransformerLens, WeightWatcher and bergson beside ours, in their own environment
	$(PEERS)/bin/python -m benchmarks.peers --write docs/measured/peers.yaml
	$(MAKE) docs

# Without dependencies of dependencies: one of them asks for a torchvision that does not fit this torch, and is not needed.
$(PEERS)/.ready: benchmarks/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/peers/requirements.txt
	@touch $(PEERS)/.ready

architectures: $(READY)  ## try every model class of transformers and write docs/architectures.md
	$(BIN)/python -m benchmarks.architectures --workers $(WORKERS) --write docs/measured/architectures.json
	$(MAKE) docs

lint: $(READY)  ## ruff, mypy, snakefmt, snakemake --lint, and a strict build of the documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint
	$(BIN)/zensical build --strict --clean

format: $(READY)  ## format Python and Snakemake files
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/snakefmt Snakefile rules

docs: $(READY)  ## write what is generated: config/schema.yaml and parts of README and docs
	PYTHONPATH=scripts $(BIN)/python -m internal_physics.docs

docs-site: $(READY)  ## build the documentation into site/; open site/index.html
	$(BIN)/zensical build --strict --clean

clean:  ## remove results and caches; keeps .venv
	rm -rf results site .snakemake .pytest_cache .hypothesis .mypy_cache .ruff_cache
