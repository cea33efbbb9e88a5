# The two main commands are `make app` and `make test`. Both first install what they need into .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: app test slow check gallery screenshots clean

app: .venv/app
	$(BIN)/python -m stitchlab app

# Tests of pages and units do not depend on each other, so two processes share them. Each process has one thread of
# PyTorch, because more threads than cores would wait for one another. Browser tests run alone: they measure times.
test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/unit tests/pages -n 2 --dist loadfile
	$(BIN)/python -m pytest tests/e2e

slow: .venv/dev
	$(BIN)/python -m pytest -m slow

gallery: .venv/app
	$(BIN)/python -m gallery.make $(if $(DATA),--data $(DATA))

screenshots: .venv/dev
	PYTHONPATH=.:tests $(BIN)/python docs/screenshots.py

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

.venv/app: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "StitchLab needs Python 3.11 or later; say which: make app PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

.venv/dev: .venv/app requirements-dev.txt requirements-timm.txt
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@

clean:
	rm -rf .venv
