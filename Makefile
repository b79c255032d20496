# `make demo`: the whole pipeline on this machine. `make test`: every test but those of `make test-recovery`, which are long: kills,
# broken situations, drift, replays, a database that exists, the documents. `make test-fast`: no engines,
# and none of the tests that check the whole project again for each of hundreds of mistakes.
# `make convergence TRIALS=200 SEED=1`: random changes and faults, every tenth trial over the whole stack; gold must equal the source.
# `make mutants`: breaks one rule of the product after the other and shows which the trials find.
# `make check`: style, types, layers, specification. `make scan`: checkov over the templates.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --max-worker-restart 0 --dist loadfile --no-loadscope-reorder
INSTALLED := $(VENV)/.installed
SCANNER := $(VENV)-scan/bin/checkov

unexport PYTHONDONTWRITEBYTECODE # tests start hundreds of processes: compiling the package in each takes minutes

.PHONY: demo test test-recovery test-fast convergence mutants check scan format clean

$(INSTALLED): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13) and "Python 3.11 or 3.12 is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --editable '.[local,dev]'
	touch $@

demo: $(INSTALLED)
	$(BIN)/medallion demo

test: $(INSTALLED)
	$(PYTEST) -m 'not recovery'

test-recovery: $(INSTALLED)
	$(BIN)/python -m pytest -m recovery

test-fast: $(INSTALLED)
	$(PYTEST) -m 'not engine and not broad'

TRIALS ?= 20
SEED ?= 1

convergence: $(INSTALLED)
	$(BIN)/python tests/convergence/converge.py --trials $(TRIALS) --seed $(SEED)

mutants: $(INSTALLED)
	$(BIN)/python tests/convergence/mutants.py $(if $(REPORT),--report $(REPORT))

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/medallion validate

# checkov pins an older boto3: it gets an environment of its own
$(SCANNER):
	$(PYTHON) -m venv $(VENV)-scan
	$(VENV)-scan/bin/python -m pip install --quiet --no-compile --disable-pip-version-check checkov==3.3.30

scan: $(INSTALLED) $(SCANNER)
	$(BIN)/python .ci/security_scan.py $(SCANNER)

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(VENV)-scan build dist .mypy_cache .ruff_cache .pytest_cache
