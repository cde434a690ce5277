# make run    a first answer: sets up .venv, starts the service on 127.0.0.1:8080 and prints a request to try
# make test   the same set-up, then every test          make check  ruff, mypy, import-linter, openapi.yaml is current
# make bench  print the speed tables                     make soak   the long runs, with the figures that they measure
# make site   build the documents that are served at /docs
PYTHON ?= python3
PORT ?= 8080
BIN := .venv/bin

.PHONY: run setup setup-clients test check bench soak openapi docs site wheel sbom lock lock-clients format clean

# The site at /docs is built beside the service, so that the first answer does not wait for it; .venv/site.log has what came of it.
run: setup
	@nice $(MAKE) --no-print-directory site > .venv/site.log 2>&1 &
	$(BIN)/gridgram serve --port $(PORT)

setup: .venv/ready

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/ready-test: .venv/ready requirements-test.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement requirements-test.lock
	touch $@

# The real clients of other services, in an environment of their own: some want versions that ours must not have.
setup-clients: .venv/clients/ready

.venv/clients/ready: .venv/ready requirements-clients.lock
	$(PYTHON) -m venv .venv/clients
	.venv/clients/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: --requirement requirements-clients.lock
	touch $@

# What builds the site, in an environment of its own: nothing of it is ever needed to serve.
.venv/docs/ready: .venv/ready requirements-docs.lock
	$(PYTHON) -m venv --without-pip .venv/docs
	$(BIN)/pip --python .venv/docs/bin/python install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement requirements-docs.lock
	touch $@

site: service/static/docs/manifest.json

service/static/docs/manifest.json: .venv/docs/ready pyproject.toml openapi.yaml $(shell find docs examples deploy -type f -not -name '*.pyc')
	.venv/docs/bin/python docs/site/build.py

test: .venv/ready-test site
	$(MAKE) --no-print-directory setup-clients || echo 'The real clients cannot be installed here: their tests will be SKIPPED.'
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: .venv/ready-test site
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_floors.py
	$(BIN)/gridgram openapi | diff --unified openapi.yaml - || { echo 'openapi.yaml is not what the code promises: run make openapi'; exit 1; }

# About half an hour on two cores, most of it for 100 million jobs; the seconds of each table are told.
bench: .venv/ready-test
	@for bench in run schedule page readers 'backfill 10 100' 'cluster 20'; do \
		set -- $$bench; script=$$1; shift; begun=$$(date +%s); echo "== bench/$$script.py $$*"; \
		$(BIN)/python bench/$$script.py $$* || exit 1; echo "($$(($$(date +%s) - begun)) s)"; \
	done

soak: .venv/ready-test
	$(BIN)/python -m pytest -m soak -rP

openapi: .venv/ready-test
	$(BIN)/gridgram openapi > openapi.yaml

wheel: .venv/ready-test site
	$(BIN)/python -m hatchling build -t wheel -d dist

# What the service is made of, as CycloneDX, from the lock; the same bytes every time.
sbom: .venv/ready-test
	mkdir -p dist
	$(BIN)/python scripts/write_sbom.py dist/sbom.cdx.json

docs: .venv/ready-test
	$(BIN)/python -m service.pages > docs/providers.md
	$(BIN)/python -m service.metrics.table > docs/metrics.md

# Needs uv (https://docs.astral.sh/uv/). The locks hold for every Python and platform that the project supports.
lock:
	uv pip compile pyproject.toml --extra build --extra postgres --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.lock
	uv pip compile pyproject.toml --extra build --extra test --constraint requirements.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements-test.lock
	uv pip compile --group docs --fork-strategy fewest --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements-docs.lock

lock-clients:
	uv pip compile requirements-clients.in --override requirements-clients.overrides --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements-clients.lock

format: .venv/ready-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv dist build service/static/docs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
