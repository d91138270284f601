# Two commands on a fresh machine: `make demo` and `make test`. As root on Debian they use real containers, elsewhere simulated ones.
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/tests
# Bytecode that is not kept is made anew by each of the thousands of Pythons of a test run.
unexport PYTHONDONTWRITEBYTECODE
SEED ?= demo
GUESTS ?= auto

.PHONY: demo test test-catalog test-faults lint lab lab-down docs setup

demo: setup  ## Deploy two apps on the embedded lab and show that they answer.
	@tests/tools/demo

test: setup  ## All tests and judges.
	@tests/tools/test

test-catalog: setup  ## Every entry in real containers, with stand-ins for images. ENTRIES="memos miniflux" for some.
	@tests/tools/test-catalog $(ENTRIES)

test-faults: setup  ## The whole fault tables, and kill -9 at every step.
	@tests/tools/test-faults

lint: setup  ## The judges only: ruff, mypy, ansible-lint, ansible-test sanity, docs, galaxy-importer.
	@tests/tools/lint

lab: setup  ## Start the lab; .lab/env tells its URL and token. SEED=demo|conformance|cluster GUESTS=auto|real|simulated
	@python -m lab up --seed $(SEED) --guests $(GUESTS) --state .lab

lab-down:  ## Stop the lab.
	@python -m lab down --state .lab

docs: setup  ## Build the documentation site into docs/site.
	@tests/tools/docs

setup:
	@tests/tools/setup
