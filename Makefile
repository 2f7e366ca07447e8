# The two main commands are `make run` and `make test`. Both set up what they need in .venv.
# Without make (Windows): `python run.py` and `python run.py test`.

PYTHON ?= python3
# Package index for torch, such as https://download.pytorch.org/whl/cpu; empty means PyPI.
TORCH_INDEX_URL ?=
export TORCH_INDEX_URL

.PHONY: run test lint bench prove
run:
	@$(PYTHON) run.py
test:
	@$(PYTHON) run.py test
lint:
	@$(PYTHON) run.py lint
bench:
	@$(PYTHON) run.py setup
	@.venv/bin/python -m benchmarks
prove:
	@$(PYTHON) run.py prove
