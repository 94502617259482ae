# `make demo` and `make test` set everything up by themselves. Needs Python ≥ 3.11 with venv, and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := protos services/common services/light services/media services/prompter services/captioner services/studio orchestrator client
# Services of neural models. With torch they take 6 GB, so only their own tests and pods install them.
NEURAL_PACKAGES := services/neural services/imager services/relighter services/video

# uv sets up a fresh environment in 17 s where pip takes 96 s with a warm cache and 116 s without one (medians of three on
# two busy cores). pip is used with INSTALLER=pip, when its configuration names an index, which uv does not read, and
# when uv fails.
INSTALLER ?= uv
COMMA := ,
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
UV := $(BIN)/python -m uv pip install --quiet --python $(BIN)/python --constraint constraints.txt
install = { [ $(INSTALLER) = uv ] && ! $(BIN)/python -m pip config list | grep -q index && $(PIP) uv && $(UV) $(1); } || $(PIP) $(1)

# Benchmarks to run: `make benchmarks ONLY="execution mesh"`. Default: all.
ONLY ?=
# Tests to run on the cluster: `make test-cluster TESTS='-k keda'`. Default: all.
TESTS ?=
# Two tests at a time, those of one file after one another.
PARALLEL := --numprocesses 2 --dist loadfile
# Mutants of each file and another choice of them: `make fuzz MUTANTS=3000 SEED=7`.
MUTANTS ?= 300
SEED ?= 0
# Number of items of `make soak`.
ITEMS ?= 20000

# A folder of environment maps for the demo: `make demo HDRI=~/hdri`.
HDRI ?= $(wildcard ../shared/data/hdri)
# A photograph to caption in the demo: `make demo PHOTO=photo.jpg`. Default: NASA's portrait of Eileen Collins.
PHOTO ?= $(wildcard $(VENV)/lib/python3*/site-packages/skimage/data/astronaut.png)

.PHONY: help demo test neural test-neural test-faults fuzz test-languages test-cluster images soak benchmarks monitoring test-monitoring \
        lint lint-style lint-types lint-contracts docs release-check protos setup down clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.mesh: constraints.txt $(addsuffix /pyproject.toml,$(PACKAGES))
	@echo "setting up $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(call install,hatchling editables)
	@$(call install,--no-build-isolation $(addprefix -e ./,$(filter-out client,$(PACKAGES))) -e './client[mesh$(COMMA)photo]')
	@touch $@

$(VENV)/.dev: $(VENV)/.mesh requirements-dev.txt
	@$(call install,-r requirements-dev.txt)
	@touch $@

$(VENV)/.neural: $(VENV)/.dev $(addsuffix /pyproject.toml,$(NEURAL_PACKAGES))
	@echo "setting up the neural services (two minutes, 6 GB)"
	@$(call install,--no-build-isolation $(addprefix -e ./,$(NEURAL_PACKAGES)))
	@touch $@

$(VENV)/.docs: $(VENV)/.dev docs/requirements.txt
	@$(call install,-r docs/requirements.txt)
	@touch $@

neural: $(VENV)/.neural ## Install the neural services into .venv (6 GB)

setup: $(VENV)/.mesh ## Install the mesh into .venv

demo: $(VENV)/.mesh ## Run the demo recipe on this machine and write demo.html, a gallery
	@$(BIN)/lumenmill demo $(if $(HDRI),--environment-maps "$(HDRI)") $(if $(PHOTO),--photo "$(PHOTO)")

test: $(VENV)/.dev ## Run the tests
	@env -u KUBECONFIG $(BIN)/python -m pytest $(PARALLEL)

test-neural: $(VENV)/.neural ## Run the tests of the neural services, on tiny checkpoints
	@$(BIN)/python -m pytest $(NEURAL_PACKAGES) services/captioner/tests/neural tests/neural

test-faults: $(VENV)/.dev ## Run the tests of faults, fuzzing and security (about 10 minutes)
	@$(BIN)/python -m pytest $(PARALLEL) tests/faults tests/fuzz tests/security orchestrator/tests/faults

fuzz: $(VENV)/.dev ## Mutate files of every format that is read, MUTANTS=300 of each (about 10 minutes)
	@LUMENMILL_FUZZ_MUTANTS=$(MUTANTS) LUMENMILL_FUZZ_SEED=$(SEED) $(BIN)/python -m pytest tests/fuzz/test_mutated_files.py

test-languages: $(VENV)/.dev ## Build the clients in Go and TypeScript and run them against a mesh
	@$(BIN)/python -m pytest tests/languages

test-cluster: $(VENV)/.dev ## Run the tests of the chart on a real Kubernetes cluster (about 20 minutes)
	@tests/cluster/run.sh $(TESTS)

images: ## Build the image of every service with docker or buildah (docs/images.md)
	@images/build.sh

soak: $(VENV)/.dev ## Execute ITEMS=20000 items while calls fail and processes are killed at random
	@$(BIN)/python -m tests.faults.soak --items $(ITEMS)

monitoring: $(VENV)/.dev ## Generate the dashboards and alerts of the chart
	@$(BIN)/python -m monitoring

test-monitoring: $(VENV)/.neural ## Run every query of dashboards and alerts on a real Prometheus (5 minutes)
	@$(BIN)/python -m pytest monitoring/tests/live

benchmarks: $(VENV)/.dev ## Run the benchmarks and write docs/performance.md (about 10 minutes)
	@$(BIN)/python benchmarks/all.py $(ONLY)

lint: lint-style lint-types lint-contracts ## Check style, types and contracts, and that generated code is current

lint-style: $(VENV)/.dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

lint-types: $(VENV)/.dev
	@$(BIN)/mypy $(addsuffix /src,$(filter-out protos,$(PACKAGES)) $(NEURAL_PACKAGES)) monitoring docs/tools .ci

lint-contracts: $(VENV)/.dev
	@cd protos && ../$(BIN)/buf lint && ../$(BIN)/buf format --exit-code --path lumenmill > /dev/null
	@PATH="$(CURDIR)/$(BIN):$$PATH" protos/check.sh

docs: $(VENV)/.docs ## Build the documentation site in build/site and check its links
	@$(BIN)/python -m docs.tools.site

release-check: lint docs ## Check that this version can be released, and build it in dist (RELEASING.md)
	@$(BIN)/python .ci/release_check.py

protos: $(VENV)/.dev ## Generate the Python code of the contracts
	@PATH="$(CURDIR)/$(BIN):$$PATH" protos/generate.sh

down: ## Stop the mesh that the demo started
	@$(BIN)/lumenmill down

clean: ## Remove the environment and the state of the local mesh
	@test ! -x $(BIN)/lumenmill || $(BIN)/lumenmill down
	@rm -rf $(VENV) .lumenmill demo demo.html
