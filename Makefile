# Each target first makes .venv. You need Python 3.11 to 3.13, git and make, and nothing else.
# `make help` lists the targets: a line that begins with two # is a title there.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh
TFCNN := .venv/bin/tfcnn
RUN ?= malaria
RECIPE ?= malaria
FOLDS ?= 5
REPEATS ?= 3
INPUTS ?= 100000
COUNT ?= 300
DATA ?= malaria mnist fashion-mnist cifar10
READY := .venv/.ready

.PHONY: help install demo download crossval evaluate predict report serve lab bench test test-slow test-faults test-install fuzz mutants check lint types clean

help: ## list the targets
	@awk -F ':.*## ' '/^## / {printf "\n%s\n", substr($$0, 4)} \
	  /^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\n%s\n' 'Variables, as in: make predict RUN=cells IMAGES=new_cells/'
	@printf '  %-10s %s\n' \
	  RUN    'a run: a name in models/ or of a shipped model, or a path; default $(RUN)' \
	  IMAGES 'a file, a folder or a zip' \
	  RECIPE 'a recipe or a folder; default $(RECIPE)' \
	  FOLDS  'how many models a cross-validation trains; default $(FOLDS)' \
	  DATA   'names of data sets; default all that are downloaded' \
	  FROM   'where to take them from: a folder, a zip or an address' \
	  REPEATS 'how often a benchmark runs; default $(REPEATS)' \
	  INPUTS 'how many files are made up; default $(INPUTS)' \
	  COUNT  'how many places of the code are changed; default $(COUNT)' \
	  ARGS   'more options of tfcnn, such as ARGS="--set train.epochs=5"'

## Begin
install: $(READY) ## make .venv with all that the tests need (3.1 GB)

$(READY): pyproject.toml constraints.txt
	@sh scripts/make_venv.sh
	@touch $@

demo: $(READY) ## draw images, train, test, report and predict: no download, a minute
	$(TFCNN) train smears --fresh
	$(TFCNN) evaluate smears --split test
	$(TFCNN) predict smears "$${TFCNN_HOME:-.}/data/smears/cell_images/Parasitized" --output "$${TFCNN_HOME:-.}/models/smears/demo.csv"
	@sh scripts/demo_summary.sh

## Train
download: $(READY) ## download real data sets (DATA, FROM)
	$(TFCNN) download $(DATA) $(if $(FROM),--from "$(FROM)")

train-malaria: ## train recipe malaria on malaria cells (ARGS)
train-mnist-ann: ## train the course's first network on MNIST: 784-120-84-10 neurons
train-mnist: ## train a CNN on MNIST
train-fashion: ## train a CNN on Fashion-MNIST
train-cifar10: ## train a CNN on CIFAR-10

train-%: $(READY)
	$(TFCNN) train $* $(ARGS)

crossval: $(READY) ## train one model per fold, so that each image is predicted by a model of other groups (RECIPE, FOLDS)
	$(TFCNN) crossval "$(RECIPE)" --folds "$(FOLDS)" $(ARGS)

## Use a run
evaluate: $(READY) ## print every metric with its interval (RUN)
	@$(TFCNN) evaluate "$(RUN)" $(ARGS)

predict: $(READY) ## print one CSV row per image (RUN, IMAGES)
	@test -n "$(IMAGES)" || { echo "error: IMAGES: expected a path; received nothing; try make predict RUN=$(RUN) IMAGES=folder" >&2; exit 2; }
	@$(TFCNN) predict "$(RUN)" "$(IMAGES)" $(ARGS)

report: $(READY) ## write report.html anew (RUN)
	$(TFCNN) report "$(RUN)"

serve: $(READY) ## answer over HTTP, with a page for images (RUN, ARGS); http://127.0.0.1:8000
	@$(TFCNN) serve "$(RUN)" $(ARGS)

lab: $(READY) ## open the course's ideas to touch, in the browser (ARGS="--run RUN")
	@$(TFCNN) lab $(ARGS)

bench: $(READY) ## train tfcnn and its rivals on the malaria cells (REPEATS); over an hour a repeat; ARGS='--only tfcnn' for one
	@test -d benchmarks/rivals/environments || sh benchmarks/rivals/install.sh
	.venv/bin/python benchmarks/training.py --repeats "$(REPEATS)" $(ARGS)

## Change tfcnn
test: $(READY) ## run the tests: 25 minutes on 2 cores
	.venv/bin/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-slow: $(READY) ## run the tests that reach a stated accuracy or build full-size networks
	.venv/bin/python -m pytest -m slow

test-faults: $(READY) ## kill and starve every command at many moments; cuts the power of a mounted file system if run by root
	.venv/bin/python -m pytest -m faults

test-install: ## try the plain install, the lowest versions and Python 3.13; 15 minutes
	sh scripts/test_install.sh

fuzz: $(READY) ## read a hundred thousand damaged and hostile files (INPUTS); ten minutes
	PYTHONPATH=tests .venv/bin/python -m faults.fuzz --inputs "$(INPUTS)" $(ARGS)

mutants: $(READY) ## change one token of the code at a time and see that a test fails (COUNT, ARGS); an hour
	@.venv/bin/python -c 'import cosmic_ray' 2>/dev/null || .venv/bin/python -m pip install -c constraints.txt -e '.[mutants]'
	PYTHONPATH=tests .venv/bin/python -m mutants.try_mutants --count "$(COUNT)" $(ARGS)

lint: $(READY) ## look for style and likely bugs (ruff)
	.venv/bin/ruff check
	.venv/bin/ruff format --check

types: $(READY) ## check the types (mypy --strict)
	.venv/bin/mypy

check: lint types test ## run lint, types and test

clean: ## remove .venv and caches; data and models stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache *.egg-info
