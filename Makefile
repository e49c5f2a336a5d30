# The small fixed box of tools. `make` lists the targets.

PYTHON ?= python3
DEMO_HOME ?= .keyong/demo
JOBS ?= 2
BIN := .venv/bin
PACKAGES := keyong sandbox policies gateway audit

.DEFAULT_GOAL := help
.PHONY: help demo serve flights check test test-long golden lock system clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

# ---- the virtual environment: rebuilt whenever the lock file changes

.venv: .venv/.installed

.venv/.installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "keyong needs Python 3.11 or newer; name one with \`make PYTHON=python3.12 ...\`" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  echo "this Python cannot make a virtual environment; on Debian and Ubuntu run \`apt-get install python3-venv\` and try again" >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	@touch $@

# ---- use it

demo: .venv ## walk through one domain, end to end
	$(BIN)/keyong demo

serve: .venv ## open the door of a demo domain on this machine
	$(BIN)/keyong serve --demo --home $(DEMO_HOME)

flights: .venv ## ask a real year of flights (fetched by pip), exact answers beside
	$(BIN)/python -m examples.flights.run

# ---- judge it

check: .venv ## form, types, walls and tidiness: no test runs the product
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -q tests/tidy

test: .venv system ## every test but the long ones
	$(BIN)/pytest -q -m "not long" -n $(JOBS) --dist loadfile tests

test-long: .venv system ## the tests that take minutes: statistics, audits, faults
	HYPOTHESIS_PROFILE=search $(BIN)/pytest -q -m long tests

golden: .venv ## rewrite the golden files; the diff is the review
	$(BIN)/python -m tests.golden.rewrite
	@git --no-pager diff --stat -- tests/golden

# What the tests need from the machine, as FILE:PACKAGE. As root a missing package is installed; otherwise what is
# skipped is said. The kernel's headers tell whether our table of system calls is right.
SYSTEM := /usr/include/asm-generic/unistd.h:linux-libc-dev

system:
	@for need in $(SYSTEM); do \
	  file=$${need%%:*}; package=$${need##*:}; \
	  test -e $$file && continue; \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing $$package"; \
	    { apt-get install -qq -y $$package || { apt-get update -qq && apt-get install -qq -y $$package; }; } \
	      >/dev/null 2>&1 || true; \
	  fi; \
	  test -e $$file || echo "SKIPPED: tests that need $$file; run \`apt-get install $$package\`"; \
	done
	@[ "$$(id -u)" = 0 ] || [ "$$(cat /proc/sys/user/max_user_namespaces 2>/dev/null || echo 0)" -gt 0 ] || \
	  echo "SKIPPED: tests that start a worker in namespaces; run as root or \`sysctl -w user.max_user_namespaces=15000\`"

lock: ## pin every dependency anew; read the diff
	$(PYTHON) -m venv --clear .cache/lock
	.cache/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	{ echo '# Every dependency of every extra, pinned by hash. Rewrite with `make lock`, then read the diff.'; \
	  .cache/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --no-emit-index-url --all-extras pyproject.toml; } > .cache/requirements.lock
	mv .cache/requirements.lock requirements.lock

clean: ## remove everything that make made
	rm -rf .venv .cache .keyong .hypothesis .mypy_cache .ruff_cache .pytest_cache build dist *.egg-info
	find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +
