# Needs python3 (3.11 or newer), its pip, and make. Linux and macOS.
PYTHON ?= python3
ARGS ?=
V := .venv
B := $(V)/bin
# Much of the suite waits, for leases and for ended processes: one worker more than cores, at most 4.
WORKERS := $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((n < 4 ? n + 1 : 4)))
LOCKS := requirements.lock requirements-dev.lock requirements-uv.lock
STAMP := $(V)/.stamp-$(shell cat $(LOCKS) | cksum | cut -d' ' -f1)
COMPILE := pip compile -q --universal --generate-hashes --no-header --no-annotate \
  --no-emit-index-url --python-version 3.11
# uv does not read pip's settings: hand it the index, the wheels and little patience.
define UV
index=$${PIP_INDEX_URL:-$$($(B)/pip config get global.index-url 2>/dev/null || true)}; \
  env $${index:+UV_DEFAULT_INDEX="$$index"} $${PIP_FIND_LINKS:+UV_FIND_LINKS="$$PIP_FIND_LINKS"} \
  UV_HTTP_CONNECT_TIMEOUT=3 UV_HTTP_TIMEOUT=20 UV_HTTP_RETRIES=1 UV_SYSTEM_CERTS=1 $(B)/uv
endef
define WARM
import babel.dates, babel.numbers, hub.app, hub.cli.serve, rich.progress, rich.table
from hub.discovery import available, discover
[discover(kind) for kind in available()]
endef
export WARM

.PHONY: bench-check bench-peers outage help setup run demo test soak silence past reloads kills model sim check chaos bench fuzz docs lock clean flood hostile moves rotate ceilings roll wheel

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/make \1	\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

setup: $(STAMP)  ## make the environment in .venv from the locks; nothing to do while they stay the same

run: setup  ## play one order through the hub and keep serving on 127.0.0.1:8080
	$(B)/hub demo --serve $(ARGS)

demo: setup  ## play one order through the hub and stop
	$(B)/hub demo $(ARGS)

test: setup  ## run all tests; ARGS="tests/unit -n 2" for some of them, on two cores
	$(B)/python -m pytest -n $(WORKERS) $(ARGS)

soak: setup  ## kill the hub ten times amid 500 orders; ARGS="--orders 100 --kills 3 --seed 1" for less
	$(B)/python -m tests.e2e.kill_loop $(ARGS)

reloads: setup  ## reload a hub a hundred times under load, every third file broken; ARGS="--reloads 30 --seed 1" for less
	$(B)/python -m tests.e2e.reloading $(ARGS)

outage: setup  ## fail 10,000 jobs of one provider: one message, and one that it is over; on both stores
	HUB_TEST_OUTAGE=10000 $(B)/python -m pytest -n 0 tests/alerts/test_outage.py -k an_outage --show-capture=no $(ARGS)

model: setup  ## hold the store against a plain model of it, and plant faults; ARGS="--examples 200 --store sqlite"
	$(B)/python -m tests.model.run $(ARGS)

silence: setup  ## sell 10,000 orders whose webhooks never come; ARGS="--orders 500" for less
	$(B)/python -m tests.e2e.silence $(ARGS)

past: setup  ## import 10,000 old orders and back-fill 30 days on an empty hub; ARGS="--orders 500 --store sqlite" for less
	$(B)/python -m tests.e2e.past $(ARGS)

kills: setup  ## kill -9 three hubs on one PostgreSQL fifty times amid 50,000 jobs; ARGS="--store sqlite" for one on a file
	$(B)/python -m tests.chaos.kill_loop $(ARGS)

sim: setup  ## play 100,000 schedules of crashes in virtual time; ARGS="--schedules 500", ARGS="--seed 17" shows one
	$(B)/python -m tests.sim.run $(ARGS)

moves: setup  ## copy a store of 20,000 live jobs to PostgreSQL, kill the copy, go on; ARGS="--jobs 2000 --kills 2"
	$(B)/python -m tests.chaos.moves $(ARGS)

drill: setup  ## lose a store under load, restore it from a backup, let it go on; ARGS="--orders 20 --store postgres"
	$(B)/python -m tests.e2e.drill $(ARGS)

rotate: setup  ## seal 100,000 rows with a new key beside a hub, kill it, go on; ARGS="--rows 5000 --store postgres"
	$(B)/python -m tests.chaos.rotation $(ARGS)

ceilings: setup  ## make a route wrong amid 50,000 events, cancel and release what is held; ARGS="--store sqlite"
	$(B)/python -m tests.chaos.ceilings $(ARGS)

roll: setup  ## replace two hubs at one address under load; ARGS="--rolls 4 --seconds 20" for less
	$(B)/python -m tests.chaos.rolling $(ARGS)

chaos: setup  ## let PostgreSQL fail under load in five ways and measure what comes after; ARGS="--rate 20"
	$(B)/python -m tests.chaos.outages $(ARGS)

check: setup  ## format, lint, types and imports
	$(B)/ruff format --check .
	$(B)/ruff check .
	$(B)/mypy
	$(B)/lint-imports

bench: setup  ## run the benchmarks; ARGS="--only whole --rounds 9 --count 4000 --report out" for more of one
	$(B)/python -m bench $(ARGS)

bench-check: setup  ## hold the CPU ratios of this machine against bench/baseline.json
	$(B)/python -m bench.check $(ARGS)

bench-peers: setup bench/peers/.venv/done bench/peers/.node/done  ## give other engines the same work, and kill them
	$(B)/python -m bench.peers $(ARGS)

bench/peers/.venv/done: bench/peers/requirements.txt
	$(PYTHON) -m venv --clear bench/peers/.venv
	bench/peers/.venv/bin/pip install -q -r $<
	@touch $@

# Without Node or its registry the bench names what it leaves out. A lock would hold addresses.
bench/peers/.node/done: bench/peers/package.json
	@mkdir -p $(@D) && cp $< $(@D)
	npm install --prefix $(@D) --no-package-lock --no-audit --no-fund --loglevel=error && touch $@ || true

docs: setup  ## write the generated parts of README and docs/ anew
	$(B)/python -m tests.docs.generate

fuzz: setup  ## send a million hostile requests to every webhook verifier; ARGS="--inputs 9000000"
	$(B)/python -m tests.webhooks.fuzz $(ARGS)

hostile: setup  ## send 10,000 forged webhooks among good ones, and over 10,000 spoilt requests to the API
	HUB_TEST_TIMES=5 $(B)/python -m pytest -q -n 0 -o timeout=1200 \
	  tests/unit/api/test_fuzz.py tests/webhooks/test_refusals.py -k "spoilt or s22"

flood: setup  ## attack a running hub with half-open connections and bombs; ARGS="--half 500 --goods 1000"
	$(B)/python -m tests.webhooks.flood $(ARGS)

wheel: setup  ## build dist/shop_hub-VERSION-py3-none-any.whl
	$(B)/hatchling build -t wheel

lock: setup  ## rewrite the locks from requirements*.in; ARGS=--upgrade takes newer versions of the rest
	@for f in requirements requirements-dev requirements-uv; do \
	  $(UV) $(COMPILE) $(ARGS) $$f.in -o $$f.lock || exit 1; done

clean:  ## delete the environment and every cache; data in var/ stays
	rm -rf $(V) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo 'Shop Hub needs Python 3.11 or newer. Name one: make setup PYTHON=python3.12'; exit 1; }
	@echo 'making .venv'
	@$(PYTHON) -m venv --clear $(V)
	@$(B)/pip install -q --require-hashes -r requirements-uv.lock \
	&& { $(UV) pip install -q --python $(B)/python --require-hashes -r requirements-dev.lock; } \
	|| { echo 'uv could not; pip does the same, in about a minute'; \
	  $(PYTHON) -m venv --clear $(V) && $(B)/pip install -q --require-hashes -r requirements-dev.lock; }
	@printf '%s\n' '#!/bin/sh' "'''exec' \"$(CURDIR)/$(B)/python\" \"\$$0\" \"\$$@\"" "'''" \
	  'import sys' 'sys.path[0] = "$(CURDIR)"' 'from hub.cli import main' 'sys.exit(main())' > $(B)/hub
	@chmod +x $(B)/hub
	@env -u PYTHONDONTWRITEBYTECODE $(B)/python -c "$$WARM"  # as pip does: else each start pays again
	@touch $@
