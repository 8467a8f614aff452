# Every target needs only python3 and pip.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test test-ray test-browser simulate torture torture-disk fuzz check format bench readme plots man dist test-wheel constraints clean

demo: $(STAMP)            ## a complete run with an embedded S3 + STS + KMS, no AWS account
	$(BIN)/s3haul demo

test: $(STAMP)            ## all tests, other S3 servers included, on up to four cores
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

test-browser: $(STAMP)    ## the report in Chromium (apt-get install chromium); S3HAUL_SCREENSHOTS=DIR keeps pictures of it
	$(BIN)/python -m pip install --quiet --group browser
	$(BIN)/python -m pytest tests/browser

simulate: $(STAMP)        ## simulated runs: SEED=7 repeats one seed, COUNT=1000 runs so many from it on
	PYTHONPATH=tests $(BIN)/python -m simulator $(or $(SEED),0) --count $(or $(COUNT),1)

test-ray: $(STAMP)        ## runs of many processes on a Ray cluster, on loopback
	$(BIN)/python -m pip install --quiet --editable '.[demo,ray]'
	S3HAUL_TEST_RAY=1 $(BIN)/python -m pytest tests/ray_cluster

torture: $(STAMP)         ## more than three hours: hostile responses, simulated runs, kills, outages, 503s, short sessions, a long run
	S3HAUL_HOSTILE_ANSWERS=$${S3HAUL_HOSTILE_ANSWERS:-10000} $(BIN)/python -m pytest tests/faults/test_hostile_answers.py
	S3HAUL_SEEDS=$${S3HAUL_SEEDS:-20000} $(BIN)/python -m pytest tests/simulator
	S3HAUL_KILL_ROUNDS=$${S3HAUL_KILL_ROUNDS:-200} $(BIN)/python -m pytest tests/e2e/test_kill.py
	S3HAUL_CLUSTER_KILLS=$${S3HAUL_CLUSTER_KILLS:-50} $(BIN)/python -m pytest tests/cluster/test_kills.py
	$(BIN)/python -m pytest -s tests/torture/torture_service.py tests/torture/torture_soak.py

torture-disk: $(STAMP)    ## a kill at every system call (needs strace), and power losses on ext4 (needs root)
	$(BIN)/python -m pytest -s tests/torture/torture_syscalls.py tests/torture/torture_power.py

fuzz: $(STAMP)            ## 10,000 random configurations, 10,000 sets of random responses, 1,000 whole runs with both
	S3HAUL_FUZZ=$${S3HAUL_FUZZ:-10000} $(BIN)/python -m pytest --timeout 7200 tests/properties/test_random_settings.py \
	  tests/properties/test_random_answers.py tests/properties/test_random_runs.py

check: $(STAMP)           ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)           ## the baseline figures in benchmarks/
	$(BIN)/python benchmarks/baseline.py

dist: $(STAMP)            ## wheel and sdist of the commit, built twice: the bytes must be the same
	$(BIN)/python -m pip install --quiet --group release
	$(BIN)/python tools/distribution.py

# The tests of the installed wheel, in three environments: with the newest dependencies, with the oldest that
# pyproject.toml allows, and with the tested ones.
SMOKE := tests/unit/test_imports.py tests/unit/test_checksums.py tests/unit/test_metrics.py tests/contract \
  tests/docs/test_help.py tests/docs/test_man_page.py tests/bench tests/e2e/test_recipe.py tests/e2e/test_metrics.py

test-wheel: test-wheel-newest test-wheel-oldest test-wheel-tested

test-wheel-%: dist        ## the wheel, installed: newest, oldest, tested
	$(PYTHON) -m venv --clear .venvs/$*
	.venvs/$*/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venvs/$*/bin/python -m pip install --quiet $(if $(wildcard constraints/$*.txt),-c constraints/$*.txt) \
	  "$$(ls dist/*.whl)[demo,metrics]" --group test
	cd .venvs && $*/bin/python -c "import s3haul, sys; sys.exit('site-packages' not in s3haul.__file__)"
	test -s .venvs/$*/share/man/man1/s3haul.1
	.venvs/$*/bin/python -m pytest -q $(SMOKE)
	.venvs/$*/bin/s3haul demo > /dev/null

constraints: $(STAMP)     ## the tested versions, as a constraints file for users
	$(BIN)/python tools/constraints.py

readme: $(STAMP) plots man ## what is generated: transcript, tables, pictures, man page
	PYTHONPATH=tests $(BIN)/python -m docs.readme

man: $(STAMP)             ## the man page, from the command line
	$(BIN)/python tools/man_page.py

plots: $(STAMP)           ## tables and pictures of the recorded figures
	$(BIN)/python benchmarks/baseline.py --tables

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[demo,metrics,parquet,inventory]' --group test --group check
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
