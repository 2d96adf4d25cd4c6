PYTHON ?= python3
VENV := .venv
ORACLES := .venv-oracles

.PHONY: help demo test test-oracles coverage fuzz mutants test-tex test-browser test-fuzz lint derive docs experiments bench clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed  ## the guided tour; its pages and pictures go to tour/
	$(VENV)/bin/symgrad tour --out tour

test: lint  ## lint, type check and all tests
	$(VENV)/bin/python -m pytest -n 2

test-oracles: $(ORACLES)/.installed  ## compare ops and optimizers with PyTorch
	$(ORACLES)/bin/python -m pytest tests/oracles
	$(ORACLES)/bin/python tests/oracles/record.py --check
	$(ORACLES)/bin/python tests/oracles/record_optim.py --check
	$(ORACLES)/bin/python tests/oracles/record_training.py --check
	$(ORACLES)/bin/python tests/oracles/record_catalogue.py --check

coverage: $(ORACLES)/.installed  ## how many ops of PyTorch's own database agree on all of its samples (4 minutes)
	$(ORACLES)/bin/python tests/oracles/torch_samples.py

test-tex: $(VENV)/.installed  ## compile the LaTeX document of every catalogue entry
	@command -v pdflatex > /dev/null || { echo "pdflatex is missing; on Debian: apt-get install texlive-latex-recommended"; exit 1; }
	$(VENV)/bin/python -m pytest -n 2 tests/tex

test-browser: $(VENV)/.installed  ## step pages in a headless Chromium, which root gets by apt where it is missing
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome; } > /dev/null || { test "$$(id -u)" = 0 && command -v apt-get > /dev/null \
	  && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } \
	  || { echo "Chromium is missing; on Debian: apt-get install chromium"; exit 1; }
	$(VENV)/bin/python -m pytest --import-mode=prepend tests/browser

fuzz: $(VENV)/.installed  ## thousands of random compositions and functions: graph, plans and mpmath agree
	SYMGRAD_EXAMPLES=3000 $(VENV)/bin/python -m pytest tests/test_fuzz.py tests/test_plan_fuzz.py

mutants: $(VENV)/.installed  ## refute every wrong gradient made from the catalogue, about 1,700 (3 minutes)
	$(VENV)/bin/python tests/symbolic/gradient_mutants.py

test-fuzz: $(VENV)/.installed  ## pictures of ten thousand hostile names
	SYMGRAD_FUZZ=10000 $(VENV)/bin/python -m pytest -n 2 tests/viz/test_hostile.py

lint: $(VENV)/.installed  ## ruff and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

derive: $(VENV)/.installed  ## derive the kernels of symgrad/derived again, with their proofs
	$(VENV)/bin/python -m symgrad.derived

docs: $(VENV)/.installed  ## write the generated pages of docs/, and the site into docs/_build
	$(VENV)/bin/python docs/generate.py
	$(VENV)/bin/python -m sphinx --fail-on-warning --quiet docs docs/_build
	@echo "open docs/_build/index.html"

experiments: $(VENV)/.installed  ## the lecture's claims, measured; the page goes to experiments/
	$(VENV)/bin/python examples/lecture --out experiments

bench: $(ORACLES)/.installed  ## time symgrad beside its peers, and write the page about speed
	$(ORACLES)/bin/python -m benchmarks --json docs/speed.json --page docs/speed.md

bench-quick: $(ORACLES)/.installed  ## the same with few contenders and rounds, printed only
	$(ORACLES)/bin/python -m benchmarks --quick

clean:  ## remove what the other targets made, except the two environments
	rm -rf build dist tour docs/_build experiments .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path './.venv*' -prune -o -name __pycache__ -type d -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(ORACLES)/.installed: pyproject.toml
	$(PYTHON) -m venv $(ORACLES)
	$(ORACLES)/bin/python -m pip install --quiet --editable '.[dev,oracles]'
	@touch $@
