# Every target makes what it needs from python3 and pip alone.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test simulate torture torture-disk fuzz check format bench clean

demo: $(STAMP)            ## the whole job against an embedded S3 + STS + KMS, no AWS account
	$(BIN)/s3haul demo

test: $(STAMP)            ## every test, the foreign servers included
	$(BIN)/python -m pytest

simulate: $(STAMP)        ## simulated runs: SEED=7 plays one seed again, COUNT=1000 so many from it on
	PYTHONPATH=tests $(BIN)/python -m simulator $(or $(SEED),0) --count $(or $(COUNT),1)

torture: $(STAMP)         ## about two hours: hostile answers, simulated runs, kills, outages, storms, short sessions
	S3HAUL_HOSTILE_ANSWERS=$${S3HAUL_HOSTILE_ANSWERS:-10000} $(BIN)/python -m pytest tests/faults/test_hostile_answers.py
	S3HAUL_SEEDS=$${S3HAUL_SEEDS:-20000} $(BIN)/python -m pytest tests/simulator
	S3HAUL_KILL_ROUNDS=$${S3HAUL_KILL_ROUNDS:-200} $(BIN)/python -m pytest tests/e2e/test_kill.py
	$(BIN)/python -m pytest -s tests/torture/torture_service.py

torture-disk: $(STAMP)    ## a kill at every system call (needs strace), and power losses on ext4 (needs root)
	$(BIN)/python -m pytest -s tests/torture/torture_syscalls.py tests/torture/torture_power.py

fuzz: $(STAMP)            ## 10,000 random configurations, and a third as many sets of random answers
	S3HAUL_FUZZ=10000 $(BIN)/python -m pytest --timeout 7200 tests/properties/test_random_settings.py \
	  tests/properties/test_random_answers.py

check: $(STAMP)           ## lint, types, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)           ## the baseline figures in benchmarks/
	$(BIN)/python benchmarks/baseline.py

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[demo]' --group test --group check
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
