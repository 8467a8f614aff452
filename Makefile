# Every target makes what it needs from python3 and pip alone.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test test-browser torture fuzz check format bench clean

demo: $(STAMP)            ## the whole job against an embedded S3 + STS + KMS, no AWS account
	$(BIN)/s3haul demo

test: $(STAMP)            ## every test, the foreign servers included
	$(BIN)/python -m pytest

test-browser: $(STAMP)    ## the report in Chromium (apt-get install chromium); S3HAUL_SCREENSHOTS=DIR keeps pictures of it
	$(BIN)/python -m pip install --quiet --group browser
	$(BIN)/python -m pytest tests/browser

torture: $(STAMP)         ## 10,000 hostile answers; S3HAUL_HOSTILE_ANSWERS and S3HAUL_HOSTILE_SEED: other ones
	S3HAUL_HOSTILE_ANSWERS=$${S3HAUL_HOSTILE_ANSWERS:-10000} $(BIN)/python -m pytest tests/faults/test_hostile_answers.py

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
	$(BIN)/python -m pip install --quiet --editable '.[demo,parquet]' --group test --group check
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
