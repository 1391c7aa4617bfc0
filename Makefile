# Everything a person or CI does here, each by one word. `make` alone says which.
#
# Nothing but make and a Python 3 is expected to be there. uv, which brings everything else at the versions that uv.lock
# has, is installed into .tools/ when it is missing.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test check sim bench build deploy browser

uv_version := 0.13.9
UV := $(or $(shell command -v uv 2>/dev/null),$(CURDIR)/.tools/bin/uv)
export UV
PY := .venv/bin/python
unexport VIRTUAL_ENV

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.synced ## the whole system on this machine, at http://127.0.0.1:8700, until Ctrl-C (KINDBILL_PORT=…, KINDBILL_DEMO=0)
	@exec $(PY) -m infra.local.cli run --end-with-parent

test: .venv/.synced browser ## every test, browser tests included, in parts beside each other
	@$(PY) -m infra.suite

check: .venv/.synced ## lint, format, types, import contracts, template, secrets, licences, known weaknesses; fast
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	AWS_DEFAULT_REGION=us-east-1 $(PY) -m infra.lint template.yaml
	AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 .venv/bin/sam validate --lint
	$(PY) -m infra.secret_scan
	.venv/bin/pip-licenses --summary
	$(PY) -m infra.audit --if-online

sim: .venv/.synced ## simulated lives: SEEDS=200 of them, SEED=7 again with its trace, YEAR=1 of a thousand clients, MUTANTS=1
	$(PY) -m $(if $(MUTANTS),tests.sim.mutants,tests.sim $(if $(YEAR),--year,$(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),200))))

bench: .venv/.synced ## what speed and cost are, as ratios and exact counts; JSON on the last line
	$(PY) -m bench

build: .venv/.synced ## build/<verb>/ for AWS Lambda (Python 3.13, arm64)
	$(PY) -m infra.build

deploy: .venv/.synced ## to AWS: STAGE=staging, and the first time URL=https://pay.example.com
	@test -n "$(STAGE)" || { echo "make deploy STAGE=<name> [URL=https://<where clients reach us>]"; exit 2; }
	$(PY) -m infra.build
	SAM_CLI_TELEMETRY=0 .venv/bin/sam deploy --template-file template.yaml --stack-name kindbill-$(STAGE) \
	  --resolve-s3 --no-fail-on-empty-changeset --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND \
	  --parameter-overrides Stage=$(STAGE) $(if $(URL),PublicBaseUrl=$(URL))

browser: .venv/.synced
	@$(PY) -m infra.browser

.venv/.synced: pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --quiet
	@touch $@

# A virtual environment where Python can make one (Debian wants python3-venv for it), else a folder.
$(CURDIR)/.tools/bin/uv:
	@echo "Getting uv $(uv_version) into .tools/ …"
	@python3 -m venv .tools 2>/dev/null && .tools/bin/python -m pip install --quiet uv==$(uv_version) \
	  || { rm -rf .tools; python3 -m pip install --quiet --target .tools uv==$(uv_version); } \
	  || { echo "This needs uv, and Python here can neither make a virtual environment nor run pip."; \
	       echo "Install one of them: apt-get install python3-venv, or uv itself (docs.astral.sh/uv)."; exit 1; }
