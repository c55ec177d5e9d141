# Every target makes its own .venv first; nothing but Python 3.11 to 3.13, git and make is needed.
# make help lists the targets.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh
TFCNN := .venv/bin/tfcnn
RUN ?= malaria
RECIPE ?= malaria
FOLDS ?= 5
REPEATS ?= 3
DATA ?= malaria mnist fashion-mnist cifar10
READY := .venv/.ready

.PHONY: help install demo download crossval evaluate predict report bench test test-slow test-install check lint types clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## the virtual environment, with what the tests need: 3.1 GB

$(READY): pyproject.toml constraints.txt
	@sh scripts/make_venv.sh
	@touch $@

demo: $(READY) ## the whole line on images made on the spot: no download, a minute
	$(TFCNN) train smears --fresh
	$(TFCNN) evaluate smears --split test
	$(TFCNN) predict smears "$${TFCNN_HOME:-.}/data/smears/cell_images/Parasitized" --output "$${TFCNN_HOME:-.}/models/smears/demo.csv"
	@sh scripts/demo_summary.sh

download: $(READY) ## the real data sets; FROM=folder, zip or address of a mirror; DATA=malaria for one
	$(TFCNN) download $(DATA) $(if $(FROM),--from "$(FROM)")

train-malaria: ## recipe malaria into models/malaria; ARGS="--set train.epochs=5"
train-mnist-ann: ## the course's first network, 784-120-84-10
train-mnist: ## a CNN on MNIST
train-fashion: ## a CNN on Fashion-MNIST
train-cifar10: ## a CNN on CIFAR-10

train-%: $(READY)
	$(TFCNN) train $* $(ARGS)

crossval: $(READY) ## RECIPE=malaria FOLDS=5: every image predicted by a model of other groups
	$(TFCNN) crossval "$(RECIPE)" --folds "$(FOLDS)" $(ARGS)

evaluate: $(READY) ## RUN=malaria: every metric with its interval
	@$(TFCNN) evaluate "$(RUN)" $(ARGS)

predict: $(READY) ## RUN=malaria IMAGES=folder: one CSV row per image
	@test -n "$(IMAGES)" || { echo "error: IMAGES: expected a path; received nothing; try make predict RUN=$(RUN) IMAGES=folder" >&2; exit 2; }
	@$(TFCNN) predict "$(RUN)" "$(IMAGES)" $(ARGS)

report: $(READY) ## RUN=malaria: write report.html anew
	$(TFCNN) report "$(RUN)"

bench: $(READY) ## tfcnn and its rivals on the real cells, side by side; an hour or more a repeat, or some: ARGS='--only tfcnn'
	@test -d benchmarks/rivals/environments || sh benchmarks/rivals/install.sh
	.venv/bin/python benchmarks/training.py --repeats "$(REPEATS)" $(ARGS)

test: $(READY) ## the tests, under 10 minutes on 2 cores
	.venv/bin/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-slow: $(READY) ## the tests that reach a stated accuracy or build full-size networks
	.venv/bin/python -m pytest -m slow

test-install: ## installs plainly, with the lowest versions and on Python 3.13, and uses each; 15 minutes
	sh scripts/test_install.sh

lint: $(READY) ## ruff: style and likely bugs
	.venv/bin/ruff check
	.venv/bin/ruff format --check

types: $(READY) ## mypy --strict
	.venv/bin/mypy

check: lint types test ## lint, types and tests

clean: ## remove the virtual environment and caches; data and models stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache *.egg-info
