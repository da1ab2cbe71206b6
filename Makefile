# Two commands do it all, as root or as an ordinary user: `make lab` runs the main job, `make test` checks everything.
PYTHON ?= python3
export VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: lab test corpus lint types pins clean

lab: $(VENV)/ready
	$(BIN)/probe run profiles/lab.yaml

test: $(VENV)/ready lint types
	$(BIN)/python -m pytest

# The corpus of lab/cases once more, on the wires that a small scan does not choose by itself. AF_XDP wants real root.
corpus: $(VENV)/ready
	CASES_WIRE=packet $(BIN)/python -m pytest tests/cases/test_cases_lab.py -n 2
	CASES_WIRE=xdp $(BIN)/python -m pytest tests/cases/test_cases_lab.py -n 2

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/ready
	$(BIN)/mypy

$(VENV)/ready: requirements.txt pyproject.toml lab/setup.sh
	PYTHON=$(PYTHON) sh lab/setup.sh

# Needs uv. The hashes hold no registry's address, so the file works with any mirror.
pins:
	{ echo "# What probe and its tests need, pinned by hash for Python 3.11 to 3.14. Made by \`make pins\`; edit pyproject.toml instead."; \
	  uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --group dev pyproject.toml; } > requirements.txt

clean:
	rm -rf $(VENV) .tools results
