# Every target does its own set-up; when that is done it starts at once.
SPAN ?= next
CONFIG ?= examples/flights
PYTEST ?=
# Empty: build/engine finds them.
CONTAINER_ENGINE ?=
BASE_IMAGE ?=
REGISTRY ?= localhost/sluice
IMAGES ?= light tensorflow push
DIGESTS ?= digests.txt
VERSION := 0.1.0
export CONTAINER_ENGINE BASE_IMAGE REGISTRY VERSION DIGESTS
data := examples/flights/data/span-12.parquet

# A refusal (3, 4) is a decision like any other: only a run that failed fails the target.
decided := || { status=$$?; [ $$status -eq 3 ] || [ $$status -eq 4 ] || exit $$status; }

.DEFAULT_GOAL := help
.PHONY: help setup run run-containers test coverage lint compile contracts bench faults soak images images-test images-scan images-push lock clean

help: ## Show this
	@[ -t 1 ] && bold=$$(printf '\033[1m') plain=$$(printf '\033[0m'); \
	awk -v bold="$$bold" -v plain="$$plain" 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %s%-16s%s %s\n", bold, $$1, plain, $$2}' $(MAKEFILE_LIST)

setup: ## Make the two environments from their lock files
	@build/environments

$(data): examples/flights/prepare.py | setup
	@.venv/bin/python examples/flights/prepare.py

run: setup $(data) ## Train, judge and publish on this machine   [SPAN=next|latest|4|2-4] [CONFIG=examples/flights]
	@.venv/bin/sluice run --config $(CONFIG) --span $(SPAN) $(decided)

run-containers: setup $(data) ## The same in containers of the images that `make images` built   [SPAN=...] [CONFIG=...] [REGISTRY=...]
	@engine=$$(build/engine) && eval "$$engine" && .venv/bin/sluice run --config $(CONFIG) --span $(SPAN) --runner containers --set platform.registry=$(REGISTRY) $(decided)

test: setup $(data) ## Run all tests, those of the two environments side by side   [PYTEST="OPTION..."]
	@.venv/bin/python -m tests --durations=10 $(PYTEST)

coverage: ## Run all tests and say which lines of sluice/ they reach
	@rm -f .coverage .coverage.*
	@$(MAKE) --no-print-directory test PYTEST=--coverage
	@.venv/bin/coverage combine -q && .venv/bin/coverage report --skip-covered

lint: setup ## Check style, types and floors
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

compile: setup ## Compile components and pipelines to build/
	@.venv/bin/sluice compile

contracts: setup ## Record changed interfaces of components on purpose, under raised versions
	@.venv/bin/python -m components.contracts

bench: setup $(data) ## Measure the line, the gates, transform, training and the push   [BENCH_JSON=FILE]
	@.venv/bin/python -m tests.bench.line
	@.venv/bin/python -m tests.bench.push
	@.venv/bin/python -m tests.bench.ingest 2>/dev/null
	@.venv-components/bin/python -m tests.bench.probe 2>/dev/null
	@.venv-components/bin/python -m tests.bench.data 2>/dev/null
	@.venv-components/bin/python -m tests.bench.transform 2>/dev/null
	@.venv-components/bin/python -m tests.bench.train 2>/dev/null
	@.venv-components/bin/python -m tests.bench.evaluate 2>/dev/null
	@.venv-components/bin/python -m tests.bench.checks 2>/dev/null

faults: setup $(data) ## Plant faults in data, models and pushes, and print what became of them
	@status=0; \
	.venv-components/bin/python -m tests.faults.data 2>/dev/null || status=1; \
	.venv-components/bin/python -m tests.faults.model 2>/dev/null || status=1; \
	.venv/bin/python -m tests.faults.push 10 || status=1; \
	.venv/bin/python -m tests.faults.tables || status=1; \
	exit $$status

soak: setup ## Five writers of the journal at once, killed at random, beside pushes; a minute
	@.venv/bin/python -m tests.soak.journal

images: ## Build every image, and publish its size   [CONTAINER_ENGINE=docker|podman] [BASE_IMAGE=...] [REGISTRY=...] [IMAGES="light push"]
	@for name in $(IMAGES); do build/image build $$name && build/image size $$name || exit 1; done

images-test: ## Run the unit tests of every image, inside it
	@for name in $(IMAGES); do build/image test $$name || exit 1; done

images-scan: setup ## Look the images' packages up in a data base of vulnerabilities
	@for name in $(IMAGES); do build/image scan $$name || exit 1; done

images-push: ## Push every image; DIGESTS names the file that takes the digests
	@for name in $(IMAGES); do build/image push $$name || exit 1; done

lock: setup ## Resolve the lock files anew
	@build/environments lock

clean: ## Remove environments, caches and runs
	@rm -rf .venv .venv-* .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis runs
