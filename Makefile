# SPDX-License-Identifier: Apache-2.0
# Each command sets up what it needs, once, in .venv. Variables:
#   PYTHON=python3.12     the interpreter (else the first that is new enough)
#   PIP_ARGS="..."        options for pip during set-up, e.g. for a CPU-only torch
#   ARGS="..."            options for pytest (-n 0: in one process) or for the demo
PYTHON ?=
PIP_ARGS ?=
ARGS ?=
VENV_PYTHON := .venv/bin/python
# Plugins that other packages of a cloud image bring would run inside our tests: only our own are loaded. A process a
# core, of one thread each; those of a file follow each other in one, as they share what is dear to make.
PYTEST := OMP_NUM_THREADS=1 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(VENV_PYTHON) -m pytest -p _hypothesis_pytestplugin \
	-p xdist -n auto --maxprocesses=8 --dist=loadfile
export PYTHON PIP_ARGS

.DEFAULT_GOAL := help
.PHONY: help demo test check setup clean

help:
	@echo "make demo    render notes, train a small network on them, generate new sounds (minutes, no GPU needed)"
	@echo "make test    run the tests"
	@echo "make check   style, types and the import contract"
	@echo "make setup   only set up .venv (the others do it too)"
	@echo "make clean   remove .venv and what the demo made"

setup:
	@sh tools/setup.sh setup

demo:
	@start=$$(date +%s); sh tools/setup.sh demo && \
	SETUP_SECONDS=$$(($$(date +%s) - start)) exec $(VENV_PYTHON) -m examples.demo $(ARGS)

test:
	@sh tools/setup.sh test
	@$(PYTEST) $(ARGS)

check: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

clean:
	rm -rf .venv demo
