# Every target does its own set-up in .venv.
VENV := .venv
PYTHON := $(VENV)/bin/python
ARGS ?=
# One word for the shell, whatever is in it.
quoted = '$(subst ','\'',$1)'
# Tests run side by side, one worker with one thread for each core.
PYTEST := $(PYTHON) -m pytest --numprocesses auto
test test-long: export OMP_NUM_THREADS = 1

.PHONY: train evaluate watch tensorboard test test-long check docs format clean

train: $(VENV)/.installed
	$(PYTHON) train.py $(if $(RUN_DIR),--run-dir $(call quoted,$(RUN_DIR))) $(ARGS)

evaluate: $(VENV)/.installed
	$(PYTHON) evaluate.py --checkpoint $(call quoted,$(or $(RUN_DIR),runs/kung_fu_master)) $(ARGS)

watch: $(VENV)/.installed-watch
	$(PYTHON) evaluate.py --checkpoint $(call quoted,$(or $(RUN_DIR),runs/kung_fu_master)) --watch $(ARGS)

tensorboard: $(VENV)/.installed
	$(VENV)/bin/tensorboard --logdir runs $(ARGS)

test: $(VENV)/.installed-dev
	$(PYTEST) $(ARGS)

test-long: $(VENV)/.installed-dev
	$(PYTEST) -m long $(ARGS)

check: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright
	PYTHONPATH=. $(VENV)/bin/lint-imports

docs: $(VENV)/.installed-dev
	$(VENV)/bin/mkdocs build --strict $(ARGS)

format: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean:
	rm -rf $(VENV) build site *.egg-info

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-watch: $(VENV)/.installed
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[watch]"
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[bench,dev,docs,interop,watch]"
	touch $@
