# `make demo` and `make test` are all the set-up there is; the rest is for those who work on it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help install demo serve test check format marketplace-page clean bench bench-backtest bench-features bench-online bench-quality bench-serving bench-spark bench-workers

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

install: $(STAMP) ## Create .venv and install the pinned dependencies

$(STAMP): pyproject.toml constraints.txt
	@echo "Creating .venv and installing the pinned dependencies (a few minutes, once)"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(v != (3, 11) and f"buyer-tier needs Python 3.11, found {v[0]}.{v[1]}: set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m features.warm
	$(BIN)/python -m models.warm
	touch $(STAMP)

demo: $(STAMP) ## Do the whole job once on a simulated marketplace
	$(BIN)/buyer-tier demo

serve: $(STAMP) ## Keep the service up (the demo first, where it has not run)
	test -e "$${BUYER_TIER_HOME:-.buyer-tier}/demo/api-key" || $(BIN)/buyer-tier demo
	$(BIN)/buyer-tier serve

test: $(STAMP) ## Run every test, in two processes
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(STAMP) ## Format, lint, types, import contracts, generated pages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m features.page --check docs/features.md
	$(BIN)/python -m buyer_tier.policy_page --check docs/policies.md

format: $(STAMP) ## Put code and generated pages in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m features.page docs/features.md
	$(BIN)/python -m buyer_tier.policy_page docs/policies.md

marketplace-page: $(STAMP) ## Draw the page on the simulated marketplace again (RETAIL=FILE of Online Retail II)
	$(BIN)/python -m backtest.calibration $(RETAIL)

bench: bench-features bench-online bench-serving bench-workers bench-spark bench-backtest bench-quality ## All benchmarks, one after the other (hours)

bench-features: $(STAMP) ## Time and memory of the batch features beside the others (BENCH_QUICK=1: two minutes)
	$(BIN)/python -m benchmarks.features

bench-spark: $(STAMP) ## Our kernel on Spark beside Spark SQL (BENCH_QUICK=1: two minutes; needs Java)
	$(BIN)/python -m benchmarks.spark

bench-online: $(STAMP) ## One buyer at a time: vector, score, reasons beside LightGBM and MLflow (BENCH_QUICK=1: one minute)
	$(BIN)/python -m benchmarks.online

bench-quality: $(STAMP) ## Our score beside simple methods, AutoML and an oracle (hours, resumable; BENCH_QUICK=1: two minutes)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks.quality

bench-serving: $(STAMP) ## The service beside constants, the naive way and MLflow's server (BENCH_QUICK=1: a minute)
	$(BIN)/python -m benchmarks.serving

bench-workers: $(STAMP) ## One worker of the service beside two (BENCH_QUICK=1: a minute)
	$(BIN)/python -m benchmarks.serving_workers

bench-backtest: $(STAMP) ## Events and decisions a second of simulation and replay (BENCH_QUICK=1: a minute)
	$(BIN)/python -m benchmarks.backtest

clean: ## Remove the environment, the workspace and everything built
	rm -rf .venv .buyer-tier build dist
