# make demo   set up, build the default model's bundle, verify and measure it, track a rendered clip with it
# make test   set up, run the tests
# make lint   set up, check style, types and the rules of imports
#
# PYTHON=python3.12 chooses another interpreter for a fresh .venv.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := demo

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed

.PHONY: demo test lint clean

$(BIN)/python:
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV), a dot for each package; PyTorch is large, this takes some minutes"
	@$(BIN)/python -m pip install -c constraints.txt -e '.[export,train,cpu,cuda,rtx,mqtt,web,report,dev]' 2>&1 | tee $(VENV)/install.log \
		| awk '/^(Collecting|Processing|Installing) / { printf "."; fflush() } END { print "" }' \
		|| { tail -n 20 $(VENV)/install.log; exit 1; }
	@# The root of the repository is the package: pyright finds it by its name through this link.
	@mkdir -p $(VENV)/typing && ln -sfn ../.. $(VENV)/typing/ostrack_edge
	@touch $@

# One thread per worker, or PyTorch's threads and the workers take turns on the same cores.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 $(PYTEST_ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

demo: $(STAMP)
	@mkdir -p demo
	$(BIN)/python -m ostrack_edge.datasets.scene demo/clip.mp4
	$(BIN)/ostrack-export build --out demo/bundle
	$(BIN)/ostrack-export verify demo/bundle
	$(BIN)/ostrack-bench macs demo/bundle
	$(BIN)/ostrack-bench fps demo/bundle
	$(BIN)/ostrack-track run demo/clip.mp4 --bundle demo/bundle --out demo/annotated.mp4 --results demo/boxes.txt
	@echo
	@echo "the annotated video: $(CURDIR)/demo/annotated.mp4"

clean:
	rm -rf $(VENV) demo build *.egg-info
