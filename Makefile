# Everything a newcomer needs: `make demo` and `make test`. `make` alone prints this list.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python
SEEDS ?= 1 2 3 4 5 6 7 8 9 10
SEED ?= 1
CASES ?= 100000

.DEFAULT_GOAL := help
.PHONY: help install demo demo-seeds cohort-study fuzz-wire up test check format services lock wheel wheel-test notebooks notebooks-strip sim-ingest soak kill-ingest kill-duckdb outage clean

help: ## print this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(VENV)/.installed: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Hearthwatch needs Python 3.11 or later, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -c "import pathlib, site; pathlib.Path(site.getsitepackages()[0], 'hearthwatch.pth').write_text('$(CURDIR)\n')"
	@printf '#!%s\nfrom hearthwatch.__main__ import main\n\nif __name__ == "__main__":\n    main()\n' "$(CURDIR)/$(BIN)/python" > $(BIN)/hearthwatch && chmod +x $(BIN)/hearthwatch
	@touch $@

install: $(VENV)/.installed ## make .venv from the locked requirements

demo: install ## a fleet through the whole loop, with pages to watch (ARGS="--devices 300 --seed 3")
	$(BIN)/hearthwatch demo $(ARGS)

demo-seeds: install ## the demo's story for ten seeds, over Mosquitto when it is installed, and over local://
	$(RUN) tests/benchmarks/demo_seeds.py $(SEEDS)

cohort-study: install ## false alarms and power of the release watch beside its rivals, simulated (an hour; continues; ARGS='--only "power*ratio 2"')
	OPENBLAS_NUM_THREADS=1 $(BIN)/hearthwatch evaluate cohorts --data var/evaluation --jobs 2 $(ARGS)

fuzz-wire: install ## real messages made wrong through all conventions (CASES=100000 SEED=1; HEARTHWATCH_DATA names the recordings)
	$(RUN) -m tests.simulation.fuzz_wire --cases $(CASES) --seed $(SEED)

up: install ## run the platform here
	$(BIN)/hearthwatch up

test: install ## all tests that this machine can run (ARGS="-k decode")
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

sim-ingest: SEEDS = 10000
sim-ingest: install ## the ingestor under simulated faults in virtual time, on all cores (SEEDS=10000 ARGS="--first 20000")
	$(RUN) -m tests.simulation --seeds $(SEEDS) $(ARGS)

soak: HOURS = 24
soak: MINUTES = $(shell expr $(HOURS) \* 60)
soak: install ## the ingestor at half load for hours: memory, files, lag, nothing lost (HOURS=24 or MINUTES=20 ARGS="--store influxdb --rate 3000")
	nice -n 10 $(RUN) -m tests.faults.soak --minutes $(MINUTES) $(ARGS)

kill-ingest: KILLS = 50
kill-ingest: install ## the ingestor is killed again and again under load: nothing missing, nothing twice (KILLS=50 ARGS="--store influxdb")
	nice -n 10 $(RUN) -m tests.faults.kill_ingest --kills $(KILLS) $(ARGS)

kill-duckdb: KILLS = 50
kill-duckdb: install ## a DuckDB file whose writer is killed again and again, with checkpoints: whole batches, and how soon it opens (KILLS=50)
	nice -n 10 $(RUN) -m tests.faults.kill_duckdb --kills $(KILLS) $(ARGS)

outage: MINUTES = 10
outage: RATE = 5000
outage: install ## InfluxDB is away and the ingestor is killed meanwhile: nothing missing, the spool is emptied (MINUTES=10 RATE=5000)
	nice -n 10 $(RUN) -m tests.faults.outage --minutes $(MINUTES) --rate $(RATE) $(ARGS)

check: install ## lint, types, import contracts, dead code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture

format: install ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

services: ## install or build the real servers of the tests (Debian or Ubuntu; root or sudo; Go and Rust for InfluxDB)
	sh requirements/services.sh

lock: install ## renew the locked requirements
	$(BIN)/uv --no-config pip compile pyproject.toml --generate-hashes --universal --python-version 3.11 --no-annotate --no-header --quiet --upgrade -o requirements/runtime.txt
	$(BIN)/uv --no-config pip compile pyproject.toml --group dev --generate-hashes --universal --python-version 3.11 --no-annotate --no-header --quiet --upgrade -o requirements/dev.txt
	printf "hatchling>=1.27\n" | $(BIN)/uv --no-config pip compile - -c requirements/dev.txt --generate-hashes --universal --python-version 3.11 --no-annotate --no-header --quiet -o requirements/build.txt
	printf "pipx>=1.7\n" | $(BIN)/uv --no-config pip compile - --generate-hashes --universal --python-version 3.11 --no-annotate --no-header --quiet --upgrade -o requirements/pipx.txt

wheel: install ## build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

wheel-test: install ## build the wheel, pipx install it into an empty environment, run the demo and `up` from another folder
	$(BIN)/python -m pytest tests/e2e/wheel.py $(ARGS)

notebooks: install ## run the notebooks; copies with their pictures go to dist/notebooks/
	mkdir -p dist/notebooks
	cd notebooks && ../$(BIN)/jupyter-execute --output "../dist/notebooks/{notebook_name}" *.ipynb

notebooks-strip: install ## take the outputs out of the notebooks, as they are kept in the repository
	$(BIN)/nbstripout notebooks/*.ipynb

clean: ## remove what the build and the tests leave
	rm -rf dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis var
