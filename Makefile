# Two commands: `make app` and `make test`. Each sets up all it needs in .venv first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: app test slow check gallery clean

app: .venv/app
	$(BIN)/streamlit run app.py

test: check
	$(BIN)/python -m pytest

slow: .venv/dev
	$(BIN)/python -m pytest -m slow

gallery: .venv/app
	$(BIN)/python -m gallery.make $(if $(DATA),--data $(DATA))

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/mypy

.venv/app: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "StitchLab needs Python 3.11 or later; say which: make app PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

.venv/dev: .venv/app requirements-dev.txt
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@

clean:
	rm -rf .venv
