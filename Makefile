# Everything from a fresh clone: `make demo` and `make test` build their own virtual environment from the lock.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: bench help demo lab lab-down test lint types layers unit oracle replay control-plane control-plane-if-needed lock schemas clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(READY) ## plan and act on the recorded example fleet (simulated: no cluster needed)
	@$(BIN)/descheduler run --snapshot examples/realistic --policy policies/balanced.yaml

lab: $(READY) control-plane-if-needed ## two real clusters with the example's workloads under .lab/, left running until `make lab-down`
	@$(BIN)/python -m tests.cluster.lab up

lab-down: $(READY) ## end the lab
	@$(BIN)/python -m tests.cluster.lab down

test: lint types layers control-plane-if-needed unit ## everything that must pass before a change is merged

lint: $(READY) ## ruff
	@$(BIN)/ruff check --quiet .

types: $(READY) ## mypy, strict
	@$(BIN)/mypy --no-error-summary

layers: $(READY) ## import-linter: the architecture of DESIGN.md section 3
	@$(BIN)/lint-imports --no-cache > $(VENV)/layers.txt || { cat $(VENV)/layers.txt; exit 1; }

unit: $(READY) ## pytest
	@$(BIN)/python -m pytest -q

oracle: $(READY) control-plane-if-needed ## ask a real kube-scheduler about random fleets: make oracle SEEDS=0-99
	@$(BIN)/python -m tests.cluster.oracle --seeds $(SEEDS)

replay: $(READY) control-plane-if-needed ## carry out the plans of random fleets on a real kube-scheduler: make replay SEEDS=0-199
	@$(BIN)/python -m tests.cluster.replay --seeds $(SEEDS)

SEEDS ?= 0-9

control-plane: $(READY) ## build the Kubernetes that tests/cluster runs against, once (needs Go 1.26; about ten minutes)
	@$(BIN)/python -m tests.cluster.binaries.build

# Where it cannot be had, the tests that need it skip and say how to get it.
control-plane-if-needed: $(READY)
	@$(BIN)/python -m tests.cluster.binaries.build --if-needed

lock: $(READY) ## newest versions inside the ranges of pyproject.toml, with hashes
	@$(BIN)/uv pip compile pyproject.toml --extra dev --upgrade $(LOCK_FLAGS) --output-file requirements-dev.lock
	@$(BIN)/uv pip compile pyproject.toml --constraints requirements-dev.lock $(LOCK_FLAGS) --output-file requirements.lock

LOCK_FLAGS := --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make lock"

# One stamp for "the environment matches the lock": a second run starts at once.
$(READY): requirements-dev.lock pyproject.toml
	@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) not found: install Python 3.11 or newer, or say make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1): say make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "installing the locked dependencies into $(VENV) (once)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Small samples. BENCHMARKS holds the sets that benchmarks/README.md names; full runs are in there too.
BENCHMARKS ?= ../shared/benchmarks
CLOCK ?= wall
bench: $(READY) ## small samples of all benchmarks, figures as JSON under .bench/ (BENCHMARKS=DIR holds the sets)
	@test -d $(BENCHMARKS) || { echo "no benchmark sets in $(BENCHMARKS): say make bench BENCHMARKS=DIR" >&2; exit 2; }
	@mkdir -p .bench/fleets
	@test -d .bench/fleets/S1 || $(BIN)/python $(BENCHMARKS)/fleets/write_fleet.py S 1 .bench/fleets/S1 > /dev/null
	@$(BIN)/python -m benchmarks.fleets --instances .bench/fleets --only S1 --moves truth 10 --equal-split --peers --peer-seconds 5 \
		--effort 0.2 --time-limit 60 --json .bench/fleets.json --markdown
	@$(BIN)/python -m benchmarks.verdicts --instances .bench/fleets --only S1 --json .bench/verdicts.json
	@$(BIN)/python -m benchmarks.priority_matters --instances $(BENCHMARKS)/priority-matters --cells 'nodes4_*prio4*' --sample 1 \
		--seconds 1 --clock $(CLOCK) --peers --json .bench/priority_matters.json
	@$(BIN)/python -m benchmarks.vmr2l --instances $(BENCHMARKS)/vmr2l --cells 50 --seconds 5 --clock $(CLOCK) --peers --json .bench/vmr2l.json
	@# a live cluster to read, never one in use: it is filled with nodes and pods
	@test -z "$(LIVE)" || $(BIN)/python -m benchmarks.live_read --kubeconfig "$(LIVE)" --fill | tee .bench/live_read.txt

schemas: $(READY) ## write the JSON Schemas of the policy and of plan.json again
	@$(BIN)/descheduler policy schema > policies/schema.json
	@$(BIN)/python -c 'from descheduler.output.json_plan import render_schema; print(render_schema(), end="")' > descheduler/output/plan.schema.json

clean: ## forget the virtual environment and every cache
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
