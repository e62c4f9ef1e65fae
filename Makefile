# make demo   the whole road on a small corpus: label, train, evaluate, export, selftest, predict
# make test   the tests         make check   lint, types, floors
# make soak   the long counts   make docs    docs/commands.md from the options   make clean   remove .venv and build
#
# PYTHON=python3.12 chooses the interpreter. TORCH_INDEX=URL chooses where torch comes from: on Linux without an
# NVIDIA driver its index of CPU wheels, which saves gigabytes; elsewhere, or where that cannot be reached, the usual one.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH_INDEX ?= $(shell if [ "$$(uname)" = Linux ] && ! command -v nvidia-smi >/dev/null 2>&1; then echo https://download.pytorch.org/whl/cpu; fi)
TORCH := $(shell grep '^torch==' constraints.txt)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
DEMO := build/demo

.PHONY: demo test check soak docs constraints clean
.DEFAULT_GOAL := demo

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; choose one with: make PYTHON=python3.12"; exit 2; }
	@echo "installing into $(VENV) (a few minutes the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --no-deps $(if $(TORCH_INDEX),--retries 0 --extra-index-url $(TORCH_INDEX)) $(TORCH) || $(PIP) $(TORCH)
	@$(PIP) -e '.[dev]'
	@touch $@

demo: $(VENV)/installed
	@$(BIN)/python benchmarks/demo.py $(DEMO)

test: $(VENV)/installed
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

soak: $(VENV)/installed
	$(BIN)/python -m pytest -m slow --timeout 7200
	$(BIN)/python benchmarks/labelling.py throughput --documents 6400 --delay 0.3 --in-flight 64
	$(BIN)/python benchmarks/labelling.py memory --documents 1000000
	$(BIN)/python benchmarks/labelling.py restart --documents 100000

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/installed
	@$(BIN)/python -c 'import cli; from distill.command import COMMANDS, HELP; from distill.manual import manual; \
	  open("docs/commands.md", "w", encoding="utf-8").write(manual(COMMANDS, HELP))'

constraints:
	@{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//'; } > constraints.new
	@mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) build
